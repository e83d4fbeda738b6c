//! One connection for anything that is [`Driven`]: it connects when it is told to, and moves bytes, whether the caller
//! blocks or watches a descriptor.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, BorrowedFd};

use super::dial::{DialOptions, dial_meanwhile};
use super::dialling::Dialling;
use super::limits::Limits;
use super::process::Process;
use super::run::{Mover, Wait};
use super::sendmessage::dial_options;
use super::stream::{Ready, Stream};
use crate::conversation::{Action, Driven, Ends};
use crate::error::{Error, Kind, Step};
use crate::options::Options;

/// A connection, or what becomes one.
///
/// Whoever blocks calls [`run`](Self::run). Whoever has an event loop calls [`turn`](Self::turn) whenever the
/// [descriptor](Self::fd) is [ready](Self::interest), the [time](Self::timeout) is over, or something was asked; the
/// descriptor may be another one after each turn, and has another number then.
#[derive(Debug)]
pub struct Connection {
    dial: DialOptions,
    process: Process,
    place: SocketState,
    mover: Mover,
    interest: Ready,
    /// What the owner watched before the last turn.
    retired: SocketState,
    /// How many descriptors it has had.
    serial: u64,
}

#[derive(Debug)]
enum SocketState {
    Nowhere,
    Dialling(Dialling),
    Open(Stream),
}

