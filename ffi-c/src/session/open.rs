//! How a session begins and ends.

use std::ffi::{c_char, c_int};
use std::sync::atomic::Ordering;

use smtpclient::net::Session;
use smtpclient::options::Options;

use super::{hand_over, smtp_session, wrap};
use crate::code::SMTP_OK;
use crate::guard::{alone, caught, code, free};
use crate::options::{smtp_options, with_options};
use crate::strings::{Fault, clear, port, utf8};

/// Connects to `host`, which may be a URL as in `smtp_options_add_server()`, and reads the greeting. `port` 0
/// is the default. `options` NULL: the default ones; they are copied. `*out` gets the session, and also after
/// a failure a handle, which only tells why by `smtp_session_error()`: close or free it in either case. It is
/// NULL only with `SMTP_ERR_NULL`, `SMTP_ERR_BUSY` and `SMTP_ERR_PANIC`.
/// `SMTP_OK`; `SMTP_ERR_USAGE`, `_RESOLVE`, `_CONNECT`, `_TIMEOUT`, `_CLOSED`, `_PROTOCOL`, `_REFUSED` (a
/// greeting that is not 220), `_TLS`, `_CANCELLED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_open(
    host: *const c_char,
    port: c_int,
    options: *const smtp_options,
    out: *mut *mut smtp_session,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        open(options, out, |options| {
            let host = utf8(host, "host")?;
            Ok(Session::open(host, self::port(port)?, options)?)
        })
    }
}

/// As `smtp_session_open()`, over a connected stream socket on which nothing was said yet. `name` is the
/// server's name, for certificates and texts. The descriptor belongs to the session from now on, also after
/// a failure, and is closed with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_adopt(
    fd: c_int,
    name: *const c_char,
    options: *const smtp_options,
    out: *mut *mut smtp_session,
) -> c_int {
    caught(code, || {
        // SAFETY: the caller gives it away.
        let socket = unsafe { crate::platform::owned(fd) };
        // SAFETY: what the header asks for.
        unsafe {
            open(options, out, |options| {
                let name = utf8(name, "name")?;
                let socket = socket.ok_or_else(|| Fault::usage(format!("{fd} is not an open descriptor")))?;
                Ok(Session::adopt(socket, name, options)?)
            })
        }
    })
}

/// Says QUIT, closes the connection and frees the session. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_close(session: *mut smtp_session) {
    // SAFETY: what the header asks for.
    unsafe {
        alone(
            session,
            |_| (),
            |state| {
                if let Some(session) = state.session.take() {
                    session.close();
                }
            },
        );
        end(session);
    }
}

/// Closes the connection without QUIT and frees the session. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_free(session: *mut smtp_session) {
    // SAFETY: what the header asks for.
    unsafe { end(session) }
}

/// Frees it, also from below the call that uses it now.
///
/// # Safety
/// As for [`free`].
unsafe fn end(session: *mut smtp_session) {
    // SAFETY: as the caller says.
    unsafe {
        if let Some(over) = session.as_ref().and_then(|session| session.over.as_ref()) {
            over.store(true, Ordering::Release);
        }
        free(session);
    }
}

/// # Safety
/// As for [`with_options`], and `out` is NULL or may be written to.
unsafe fn open(
    options: *const smtp_options,
    out: *mut *mut smtp_session,
    call: impl FnOnce(&Options) -> Result<Session, Fault>,
) -> c_int {
    // SAFETY: as the caller says.
    let out = unsafe {
        clear(out);
        out.as_mut()
    };
    let Some(out) = out else { return Fault::Null("out").code() };
    let open = |options: &Options| {
        let (state, code) = match call(options) {
            Ok(session) => (wrap(Some(session)), SMTP_OK),
            Err(fault @ Fault::Null(_)) => return fault.code(),
            Err(fault) => {
                let mut state = wrap(None);
                let code = state.failed(&fault);
                (state, code)
            }
        };
        *out = hand_over(state);
        code
    };
    // SAFETY: as the caller says.
    unsafe { with_options(options, code, open) }
}
