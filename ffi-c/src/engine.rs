//! `smtp_engine`: a send for event loops.

use std::ffi::{CString, c_char, c_int, c_void};
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use smtpclient::conversation::Conversation;
use smtpclient::delivery::{Action, Delivery, Ends};
use smtpclient::error::{Error, Kind, Step};
use smtpclient::message::Message;
use smtpclient::net::{Limits, SendError, delivery};
use smtpclient::options::Options;
use smtpclient::report::Report;
use smtpclient::server::{Server, Target};

use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK, code_of};
use crate::guard::{Handle, alone, code, free, give, guarded, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::{hand_over, smtp_result};
use crate::session::with_error;
use crate::strings::{Fault, c_string, clear, empty, octets, optional};
use crate::talk::{Given, Talk};

/// Close the old connection, if there is one, and connect to `smtp_engine_host()`, `smtp_engine_port()`; then
/// call `smtp_engine_connected()` or `smtp_engine_connect_failed()`.
pub const SMTP_DIAL: c_int = 1;
/// Move octets: write what `smtp_engine_output()` gives, hand what can be read to `smtp_engine_input()`.
pub const SMTP_EXCHANGE: c_int = 2;
/// Close the connection, and take the result.
pub const SMTP_DONE: c_int = 3;

/// One `smtp_sendmessage()` for an event loop, which connects, moves octets and waits by itself; TLS is done
/// in here. Ask `smtp_engine_action()` after every other call: each may change it. Options `timeout`,
/// `connecttimeout`, `deadline` and a cancel work by `smtp_engine_timeout()`; `localaddress` is your business.
pub struct smtp_engine {
    handle: Handle<State>,
}

pub(crate) struct State {
    pub(crate) work: Work,
    pub(crate) limits: Limits,
    /// The answer that `smtp_engine_answer()` took last, and why the last question could not be asked.
    pub(crate) answer: Option<Given>,
    pub(crate) error: CString,
    pub(crate) offer: CString,
    connect_timeout: Duration,
    /// Since when the server has made no progress, and what tells that it did.
    since: Instant,
    seen: (c_int, usize, u64),
    host: CString,
    port: u16,
    /// How many octets `smtp_engine_output()` gave.
    given: usize,
}
guarded!(smtp_engine, State);

/// What an engine works on.
pub(crate) enum Work {
    Send(Box<Delivery>),
    Talk(Box<Talk>),
    /// It could not be begun.
    Over(Box<Report>),
}

/// Begins to send a message. `message` and `options` (NULL: the default ones) are copied. `*out` gets the
/// engine, also after a failure, when it is `SMTP_DONE` and only has the result; free it with
/// `smtp_engine_free()`. It is NULL only with `SMTP_ERR_NULL`, `SMTP_ERR_BUSY` and `SMTP_ERR_PANIC`.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: whatever can be found wrong without a server, and option `proxy`, for you
/// connect yourself; `SMTP_ERR_SOURCE`: a file or reader cannot be read; `SMTP_ERR_TLS`: the TLS files cannot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_new(
    message: *const smtp_message,
    options: *const smtp_options,
    out: *mut *mut smtp_engine,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        let (false, Some(out)) = (message.is_null(), out.as_mut()) else { return SMTP_ERR_NULL };
        shared(message, code, |state| {
            with_options(options, code, |options| {
                let begun = begin(&state.message, options).map(|delivery| Work::Send(Box::new(delivery)));
                hand_over_engine(begun, options, out)
            })
        })
    }
}

/// Frees an engine, at any time; what was begun is left as it is: close the connection. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_free(engine: *mut smtp_engine) {
    // SAFETY: what the header asks for.
    unsafe { free(engine) }
}

/// What to do next: `SMTP_DIAL`, `SMTP_EXCHANGE` or `SMTP_DONE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_action(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, code, |state| state.work.action()) }
}

/// The host to connect to, a name or an address, or the path of a Unix socket. Lives until the next call that
/// takes `engine` without `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_host(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, empty, |state| state.host.as_ptr()) }
}

/// The port to connect to; 0 where `smtp_engine_host()` is the path of a Unix socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_port(engine: *const smtp_engine) -> u16 {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, |_| 0, |state| state.port) }
}

