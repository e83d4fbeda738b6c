//! `smtp_engine` as a session: what is asked.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Cursor;

use smtpclient::content::Once;
use smtpclient::dialogue::{Answer, Dialogue, Ticket};
use smtpclient::error::Error;
use smtpclient::net::{dialogue, one_server};
use smtpclient::report::Report;
use smtpclient::secret::Secret;

use super::state::{State, Work};
use super::{hand_over_engine, smtp_engine};
use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK, code_of};
use crate::guard::{alone, code, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::hand_over;
use crate::session::{path, with_error};
use crate::strings::{Fault, c_string, clear, empty, octets, optional, port, utf8};

/// An answer in the words of C.
pub(crate) struct Given {
    pub(super) status: c_int,
    pub(super) code: c_int,
    pub(super) enhanced: CString,
    pub(super) text: CString,
    pub(super) error: CString,
    pub(super) report: Option<Report>,
}

/// Begins a session for an event loop: an engine that is driven as a send is, until the connection is over. In between
/// the functions `smtp_engine_ask_...()` ask for something and give its ticket, and `smtp_engine_answer()` gives answers.
/// Ticket 0 is the greeting; what is asked before it waits for it. `host`, `port`, `options` and `*out` as for
/// `smtp_session_open()`; `*out` is there after a failure, too, when it only has a result. Option `deadline` is for the
/// time in which something asked is not answered.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: that is not a server, or not a proxy; `SMTP_ERR_TLS`: the TLS files cannot be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_new_session(
    host: *const c_char,
    port: c_int,
    options: *const smtp_options,
    out: *mut *mut smtp_engine,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        let (false, Some(out)) = (host.is_null(), out.as_mut()) else { return SMTP_ERR_NULL };
        with_options(options, code, |options| {
            let begun = || {
                let server = match utf8(host, "host") {
                    Ok(host) => one_server(host, self::port(port)?, options)?,
                    Err(_) => return Err(Error::usage("the argument `host` must be UTF-8")),
                };
                Ok(Work::Session(Box::new(dialogue(server, options)?)))
            };
            hand_over_engine(begun(), options, out)
        })
    }
}

/// EHLO. `name` NULL: that of option `client`. Gives a ticket, as all functions below do, or `SMTP_ERR_USAGE`: an
/// argument that cannot stand in a command, or not a session; `smtp_engine_ask_error()` tells. What is asked is done in its
/// order; if the connection is over, the answer says so. From here until the next `smtp_engine_ready()`, or
/// `smtp_engine_action()` if the socket is yours, `smtp_engine_timeout()` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_ehlo(engine: *mut smtp_engine, name: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { verb(engine, "ehlo", || Ok(optional(name, "name")?.into_iter().collect())) }
}

/// HELO. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_helo(engine: *mut smtp_engine, name: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { verb(engine, "helo", || Ok(optional(name, "name")?.into_iter().collect())) }
}

/// LHLO; from here on the session speaks LMTP. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_lhlo(engine: *mut smtp_engine, name: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { verb(engine, "lhlo", || Ok(optional(name, "name")?.into_iter().collect())) }
}

/// MAIL FROM. As `smtp_session_mail()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_mail(
    engine: *mut smtp_engine,
    from: *const c_char,
    parameters: *const c_char,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { verb(engine, "mail", || path(utf8(from, "from")?, optional(parameters, "parameters")?)) }
}

/// RCPT TO. As `smtp_session_rcpt()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_rcpt(
    engine: *mut smtp_engine,
    to: *const c_char,
    parameters: *const c_char,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { verb(engine, "rcpt", || path(utf8(to, "to")?, optional(parameters, "parameters")?)) }
}

/// Any other command, in one line without its CRLF: `"RSET"`, `"VRFY ann"`. As `smtp_session_command()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_command(engine: *mut smtp_engine, line: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { verb(engine, "command", || Ok(vec![utf8(line, "line")?])) }
}

/// A verb by its name, `"vrfy"`, with what it takes, as `docs/session.md` has them; a C string that is NULL ends what it takes.
/// This is for a program that has names of verbs; the other functions do the same for one each. `SMTP_ERR_USAGE` also for
/// verbs that are more than a command: data, starttls, authenticate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask(
    engine: *mut smtp_engine,
    verb: *const c_char,
    arguments: *const *const c_char,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe {
        ask(engine, |dialogue| {
            let (name, mut given) = (utf8(verb, "verb")?, Vec::new());
            let mut next = arguments;
            while !next.is_null() && !(*next).is_null() {
                given.push(utf8(*next, "arguments")?);
                next = next.add(1);
            }
            Ok(dialogue.verb(name, &given)?)
        })
    }
}

/// QUIT, whose reply is answered. The connection is over then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_quit(engine: *mut smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { verb(engine, "quit", || Ok(Vec::new())) }
}

/// DATA and the message, for the recipients that were accepted; as `smtp_session_data()`. `data` is copied. The
/// answer has the final reply, or that to DATA if it was refused, and a result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_data(
    engine: *mut smtp_engine,
    data: *const c_void,
    length: usize,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe {
        ask(engine, |dialogue| {
            let content = octets(data, length, "data")?.to_vec();
            Ok(dialogue.data(Box::new(Once::new(Box::new(Cursor::new(content))))))
        })
    }
}

