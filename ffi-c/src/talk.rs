//! `smtp_engine` as a session: what is asked, and what comes of it.

mod answers;

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Cursor;
use std::time::Instant;

use smtpclient::command::{
    ClientName, Command, ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath,
};
use smtpclient::content::Once;
use smtpclient::conversation::Conversation;
use smtpclient::delivery::Ends;
use smtpclient::dialogue::{Answer, Dialogue, Ticket};
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{dialogue, one_server};
use smtpclient::options::Options;
use smtpclient::report::Report;
use smtpclient::secret::Secret;
use smtpclient::server::Server;

use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK, code_of};
use crate::engine::{SMTP_DIAL, SMTP_DONE, SMTP_EXCHANGE, State, Work, hand_over_engine, smtp_engine};
use crate::guard::{alone, code, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::hand_over;
use crate::session::{bare, raw, split, with_error};
use crate::strings::{Fault, c_string, clear, empty, octets, optional, port, utf8};

pub use answers::*;

/// A session for event loops.
pub(crate) struct Talk {
    server: Server,
    options: Options,
    /// None until the server is connected, and where it cannot be.
    dialogue: Option<Dialogue>,
    over: bool,
    /// Answers that the dialogue knows nothing of.
    own: VecDeque<(i64, Answer)>,
    /// What is asked and not answered.
    open: usize,
}

/// An answer in the words of C.
pub(crate) struct Given {
    status: c_int,
    code: c_int,
    enhanced: CString,
    text: CString,
    error: CString,
    report: Option<Report>,
}

/// Begins a session for an event loop: an engine that is driven by the same functions as a send, from `SMTP_DIAL`
/// (again where TLS failed and the policy answered `SMTP_INSECURE`) to `SMTP_DONE`, when the connection is over.
/// In between the functions `smtp_engine_ask_...()` ask for something and give its ticket, and
/// `smtp_engine_answer()` gives answers. Ticket 0 is the greeting. `host`, `port`, `options` and `*out` as for
/// `smtp_session_open()`. Option `deadline` is for the time in which something asked is not answered.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: that is no server, or no proxy.
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
                    Err(_) => return Err(Error::usage("the argument `host` is no UTF-8")),
                };
                Ok(Work::Talk(Box::new(Talk::new(server, options))))
            };
            hand_over_engine(begun(), options, out)
        })
    }
}

/// EHLO. `name` NULL: that of option `client`. Gives a ticket, as all functions below do, or `SMTP_ERR_USAGE`: an
/// argument that cannot stand in a command, no session, or not connected yet; `smtp_engine_ask_error()` tells.
/// What is asked is done in its order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_ehlo(engine: *mut smtp_engine, name: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { command(engine, |dialogue| Ok(Command::Ehlo(client(dialogue, name)?))) }
}

/// HELO. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_helo(engine: *mut smtp_engine, name: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { command(engine, |dialogue| Ok(Command::Helo(client(dialogue, name)?))) }
}

/// LHLO; from here on the session speaks LMTP. `name` NULL: that of option `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_lhlo(engine: *mut smtp_engine, name: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { command(engine, |dialogue| Ok(Command::Lhlo(client(dialogue, name)?))) }
}

/// MAIL FROM. As `smtp_session_mail()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_mail(
    engine: *mut smtp_engine,
    from: *const c_char,
    parameters: *const c_char,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe {
        command(engine, |_| {
            let path = ReversePath::new(bare(utf8(from, "from")?))?;
            let other = split(optional(parameters, "parameters")?)?;
            Ok(Command::Mail(Mail { path, parameters: MailParameters { other, ..Default::default() } }))
        })
    }
}

/// RCPT TO. As `smtp_session_rcpt()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_rcpt(
    engine: *mut smtp_engine,
    to: *const c_char,
    parameters: *const c_char,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe {
        command(engine, |_| {
            let path = ForwardPath::new(bare(utf8(to, "to")?))?;
            let other = split(optional(parameters, "parameters")?)?;
            Ok(Command::Rcpt(Rcpt { path, parameters: RcptParameters { other, ..Default::default() } }))
        })
    }
}

/// Any other command, in one line without its CRLF: `"RSET"`, `"VRFY ann"`. As `smtp_session_command()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_command(engine: *mut smtp_engine, line: *const c_char) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { command(engine, |_| Ok(Command::Raw(raw(utf8(line, "line")?)?))) }
}

/// QUIT, whose reply is answered. The connection is over then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_quit(engine: *mut smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { command(engine, |_| Ok(Command::Quit)) }
}

/// DATA and the message, for the recipients that were accepted; as `smtp_session_data()`. `data` is copied. The
/// answer has the final reply, or that to DATA where it was refused, and a result.
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

/// STARTTLS and the handshake behind it. As `smtp_session_starttls()`.
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

/// EHLO, TLS and login as the options want them, unless they were had already. The answer has a status, and no
/// reply; then `smtp_engine_extension()` tells what the server offers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_introduce(engine: *mut smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { ask(engine, |dialogue| Ok(dialogue.introduce())) }
}

