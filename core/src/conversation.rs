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
    /// How long the server may take to acknowledge a piece of what was written, where that is longer than `timeout`.
    fn patience(&self) -> Duration {
        self.timeout().unwrap_or_default()
    }
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
    /// How many octets the peer had not acknowledged when it was asked last, and until when it must have got on with them.
    backlog: Option<(u64, Instant)>,
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
            _ => {
                self.backlog = None;
                now
            }
        };
        self.seen = Some((progress, since));
        let left = timeout.saturating_sub(now.saturating_duration_since(since));
        Some(self.backlog.map_or(left, |(_, until)| left.min(until.saturating_duration_since(now))))
    }

    /// Tells the conversation where the server is overdue; whether it was.
    pub fn check(&mut self, conversation: &mut (impl Conversation + ?Sized), now: Instant) -> bool {
        let overdue = self.left(conversation, now).is_some_and(|left| left.is_zero());
        if overdue {
            conversation.handle_timeout();
        }
        overdue
    }

    /// Asked when time is over: whether the server gets more of it, since it has not got yet what was said. While octets are
    /// unacknowledged [`patience`](Conversation::patience) rules, and starts anew whenever they get fewer; the time for the
    /// answer starts when there are none.
    pub fn extend(
        &mut self,
        conversation: &(impl Conversation + ?Sized),
        unacknowledged: u64,
        now: Instant,
    ) -> bool {
        let Some((progress, since)) = self.seen else { return false };
        let patience = conversation.patience();
        let after = |moment: Instant| moment.checked_add(patience).unwrap_or(moment);
        self.backlog = match (self.backlog, unacknowledged) {
            (None, 0) => return false,
            (Some(_), 0) => None,
            (None, count) => Some((count, after(since))),
            (Some((before, _)), count) if count < before => Some((count, after(now))),
            (Some((before, until)), _) => Some((before, until)),
        };
        if self.backlog.is_some_and(|(_, until)| now >= until) {
            return false;
        }
        self.seen = Some((progress, now));
        true
    }

    /// Starts anew, for a new connection.
    pub fn reset(&mut self) {
        *self = Self::default();
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
        fn patience(&self) -> Duration {
            Duration::from_secs(30)
        }
        fn progress(&self) -> u64 {
            self.progress
        }
        fn waits_for_source(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_server_that_has_not_got_what_was_said_gets_more_time() {
        let seconds = Duration::from_secs;
        let begin = Instant::now();
        let mut due = Due { timeout: Some(seconds(5)), progress: 0, overdue: false };
        let mut clock = Clock::default();
        clock.left(&due, begin);
        // Data flows: it is asked every five seconds, and the time for the answer starts when all of it is there.
        for (second, unacknowledged) in [(5, 900), (10, 500), (15, 100), (20, 0)] {
            assert_eq!(clock.left(&due, begin + seconds(second)), Some(Duration::ZERO));
            assert!(clock.extend(&due, unacknowledged, begin + seconds(second)), "{second}");
        }
        assert_eq!(clock.left(&due, begin + seconds(24)), Some(seconds(1)));
        assert!(!clock.extend(&due, 0, begin + seconds(25)));
        // Nothing gets on: the time for taking a piece rules, not that for the answer.
        due.progress = 1;
        clock.left(&due, begin + seconds(100));
        for second in (105..130).step_by(5) {
            assert!(clock.extend(&due, 900, begin + seconds(second)), "{second}");
        }
        assert!(!clock.extend(&due, 900, begin + seconds(130)));
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
