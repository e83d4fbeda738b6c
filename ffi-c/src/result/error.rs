//! Why a message was not sent, or is not known to be.

use std::ffi::{c_char, c_int};

use smtpclient::error::Error;

use super::{number, smtp_result, text};

/// Why the message was not sent, or is not known to be, in one line with server, step and reply. If refused
/// recipients are the reason, it says how many were refused, and the reply to the first that was refused for good, else to the
/// first: `"mail.example:25: rcpt: 2 of 3 recipients were refused, and nobody got the message: bo@b.example: 550 5.1.1 No
/// such user"`. Empty if at least one recipient was accepted and no step failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("error.message")) }
}

/// The sort of error, in one word: `"usage"`, `"connect"`, `"unknown"`, the `smtp_code_name()` of its code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error_kind(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("error.kind")) }
}

/// The step that failed, in one word: `"setup"` (before any connection), `"connect"`, `"tls"`, `"greeting"`,
/// `"hello"`, `"starttls"`, `"auth"`, `"mail"`, `"rcpt"`, `"data"`, `"body"`, `"commit"`, `"final"`, `"rset"`, `"quit"`,
/// `"command"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error_step(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("error.step")) }
}

/// The server at which it happened, `"host:port"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error_server(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("error.server")) }
}

/// The code of the reply that failed the step; 0 if it was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error_reply_code(result: *const smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| reply_code(result.error()?)) }
}

/// The enhanced status code of that reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error_reply_enhanced(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("error.reply.enhanced")) }
}

/// The text of that reply without its codes; lines are separated by `\n`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error_reply_text(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("error.reply.text")) }
}

/// 1 if sending again later can help, else 0. Never for `SMTP_ERR_UNKNOWN`: that could deliver twice. If
/// recipients were refused, 1 only if each of them was refused for now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_error_transient(result: *const smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.error()?.is_transient().into())) }
}

pub(super) fn reply_code(error: &Error) -> Option<c_int> {
    Some(error.reply()?.code().into())
}
