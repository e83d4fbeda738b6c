//! The loop that moves bytes and watches the clock, and knows no SMTP. There is no other: whoever blocks, and whoever
//! watches descriptors, differ only in [how long they wait](Wait).

use std::io;
use std::time::{Duration, Instant};

use super::limits::Limits;
use super::process::Process;
use super::stream::{Ready, Stream};
use crate::conversation::{Clock, Conversation};
use crate::engine::Awaited;
use crate::error::{Error, Kind, Step};

/// The most that is read at once. Replies are short; a larger buffer would only be more memory.
pub(super) const READ: usize = 8 * 1024;

/// What is read at once until that is not enough: a connection for one message needs no more, and making room for 8 KiB
/// was an eighth of its cost.
const FIRST_READ: usize = 1024;

/// After this many octets written, what the server says meanwhile is looked at: an early refusal stops an upload.
const LOOK: usize = 64 * 1024;

/// So many reads are made for what the server said unasked, or before it went: more than any reason needs.
const ROUNDS: usize = 8;

/// Who does not wait moves so much before others have their turn.
const TURN: usize = 256 * 1024;

/// A connected socket, or what stands for one.
pub trait Transport {
    /// Writes what is taken now, without blocking: `Ok(0)` means nothing.
    ///
    /// # Errors
    /// The connection is broken.
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Reads what is there, without blocking: `Ok(None)` means nothing now, `Ok(Some(0))` the end.
    ///
    /// # Errors
    /// The connection is broken.
    fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>>;
    /// Reads, and blocks for at most `wait` until there is something: `Ok(None)` means that the time is over or a
    /// signal came.
    ///
    /// # Errors
    /// The connection is broken.
    fn recv(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>>;
    /// Blocks until bytes can be read or written, at most `wait`.
    ///
    /// # Errors
    /// Waiting failed. A broken connection is ready.
    fn wait(&mut self, wait: Duration) -> io::Result<Ready>;
    /// Whether a read that leaves room in the buffer has taken all that was there.
    fn reads_all(&self) -> bool {
        false
    }
    /// Tells that nothing is due from the peer: what was read last need not be acknowledged at once.
    fn rest(&mut self) {}
    /// Octets that were written and that the peer has not acknowledged; 0 if that cannot be told.
    fn unacknowledged(&self) -> u64 {
        0
    }
}

impl Transport for Stream {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Stream::try_send(self, bytes)
    }
    fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        Stream::try_recv(self, buffer)
    }
    fn recv(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        Stream::recv(self, buffer, wait)
    }
    fn wait(&mut self, wait: Duration) -> io::Result<Ready> {
        Stream::wait(self, true, true, wait)
    }
    fn reads_all(&self) -> bool {
        true
    }
    fn rest(&mut self) {
        Stream::rest(self);
    }
    fn unacknowledged(&self) -> u64 {
        Stream::unacknowledged(self)
    }
}

/// How long [`Mover::run`] may wait for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As long as the server may take.
    Block,
    /// While the server answers, until this moment: for what need not be done now, such as further messages of a batch
    /// whose first is known. Whoever has many answers at a time pays less for each.
    Until(Instant),
    /// Not at all.
    Never,
}

/// Moves the bytes of one connection.
#[derive(Debug, Default)]
pub struct Mover {
    clock: Clock,
    process: Process,
    buffer: Vec<u8>,
    /// Octets written since the server was last listened to.
    unlooked: usize,
    /// The last read took all that was there.
    is_drained: bool,
    /// The last run ended to give others their turn.
    is_cut_short: bool,
}

