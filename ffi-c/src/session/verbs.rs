//! The verbs.

use std::ffi::{c_char, c_int, c_void};
use std::io::{BufRead, BufReader, Cursor};
use std::sync::atomic::Ordering;

use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{SendError, Session};

use super::{Said, State, smtp_session, with};
use crate::callbacks::{Lent, smtp_read_fn};
use crate::code::SMTP_OK;
use crate::strings::{Fault, octets, optional, utf8};

/// EHLO. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_ehlo(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, "ehlo", || Ok(optional(name, "name")?.into_iter().collect())) }
}

/// HELO. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_helo(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, "helo", || Ok(optional(name, "name")?.into_iter().collect())) }
}

/// LHLO; from here on the session speaks LMTP. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_lhlo(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, "lhlo", || Ok(optional(name, "name")?.into_iter().collect())) }
}

/// MAIL FROM. `from` is an addr-spec, with or without angle brackets; `""` is the null reverse-path.
/// `parameters`, `"SIZE=100 BODY=8BITMIME"`, go as they are; NULL is none. No EHLO is said by itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_mail(
    session: *mut smtp_session,
    from: *const c_char,
    parameters: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "mail", || path(utf8(from, "from")?, optional(parameters, "parameters")?)) }
}

/// RCPT TO. As `smtp_session_mail()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_rcpt(
    session: *mut smtp_session,
    to: *const c_char,
    parameters: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "rcpt", || path(utf8(to, "to")?, optional(parameters, "parameters")?)) }
}

/// DATA and the message, for the recipients that were accepted. Line ends become CRLF, leading dots are
/// doubled, the final dot is added; header fields are not. The reply is the one to the final dot, or to DATA
/// if that was refused; with LMTP there is one for each recipient: see `smtp_session_result()`.
/// Also `SMTP_ERR_UNKNOWN`: the message was sent whole, and no reply came.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_data(
    session: *mut smtp_session,
    data: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        with(session, |state, session| {
            let content = octets(data, length, "data")?.to_vec();
            self::data(state, session, Box::new(Cursor::new(content)))
        })
    }
}

/// As `smtp_session_data()`, from a function that gives the message piece by piece, and is not called after
/// this returned. Also `SMTP_ERR_SOURCE`: `read` failed; the connection is closed, and the server has no
/// message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_data_reader(
    session: *mut smtp_session,
    read: smtp_read_fn,
    user_data: *mut c_void,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        with(session, |state, session| {
            let (reader, over) = Lent::new(read, user_data)?;
            let code = self::data(state, session, Box::new(BufReader::with_capacity(64 * 1024, reader)));
            over.store(true, Ordering::Release);
            code
        })
    }
}

/// RSET.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_rset(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "rset", || Ok(Vec::new())) }
}

/// NOOP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_noop(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "noop", || Ok(Vec::new())) }
}

/// VRFY: asks whether there is such a user or mailbox.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_vrfy(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "vrfy", || Ok(vec![utf8(name, "name")?])) }
}

/// EXPN: asks who is on a mailing list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_expn(session: *mut smtp_session, list: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "expn", || Ok(vec![utf8(list, "list")?])) }
}

/// HELP. `topic` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_help(session: *mut smtp_session, topic: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "help", || Ok(optional(topic, "topic")?.into_iter().collect())) }
}

/// QUIT. The connection is closed then; the session still is to be closed or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_quit(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, "quit", || Ok(Vec::new())) }
}

/// Any other command, in one line without its CRLF. Commands that change the connection or expect more than
/// one reply (STARTTLS, AUTH, DATA, BDAT) have functions of their own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_command(session: *mut smtp_session, line: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, "command", || Ok(vec![utf8(line, "line")?])) }
}

/// STARTTLS and the handshake after it. Certificate and host name are verified unless option `tlsverify` is
/// off. What the server offered before is forgotten: EHLO is said again when it is needed. Also
/// `SMTP_ERR_TLS`: TLS could not be set up; the connection is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_starttls(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        with(session, |state, session| {
            state.offer = None;
            state.reply = Said::from(&session.starttls()?);
            Ok(state.reply.code)
        })
    }
}

/// Logs in, once a connection. `type` is a mechanism, `SMTP_AUTH_PLAIN`; with `SMTP_AUTH_DEFAULT` (NULL) those
/// that the server offers are tried, strongest first. EHLO is said first if it was not. `SMTP_OK`, no reply
/// code; `SMTP_ERR_LOGIN`: no login succeeded; `SMTP_ERR_USAGE`: there was one already; or as the verbs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_authenticate(
    session: *mut smtp_session,
    user: *const c_char,
    password: *const c_char,
    r#type: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        with(session, |state, session| {
            let (user, password) = (utf8(user, "user")?, utf8(password, "password")?);
            state.offer = None;
            session.authenticate(user, password, optional(r#type, "type")?)?;
            Ok(SMTP_OK)
        })
    }
}

/// # Safety
/// As for [`with`].
unsafe fn verb<'a>(
    session: *mut smtp_session,
    name: &str,
    arguments: impl FnOnce() -> Result<Vec<&'a str>, Fault>,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        with(session, |state, session| {
            state.reply = Said::from(&session.verb(name, &arguments()?)?);
            Ok(state.reply.code)
        })
    }
}

/// A verb after which the server may offer something else.
///
/// # Safety
/// As for [`with`].
unsafe fn hello<'a>(
    session: *mut smtp_session,
    name: &str,
    arguments: impl FnOnce() -> Result<Vec<&'a str>, Fault>,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        with(session, |state, session| {
            state.offer = None;
            state.reply = Said::from(&session.verb(name, &arguments()?)?);
            Ok(state.reply.code)
        })
    }
}

fn data(state: &mut State, session: &mut Session, content: Box<dyn BufRead + Send>) -> Result<c_int, Fault> {
    match session.data(content) {
        Ok(report) => {
            let reply = report.reply.as_ref().or_else(|| report.error.as_ref()?.reply());
            let said = reply.map(Said::from);
            state.data = Some(report);
            let none = || Error::new(Kind::Protocol, Step::Data, "there was no reply");
            state.reply = said.ok_or_else(none)?;
            Ok(state.reply.code)
        }
        Err(SendError { error, report }) => {
            state.data = Some(*report);
            Err(error.into())
        }
    }
}

/// What MAIL and RCPT take.
pub(crate) fn path<'a>(address: &'a str, parameters: Option<&'a str>) -> Result<Vec<&'a str>, Fault> {
    Ok(std::iter::once(address).chain(parameters.unwrap_or_default().split_ascii_whitespace()).collect())
}
