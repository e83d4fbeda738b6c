//! `smtp_tls`: TLS set up once.

use std::ffi::{CString, c_int};
use std::sync::Arc;

use smtpclient::net;
use smtpclient::tls::TlsConfig;

use crate::code::SMTP_ERR_NULL;
use crate::guard::{Handle, alone, give, guarded, shared};
use crate::options::{change, smtp_options};
use crate::strings::{Fault, c_string};

/// What TLS needs, read and checked once: authorities, client certificate, pins, versions. Any number of options may
/// share it, and threads may use those at the same time; the sessions that servers gave are shared as well. A file
/// that is written or replaced is read again by the next connection.
pub struct smtp_tls {
    handle: Handle<TlsConfig>,
}
guarded!(smtp_tls, TlsConfig);

/// TLS as the options `"tls..."` of `options` say that it is; what else they say does not matter, and they can be
/// freed. Every file is read now. Free it with `smtp_tls_free()`; options that have it keep their share. NULL if
/// something is wrong, and `smtp_options_error()` says what, or if `options` is NULL or in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_tls_new(options: *mut smtp_options) -> *mut smtp_tls {
    let make = |state: &mut crate::options::State| match net::tls(&state.options) {
        Ok(tls) => {
            state.error = CString::default();
            give(smtp_tls { handle: Handle::new(tls) })
        }
        Err(error) => {
            state.error = c_string(error.text());
            std::ptr::null_mut()
        }
    };
    // SAFETY: what the header asks for.
    unsafe { alone(options, |_| std::ptr::null_mut(), make) }
}

/// Frees it. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_tls_free(tls: *mut smtp_tls) {
    // SAFETY: what the header asks for.
    unsafe { crate::guard::free(tls) }
}

/// 1 if a file was written or replaced since it was read, else 0. The next connection reads it anyway: this is for
/// who wants to close the ones that are open. `SMTP_ERR_NULL` if `tls` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_tls_changed(tls: *const smtp_tls) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { shared(tls, |code| code, |tls| c_int::from(tls.changed())) }
}

/// Has `options` use TLS that was set up before; NULL: their own options again. `SMTP_OK`. The options that set TLS
/// up must not be set then, or the send fails with `SMTP_ERR_USAGE`: `"tlsverify"`, `"tlstrust"`, `"tlscafile"`, `"tlsca"`,
/// `"tlscertfile"`, `"tlskeyfile"`, `"tlskeypassword"`, `"tlsfingerprint"`, `"tlsminversion"`, `"tlsmaxversion"`,
/// `"tlsciphers"`, `"tlskeylog"` and `"tlsservername"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_tls(options: *mut smtp_options, tls: *const smtp_tls) -> c_int {
    let mut shared_tls = None;
    if !tls.is_null() {
        // SAFETY: what the header asks for.
        let code = unsafe {
            shared(
                tls,
                |code| code,
                |tls| {
                    shared_tls = Some(tls.clone());
                    crate::code::SMTP_OK
                },
            )
        };
        if code != crate::code::SMTP_OK {
            return if options.is_null() { SMTP_ERR_NULL } else { code };
        }
    }
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            options.tls = shared_tls.map(|tls| Arc::new(tls) as _);
            Ok::<(), Fault>(())
        })
    }
}
