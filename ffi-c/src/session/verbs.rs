//! The verbs.

use std::ffi::{c_char, c_int, c_void};
use std::io::{BufRead, BufReader, Cursor};
use std::sync::atomic::Ordering;

use smtpclient::command::{
    Command, ForwardPath, Mail, MailParameters, Parameter, RawCommand, Rcpt, RcptParameters, ReversePath,
};
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{SendError, Session};
use smtpclient::reply::Reply;

use super::{Said, State, smtp_session, with};
use crate::callbacks::{Lent, smtp_read_fn};
use crate::code::SMTP_OK;
use crate::strings::{Fault, octets, optional, utf8};

/// EHLO. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_ehlo(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, |session| Ok(session.ehlo(optional(name, "name")?)?)) }
}

/// HELO. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_helo(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, |session| Ok(session.helo(optional(name, "name")?)?)) }
}

/// LHLO; from here on the session speaks LMTP. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_lhlo(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, |session| Ok(session.lhlo(optional(name, "name")?)?)) }
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
    unsafe {
        verb(session, |session| {
            let path = ReversePath::new(bare(utf8(from, "from")?))?;
            let other = split(optional(parameters, "parameters")?)?;
            Ok(session.mail(Mail { path, parameters: MailParameters { other, ..Default::default() } })?)
        })
    }
}

/// RCPT TO. As `smtp_session_mail()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_rcpt(
    session: *mut smtp_session,
    to: *const c_char,
    parameters: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        verb(session, |session| {
            let path = ForwardPath::new(bare(utf8(to, "to")?))?;
            let other = split(optional(parameters, "parameters")?)?;
            Ok(session.rcpt(Rcpt { path, parameters: RcptParameters { other, ..Default::default() } })?)
        })
    }
}

/// DATA and the message, for the recipients that were accepted. Line ends become CRLF, leading dots are
/// doubled, the final dot is added; header fields are not. The reply is the one to the final dot, or to DATA
/// where that was refused; with LMTP there is one for each recipient: see `smtp_session_result()`.
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
    unsafe { verb(session, |session| Ok(session.rset()?)) }
}

/// NOOP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_noop(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, |session| Ok(session.noop()?)) }
}

/// VRFY: asks whether there is such a user or mailbox.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_vrfy(session: *mut smtp_session, name: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, |session| Ok(session.vrfy(utf8(name, "name")?)?)) }
}

/// EXPN: asks who is on a mailing list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_expn(session: *mut smtp_session, list: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, |session| Ok(session.expn(utf8(list, "list")?)?)) }
}

/// HELP. `topic` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_help(session: *mut smtp_session, topic: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, |session| Ok(session.help(optional(topic, "topic")?)?)) }
}

/// QUIT. The connection is closed then; the session still is to be closed or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_quit(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { verb(session, |session| Ok(session.quit()?)) }
}

/// Any other command, in one line without its CRLF. Commands that change the connection or expect more than
/// one reply (STARTTLS, AUTH, DATA, BDAT) have functions of their own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_command(session: *mut smtp_session, line: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, |session| Ok(session.command(Command::Raw(raw(utf8(line, "line")?)?))?)) }
}

/// STARTTLS and the handshake after it. Certificate and host name are verified unless option `tlsverify` is
/// off. What the server offered before is forgotten: EHLO is said again when it is needed. Also
/// `SMTP_ERR_TLS`: no TLS came about; the connection is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_starttls(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { hello(session, |session| Ok(session.starttls()?)) }
}

/// Logs in, once a connection. `type` is a mechanism, `SMTP_AUTH_PLAIN`; with `SMTP_AUTH_DEFAULT` (NULL) those
/// that the server offers are tried, strongest first. EHLO is said first where it was not. `SMTP_OK`, no reply
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
unsafe fn verb(session: *mut smtp_session, call: impl FnOnce(&mut Session) -> Result<Reply, Fault>) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        with(session, |state, session| {
            state.reply = Said::from(&call(session)?);
            Ok(state.reply.code)
        })
    }
}

/// A verb after which the server may offer something else.
///
/// # Safety
/// As for [`with`].
unsafe fn hello(
    session: *mut smtp_session,
    call: impl FnOnce(&mut Session) -> Result<Reply, Fault>,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        with(session, |state, session| {
            state.offer = None;
            state.reply = Said::from(&call(session)?);
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

/// An addr-spec out of its angle brackets.
pub(crate) fn bare(path: &str) -> &str {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path)
}

pub(crate) fn split(parameters: Option<&str>) -> Result<Vec<Parameter>, Fault> {
    let words = parameters.unwrap_or_default().split_ascii_whitespace();
    words.map(|word| Ok(Parameter::parse(word)?)).collect()
}

pub(crate) fn raw(line: &str) -> Result<RawCommand, Fault> {
    let command = RawCommand::new(line)?;
    let own = ["STARTTLS", "AUTH", "DATA", "BDAT"];
    match own.iter().find(|own| own.eq_ignore_ascii_case(command.verb())) {
        Some(own) => Err(Fault::usage(format!("{own} is no plain command: it has a function of its own"))),
        None => Ok(command),
    }
}
