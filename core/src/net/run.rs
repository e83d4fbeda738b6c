//! The loop of the blocking driver: it moves bytes and watches the clock, and knows no SMTP.

use std::io;
use std::time::{Duration, Instant};

use super::limits::Limits;
use super::stream::Stream;
use crate::conversation::Conversation;
use crate::error::{Error, Kind, Step};

/// One read. Replies are short; a larger buffer would only be more memory.
pub(super) const READ: usize = 8 * 1024;

/// After this many octets written, what the server says meanwhile is looked at: an early refusal stops
/// an upload.
const LOOK: usize = 64 * 1024;

/// How long [`linger`] lets the caller wait for what is known already.
const LINGER: Duration = Duration::from_millis(5);

/// Moves bytes between `stream` and `conversation` until `done`, or until nothing is due either way. `buffer` is what one
/// read is put into. For drivers that have a [`Conversation`] of their own, such as a
/// [`Dialogue`](crate::dialogue::Dialogue) over what [`connect`](super::connect) gave.
pub fn run<C: Conversation>(
    stream: &mut Stream,
    conversation: &mut C,
    limits: &Limits,
    buffer: &mut [u8],
    done: impl Fn(&mut C) -> bool,
) {
    let mut clock = Clock::new(conversation);
    let mut unlooked = 0;
    while !done(conversation) {
        if let Err(cause) = limits.check(Step::Command) {
            conversation.abort(cause);
            continue;
        }
        let output = conversation.poll_output();
        if output.is_empty() {
            if done(conversation) {
                return;
            }
            if conversation.waits_for_source() {
                let text = "the reader has no bytes now, and a blocking call cannot wait for it";
                conversation.handle_error(Error::new(Kind::Source, Step::Body, text));
                continue;
            }
            let Some(left) = clock.left(conversation) else { return };
            match stream.recv(buffer, limits.slice(left)) {
                Ok(None) => {}
                other => take(conversation, other, buffer),
            }
            // Also after a read: what comes without progress, such as TLS session tickets, takes no time away from the clock.
            clock.check(conversation);
            continue;
        }
        match stream.try_send(output) {
            Ok(0) => wait_for_room(stream, conversation, limits, buffer, &mut clock),
            Ok(n) => {
                conversation.output_done(n);
                unlooked += n;
                if unlooked >= LOOK {
                    unlooked = 0;
                    match stream.try_recv(buffer) {
                        Ok(None) => {}
                        other => take(conversation, other, buffer),
                    }
                }
            }
            Err(error) => broken(stream, conversation, &error, buffer),
        }
    }
}

/// Goes on as [`run`] does while the server answers at once: until `done`, at most 5 ms. For what need not be done
/// now, such as further messages of a batch whose first is known: whoever has many answers at a time pays less for each.
pub fn linger<C: Conversation>(
    stream: &mut Stream,
    conversation: &mut C,
    buffer: &mut [u8],
    done: impl Fn(&mut C) -> bool,
) {
    let begin = Instant::now();
    while !done(conversation) && begin.elapsed() < LINGER {
        let output = conversation.poll_output();
        if !output.is_empty() {
            match stream.try_send(output) {
                Ok(0) => return,
                Ok(n) => conversation.output_done(n),
                Err(error) => broken(stream, conversation, &error, buffer),
            }
        } else if done(conversation) || conversation.waits_for_source() || conversation.timeout().is_none() {
            return;
        } else {
            match stream.recv(buffer, LINGER) {
                Ok(None) => return,
                other => take(conversation, other, buffer),
            }
        }
    }
}

/// The kernel takes no more: reads while it waits, so that neither side can block the other.
fn wait_for_room<C: Conversation>(
    stream: &mut Stream,
    conversation: &mut C,
    limits: &Limits,
    buffer: &mut [u8],
    clock: &mut Clock,
) {
    // Nothing is due from the server, so what is left is a farewell that it does not take.
    let Some(left) = clock.left(conversation) else { return conversation.handle_timeout() };
    match stream.wait(true, true, limits.slice(left)) {
        Ok(ready) if ready.read => match stream.try_recv(buffer) {
            Ok(None) => {}
            other => take(conversation, other, buffer),
        },
        Ok(_) => {}
        Err(error) => conversation.handle_error(lost(&error)),
    }
    clock.check(conversation);
}

pub(super) fn take<C: Conversation>(conversation: &mut C, got: io::Result<Option<usize>>, buffer: &[u8]) {
    match got {
        Ok(Some(0)) => conversation.handle_eof(),
        Ok(Some(n)) => conversation.handle_input(buffer.get(..n).unwrap_or_default()),
        Ok(None) => {}
        Err(error) => conversation.handle_error(lost(&error)),
    }
}