impl Mover {
    /// Moves bytes between `transport` and `conversation` until `done`, until nothing is due either way, or for as long
    /// as it may `wait`. Says what is waited for then.
    pub fn run<T: Transport + ?Sized, C: Conversation + ?Sized>(
        &mut self,
        transport: &mut T,
        conversation: &mut C,
        limits: &Limits,
        wait: Wait,
        done: impl Fn(&mut C) -> bool,
    ) -> Ready {
        let mut turn = 0;
        let mut is_full = false;
        let mut has_looked = false;
        (self.is_drained, self.is_cut_short) = (false, false);
        // A child by fork must not read what is its parent's.
        if conversation.timeout().is_none() && self.check(limits).is_ok() {
            transport.rest();
            // Nothing was asked for: what has arrived is not an answer to what is said next.
            for _ in 0..ROUNDS {
                if done(conversation) || !self.listen(transport, conversation) {
                    break;
                }
            }
        }
        while !done(conversation) {
            if let Err(cause) = self.check(limits) {
                conversation.abort(cause);
                continue;
            }
            let output = conversation.poll_output();
            // What was called for it, a reader or a transcript, may have ended the call, or be back in a forked child.
            if !output.is_empty()
                && let Err(cause) = self.check(limits)
            {
                conversation.abort(cause);
                continue;
            }
            if turn >= TURN && wait == Wait::Never {
                self.is_cut_short = true;
                return Ready { read: true, write: !output.is_empty() };
            }
            has_looked &= output.is_empty();
            if !output.is_empty() && !is_full {
                match transport.try_send(output) {
                    Ok(0) => is_full = true,
                    Ok(n) => {
                        conversation.output_done(n);
                        turn += n;
                        self.unlooked += n;
                        if self.unlooked >= LOOK {
                            self.listen(transport, conversation);
                        }
                    }
                    Err(error) => self.broken(transport, conversation, &error),
                }
                continue;
            }
            let is_idle = output.is_empty();
            if is_idle && done(conversation) {
                break;
            }
            let awaited = conversation.waits_for().filter(|_| is_idle);
            // A child by fork, which is back here from a function of the caller's, must not read either: the replies are its
            // parent's.
            if awaited.is_some()
                && let Err(cause) = self.check(limits)
            {
                conversation.abort(cause);
                continue;
            }
            match awaited {
                Some(Awaited::Source) if wait != Wait::Never => {
                    // What the server said meanwhile is a better reason.
                    if !self.listen(transport, conversation) {
                        conversation.handle_error(source_is_dry("a blocking call"));
                    }
                    continue;
                }
                Some(Awaited::Login) if wait != Wait::Never => {
                    let text = "the function of option `oauthtoken` or the caller's mechanism has no answer now, and a blocking call cannot wait for it";
                    conversation.handle_error(Error::new(Kind::Login, Step::Auth, text));
                    continue;
                }
                Some(Awaited::Commit) if !has_looked => {
                    has_looked = true;
                    self.listen(transport, conversation);
                    continue;
                }
                Some(Awaited::Commit) if wait != Wait::Never => {
                    let text = "the commit is pending, and a blocking call cannot wait for it";
                    conversation.handle_error(Error::new(Kind::Commit, Step::Commit, text));
                    continue;
                }
                _ => {}
            }
            let now = Instant::now();
            let time = self.clock.until_look(conversation, now);
            let left = match time {
                // Nothing is due from the server, so what is left is a farewell that it does not take.
                None if !is_idle => {
                    conversation.handle_timeout();
                    continue;
                }
                None if wait == Wait::Never => Duration::MAX,
                None => return Ready::default(),
                Some(Duration::ZERO) => {
                    if !self.clock.extend(conversation, transport.unacknowledged(), now) {
                        conversation.handle_timeout();
                    }
                    continue;
                }
                Some(left) => left,
            };
            let slice = match wait {
                Wait::Never => Duration::ZERO,
                Wait::Block => limits.slice(left),
                Wait::Until(end) => match end.saturating_duration_since(now) {
                    Duration::ZERO => return Ready::default(),
                    time => limits.slice(left.min(time)),
                },
            };
            // Reading goes on while nothing can be written, so that neither side can block the other.
            if is_full && wait != Wait::Never {
                match transport.wait(slice) {
                    Ok(ready) => {
                        is_full = !ready.write;
                        if ready.read {
                            self.listen(transport, conversation);
                        }
                    }
                    Err(error) => conversation.handle_error(lost(&error)),
                }
                continue;
            }
            // Nothing is due, and nothing is there. Where something is due, a server on the same machine may have answered
            // already, and a turn of an event loop costs more than a look.
            if wait == Wait::Never && self.is_drained && time.is_none() {
                return Ready { read: true, write: is_full };
            }
            self.room();
            let got = match wait {
                Wait::Never => transport.try_recv(&mut self.buffer),
                _ => transport.recv(&mut self.buffer, slice),
            };
            let nothing = matches!(got, Ok(None));
            turn += got.as_ref().map_or(0, |count| count.unwrap_or_default());
            self.take(transport, conversation, got);
            if nothing {
                match wait {
                    Wait::Never => return Ready { read: true, write: is_full },
                    Wait::Until(_) => return Ready::default(),
                    Wait::Block => {}
                }
            }
        }
        Ready { read: true, write: false }
    }