/// STARTTLS and the handshake after it. As `smtp_session_starttls()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_starttls(engine: *mut smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { ask(engine, |dialogue| Ok(dialogue.starttls()?)) }
}

/// A login. As `smtp_session_authenticate()`. The answer has a status, and no reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_login(
    engine: *mut smtp_engine,
    user: *const c_char,
    password: *const c_char,
    r#type: *const c_char,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe {
        ask(engine, |dialogue| {
            let (user, password) = (utf8(user, "user")?, utf8(password, "password")?);
            Ok(dialogue.login(user, Secret::from(password), optional(r#type, "type")?)?)
        })
    }
}

/// A message with the envelope that the options, or its header section, give; `options` NULL: those of the session.
/// As `smtp_session_sendmessage()`. The answer has the status and the result of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_sendmessage(
    engine: *mut smtp_engine,
    message: *const smtp_message,
    options: *const smtp_options,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe {
        shared(message, i64::from, |message| {
            ask(engine, |dialogue| {
                if options.is_null() {
                    return Ok(dialogue.send_message(&message.message, &dialogue.shared_options())?);
                }
                let sent = with_options(options, Err, |options| {
                    Ok(options
                        .refuse_mailer_options()
                        .and_then(|()| dialogue.send_message(&message.message, options)))
                });
                match sent {
                    Ok(ticket) => Ok(ticket?),
                    Err(code) => Err(Fault::Unusable("options", code)),
                }
            })
        })
    }
}

/// EHLO, TLS and login as the options want them, unless they were done already. The answer has a status, and no
/// reply; then `smtp_engine_extensions()` tells what the server offers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_introduce(engine: *mut smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { ask(engine, |dialogue| Ok(dialogue.introduce())) }
}

/// Sends QUIT after the requests that have begun and does not wait for its reply: it has no ticket. What was asked and not
/// begun is answered by an error, so wait for the answers first. A connection that is being made is given up. `SMTP_OK`;
/// `SMTP_ERR_USAGE`: not a session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_part(engine: *mut smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| {
            let Work::Session(dialogue) = &mut state.work else { return SMTP_ERR_USAGE };
            dialogue.part();
            state.asked();
            SMTP_OK
        })
    }
}

/// Why the last function that asks gave no ticket: one line, empty if it did. Lives until the next call that
/// takes `engine` without `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_error(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, empty, |state| state.error.as_ptr()) }
}

impl Given {
    pub(super) fn new(answer: Answer) -> Self {
        let (status, reply, error, report) = match answer {
            Answer::Reply(Ok(reply)) => (SMTP_OK, Some(reply), None, None),
            Answer::Done(Ok(())) => (SMTP_OK, None, None, None),
            Answer::Reply(Err(error)) | Answer::Done(Err(error)) => {
                (code_of(error.kind()), error.reply().cloned(), Some(error), None)
            }
            Answer::Sent(report) => {
                let reply = report.reply.clone().or_else(|| report.error.as_ref()?.reply().cloned());
                // SAFETY: NULL is allowed.
                let status = unsafe { hand_over(with_error(&report), std::ptr::null_mut()) };
                (status, reply, report.failure(), Some(*report))
            }
        };
        let enhanced = reply.as_ref().and_then(|reply| reply.enhanced()).map(|enhanced| enhanced.to_string());
        Self {
            status,
            code: reply.as_ref().map_or(0, |reply| reply.code().into()),
            enhanced: c_string(&enhanced.unwrap_or_default()),
            text: c_string(reply.as_ref().map_or("", |reply| reply.text())),
            error: c_string(&error.map(|error| error.to_string()).unwrap_or_default()),
            report,
        }
    }
}

/// # Safety
/// As for [`alone`].
unsafe fn ask(engine: *mut smtp_engine, call: impl FnOnce(&mut Dialogue) -> Result<Ticket, Fault>) -> i64 {
    let ask = |state: &mut State| {
        let asked = match (state.process.check("session"), &mut state.work) {
            (Err(forked), _) => Err(forked.into()),
            (Ok(()), Work::Session(dialogue)) => {
                call(dialogue).map(|ticket| (ticket, dialogue.options().deadline))
            }
            _ => Err(Fault::usage("this engine sends one message: ask one of smtp_engine_new_session()")),
        };
        match asked {
            Ok((ticket, deadline)) => {
                state.open = state.open.saturating_add(1);
                state.set_deadline(deadline);
                state.error = CString::default();
                state.asked();
                number_of(ticket)
            }
            Err(fault) => {
                state.error = fault.text();
                fault.code().into()
            }
        }
    };
    // SAFETY: as the caller says.
    unsafe { alone(engine, i64::from, ask) }
}

/// # Safety
/// As for [`alone`].
unsafe fn verb<'a>(
    engine: *mut smtp_engine,
    name: &str,
    arguments: impl FnOnce() -> Result<Vec<&'a str>, Fault>,
) -> i64 {
    // SAFETY: as the caller says.
    unsafe { ask(engine, |dialogue| Ok(dialogue.verb(name, &arguments()?)?)) }
}

pub(super) fn number_of(ticket: Ticket) -> i64 {
    i64::try_from(ticket.number()).unwrap_or(i64::MAX)
}