/// Tells, at `SMTP_DIAL`, that the server is connected. `fd` is only asked for its addresses, during the call;
/// -1 where there is none. `SMTP_OK`; `SMTP_ERR_USAGE`: it is not time for this, and nothing was done. So
/// with all functions below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_connected(engine: *mut smtp_engine, fd: c_int) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        drive(engine, SMTP_DIAL, |work| {
            let ends = match work.dials() {
                // Nobody between here and this machine: what `loopback` is about.
                Some(server) if matches!(server.target, Target::Unix(_)) => {
                    Ends { loopback: true, ..Ends::default() }
                }
                _ => ends(fd),
            };
            match work {
                Work::Send(delivery) => delivery.connected(ends),
                Work::Talk(talk) => talk.connected(ends),
                Work::Over(_) => {}
            }
        })
    }
}

/// Tells, at `SMTP_DIAL`, that the server cannot be connected to, and why (NULL: not known).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_connect_failed(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        told(engine, SMTP_DIAL, why, "no connection", |work, text| {
            work.connect_failed(Error::new(Kind::Connect, Step::Connect, text));
        })
    }
}

/// The octets to write now, in `*data` and `*length`; 0 octets where there are none. They live until the next
/// call that takes `engine` without `const`. A reader of yours may be called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_output(
    engine: *mut smtp_engine,
    data: *mut *const c_void,
    length: *mut usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        let (Some(data), Some(length)) = (data.as_mut(), length.as_mut()) else { return SMTP_ERR_NULL };
        (*data, *length) = (std::ptr::null(), 0);
        alone(engine, code, |state| {
            let code = state.drive(Some(SMTP_EXCHANGE), |work| {
                let output = work.conversation().map_or(&[][..], Conversation::poll_output);
                if !output.is_empty() {
                    (*data, *length) = (output.as_ptr().cast(), output.len());
                }
            });
            state.given = *length;
            code
        })
    }
}

/// Tells that the first `count` octets of `smtp_engine_output()` were written. `SMTP_ERR_USAGE` also where
/// there were fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_output_done(engine: *mut smtp_engine, count: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        let enough = alone(engine, Err, |state| {
            let enough = count <= state.given;
            state.given = 0;
            if enough { Ok(()) } else { Err(SMTP_ERR_USAGE) }
        });
        match enough {
            Ok(()) => exchange(engine, |conversation| conversation.output_done(count)),
            Err(code) => code,
        }
    }
}

/// Hands over octets that were read from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_input(
    engine: *mut smtp_engine,
    data: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        match octets(data, length, "data") {
            Ok(input) => exchange(engine, |conversation| conversation.handle_input(input)),
            Err(fault) => fault.code(),
        }
    }
}

/// Tells that the server ended its direction: a read gave 0 octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_eof(engine: *mut smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { exchange(engine, |conversation| conversation.handle_eof()) }
}

/// Tells that reading or writing failed, and why (NULL: not known).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_failed(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        told(engine, SMTP_EXCHANGE, why, "the connection was lost", |work, text| {
            if let Some(conversation) = work.conversation() {
                conversation.handle_error(Error::new(Kind::Closed, Step::Command, text));
            }
        })
    }
}

/// How long to wait for anything to happen, in milliseconds: the time that is left to the server, to the
/// connection to come about, or to the whole call. -1: for ever. When it is over call
/// `smtp_engine_timed_out()`. Ask again after every other call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_timeout(engine: *const smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, i64::from, |state| state.wait().map_or(-1, milliseconds)) }
}

/// Tells that the time of `smtp_engine_timeout()` passed; where it did not yet, nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_timed_out(engine: *mut smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| {
            let over = state.left().is_some_and(|left| left.is_zero());
            let length = state.connect_timeout.as_secs_f64();
            state.drive(None, |work| match work.action() {
                SMTP_DIAL if over => {
                    let text = format!("no connection within {length} s");
                    work.connect_failed(Error::new(Kind::Timeout, Step::Connect, text));
                }
                SMTP_EXCHANGE if over => {
                    if let Some(conversation) = work.conversation() {
                        conversation.handle_timeout();
                    }
                }
                _ => {}
            })
        })
    }
}

