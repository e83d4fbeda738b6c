//! Bytes in, bytes out: for programs that have the socket themselves.

use std::ffi::{CString, c_char, c_int, c_void};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use smtpclient::conversation::{Action, Clock, Conversation, Driven, Ends};
use smtpclient::engine::Awaited;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{Proxy, Tunnel};
use smtpclient::server::Target;

use super::state::{State, Way, Work};
use super::{SMTP_DIAL, SMTP_EXCHANGE, smtp_engine, text_of};
use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK};
use crate::guard::{alone, code};
use crate::strings::{c_string, empty, octets};

/// The host to connect to, a name or an address, or the path of a Unix socket; with option `proxy` the proxy. Lives
/// until the next call that takes `engine` without `const`. This and the functions below are for programs that connect,
/// and move the octets, themselves: after the first of them that is not `const`, `smtp_engine_ready()` is
/// `SMTP_ERR_USAGE`, and they are after that one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_host(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, empty, |state| {
            // Whoever asks this connects. Whoever watches may want to print it.
            if state.way == Way::Open {
                state.tell();
            }
            state.octets.host.as_ptr()
        })
    }
}

/// The port to connect to; 0 if `smtp_engine_host()` is the path of a Unix socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_port(engine: *const smtp_engine) -> u16 {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, |_| 0, |state| state.octets.port) }
}

/// Tells, at `SMTP_DIAL`, that the server, or the proxy, is connected. `fd` is only asked for its addresses, during
/// the call; -1 if there is none. `SMTP_OK`; `SMTP_ERR_USAGE`: it is not time for this, or the library has the socket,
/// and nothing was done. So with all functions below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_connected(engine: *mut smtp_engine, fd: c_int) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { drive(engine, SMTP_DIAL, |state| state.connected(fd)) }
}

/// Tells, at `SMTP_DIAL`, that it cannot be connected to, and why (NULL: not known).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_connect_failed(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        told(engine, SMTP_DIAL, why, "no connection", |state, text| state.unconnected(Kind::Connect, &text))
    }
}

/// The octets to write now, in `*data` and `*length`; 0 octets if there are none. They live until the next
/// call that takes `engine` without `const`. A reader of yours may be called; if it fails, the send may be over.
/// First hand over what can be read: after an idle time the server may have said that it is leaving.
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
            let code = state.drive(Some(SMTP_EXCHANGE), |state| {
                let Some(conversation) = state.conversation() else { return };
                // The answer to a commit counts when it is asked for once more; the program has read what there is.
                if conversation.poll_output().is_empty() && conversation.waits_for() == Some(Awaited::Commit)
                {
                    conversation.poll_output();
                }
                let output = conversation.poll_output();
                if !output.is_empty() {
                    (*data, *length) = (output.as_ptr().cast(), output.len());
                }
            });
            if state.action() != SMTP_EXCHANGE {
                (*data, *length) = (std::ptr::null(), 0); // what was called for it has ended the call
            }
            state.octets.given = *length;
            code
        })
    }
}

/// Tells that the first `count` octets of `smtp_engine_output()` were written. `SMTP_ERR_USAGE` also if
/// there were fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_output_done(engine: *mut smtp_engine, count: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| {
            if count > std::mem::take(&mut state.octets.given) {
                return SMTP_ERR_USAGE;
            }
            state.exchange(|conversation| conversation.output_done(count))
        })
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
        told(engine, SMTP_EXCHANGE, why, "the connection was lost", |state, text| {
            if let Some(conversation) = state.conversation() {
                conversation.handle_error(Error::new(Kind::Closed, Step::Command, text));
            }
        })
    }
}

/// Tells that the time of `smtp_engine_timeout()` passed; if it did not yet, nothing happens. Then ask
/// `smtp_engine_action()`; if that is `SMTP_DIAL`, the connection that you were making has had its time: make a new
/// one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_timed_out(engine: *mut smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, code, |state| state.drive(None, State::timed_out)) }
}