impl Connection {
    /// None yet: it is made as the options say (`connecttimeout`, `localaddress`, `proxy`), within what is left of
    /// `deadline` from now, unless they `cancel` it.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a proxy that cannot be.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let dial = dial_options(options, &super::sendmessage::limits(options))?;
        Ok(Self {
            dial,
            process: Process::current(),
            place: SocketState::Nowhere,
            mover: Mover::default(),
            interest: Ready::default(),
            retired: SocketState::Nowhere,
            serial: 0,
        })
    }

    /// The same with a connection that the caller has made.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[doc(hidden)]
    pub fn over(stream: Stream, options: &Options) -> Result<Self, Error> {
        Ok(Self { place: SocketState::Open(stream), ..Self::new(options)? })
    }

    /// When whatever comes next must be over, and how it can be ended.
    pub fn set_limits(&mut self, limits: Limits) {
        self.dial.limits = limits;
    }

    /// How it connects.
    #[doc(hidden)]
    pub fn dial_options(&self) -> &DialOptions {
        &self.dial
    }

    /// The socket, if there is one.
    #[doc(hidden)]
    pub fn stream(&self) -> Option<&Stream> {
        match &self.place {
            SocketState::Open(stream) => Some(stream),
            _ => None,
        }
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.put(SocketState::Nowhere);
        self.retired = SocketState::Nowhere;
        self.interest = Ready::default();
    }

    /// The same for whoever watches the [descriptor](Self::fd): that stays open until the next [turn](Self::turn), so that
    /// its number means nothing else before it is no longer watched. The server sees the end at once.
    pub fn hang_up(&mut self) {
        if self.process.is_forked() {
            return self.close(); // the parent goes on with it
        }
        self.interest = Ready::default();
        let place = std::mem::replace(&mut self.place, SocketState::Nowhere);
        match &place {
            SocketState::Nowhere => return,
            SocketState::Dialling(dialling) => dialling.give_up(),
            // Not connected any more: as good.
            SocketState::Open(stream) => drop(stream.shutdown(Shutdown::Both)),
        }
        if matches!(self.retired, SocketState::Nowhere) {
            self.retired = place;
        }
    }

    /// Gives the socket away.
    #[doc(hidden)]
    pub fn into_stream(self) -> Option<Stream> {
        match self.place {
            SocketState::Open(stream) => Some(stream),
            _ => None,
        }
    }

    /// Whether the server has closed its end; what it still says is passed over.
    pub(super) fn has_ended(&mut self) -> bool {
        if self.process.is_forked() {
            return true; // its parent's
        }
        let SocketState::Open(stream) = &mut self.place else { return true };
        let mut buffer = [0; 512];
        loop {
            match stream.try_recv(&mut buffer) {
                Ok(None) => return false,
                Ok(Some(0)) | Err(_) => return true,
                Ok(Some(_)) => {}
            }
        }
    }

    /// Ends the direction to the server.
    pub(super) fn shutdown(&self) -> bool {
        // A child must not end its parent's.
        !self.process.is_forked()
            && self.stream().is_some_and(|stream| stream.shutdown(Shutdown::Write).is_ok())
    }

    /// Connects and moves bytes until `done`, or nothing is due, for as long as it may `wait`: [`Wait::Block`] or
    /// [`Wait::Until`]. What is [over](Action::Done) is left to the caller to close.
    pub fn run<D: Driven + ?Sized>(&mut self, driven: &mut D, wait: Wait, done: impl Fn(&mut D) -> bool) {
        while !done(driven) {
            match driven.action() {
                Action::Done => return,
                Action::Dial(server) => {
                    let target = server.target.clone();
                    self.close(); // the old one, before there is a new one
                    if let Err(cause) = self.dial.limits.check(Step::Connect) {
                        driven.abort(cause);
                        continue;
                    }
                    match dial_meanwhile(&target, &self.dial, &mut || driven.prepare()) {
                        Ok(stream) => self.connected(driven, stream),
                        Err(error) => self.failed(driven, error),
                    }
                }
                Action::Exchange => {
                    let SocketState::Open(stream) = &mut self.place else {
                        return driven.handle_error(nowhere());
                    };
                    let over = |driven: &mut D| done(driven) || driven.action() != Action::Exchange;
                    self.mover.run(stream, driven, &self.dial.limits, wait, over);
                    if driven.action() == Action::Exchange {
                        return stream.keep_alive();
                    }
                }
            }
        }
    }

    /// Does what can be done without waiting. What is [over](Action::Done) is left to the caller to close.
    pub fn turn<D: Driven + ?Sized>(&mut self, driven: &mut D) {
        self.retired = SocketState::Nowhere;
        loop {
            match driven.action() {
                Action::Done => return self.interest = Ready::default(),
                Action::Dial(server) => match &self.place {
                    SocketState::Dialling(dialling) => match dialling.poll() {
                        // A function of the caller's may block for longer than it was told.
                        None => match self.dial.limits.check(Step::Connect) {
                            Ok(()) => return self.interest = Ready { read: true, write: false },
                            Err(cause) => {
                                let cause = cause.with_server(server.target.to_string());
                                self.hang_up();
                                driven.abort(cause);
                            }
                        },
                        Some(Ok(stream)) => {
                            self.hang_up();
                            self.connected(driven, stream);
                        }
                        Some(Err(error)) => {
                            self.hang_up();
                            self.failed(driven, error);
                        }
                    },
                    _ => {
                        let target = server.target.clone();
                        self.hang_up();
                        if let Err(cause) = self.dial.limits.check(Step::Connect) {
                            driven.abort(cause);
                            continue;
                        }
                        match Dialling::begin(&target, &self.dial) {
                            Ok(dialling) => {
                                self.put(SocketState::Dialling(dialling));
                                driven.prepare();
                            }
                            Err(error) => driven.connect_failed(error),
                        }
                    }
                },
                Action::Exchange => {
                    let SocketState::Open(stream) = &mut self.place else {
                        self.hang_up();
                        driven.handle_error(nowhere());
                        continue;
                    };
                    let over = |driven: &mut D| driven.action() != Action::Exchange;
                    self.interest = self.mover.run(stream, driven, &self.dial.limits, Wait::Never, over);
                    if driven.action() == Action::Exchange {
                        return stream.keep_alive();
                    }
                }
            }
        }
    }

    /// The descriptor to watch; `None` while there is none.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.place {
            SocketState::Nowhere => None,
            SocketState::Dialling(dialling) => Some(dialling.fd()),
            SocketState::Open(stream) => Some(stream.as_fd()),
        }
    }

    /// Changes with the connection, for whoever has a copy of its descriptor: between two calls of [`run`](Self::run) there
    /// may be another one of the same number.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// What to watch it for.
    pub fn interest(&self) -> Ready {
        self.interest
    }

    /// Whether the last [turn](Self::turn) ended to give others theirs. The descriptor is meant to be watched by level; whoever is
    /// told of changes alone takes another turn without waiting where this is true.
    pub fn is_cut_short(&self) -> bool {
        matches!(self.place, SocketState::Open(_)) && self.mover.is_cut_short()
    }

    /// How long to wait for that before the next [`turn`](Self::turn) is due all the same; `None`: for ever.
    pub fn timeout<D: Driven + ?Sized>(&mut self, driven: &mut D, now: Instant) -> Option<Duration> {
        match driven.action() {
            Action::Done => None,
            Action::Dial(_) => match &self.place {
                SocketState::Dialling(_) => {
                    let slice = self.dial.limits.slice(Duration::MAX);
                    (slice < Duration::MAX).then_some(slice)
                }
                _ => Some(Duration::ZERO),
            },
            Action::Exchange => {
                let limits = &self.dial.limits;
                let left = self.mover.left(driven, now);
                let slice = limits.slice(left.unwrap_or(Duration::MAX));
                (left.is_some() || slice < Duration::MAX).then_some(slice)
            }
        }
    }

    fn put(&mut self, place: SocketState) {
        self.place = place;
        self.serial += 1;
    }

    fn connected<D: Driven + ?Sized>(&mut self, driven: &mut D, stream: Stream) {
        let ends = ends(&stream);
        self.put(SocketState::Open(stream));
        self.mover.reset();
        driven.connected(ends);
    }

    /// No connection was made; where the call must end, no other server is looked at.
    fn failed<D: Driven + ?Sized>(&self, driven: &mut D, error: Error) {
        match self.dial.limits.check(Step::Connect) {
            Ok(()) => driven.connect_failed(error),
            Err(_) => driven.abort(error),
        }
    }
}

pub(super) fn ends(stream: &Stream) -> Ends {
    Ends {
        peer: stream.peer(),
        local: stream.local().map(|address| address.ip()),
        loopback: stream.is_loopback(),
        times: stream.times(),
    }
}

fn nowhere() -> Error {
    Error::new(Kind::Closed, Step::Command, "there is no connection")
}

#[cfg(all(test, unix))]
mod tests;
