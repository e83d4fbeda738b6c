//! What a driver sees of anything that speaks over a connection, and the one clock that all drivers share.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::server::Server;

/// Bytes in, bytes out.
pub trait Conversation {
    /// Takes bytes that the server sent.
    fn handle_input(&mut self, input: &[u8]);
    /// Tells that the server closed its end.
    fn handle_eof(&mut self);
    /// Tells that [`timeout`](Self::timeout) has passed without [`progress`](Self::progress).
    fn handle_timeout(&mut self);
    /// Tells that the connection failed.
    fn handle_error(&mut self, cause: Error);
    /// Ends everything: the call was cancelled, or is past its deadline.
    fn abort(&mut self, cause: Error);
    /// Bytes for the server; empty when there is nothing to write now.
    fn poll_output(&mut self) -> &[u8];
    /// Tells that the first `n` bytes of the output were handed to the kernel.
    fn output_done(&mut self, n: usize);
    /// How long the server may take until there is progress; `None` when nothing is due from it.
    fn timeout(&self) -> Option<Duration>;
    /// Changes whenever the clock of `timeout` starts anew.
    fn progress(&self) -> u64;
    /// Whether a caller's reader had no bytes when it was last asked.
    fn waits_for_source(&self) -> bool;
}

/// What a driver does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Close the old connection, if there is one, and connect to this server: then
    /// [`connected`](Driven::connected) or [`connect_failed`](Driven::connect_failed).
    Dial(&'a Server),
    /// Move bytes.
    Exchange,
    /// Close the connection.
    Done,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// The server's address; none for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The connection's own address: the name in EHLO where there is no better one.
    pub local: Option<IpAddr>,
    /// The peer is this machine.
    pub loopback: bool,
}

/// A conversation that says itself when to connect, and where to. All that a driver needs to know of a
/// [`Delivery`](crate::delivery::Delivery) or a [`Dialogue`](crate::dialogue::Dialogue).
///
/// The action may change with every call.
pub trait Driven: Conversation {
    /// What to do next.
    fn action(&mut self) -> Action<'_>;
    /// Tells that the server of [`Action::Dial`] is connected, and how.
    fn connected(&mut self, ends: Ends);
    /// Tells that the server of [`Action::Dial`] cannot be connected to.
    fn connect_failed(&mut self, error: Error);
}

/// How long the server has been silent: the only clock, for drivers of every kind.
///
/// It holds no time of its own: the driver says what time it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// The conversation's progress when it was last looked at, and since when it is that.
    seen: Option<(u64, Instant)>,
}

impl Clock {
    /// The time that is left to the server at `now`; zero where it is overdue. `None` when nothing is due from it.
    pub fn left(&mut self, conversation: &(impl Conversation + ?Sized), now: Instant) -> Option<Duration> {
        let Some(timeout) = conversation.timeout() else {
            self.seen = None;
            return None;
        };
        let progress = conversation.progress();
        let since = match self.seen {
            Some((seen, since)) if seen == progress => since,
            _ => now,
        };
        self.seen = Some((progress, since));
        Some(timeout.saturating_sub(now.saturating_duration_since(since)))
    }

    /// Tells the conversation where the server is overdue; whether it was.
    pub fn check(&mut self, conversation: &mut (impl Conversation + ?Sized), now: Instant) -> bool {
        let overdue = self.left(conversation, now).is_some_and(|left| left.is_zero());
        if overdue {
            conversation.handle_timeout();
        }
        overdue
    }

    /// Starts anew, for a new connection.
    pub fn reset(&mut self) {
        self.seen = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that is due for ten seconds, and has moved so often.
    struct Due {
        timeout: Option<Duration>,
        progress: u64,
        overdue: bool,
    }

    impl Conversation for Due {
        fn handle_input(&mut self, _: &[u8]) {}
        fn handle_eof(&mut self) {}
        fn handle_timeout(&mut self) {
            self.overdue = true;
        }
        fn handle_error(&mut self, _: Error) {}
        fn abort(&mut self, _: Error) {}
        fn poll_output(&mut self) -> &[u8] {
            &[]
        }
        fn output_done(&mut self, _: usize) {}
        fn timeout(&self) -> Option<Duration> {
            self.timeout
        }
        fn progress(&self) -> u64 {
            self.progress
        }
        fn waits_for_source(&self) -> bool {
            false
        }
    }

    #[test]
    fn it_starts_anew_with_every_progress() {
        let seconds = Duration::from_secs;
        let begin = Instant::now();
        let mut due = Due { timeout: Some(seconds(10)), progress: 0, overdue: false };
        let mut clock = Clock::default();
        assert_eq!(clock.left(&due, begin), Some(seconds(10)));
        assert_eq!(clock.left(&due, begin + seconds(7)), Some(seconds(3)));
        due.progress = 1;
        assert_eq!(clock.left(&due, begin + seconds(9)), Some(seconds(10)));
        assert!(!clock.check(&mut due, begin + seconds(18)) && !due.overdue);
        assert!(clock.check(&mut due, begin + seconds(19)) && due.overdue);
        due.timeout = None;
        assert_eq!(clock.left(&due, begin + seconds(20)), None);
        due.timeout = Some(seconds(10));
        assert_eq!(clock.left(&due, begin + seconds(40)), Some(seconds(10)), "idle time does not count");
    }
}
