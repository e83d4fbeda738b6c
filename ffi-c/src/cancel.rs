//! Ending a call from elsewhere.

use smtpclient::cancel::Cancel;

use crate::guard::caught;

/// Ends calls from another thread or a signal handler. Attach it with `smtp_options_set_cancel()`; it may be
/// attached to many options, and be freed before them.
pub struct smtp_cancel {
    pub(crate) cancel: Cancel,
}

/// A cancel that is not triggered. Free it with `smtp_cancel_free()`. NULL only if the library failed.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_cancel_new() -> *mut smtp_cancel {
    caught(|_| std::ptr::null_mut(), || Box::into_raw(Box::new(smtp_cancel { cancel: Cancel::new() })))
}

/// Ends every call whose options have this, within 200 ms; it returns `SMTP_ERR_CANCELLED`, or
/// `SMTP_ERR_UNKNOWN` if the message may have arrived. From any thread, and from a signal handler. NULL is
/// fine. Calls that begin later end at once, until `smtp_cancel_reset()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_cancel_trigger(cancel: *mut smtp_cancel) {
    // SAFETY: a handle of ours or NULL.
    if let Some(cancel) = unsafe { cancel.as_ref() } {
        cancel.cancel.trigger();
    }
}

/// Makes it usable again. From any thread. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_cancel_reset(cancel: *mut smtp_cancel) {
    // SAFETY: a handle of ours or NULL.
    if let Some(cancel) = unsafe { cancel.as_ref() } {
        cancel.cancel.reset();
    }
}

/// Frees it; options that have it keep their share. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_cancel_free(cancel: *mut smtp_cancel) {
    if !cancel.is_null() {
        // SAFETY: a handle of ours that is not used again.
        drop(unsafe { Box::from_raw(cancel) });
    }
}
