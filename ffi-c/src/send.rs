//! The main call.

use std::ffi::c_int;

use smtpclient::net::{sendmessage, verify};

use crate::code::SMTP_ERR_NULL;
use crate::guard::{code, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::{hand_over, smtp_result};
use crate::strings::clear;

/// Sends a message: checks everything that can be checked, connects to the first server that answers, and
/// reports. `options` NULL: through localhost, port 25. `result`, which may be NULL, gets the result, also
/// after a failure; free it with `smtp_result_free()`. It is NULL only with `SMTP_ERR_NULL`,
/// `SMTP_ERR_BUSY` and `SMTP_ERR_PANIC`. `message` and `options` do not change, and may be in use by other
/// threads that send. It blocks; `smtp_cancel_trigger()` and the options `timeout` and `deadline` end it.
///
/// `SMTP_OK`: the server took it for every recipient. `SMTP_PARTIAL`: for some.
/// `SMTP_ERR_RECIPIENTS`: recipients were refused, nothing was sent. `SMTP_ERR_UNKNOWN`: it may have been
/// delivered; sending it again may deliver it twice. With any other negative code no server has it:
/// `SMTP_ERR_USAGE`, `_RESOLVE`, `_CONNECT`, `_TIMEOUT`, `_CLOSED`, `_PROTOCOL`, `_REFUSED`, `_UNSUPPORTED`,
/// `_TOOLARGE`, `_SOURCE`, `_COMMIT`, `_TLS`, `_LOGIN`, `_CANCELLED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_sendmessage(
    message: *const smtp_message,
    options: *const smtp_options,
    result: *mut *mut smtp_result,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(result);
        if message.is_null() {
            return SMTP_ERR_NULL;
        }
        shared(message, code, |state| {
            with_options(options, code, |options| hand_over(sendmessage(&state.message, options), result))
        })
    }
}

/// Looks whether a message could be sent with these options (NULL: through localhost, port 25): connects to each of the
/// servers, does EHLO, TLS and login, and says QUIT. `result`, which may be NULL, gets a result without recipients, also after
/// a failure; free it with `smtp_result_free()`. It has an attempt for each server, and its value
/// `attempts.0.offered` (see `smtp_value_find()`) says what the first one offers: its greeting, extensions and
/// mechanisms. It blocks, as `smtp_sendmessage()` does.
///
/// `SMTP_OK`: every server can be used. Else why not: `SMTP_ERR_USAGE`, `_RESOLVE`, `_CONNECT`, `_TIMEOUT`, `_CLOSED`, `_PROTOCOL`,
/// `_REFUSED`, `_UNSUPPORTED`, `_TLS`, `_LOGIN`, `_CANCELLED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_verify(options: *const smtp_options, result: *mut *mut smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(result);
        with_options(options, code, |options| hand_over(verify(options), result))
    }
}