/// Nothing more can be written, but the server may have said why.
pub(super) fn broken<C: Conversation>(
    stream: &mut Stream,
    conversation: &mut C,
    error: &io::Error,
    buffer: &mut [u8],
) {
    // Bounded: a peer whose side is closed cannot go on for ever, and 64 KiB are more than any reason.
    for _ in 0..8 {
        match stream.try_recv(buffer) {
            Ok(Some(n)) if n > 0 => conversation.handle_input(buffer.get(..n).unwrap_or_default()),
            _ => break,
        }
    }
    conversation.handle_error(lost(error));
}

fn lost(error: &io::Error) -> Error {
    Error::new(Kind::Closed, Step::Command, format!("the connection was lost: {error}"))
}

/// How long the server has been silent.
struct Clock {
    progress: u64,
    since: Instant,
}

impl Clock {
    fn new(conversation: &impl Conversation) -> Self {
        Self { progress: conversation.progress(), since: Instant::now() }
    }

    /// The time that is left, at least a moment; `None` when nothing is due.
    fn left(&mut self, conversation: &impl Conversation) -> Option<Duration> {
        let timeout = conversation.timeout()?;
        let progress = conversation.progress();
        if progress != self.progress {
            self.progress = progress;
            self.since = Instant::now();
            return Some(timeout);
        }
        Some(timeout.saturating_sub(self.since.elapsed()).max(Duration::from_millis(1)))
    }

    fn check(&mut self, conversation: &mut impl Conversation) {
        let unchanged = conversation.progress() == self.progress;
        if unchanged && conversation.timeout().is_some_and(|timeout| self.since.elapsed() >= timeout) {
            conversation.handle_timeout();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Has a farewell for a server that takes nothing any more.
    struct Farewell {
        over: bool,
    }

    impl Conversation for Farewell {
        fn handle_input(&mut self, _: &[u8]) {}
        fn handle_eof(&mut self) {}
        fn handle_timeout(&mut self) {
            self.over = true;
        }
        fn handle_error(&mut self, _: Error) {}
        fn abort(&mut self, _: Error) {}
        fn poll_output(&mut self) -> &[u8] {
            if self.over { &[] } else { b"bye" }
        }
        fn output_done(&mut self, _: usize) {}
        fn timeout(&self) -> Option<Duration> {
            None
        }
        fn progress(&self) -> u64 {
            0
        }
        fn waits_for_source(&self) -> bool {
            false
        }
    }

    /// Says `x` ten times and counts the answers.
    #[derive(Default)]
    struct Echo {
        said: usize,
        heard: usize,
    }

    impl Conversation for Echo {
        fn handle_input(&mut self, input: &[u8]) {
            self.heard += input.len();
        }
        fn handle_eof(&mut self) {}
        fn handle_timeout(&mut self) {}
        fn handle_error(&mut self, _: Error) {}
        fn abort(&mut self, _: Error) {}
        fn poll_output(&mut self) -> &[u8] {
            if self.said == self.heard { b"x" } else { &[] }
        }
        fn output_done(&mut self, n: usize) {
            self.said += n;
        }
        fn timeout(&self) -> Option<Duration> {
            Some(Duration::from_secs(60))
        }
        fn progress(&self) -> u64 {
            0
        }
        fn waits_for_source(&self) -> bool {
            false
        }
    }

    #[test]
    fn lingering_ends_with_a_server_that_does_not_answer_at_once() {
        let (own, other) = UnixStream::pair().unwrap();
        let mut stream = Stream::adopt(std::os::fd::OwnedFd::from(own)).unwrap();
        let mut echo = Echo::default();
        let begin = Instant::now();
        linger(&mut stream, &mut echo, &mut [0; 64], |echo| echo.heard == 10);
        assert_eq!((echo.said, echo.heard), (1, 0));
        assert!(begin.elapsed() < Duration::from_secs(5), "it waited for the server's own time-out");
        let answering = std::thread::spawn(move || {
            let (mut other, mut byte) = (other, [0]);
            for _ in 0..10 {
                std::io::Read::read_exact(&mut other, &mut byte).unwrap();
                std::io::Write::write_all(&mut other, &byte).unwrap();
            }
        });
        // More than 5 ms may pass on a busy machine: called again it goes on.
        for _ in 0..1000 {
            linger(&mut stream, &mut echo, &mut [0; 64], |echo| echo.heard == 10);
        }
        assert_eq!((echo.said, echo.heard), (10, 10));
        answering.join().unwrap();
    }

    #[test]
    fn a_farewell_that_is_not_taken_is_given_up() {
        let (own, _other) = UnixStream::pair().unwrap();
        let mut stream = Stream::adopt(std::os::fd::OwnedFd::from(own)).unwrap();
        while stream.try_send(&[b'x'; 4096]).unwrap() > 0 {}
        while stream.try_send(b"x").unwrap() > 0 {}
        let limits =
            Limits { deadline: Instant::now().checked_add(Duration::from_secs(20)), ..Limits::default() };
        let mut farewell = Farewell { over: false };
        run(&mut stream, &mut farewell, &limits, &mut [0; 64], |farewell| farewell.over);
        assert!(limits.check(Step::Command).is_ok(), "it went on until the deadline");
    }
}
