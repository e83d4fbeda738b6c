//! The servers that were tried.

use std::ffi::{c_char, c_int};

use smtpclient::report::Attempt;

use super::error::reply_code;
use super::{number, smtp_result, text};

/// How many connections were tried, in order; the last one is that which the outcome comes from.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_count(result: *const smtp_result) -> usize {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().attempts.len())) }
}

/// The server, `"host:port"`, as you named it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_server(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "server")) }
}

/// The address and port that were connected to; empty for a Unix socket and if none was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_peer(result: *const smtp_result, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "peer")) }
}

/// Why it was left, as `smtp_result_error()`; empty if it was not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_error(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "error.message")) }
}

/// The same as `smtp_result_error_kind()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_error_kind(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "error.kind")) }
}

/// The same as `smtp_result_error_step()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_error_step(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "error.step")) }
}

/// The same as `smtp_result_error_reply_code()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_error_reply_code(
    result: *const smtp_result,
    index: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| reply_code(attempt(result, index)?.error.as_ref()?)) }
}

/// The same as `smtp_result_error_reply_enhanced()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_error_reply_enhanced(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "error.reply.enhanced")) }
}

/// The same as `smtp_result_error_transient()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_error_transient(
    result: *const smtp_result,
    index: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(attempt(result, index)?.error.as_ref()?.is_transient().into())) }
}

/// 1 if the certificate and the host name verified, 0 if not, -1 if there was no TLS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_tls_verified(result: *const smtp_result, index: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, -1, |result| Some(attempt(result, index)?.tls.as_ref()?.verified.into())) }
}

/// Why it did not verify, in one word: `"expired"`, `"notyetvalid"`, `"wrongname"`, `"unknownissuer"`,
/// `"selfsigned"`, `"revoked"`, `"notpinned"`, `"notchecked"`, `"other"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_tls_why_not(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "tls.why_not")) }
}

/// The SHA-256 of the server's certificate, in hex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_tls_certificate_sha256(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "tls.certificate_sha256")) }
}

/// The version of TLS, `"TLSv1.3"`, if the TLS library tells.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_tls_version(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "tls.version")) }
}

/// The cipher suite, if the TLS library tells.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_tls_cipher(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "tls.cipher")) }
}

/// 1 if the session of an earlier connection to the same name, with the same options, was resumed: the certificate
/// was looked at then. 0 if not, -1 if there was no TLS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_tls_resumed(result: *const smtp_result, index: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, -1, |result| Some(attempt(result, index)?.tls.as_ref()?.resumed.into())) }
}

/// What the TLS policy answered, if it was asked: `"secure"` or `"insecure"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_policy(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "policy")) }
}

/// How many mechanisms were tried to log in, in order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_login_count(result: *const smtp_result, index: usize) -> usize {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(attempt(result, index)?.logins.len())) }
}

/// The name of a mechanism: `"SCRAM-SHA-256"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_login_mechanism(
    result: *const smtp_result,
    index: usize,
    login: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("attempts", index, "logins")?.item(login)?.find("mechanism")) }
}

/// Why it did not log in, in one line; empty if it did.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_attempt_login_error(
    result: *const smtp_result,
    index: usize,
    login: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        text(result, |value| value.nth("attempts", index, "logins")?.item(login)?.find("error.message"))
    }
}

fn attempt(result: &smtp_result, index: usize) -> Option<&Attempt> {
    result.report().attempts.get(index).map(std::convert::AsRef::as_ref)
}
