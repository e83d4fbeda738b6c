//! What functions of C's keep from one call to the next, in a handle that they are given for each.

use std::ffi::{c_int, c_void};

use crate::callbacks::{UserData, smtp_release_fn};
use crate::code::SMTP_OK;
use crate::guard::{Guarded, alone, code, shared};

/// The state of such a handle.
pub(crate) trait Keeps {
    fn kept(&self) -> Option<&UserData>;
    fn keep(&mut self, kept: UserData) -> Option<UserData>;
}

/// Keeps something in place of what was kept before, and releases that.
///
/// # Safety
/// As for [`alone`].
pub(crate) unsafe fn keep<H: Guarded>(handle: *const H, kept: *mut c_void, release: smtp_release_fn) -> c_int
where
    H::State: Keeps + Send,
{
    let kept = UserData::new(kept, release);
    // SAFETY: as the caller says.
    let before = unsafe { alone(handle, Err, |state| Ok(state.keep(kept))) };
    // Released when nothing is in use.
    before.map_or_else(code, |before| {
        drop(before);
        SMTP_OK
    })
}

/// What was kept; NULL at first.
///
/// # Safety
/// As for [`shared`].
pub(crate) unsafe fn kept<H: Guarded>(handle: *const H) -> *mut c_void
where
    H::State: Keeps + Send + Sync,
{
    // SAFETY: as the caller says.
    unsafe {
        shared(
            handle,
            |_| std::ptr::null_mut(),
            |state| state.kept().map_or(std::ptr::null_mut(), UserData::get),
        )
    }
}
