//! Whole messages over a session.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use smtpclient::error::Error;
use smtpclient::net::{Batch, SendError, Session};
use smtpclient::report::Report;

use super::{smtp_session, with};
use crate::callbacks::{Next, smtp_next_fn, smtp_sent_fn};
use crate::code::{SMTP_ERR_CLOSED, SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK, SMTP_PARTIAL};
use crate::guard::{alone, code, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::{hand_over, smtp_result};
use crate::strings::{Fault, clear, octets, optional};

/// Sends `content` to `to`, `cc` and `bcc`, which are address lists or NULL. It is plain text in UTF-8, or a
/// finished message: one with a `MIME-Version` field. `from`, `to`, `cc` and `subject` become its header
/// fields; NULL is none. `result` and what is returned as for `smtp_sendmessage()`; the session can be used
/// on while `smtp_session_is_open()`. A handle that could not be opened gives `SMTP_ERR_CLOSED` and no result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_send(
    session: *mut smtp_session,
    from: *const c_char,
    to: *const c_char,
    cc: *const c_char,
    bcc: *const c_char,
    subject: *const c_char,
    content: *const c_void,
    length: usize,
    result: *mut *mut smtp_result,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(result);
        with(session, |state, session| {
            let text = |text, name| Ok::<_, Fault>(optional(text, name)?.unwrap_or_default());
            let mut send = || {
                let (from, to, cc) = (text(from, "from")?, text(to, "to")?, text(cc, "cc")?);
                let (bcc, subject) = (text(bcc, "bcc")?, text(subject, "subject")?);
                Ok(session.send(from, to, cc, bcc, subject, octets(content, length, "content")?))
            };
            let sent = match send() {
                Err(Fault::Failed(error)) => Err(error.into()),
                sent => sent?,
            };
            told(state, &sent);
            Ok(hand_over(sent, result))
        })
    }
}

/// Sends a message with the envelope that the options, or its header section, give. `options` NULL: those of
/// the session; of others the connection, TLS and login ones are of no effect. `result` and what is returned
/// as for `smtp_session_send()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_sendmessage(
    session: *mut smtp_session,
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
        with(session, |state, session| {
            let send = |message: &crate::message::State| {
                let sent = if options.is_null() {
                    let own = session.shared_options();
                    Ok(session.send_message(&message.message, &own))
                } else {
                    with_options(options, Err, |options| Ok(session.send_message(&message.message, options)))
                };
                sent.map(|sent| {
                    told(state, &sent);
                    hand_over(sent, result)
                })
            };
            Ok(shared(message, Err, send).unwrap_or_else(|code| code))
        })
    }
}

/// Sends the messages that `next` gives, one after the other, and tells `sent` what became of each. If the server
/// offers PIPELINING the end of one message and the envelope of the next go out together: one round trip a message;
/// with option `pipelining` `full` and CHUNKING, many messages share one. Up to 64 messages are taken ahead of their
/// results. Both functions are called on this thread and must not touch the session.
///
/// `SMTP_OK`: the server took every message for every recipient. `SMTP_PARTIAL`: `sent` was told what became of each.
/// `SMTP_ERR_USAGE`: `next` returned an invalid number. Another negative code: that of `next`, or
/// `SMTP_ERR_CLOSED` for a session that is not open: no message was taken then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_send_many(
    session: *mut smtp_session,
    next: smtp_next_fn,
    sent: smtp_sent_fn,
    user_data: *mut c_void,
) -> c_int {
    let (Some(next), Some(sent)) = (next, sent) else { return SMTP_ERR_NULL };
    let mut asked = Asked::More;
    let (mut number, mut all) = (0, true);
    let work = |state: &mut super::State, session: &mut Session| {
        if !session.is_open() {
            return Ok(SMTP_ERR_CLOSED);
        }
        state.offer = None;
        let mut batch = session.batch();
        loop {
            while asked == Asked::More && batch.has_room() {
                // SAFETY: what the header asks for.
                asked = unsafe { add_next(&mut batch, next, user_data) };
            }
            let Some(report) = batch.report() else { break };
            let result = smtp_result::new(report);
            all &= result.status() == SMTP_OK;
            // SAFETY: a function as the header asks for, with what came with it and a result that lives on.
            unsafe { sent(user_data, number, result.status(), &raw const result) };
            number += 1;
        }
        Ok(match asked {
            Asked::Stop(code) => code,
            _ if all => SMTP_OK,
            _ => SMTP_PARTIAL,
        })
    };
    // SAFETY: what the header asks for.
    unsafe { with(session, work) }
}

/// What a batch was told last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    More,
    Over,
    Stop(c_int),
}

/// # Safety
/// What the header asks of `next`.
unsafe fn add_next(batch: &mut Batch<'_>, next: Next, user_data: *mut c_void) -> Asked {
    let (mut message, mut options) = (ptr::null(), ptr::null());
    // SAFETY: as the caller says.
    match unsafe { next(user_data, &raw mut message, &raw mut options) } {
        1 if message.is_null() => Asked::Stop(SMTP_ERR_NULL),
        1 => {
            let mut add = |message: &crate::message::State| {
                if options.is_null() {
                    batch.add(&message.message, None);
                    return SMTP_OK;
                }
                let add = |options: &_| {
                    batch.add(&message.message, Some(options));
                    SMTP_OK
                };
                // SAFETY: as the caller says.
                unsafe { with_options(options, code, add) }
            };
            // SAFETY: as the caller says.
            match unsafe { shared(message, code, &mut add) } {
                SMTP_OK => Asked::More,
                code => Asked::Stop(code),
            }
        }
        0 => Asked::Over,
        code if code < 0 => Asked::Stop(code),
        _ => Asked::Stop(SMTP_ERR_USAGE),
    }
}

/// What became of the last `smtp_session_data()`, for each recipient. `*out` gets a result to be freed with
/// `smtp_result_free()`, and the status of that is returned; `SMTP_ERR_USAGE` and NULL if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_result(
    session: *mut smtp_session,
    out: *mut *mut smtp_result,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        if out.is_null() {
            return SMTP_ERR_NULL;
        }
        alone(session, code, |state| match &state.data {
            Some(report) => hand_over(with_error(report), out),
            None => SMTP_ERR_USAGE,
        })
    }
}

/// A report as [`smtpclient::net::sendmessage`] gives it.
pub(crate) fn with_error(report: &Report) -> Result<Report, SendError> {
    report.clone().into_result()
}

/// Sending may have said EHLO, STARTTLS and AUTH, and a failure is the session's last one.
fn told(state: &mut super::State, sent: &Result<Report, SendError>) {
    state.offer = None;
    if let Err(SendError { error, .. }) = sent {
        state.failed(&Fault::Failed(Error::clone(error)));
    }
}