/// # Safety
/// As for [`alone`].
unsafe fn drive(engine: *mut smtp_engine, when: c_int, call: impl FnOnce(&mut State)) -> c_int {
    // SAFETY: as the caller says.
    unsafe { alone(engine, code, |state| state.drive(Some(when), call)) }
}

/// # Safety
/// As for [`alone`].
unsafe fn exchange(engine: *mut smtp_engine, call: impl FnOnce(&mut dyn Conversation)) -> c_int {
    // SAFETY: as the caller says.
    unsafe { alone(engine, code, |state| state.exchange(call)) }
}

/// # Safety
/// As for [`alone`] and [`text_of`].
unsafe fn told(
    engine: *mut smtp_engine,
    when: c_int,
    why: *const c_char,
    otherwise: &'static str,
    call: impl FnOnce(&mut State, String),
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        match text_of(why, otherwise) {
            Ok(text) => drive(engine, when, |state| call(state, text)),
            Err(fault) => fault.code(),
        }
    }
}

/// What is known of a connection that the program has.
#[derive(Default)]
pub(super) struct Octets {
    /// The handshake with the proxy, while it lasts, and the ends of the connection to it.
    tunnel: Option<(Box<Tunnel>, Ends)>,
    clock: Clock,
    /// Since when the program is to connect, while it is.
    dialling: Option<Instant>,
    host: CString,
    port: u16,
    /// How many octets `smtp_engine_output()` gave.
    given: usize,
}

impl Octets {
    pub(super) fn is_tunnelling(&self) -> bool {
        self.tunnel.is_some()
    }

    pub(super) fn leave_tunnel(&mut self) {
        self.tunnel = None;
    }

    pub(super) fn dialling(&self) -> Option<Instant> {
        self.dialling
    }

    /// Whom the octets are for.
    pub(super) fn conversation<'a>(&'a mut self, work: &'a mut Work) -> Option<&'a mut dyn Conversation> {
        match &mut self.tunnel {
            Some((tunnel, _)) => Some(&mut **tunnel),
            None => work.driven().map(|driven| driven as &mut dyn Conversation),
        }
    }

    /// The time that is left for connecting, or to the server.
    pub(super) fn left(&mut self, work: &mut Work, connect_timeout: Duration) -> Option<Duration> {
        if let Some(since) = self.dialling {
            return Some(connect_timeout.saturating_sub(since.elapsed()));
        }
        let mut clock = self.clock;
        let left = clock.left(self.conversation(work)?, Instant::now());
        self.clock = clock;
        left
    }
}

impl State {
    fn conversation(&mut self) -> Option<&mut dyn Conversation> {
        self.octets.conversation(&mut self.work)
    }

    /// Runs a step, unless it is not time for it, or the whole call is over.
    fn drive(&mut self, when: Option<c_int>, call: impl FnOnce(&mut Self)) -> c_int {
        let action = self.action();
        if self.connection.is_none() || when.is_some_and(|when| when != action) || !self.goes(Way::Octets) {
            return SMTP_ERR_USAGE;
        }
        let mut ended = self.limits().check(Step::Command);
        if ended.is_ok() {
            call(self);
            ended = self.limits().check(Step::Command); // a function that it called may have ended it
        }
        if let Err(cause) = ended {
            self.abort(cause);
        }
        self.through();
        self.update();
        SMTP_OK
    }

    fn exchange(&mut self, call: impl FnOnce(&mut dyn Conversation)) -> c_int {
        self.drive(Some(SMTP_EXCHANGE), |state| {
            if let Some(conversation) = state.conversation() {
                call(conversation);
            }
        })
    }

    fn connect_timeout(&self) -> Duration {
        self.connection
            .as_ref()
            .map(|connection| connection.dial_options().connect_timeout)
            .unwrap_or_default()
    }

    /// The server to connect to, and the proxy before it, if there is one: not before a Unix socket.
    fn target(&mut self) -> Option<(Target, Option<Proxy>)> {
        let Some(Action::Dial(server)) = self.work.driven().map(Driven::action) else { return None };
        let target = server.target.clone();
        let proxy = self.connection.as_ref().and_then(|connection| connection.dial_options().proxy.clone());
        Some((target.clone(), proxy.filter(|_| matches!(target, Target::Tcp { .. }))))
    }

