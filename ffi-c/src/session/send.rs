//! Whole messages over a session.

use std::ffi::{c_char, c_int, c_void};

use smtpclient::error::Error;
use smtpclient::net::SendError;
use smtpclient::report::Report;

use super::{smtp_session, with};
use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE};
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
                    let own = session.options().clone();
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

/// What became of the last `smtp_session_data()`, for each recipient. `*out` gets a result to be freed with
/// `smtp_result_free()`, and the status of that is returned; `SMTP_ERR_USAGE` and NULL where there was none.
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
    match &report.error {
        None => Ok(report.clone()),
        Some(error) => Err(SendError { error: error.clone(), report: Box::new(report.clone()) }),
    }
}

/// Sending may have said EHLO, STARTTLS and AUTH, and a failure is the session's last one.
fn told(state: &mut super::State, sent: &Result<Report, SendError>) {
    state.offer = None;
    if let Err(SendError { error, .. }) = sent {
        state.failed(&Fault::Failed(Error::clone(error)));
    }
}
