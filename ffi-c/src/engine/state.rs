//! What an engine is in the middle of: a send or a session, and before either the handshake with a proxy.

use std::ffi::{CString, c_int};
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use smtpclient::conversation::Conversation;
use smtpclient::delivery::{Action, Delivery, Ends};
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{Limits, Process, Proxy, Tunnel};
use smtpclient::options::Options;
use smtpclient::report::Report;
use smtpclient::server::{Server, Target};

use super::{SMTP_DIAL, SMTP_DONE, SMTP_EXCHANGE};
use crate::code::{SMTP_ERR_USAGE, SMTP_OK};
use crate::strings::c_string;
use crate::talk::{Given, Talk};

pub(crate) struct State {
    /// In a child by fork(2) everything is over: the connection is the parent's.
    pub(crate) process: Process,
    pub(crate) work: Work,
    pub(crate) limits: Limits,
    /// The answer that `smtp_engine_answer()` took last, and why the last question could not be asked.
    pub(crate) answer: Option<Given>,
    pub(crate) error: CString,
    pub(crate) offer: CString,
    proxy: Option<Proxy>,
    /// The handshake with the proxy, while it lasts, and the ends of the connection to it.
    tunnel: Option<(Box<Tunnel>, Ends)>,
    pub(super) connect_timeout: Duration,
    /// Since when the server has made no progress, and what tells that it did.
    since: Instant,
    seen: (c_int, usize, u64),
    pub(super) host: CString,
    pub(super) port: u16,
    /// How many octets `smtp_engine_output()` gave.
    pub(super) given: usize,
}

/// What an engine works on.
pub(crate) enum Work {
    Send(Box<Delivery>),
    Talk(Box<Talk>),
    /// It could not be begun.
    Over(Box<Report>),
}

impl Work {
    pub(super) fn action(&mut self) -> c_int {
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

    fn connected(&mut self, ends: Ends) {
        match self {
            Self::Send(delivery) => delivery.connected(ends),
            Self::Talk(talk) => talk.connected(ends),
            Self::Over(_) => {}
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

    pub(super) fn conversation(&mut self) -> Option<&mut dyn Conversation> {
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
    pub(super) fn new(work: Work, proxy: Option<Proxy>, options: &Options) -> Self {
        let deadline = match &work {
            Work::Over(_) => None,
            _ => options.deadline.and_then(|time| Instant::now().checked_add(time)),
        };
        let mut state = Self {
            process: Process::current(),
            work,
            limits: Limits { deadline, cancel: options.cancel.clone() },
            answer: None,
            error: CString::default(),
            offer: CString::default(),
            proxy,
            tunnel: None,
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

    pub(super) fn action(&mut self) -> c_int {
        if self.process.is_forked() && self.work.action() != SMTP_DONE {
            let error = self.process.check("connection").err();
            self.work = Work::Over(Box::new(Report { error, ..Report::default() }));
            self.tunnel = None;
        }
        if self.tunnel.is_some() { SMTP_EXCHANGE } else { self.work.action() }
    }

    pub(super) fn conversation(&mut self) -> Option<&mut dyn Conversation> {
        match &mut self.tunnel {
            Some((tunnel, _)) => Some(&mut **tunnel),
            None => self.work.conversation(),
        }
    }

    /// The server and the proxy before it, if there is one: not before a Unix socket.
    fn dials(&self) -> Option<(&Server, Option<&Proxy>)> {
        let server = self.work.dials()?;
        Some((server, self.proxy.as_ref().filter(|_| matches!(server.target, Target::Tcp { .. }))))
    }

    pub(super) fn connected(&mut self, fd: c_int) {
        let tunnel = match self.dials() {
            Some((Server { target: Target::Tcp { host, port }, .. }, Some(proxy))) => {
                Some(Tunnel::new(proxy, host, *port, self.connect_timeout))
            }
            // Nobody between here and this machine: what `loopback` is about.
            Some((Server { target: Target::Unix(_), .. }, _)) => {
                return self.work.connected(Ends { loopback: true, ..Ends::default() });
            }
            _ => None,
        };
        match tunnel {
            None => self.work.connected(ends(fd)),
            // The server may be anywhere behind the proxy.
            Some(Ok(tunnel)) => self.tunnel = Some((Box::new(tunnel), Ends { loopback: false, ..ends(fd) })),
            Some(Err(error)) => self.work.connect_failed(error),
        }
    }

    pub(super) fn unconnected(&mut self, kind: Kind, why: &str) {
        let text = match self.dials() {
            Some((_, Some(proxy))) => format!("proxy {proxy}: {why}"),
            _ => why.to_owned(),
        };
        self.work.connect_failed(Error::new(kind, Step::Connect, text));
    }

    pub(super) fn abort(&mut self, cause: Error) {
        self.tunnel = None;
        self.work.abort(cause);
    }

    /// Goes on behind the proxy's handshake.
    fn through(&mut self) {
        let Some(outcome) = self.tunnel.as_ref().and_then(|(tunnel, _)| tunnel.outcome()) else { return };
        let Some((tunnel, ends)) = self.tunnel.take() else { return };
        if let Err(error) = outcome {
            return self.work.connect_failed(error);
        }
        self.work.connected(ends);
        if !tunnel.rest().is_empty()
            && let Some(conversation) = self.work.conversation()
        {
            conversation.handle_input(tunnel.rest());
        }
    }

    /// Runs a step, unless it is not time for it, or the whole call is over.
    pub(super) fn drive(&mut self, when: Option<c_int>, call: impl FnOnce(&mut Self)) -> c_int {
        let action = self.action();
        if matches!(self.work, Work::Over(_)) || when.is_some_and(|when| when != action) {
            return SMTP_ERR_USAGE;
        }
        match self.limits.check(Step::Command) {
            Ok(()) => call(self),
            Err(cause) => self.abort(cause),
        }
        self.through();
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
        if let Some((server, proxy)) = self.dials() {
            (self.host, self.port) = match (&server.target, proxy) {
                (Target::Tcp { .. }, Some(proxy)) => (c_string(&proxy.host()), proxy.port()),
                (Target::Tcp { host, port }, None) => (c_string(host), *port),
                (Target::Unix(path), _) => (c_string(&path.to_string_lossy()), 0),
            };
        }
    }

    /// The time that is left until somebody has been too slow.
    pub(super) fn left(&mut self) -> Option<Duration> {
        let whole = match self.action() {
            SMTP_DIAL => self.connect_timeout,
            SMTP_EXCHANGE => self.conversation()?.timeout()?,
            _ => return None,
        };
        Some(whole.saturating_sub(self.since.elapsed()))
    }

    /// The time until something is to be looked at.
    pub(super) fn wait(&mut self) -> Option<Duration> {
        if self.action() == SMTP_DONE {
            return None;
        }
        let left = self.left().unwrap_or(Duration::MAX);
        let wait = self.limits.slice(left);
        (wait < Duration::MAX).then_some(wait)
    }
}

pub(super) fn proxy(options: &Options) -> Result<Option<Proxy>, Error> {
    let text = options.proxy.as_ref().map(|text| String::from_utf8_lossy(text.expose()).into_owned());
    text.map(|text| Proxy::parse(&text)).transpose()
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
pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}