/// Says QUIT behind everything that was asked, and does not wait for its reply: there is no ticket for it.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: no session, or not connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_part(engine: *mut smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| {
            let Work::Talk(talk) = &mut state.work else { return SMTP_ERR_USAGE };
            let Some(dialogue) = &mut talk.dialogue else { return SMTP_ERR_USAGE };
            dialogue.part();
            state.look();
            SMTP_OK
        })
    }
}

/// Why the last function that asks gave no ticket: one line, empty where it did. Lives until the next call that
/// takes `engine` without `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ask_error(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, empty, |state| state.error.as_ptr()) }
}

impl Talk {
    fn new(server: Server, options: &Options) -> Self {
        Self {
            server,
            options: options.clone(),
            dialogue: None,
            over: false,
            own: VecDeque::new(),
            open: 1, // the greeting
        }
    }

    pub(crate) fn action(&mut self) -> c_int {
        match &mut self.dialogue {
            None if self.over => SMTP_DONE,
            None => SMTP_DIAL,
            Some(dialogue) if dialogue.wants_redial() => SMTP_DIAL,
            Some(dialogue) => {
                if dialogue.is_closed() {
                    SMTP_DONE
                } else {
                    SMTP_EXCHANGE
                }
            }
        }
    }

    pub(crate) fn dials(&self) -> Option<&Server> {
        let dials = self.dialogue.as_ref().map_or(!self.over, Dialogue::wants_redial);
        dials.then_some(&self.server)
    }

    pub(crate) fn connected(&mut self, ends: Ends) {
        if let Some(dialogue) = &mut self.dialogue {
            return dialogue.reconnected(ends);
        }
        match dialogue(self.server.clone(), &self.options, ends, true) {
            Ok(begun) => self.dialogue = Some(begun),
            Err(error) => self.unbegun(error),
        }
    }

    pub(crate) fn connect_failed(&mut self, error: Error) {
        match &mut self.dialogue {
            Some(dialogue) => dialogue.redial_failed(error),
            None => self.unbegun(error),
        }
    }

    pub(crate) fn abort(&mut self, cause: Error) {
        match &mut self.dialogue {
            Some(dialogue) if dialogue.wants_redial() => {
                dialogue.redial_failed(cause.clone());
                dialogue.abort(cause);
            }
            Some(dialogue) => dialogue.abort(cause),
            None if !self.over => self.unbegun(cause),
            None => {}
        }
    }

    pub(crate) fn conversation(&mut self) -> Option<&mut dyn Conversation> {
        self.dialogue.as_mut().map(|dialogue| dialogue as _)
    }

    fn unbegun(&mut self, error: Error) {
        self.over = true;
        self.own.push_back((0, Answer::Reply(Err(error.with_server(self.server.target.to_string())))));
    }

    fn next(&mut self) -> Option<(i64, Answer)> {
        if let Some(own) = self.own.pop_front() {
            return Some(own);
        }
        let (ticket, answer) = self.dialogue.as_mut()?.poll_answer()?;
        Some((number_of(ticket), answer))
    }
}

impl Given {
    fn new(answer: Answer) -> Self {
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
            (Ok(()), Work::Talk(talk)) => {
                let Talk { dialogue, over, .. } = &mut **talk;
                match dialogue {
                    Some(dialogue) => call(dialogue),
                    None if *over => Err(Fault::Failed(Error::new(
                        Kind::Closed,
                        Step::Command,
                        "the session could not be opened",
                    ))),
                    None => Err(Fault::usage(
                        "the server is not connected yet: ask when the greeting is answered",
                    )),
                }
            }
            _ => Err(Fault::usage("this engine sends one message: ask one of smtp_engine_new_session()")),
        };
        let answer = match asked {
            Ok(ticket) => {
                if let Work::Talk(talk) = &mut state.work {
                    talk.open = talk.open.saturating_add(1);
                    let deadline = talk.options.deadline;
                    state.limits.deadline = deadline.and_then(|time| Instant::now().checked_add(time));
                }
                state.error = CString::default();
                number_of(ticket)
            }
            Err(fault) => {
                state.error = fault.text();
                fault.code().into()
            }
        };
        state.look();
        answer
    };
    // SAFETY: as the caller says.
    unsafe { alone(engine, i64::from, ask) }
}

/// # Safety
/// As for [`alone`].
unsafe fn command(engine: *mut smtp_engine, make: impl FnOnce(&Dialogue) -> Result<Command, Fault>) -> i64 {
    // SAFETY: as the caller says.
    unsafe {
        ask(engine, |dialogue| {
            let command = make(dialogue)?;
            Ok(dialogue.command(command))
        })
    }
}

/// # Safety
/// As for [`optional`].
unsafe fn client(dialogue: &Dialogue, name: *const c_char) -> Result<ClientName, Fault> {
    // SAFETY: as the caller says.
    match unsafe { optional(name, "name") }? {
        Some(name) => Ok(ClientName::parse(name)?),
        None => Ok(dialogue.engine().config().client.clone()),
    }
}

fn number_of(ticket: Ticket) -> i64 {
    i64::try_from(ticket.number()).unwrap_or(i64::MAX)
}
