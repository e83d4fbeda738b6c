//! `smtp_result`: what became of a message.

// The blank lines keep the order, which is that of the header.
mod recipients;

mod error;

mod attempts;

mod value;

mod json;

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::OnceLock;

use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::SendError;
use smtpclient::report::{Report, Status};

use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK, SMTP_PARTIAL, code_of, kind_of};
use crate::guard::{caught, code};
use crate::strings::{EMPTY, clear};

pub use attempts::*;
pub use error::*;
pub use recipients::*;
pub use value::*;

/// What became of a message: for each recipient, and at each server that was tried. It does not change;
/// several threads can read it. Its strings live as long as it does; if there is nothing, NULL is
/// `result` or an index is out of range they are empty, and numbers are 0, unless said otherwise.
pub struct smtp_result {
    status: c_int,
    /// As it came: to take it apart was two more copies of a whole report, 130 instructions of a message.
    sent: Result<Report, SendError>,
    /// Made when somebody asks: most callers look at the status only.
    value: OnceLock<smtp_value>,
    json: OnceLock<CString>,
}

/// Frees a result and its strings. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_free(result: *mut smtp_result) {
    if !result.is_null() {
        // SAFETY: a handle of ours that is not used again.
        let result = unsafe { Box::from_raw(result) };
        caught(|_| (), || drop(result));
    }
}

/// Makes the result of a message that was given up before the library had it: for bindings and queues of your own, whose reports
/// then look like all others. It has no recipients and no attempts. `status` is the negative code that says why, and becomes
/// `SMTP_ERR_USAGE` if no result can have it (`SMTP_ERR_NULL`, `_BUSY`, `_PANIC`); `text` (NULL: that of the code) says it in
/// words. Free the result with `smtp_result_free()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_new(
    status: c_int,
    text: *const c_char,
    result: *mut *mut smtp_result,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        if result.is_null() {
            return SMTP_ERR_NULL;
        }
        clear(result);
        if status >= 0 {
            return SMTP_ERR_USAGE;
        }
        // A text that tells what went wrong is taken as far as it can be read.
        let text = (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy());
        caught(code, || {
            let kind = kind_of(status).unwrap_or(Kind::Usage);
            let step = if kind == Kind::Unknown { Step::Final } else { Step::Setup };
            let error = Error::new(kind, step, text.unwrap_or(kind.text().into()));
            let mut report = Box::<Report>::default();
            report.error = Some(error.clone());
            hand_over(Err(SendError { error, report }), result);
            SMTP_OK
        })
    }
}

/// What the function that sent returned: `SMTP_OK`, `SMTP_PARTIAL` or a negative code. `SMTP_ERR_NULL` for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_status(result: *const smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, SMTP_ERR_NULL, |result| Some(result.status)) }
}

/// 1 if the server took the message for at least one recipient, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_sent(result: *const smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().sent().into())) }
}

/// The server's own name for the message, out of its last reply, if the form of that is known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_queue_id(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("queue_id")) }
}

/// The code of the server's reply to the end of the message; with LMTP of the last of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_reply_code(result: *const smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().reply.as_ref()?.code().into())) }
}

/// The enhanced status code of that reply, as `"2.0.0"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_reply_enhanced(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("reply.enhanced")) }
}

/// The text of that reply without its codes; lines are separated by `\n`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_reply_text(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("reply.text")) }
}

/// The octets of the message that were given to the connection, as on the wire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_octets(result: *const smtp_result) -> u64 {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().octets)) }
}

/// How many extensions were used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_used_count(result: *const smtp_result) -> usize {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().used.len())) }
}

/// The keyword of an extension that was used: `"PIPELINING"`, `"SIZE"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_used(result: *const smtp_result, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("used")?.item(index)) }
}

/// How many extensions the server offers that are no longer used on its connection, because it mishandled them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_avoided_count(result: *const smtp_result) -> usize {
    // SAFETY: what the header asks for.
    unsafe { number(result, 0, |result| Some(result.report().avoided.len())) }
}

/// The keyword of one of them: `"CHUNKING"` or `"PIPELINING"`. A message that met it was sent once more without.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_avoided(result: *const smtp_result, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(result, |value| value.find("avoided")?.item(index)) }
}

/// Everything that is known, as JSON in one line.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_json(result: *const smtp_result) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        number(result, EMPTY, |result| Some(result.json.get_or_init(|| json::line(result.report())).as_ptr()))
    }
}

impl smtp_result {
    pub(crate) fn new(sent: Result<Report, SendError>) -> Self {
        let report = report_of(&sent);
        let status = match report.status() {
            Status::Ok => SMTP_OK,
            Status::Partial => SMTP_PARTIAL,
            Status::Failed(kind) => code_of(kind),
        };
        Self { status, sent, value: OnceLock::new(), json: OnceLock::new() }
    }

    fn report(&self) -> &Report {
        report_of(&self.sent)
    }

    /// Why nobody got the message.
    fn error(&self) -> Option<&Error> {
        self.sent.as_ref().err().map(|failed| &failed.error)
    }

    pub(crate) fn status(&self) -> c_int {
        self.status
    }

    fn value(&self) -> &smtp_value {
        self.value.get_or_init(|| self.report().value().into())
    }
}

fn report_of(sent: &Result<Report, SendError>) -> &Report {
    match sent {
        Ok(report) => report,
        Err(failed) => &failed.report,
    }
}

/// Hands a report over to C, if C wants it, and gives the status.
///
/// # Safety
/// `out` is NULL or may be written to.
pub(crate) unsafe fn hand_over(sent: Result<Report, SendError>, out: *mut *mut smtp_result) -> c_int {
    let result = smtp_result::new(sent);
    let status = result.status;
    // SAFETY: as the caller says.
    if let Some(out) = unsafe { out.as_mut() } {
        *out = Box::into_raw(Box::new(result));
    }
    status
}

/// # Safety
/// `result` is NULL or a handle of ours.
unsafe fn number<R: Copy>(
    result: *const smtp_result,
    none: R,
    pick: impl FnOnce(&smtp_result) -> Option<R>,
) -> R {
    // SAFETY: as the caller says.
    let Some(result) = (unsafe { result.as_ref() }) else { return none };
    caught(|_| None, || pick(result)).unwrap_or(none)
}

/// # Safety
/// As for [`number`].
unsafe fn text(
    result: *const smtp_result,
    pick: impl FnOnce(&smtp_value) -> Option<&smtp_value>,
) -> *const c_char {
    // SAFETY: as the caller says.
    unsafe { number(result, EMPTY, |result| Some(pick(result.value())?.text()?.as_ptr())) }
}
