//! The recipients of a result.

use std::ffi::{c_char, c_int};

use smtpclient::report::Recipient;

use super::{number, smtp_result, text};
use crate::code::outcome_code;

/// How many recipients the server refused: the result list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_refused_count(result: *const smtp_result) -> usize {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().refused().count())) }
}

/// The address of a refused recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_refused_address(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.refused(index)?.find("address")) }
}

/// The code of the reply that refused it: 4yz for now, 5yz for good.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_refused_reply_code(result: *const smtp_result, index: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| reply_code(result.report().refused().nth(index)?)) }
}

/// The enhanced status code of that reply, as `"5.1.1"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_refused_reply_enhanced(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.refused(index)?.find("reply.enhanced")) }
}

/// The text of that reply without its codes; lines are separated by `\n`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_refused_reply_text(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.refused(index)?.find("reply.text")) }
}

/// How many recipients there are, refused or not; each address counts once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_count(result: *const smtp_result) -> usize {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().recipients.len())) }
}

/// The address of a recipient, as in RCPT TO; of one that was redirected, its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_address(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("recipients", index, "address")) }
}

/// What stood in RCPT TO in its place (option `redirectto`); empty if it was not redirected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_redirected_to(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("recipients", index, "redirected_to")) }
}

/// What became of the message for it: `SMTP_ACCEPTED`, `SMTP_REJECTED`, `SMTP_NOT_SENT` or `SMTP_UNKNOWN`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_outcome(result: *const smtp_result, index: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(outcome_code(recipient(result, index)?.outcome))) }
}

/// The step that decided: `"rcpt"`, `"final"`, or the one that failed, as `smtp_result_error_step()` has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_step(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("recipients", index, "step")) }
}

/// The code of the reply that decided; 0 if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_reply_code(result: *const smtp_result, index: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| reply_code(recipient(result, index)?)) }
}

/// The enhanced status code of that reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_reply_enhanced(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("recipients", index, "reply.enhanced")) }
}

/// The text of that reply without its codes; lines are separated by `\n`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_recipient_reply_text(
    result: *const smtp_result,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.nth("recipients", index, "reply.text")) }
}

fn recipient(result: &smtp_result, index: usize) -> Option<&Recipient> {
    result.report().recipients.get(index)
}

fn reply_code(recipient: &Recipient) -> Option<c_int> {
    Some(recipient.reply.as_ref()?.code().into())
}