    /// An error if nothing more may be said.
    fn check(&self, limits: &Limits) -> Result<(), Error> {
        self.process.check("connection").and_then(|()| limits.check(Step::Command))
    }

    /// Reads what has arrived; whether anything has.
    fn listen<T: Transport + ?Sized, C: Conversation + ?Sized>(
        &mut self,
        transport: &mut T,
        conversation: &mut C,
    ) -> bool {
        self.unlooked = 0;
        self.room();
        let got = transport.try_recv(&mut self.buffer);
        let something = !matches!(got, Ok(None));
        self.take(transport, conversation, got);
        something
    }

    /// The time until this is to [run](Self::run) all the same; `None` when nothing is due from the server.
    pub fn left<C: Conversation + ?Sized>(&mut self, conversation: &C, now: Instant) -> Option<Duration> {
        self.clock.until_look(conversation, now)
    }

    /// Whether the last run ended to give others their turn, and not because nothing could be done. Whoever is told of changes
    /// alone, as by epoll's edges, is to run it again.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    /// Starts anew, for another connection.
    pub fn reset(&mut self) {
        self.clock.reset();
        self.unlooked = 0;
    }

    /// Room for a read, made for the first: who waits for a connection needs none.
    fn room(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = vec![0; FIRST_READ];
        }
    }

    fn take<T: Transport + ?Sized, C: Conversation + ?Sized>(
        &mut self,
        transport: &T,
        conversation: &mut C,
        got: io::Result<Option<usize>>,
    ) {
        self.is_drained = match got {
            Ok(Some(n)) => n > 0 && n < self.buffer.len() && transport.reads_all(),
            Ok(None) => true,
            Err(_) => false,
        };
        match got {
            Ok(Some(0)) => conversation.handle_eof(),
            Ok(Some(n)) => {
                conversation.handle_input(self.buffer.get(..n).unwrap_or_default());
                if n == self.buffer.len() && n < READ {
                    self.buffer = vec![0; READ];
                }
            }
            Ok(None) => {}
            Err(error) => conversation.handle_error(lost(&error)),
        }
    }

    /// Nothing more can be written, but the server may have said why.
    fn broken<T: Transport + ?Sized, C: Conversation + ?Sized>(
        &mut self,
        transport: &mut T,
        conversation: &mut C,
        error: &io::Error,
    ) {
        self.room();
        for _ in 0..ROUNDS {
            match transport.try_recv(&mut self.buffer) {
                Ok(Some(n)) if n > 0 => {
                    conversation.handle_input(self.buffer.get(..n).unwrap_or_default());
                }
                _ => break,
            }
        }
        conversation.handle_error(lost(error));
    }
}

/// What `call` says where a reader has nothing to give, and nobody could tell that it has.
pub(super) fn source_is_dry(call: &str) -> Error {
    let text = format!("the reader has no bytes now, and {call} cannot wait for it");
    Error::new(Kind::Source, Step::Body, text)
}

fn lost(error: &io::Error) -> Error {
    Error::new(Kind::Closed, Step::Command, format!("the connection was lost: {error}"))
}

#[cfg(all(test, unix))]
mod tests;