    fn connected(&mut self, fd: c_int) {
        let target = self.target();
        let is_local = matches!(target, Some((Target::Unix(_), _)));
        let tunnel = match target {
            Some((Target::Tcp { host, port }, Some(proxy))) => {
                Some(Tunnel::new(&proxy, &host, port, self.connect_timeout()))
            }
            _ => None,
        };
        self.octets.clock.reset();
        let Some(driven) = self.work.driven() else { return };
        match tunnel {
            // Nobody between here and this machine: what `loopback` is about.
            None if is_local => driven.connected(Ends { loopback: true, ..Ends::default() }),
            None => driven.connected(ends(fd)),
            // The server may be anywhere behind the proxy.
            Some(Ok(tunnel)) => {
                self.octets.tunnel = Some((Box::new(tunnel), Ends { loopback: false, ..ends(fd) }));
            }
            Some(Err(error)) => self.connect_failed(error),
        }
    }

    fn unconnected(&mut self, kind: Kind, why: &str) {
        let text = match self.target() {
            Some((_, Some(proxy))) => format!("proxy {proxy}: {why}"),
            _ => why.to_owned(),
        };
        self.connect_failed(Error::new(kind, Step::Connect, text));
    }

    /// What is dialled next is another connection, even if it is to the same server.
    fn connect_failed(&mut self, error: Error) {
        self.octets.dialling = None;
        if let Some(driven) = self.work.driven() {
            driven.connect_failed(error);
        }
    }

    fn timed_out(&mut self) {
        let length = self.connect_timeout();
        if !self.octets.left(&mut self.work, length).is_some_and(|left| left.is_zero()) {
            return;
        }
        if self.octets.dialling.is_some() {
            self.unconnected(Kind::Timeout, &format!("no connection within {} s", length.as_secs_f64()));
        } else if let Some(conversation) = self.conversation() {
            conversation.handle_timeout();
        }
    }

    /// Goes on after the proxy's handshake.
    fn through(&mut self) {
        let Some(outcome) = self.octets.tunnel.as_ref().and_then(|(tunnel, _)| tunnel.outcome()) else {
            return;
        };
        let Some((tunnel, ends)) = self.octets.tunnel.take() else { return };
        self.octets.clock.reset();
        if let Err(error) = outcome {
            return self.connect_failed(error);
        }
        let Some(driven) = self.work.driven() else { return };
        driven.connected(ends);
        if !tunnel.rest().is_empty() {
            driven.handle_input(tunnel.rest());
        }
    }

    /// Records where to connect to, and starts the clocks.
    pub(super) fn update(&mut self) {
        if self.action() != SMTP_DIAL {
            self.octets.dialling = None;
            self.octets.left(&mut self.work, Duration::ZERO);
        } else if self.octets.dialling.is_none()
            && let Some((target, proxy)) = self.target()
        {
            self.octets.clock.reset();
            self.octets.dialling = Some(Instant::now());
            (self.octets.host, self.octets.port) = match (&target, proxy) {
                (Target::Tcp { .. }, Some(proxy)) => (c_string(&proxy.host()), proxy.port()),
                (Target::Tcp { host, port }, None) => (c_string(host), *port),
                (Target::Unix(path), _) => (c_string(&path.to_string_lossy()), 0),
                // Nothing that could be connected to from here.
                (Target::Agent(agent), _) => (c_string(&agent.to_string()), 0),
            };
        }
    }
}

/// What a descriptor knows of its two ends.
fn ends(fd: c_int) -> Ends {
    // SAFETY: borrowed for the duplication only, which refuses what is not open.
    let Some(given) = (unsafe { crate::platform::borrowed(fd) }) else { return Ends::default() };
    let Ok(own) = given.try_clone_to_owned() else { return Ends::default() };
    let socket = TcpStream::from(own);
    let peer = socket.peer_addr().ok();
    let loopback = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    Ends { peer, local: socket.local_addr().ok().map(|local| local.ip()), loopback, ..Ends::default() }
}