/// 1 where a reader of yours answered `SMTP_READ_AGAIN`: call `smtp_engine_output()` when it has more. Else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_waits_for_reader(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, |_| 0, |state| state.work.conversation().is_some_and(|c| c.waits_for_source()).into())
    }
}

/// Ends the send; `why` (NULL: not known) goes into the result, whose status is `SMTP_ERR_CANCELLED`, or
/// `SMTP_ERR_UNKNOWN` where the message may have arrived. No further server is tried.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_abort(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| match text_of(why, "the caller ended the send") {
            Ok(text) => {
                state.drive(None, |work| work.abort(Error::new(Kind::Cancelled, Step::Command, text)))
            }
            Err(fault) => fault.code(),
        })
    }
}

/// The result, at `SMTP_DONE`: `*out` gets it, to be freed with `smtp_result_free()`, and its status is
/// returned, as by `smtp_sendmessage()`. Before, `SMTP_ERR_USAGE`, and `*out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_result(engine: *const smtp_engine, out: *mut *mut smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        if out.is_null() {
            return SMTP_ERR_NULL;
        }
        alone(engine, code, |state| match &state.work {
            Work::Send(delivery) if delivery.action() == Action::Done => {
                hand_over(with_error(delivery.report()), out)
            }
            Work::Over(report) => hand_over(with_error(report), out),
            _ => SMTP_ERR_USAGE,
        })
    }
}

fn begin(message: &Message, options: &Options) -> Result<Delivery, Error> {
    without_proxy(options)?;
    delivery(message, options)
}

pub(crate) fn without_proxy(options: &Options) -> Result<(), Error> {
    if options.proxy.is_some() {
        return Err(Error::usage(
            "option `proxy` is of no use to an engine, whose caller connects: connect through the proxy, and leave it out",
        ));
    }
    Ok(())
}

/// Gives C its engine, also where it could not be begun.
pub(crate) fn hand_over_engine(
    begun: Result<Work, Error>,
    options: &Options,
    out: &mut *mut smtp_engine,
) -> c_int {
    let code = begun.as_ref().map_or_else(|error| code_of(error.kind()), |_| SMTP_OK);
    let work = begun.unwrap_or_else(|error| Work::Over(SendError::from(error).report));
    *out = give(smtp_engine { handle: Handle::new(State::new(work, options)) });
    code
}

impl Work {
    fn action(&mut self) -> c_int {
        match self {
            Self::Send(delivery) => match delivery.action() {
                Action::Dial(_) => SMTP_DIAL,
                Action::Exchange => SMTP_EXCHANGE,
                Action::Done => SMTP_DONE,
            },
            Self::Talk(talk) => talk.action(),
            Self::Over(_) => SMTP_DONE,
        }
    }

    /// The server to connect to.
    fn dials(&self) -> Option<&Server> {
        match self {
            Self::Send(delivery) => match delivery.action() {
                Action::Dial(server) => Some(server),
                _ => None,
            },
            Self::Talk(talk) => talk.dials(),
            Self::Over(_) => None,
        }
    }

    fn connect_failed(&mut self, error: Error) {
        match self {
            Self::Send(delivery) => delivery.connect_failed(error),
            Self::Talk(talk) => talk.connect_failed(error),
            Self::Over(_) => {}
        }
    }

    fn abort(&mut self, cause: Error) {
        match self {
            Self::Send(delivery) => delivery.abort(cause),
            Self::Talk(talk) => talk.abort(cause),
            Self::Over(_) => {}
        }
    }

    fn conversation(&mut self) -> Option<&mut dyn Conversation> {
        match self {
            Self::Send(delivery) => Some(&mut **delivery),
            Self::Talk(talk) => talk.conversation(),
            Self::Over(_) => None,
        }
    }

    /// Changes with every connection, and whenever the server makes progress.
    fn seen(&mut self) -> (c_int, usize, u64) {
        let attempts = match self {
            Self::Send(delivery) => delivery.report().attempts.len(),
            _ => 0,
        };
        (self.action(), attempts, self.conversation().map_or(0, |conversation| conversation.progress()))
    }
}

