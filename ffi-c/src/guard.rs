//! What stands between C and the library: no panic leaves, and no handle is used twice at once.
//!
//! A handle is an `Arc` that C holds one count of, and every call holds another while it runs: a callback
//! that frees the handle it was called from takes nothing away from below its caller.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use crate::code::{SMTP_ERR_BUSY, SMTP_ERR_NULL, SMTP_ERR_PANIC};

/// What a handle holds, and who may use it now. Nobody ever waits for the lock: whoever comes second,
/// a callback or another thread, is told `SMTP_ERR_BUSY`.
pub(crate) struct Handle<T> {
    /// A panic came out of it; what it holds may be half done.
    broken: AtomicBool,
    lock: RwLock<T>,
}

impl<T> Handle<T> {
    pub(crate) fn new(state: T) -> Self {
        Self { broken: AtomicBool::new(false), lock: RwLock::new(state) }
    }
}

/// An opaque type of the header.
pub(crate) trait Guarded {
    type State;
    fn handle(&self) -> &Handle<Self::State>;
}

/// Makes `$name`, which C knows by its address only, a handle around `$state`.
macro_rules! guarded {
    ($name:ident, $state:ty) => {
        impl crate::guard::Guarded for $name {
            type State = $state;
            fn handle(&self) -> &crate::guard::Handle<$state> {
                &self.handle
            }
        }
    };
}
pub(crate) use guarded;

/// Hands a handle over to C.
pub(crate) fn give<H: Guarded>(handle: H) -> *mut H {
    Arc::into_raw(Arc::new(handle)).cast_mut()
}

/// Takes a handle back, at once or when the call that uses it now is over. NULL is fine.
///
/// # Safety
/// `handle` is NULL or from [`give`], and C does not use it again.
pub(crate) unsafe fn free<H: Guarded>(handle: *mut H) {
    if !handle.is_null() {
        // SAFETY: the count that `give` left with C.
        let last = unsafe { Arc::from_raw(handle) };
        caught(|_| (), || drop(last));
    }
}

/// Runs `call` with the handle for itself; if that cannot be, `refused` makes the answer.
///
/// # Safety
/// `handle` is NULL or from [`give`], and was not freed.
pub(crate) unsafe fn alone<H, R>(
    handle: *const H,
    refused: fn(c_int) -> R,
    call: impl FnOnce(&mut H::State) -> R,
) -> R
where
    H: Guarded,
    H::State: Send,
{
    // SAFETY: as the caller says.
    let Some(held) = (unsafe { hold(handle) }) else { return refused(SMTP_ERR_NULL) };
    let handle = held.handle();
    caught(refused, || {
        if handle.broken.load(Ordering::Acquire) {
            return refused(SMTP_ERR_PANIC);
        }
        let Ok(mut state) = handle.lock.try_write() else { return refused(SMTP_ERR_BUSY) };
        marked(&handle.broken, || call(&mut state))
    })
}

/// Runs `call` on a handle that others may read at the same time.
///
/// # Safety
/// As for [`alone`].
pub(crate) unsafe fn shared<H, R>(
    handle: *const H,
    refused: fn(c_int) -> R,
    call: impl FnOnce(&H::State) -> R,
) -> R
where
    H: Guarded,
    H::State: Send + Sync,
{
    // SAFETY: as the caller says.
    let Some(held) = (unsafe { hold(handle) }) else { return refused(SMTP_ERR_NULL) };
    let handle = held.handle();
    caught(refused, || {
        if handle.broken.load(Ordering::Acquire) {
            return refused(SMTP_ERR_PANIC);
        }
        let Ok(state) = handle.lock.try_read() else { return refused(SMTP_ERR_BUSY) };
        marked(&handle.broken, || call(&state))
    })
}

/// Runs `call`; a panic ends here. The host's panic hook has had its say by then.
pub(crate) fn caught<R>(refused: fn(c_int) -> R, call: impl FnOnce() -> R) -> R {
    // What a panic leaves half done is never looked at again: its handle is broken.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        std::mem::forget(payload); // its drop may panic too
        refused(SMTP_ERR_PANIC)
    })
}

/// For `refused`: the code itself.
pub(crate) fn code(code: c_int) -> c_int {
    code
}

fn marked<R>(broken: &AtomicBool, call: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        broken.store(true, Ordering::Release);
        resume_unwind(payload)
    })
}

/// # Safety
/// As for [`alone`].
unsafe fn hold<H>(handle: *const H) -> Option<Arc<H>> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: C's count keeps it alive while this one is taken.
    unsafe {
        Arc::increment_strong_count(handle);
        Some(Arc::from_raw(handle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing {
        handle: Handle<Vec<u8>>,
    }
    guarded!(Thing, Vec<u8>);

    fn thing() -> *mut Thing {
        give(Thing { handle: Handle::new(Vec::new()) })
    }

    #[test]
    fn a_panic_ends_here_and_the_handle_takes_only_its_free() {
        for read_only in [false, true] {
            let handle = thing();
            // SAFETY: from `give`, freed at the end.
            unsafe {
                let panicked = if read_only {
                    shared(handle, code, |state| state[7].into())
                } else {
                    alone(handle, code, |state| state[7].into())
                };
                assert_eq!(panicked, SMTP_ERR_PANIC);
                assert_eq!(alone(handle, code, |_| 0), SMTP_ERR_PANIC);
                assert_eq!(shared(handle, code, |_| 0), SMTP_ERR_PANIC);
                free(handle);
            }
        }
    }

    #[test]
    fn whoever_comes_second_is_told_so() {
        let handle = thing();
        // SAFETY: from `give`, freed at the end.
        unsafe {
            assert_eq!(alone(handle, code, |_| alone(handle, code, |_| 0)), SMTP_ERR_BUSY);
            assert_eq!(alone(handle, code, |_| shared(handle, code, |_| 0)), SMTP_ERR_BUSY);
            assert_eq!(shared(handle, code, |_| alone(handle, code, |_| 0)), SMTP_ERR_BUSY);
            assert_eq!(shared(handle, code, |_| shared(handle, code, |_| 7)), 7);
            assert_eq!(alone(handle, code, |_| 8), 8);
            free(handle);
        }
    }

    #[test]
    fn a_handle_that_is_freed_from_within_lives_until_its_call_is_over() {
        let handle = thing();
        // SAFETY: from `give`, freed once.
        let length = unsafe {
            alone(handle, code, |state| {
                free(handle);
                state.extend([1, 2, 3]);
                c_int::try_from(state.len()).unwrap_or_default()
            })
        };
        assert_eq!(length, 3);
    }

    #[test]
    fn null_is_told_and_may_be_freed() {
        // SAFETY: NULL is allowed.
        unsafe {
            assert_eq!(alone(std::ptr::null::<Thing>(), code, |_| 0), SMTP_ERR_NULL);
            assert_eq!(shared(std::ptr::null::<Thing>(), code, |_| 0), SMTP_ERR_NULL);
            free(std::ptr::null_mut::<Thing>());
        }
    }
}