impl State {
    fn new(work: Work, options: &Options) -> Self {
        let deadline = match &work {
            Work::Over(_) => None,
            _ => options.deadline.and_then(|time| Instant::now().checked_add(time)),
        };
        let mut state = Self {
            work,
            limits: Limits { deadline, cancel: options.cancel.clone() },
            answer: None,
            error: CString::default(),
            offer: CString::default(),
            connect_timeout: options.connecttimeout,
            since: Instant::now(),
            seen: (0, 0, 0),
            host: CString::default(),
            port: 0,
            given: 0,
        };
        state.look();
        state
    }

    /// Runs a step, unless it is not time for it, or the whole call is over.
    fn drive(&mut self, when: Option<c_int>, call: impl FnOnce(&mut Work)) -> c_int {
        let action = self.work.action();
        if matches!(self.work, Work::Over(_)) || when.is_some_and(|when| when != action) {
            return SMTP_ERR_USAGE;
        }
        match self.limits.check(Step::Command) {
            Ok(()) => call(&mut self.work),
            Err(cause) => self.work.abort(cause),
        }
        self.look();
        SMTP_OK
    }

    /// Takes note of where to connect to, and of progress.
    pub(crate) fn look(&mut self) {
        let seen = self.work.seen();
        if seen != self.seen {
            self.seen = seen;
            self.since = Instant::now();
        }
        if let Some(server) = self.work.dials() {
            (self.host, self.port) = match &server.target {
                Target::Tcp { host, port } => (c_string(host), *port),
                Target::Unix(path) => (c_string(&path.to_string_lossy()), 0),
            };
        }
    }

    /// The time that is left until somebody has been too slow.
    fn left(&mut self) -> Option<Duration> {
        let whole = match self.work.action() {
            SMTP_DIAL => self.connect_timeout,
            SMTP_EXCHANGE => self.work.conversation()?.timeout()?,
            _ => return None,
        };
        Some(whole.saturating_sub(self.since.elapsed()))
    }

    /// The time until something is to be looked at.
    fn wait(&mut self) -> Option<Duration> {
        if self.work.action() == SMTP_DONE {
            return None;
        }
        let left = self.left().unwrap_or(Duration::MAX);
        let wait = self.limits.slice(left);
        (wait < Duration::MAX).then_some(wait)
    }
}

/// # Safety
/// As for [`alone`].
unsafe fn drive(engine: *mut smtp_engine, when: c_int, call: impl FnOnce(&mut Work)) -> c_int {
    // SAFETY: as the caller says.
    unsafe { alone(engine, code, |state| state.drive(Some(when), call)) }
}

/// # Safety
/// As for [`alone`].
unsafe fn exchange(engine: *mut smtp_engine, call: impl FnOnce(&mut dyn Conversation)) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        drive(engine, SMTP_EXCHANGE, |work| {
            if let Some(conversation) = work.conversation() {
                call(conversation);
            }
        })
    }
}

/// # Safety
/// As for [`alone`] and [`optional`].
unsafe fn told(
    engine: *mut smtp_engine,
    when: c_int,
    why: *const c_char,
    otherwise: &'static str,
    call: impl FnOnce(&mut Work, String),
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        match text_of(why, otherwise) {
            Ok(text) => drive(engine, when, |work| call(work, text)),
            Err(fault) => fault.code(),
        }
    }
}

/// # Safety
/// As for [`optional`].
unsafe fn text_of(why: *const c_char, otherwise: &'static str) -> Result<String, Fault> {
    // SAFETY: as the caller says.
    Ok(unsafe { optional(why, "why") }?.unwrap_or(otherwise).to_owned())
}

/// What a descriptor knows of its two ends.
fn ends(fd: c_int) -> Ends {
    if fd < 0 {
        return Ends::default();
    }
    // SAFETY: not negative, and borrowed for the duplication only, which refuses what is not open.
    let Ok(own) = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned() else { return Ends::default() };
    let socket = TcpStream::from(own);
    let peer = socket.peer_addr().ok();
    let loopback = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    Ends { peer, local: socket.local_addr().ok().map(|local| local.ip()), loopback }
}

/// Rounded up: who waits for so long has waited long enough.
fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}
