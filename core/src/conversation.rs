//! What a driver sees of anything that speaks over a connection, and the one clock that all drivers share.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::server::Server;
use crate::times::ConnectionTimes;

pub use crate::engine::Awaited;

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
    /// How long the server may take to acknowledge a piece of what was written, whatever the answer may take.
    fn patience(&self) -> Duration {
        self.timeout().unwrap_or_default()
    }
    /// Changes whenever the clock of `timeout` starts anew.
    fn progress(&self) -> u64;
    /// What of the caller's had nothing to give when it was last asked. A commit may have answered only just now: a driver
    /// then reads what has arrived meanwhile, and polls for output again.
    fn waits_for(&self) -> Option<Awaited>;
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
    /// The connection's own address: the name in EHLO unless a better one is known.
    pub local: Option<IpAddr>,
    /// The peer is this machine.
    pub loopback: bool,
    /// How long making the connection took, as far as its maker knows.
    pub times: ConnectionTimes,
}

/// A conversation that says itself when to connect, and where to. All that a driver needs to know of a
/// [`Delivery`](crate::delivery::Delivery) or a [`Dialogue`](crate::dialogue::Dialogue).
///
/// The action may change with every call.
pub trait Driven: Conversation {
    /// What to do next.
    fn action(&mut self) -> Action<'_>;
    /// Told while the server of [`Action::Dial`] is being connected to: what takes long may be done meanwhile.
    fn prepare(&mut self) {}
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
    /// The conversation's progress when it was last looked at, and since when the server has been due.
    seen: Option<(u64, Instant)>,
    backlog: Backlog,
}

/// What is known of octets that were written and that the peer has not acknowledged.
#[derive(Clone, Copy, Debug, Default)]
enum Backlog {
    /// Nobody has looked since something was written.
    #[default]
    Unseen,
    /// There are none.
    None,
    /// So many at the last look, and until when there must be fewer.
    Some(u64, Instant),
}

/// The first look is after this part of the patience: answers come before that, so that it costs nothing, and what does not
/// move from then on is noticed hardly later than without it.
const LOOK: u32 = 8;

impl Clock {
    /// The time that is left to the server at `now`; zero where it is overdue. `None` when nothing is due from it.
    pub fn left(&mut self, conversation: &(impl Conversation + ?Sized), now: Instant) -> Option<Duration> {
        self.within(conversation, now, |timeout| timeout)
    }

    /// As [`left`](Self::left), for drivers that can tell what is unacknowledged: until they are to ask whether the server
    /// gets [more](Self::extend).
    pub fn until_look(
        &mut self,
        conversation: &(impl Conversation + ?Sized),
        now: Instant,
    ) -> Option<Duration> {
        self.within(conversation, now, |timeout| timeout.min(conversation.patience() / LOOK))
    }

    /// What is left at `now` of the time-out, shortened by `unseen` while nobody has looked at the backlog.
    fn within(
        &mut self,
        conversation: &(impl Conversation + ?Sized),
        now: Instant,
        unseen: impl FnOnce(Duration) -> Duration,
    ) -> Option<Duration> {
        let Some(timeout) = conversation.timeout() else {
            self.seen = None;
            return None;
        };
        let progress = conversation.progress();
        let silent = match self.seen {
            Some((seen, since)) if seen == progress => now.saturating_duration_since(since),
            // The usual case: what is waited for was asked for just now.
            _ => {
                (self.seen, self.backlog) = (Some((progress, now)), Backlog::Unseen);
                Duration::ZERO
            }
        };
        let left = |time: Duration| time.saturating_sub(silent);
        Some(match self.backlog {
            Backlog::Unseen => left(unseen(timeout)),
            Backlog::None => left(timeout),
            Backlog::Some(_, until) => left(timeout).min(until.saturating_duration_since(now)),
        })
    }

    /// Tells the conversation where the server is overdue; whether it was.
    pub fn check(&mut self, conversation: &mut (impl Conversation + ?Sized), now: Instant) -> bool {
        let overdue = self.left(conversation, now).is_some_and(|left| left.is_zero());
        if overdue {
            conversation.handle_timeout();
        }
        overdue
    }

    /// Asked when that is over: whether the server gets more of it, since it has not got yet what was said. While octets are
    /// unacknowledged [`patience`](Conversation::patience) rules, whether that is more or less than the time for the
    /// answer, and starts anew whenever they get fewer; the time for the answer starts when there are none.
    pub fn extend(
        &mut self,
        conversation: &(impl Conversation + ?Sized),
        unacknowledged: u64,
        now: Instant,
    ) -> bool {
        let Some((progress, since)) = self.seen else { return false };
        let until = now.checked_add(conversation.patience()).unwrap_or(now);
        match (self.backlog, unacknowledged) {
            (Backlog::Unseen, 0) => {
                self.backlog = Backlog::None;
                let timeout = conversation.timeout().unwrap_or_default();
                return now.saturating_duration_since(since) < timeout;
            }
            (Backlog::None, _) => return false,
            (Backlog::Some(..), 0) => self.backlog = Backlog::None,
            (Backlog::Some(before, until), count) if count >= before => {
                if now >= until {
                    return false;
                }
            }
            (Backlog::Unseen | Backlog::Some(..), count) => self.backlog = Backlog::Some(count, until),
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
        fn waits_for(&self) -> Option<Awaited> {
            None
        }
    }

    #[test]
    fn a_server_that_has_not_got_what_was_said_gets_more_time() {
        let seconds = Duration::from_secs;
        let begin = Instant::now();
        let mut due = Due { timeout: Some(seconds(5)), progress: 0, overdue: false };
        let mut clock = Clock::default();
        // Data flows: it is asked after a part of the patience, then every five seconds, and the time for the answer starts
        // when all of it is there.
        assert_eq!(clock.until_look(&due, begin), Some(Duration::from_millis(3750)));
        for (second, unacknowledged) in [(4, 900), (9, 500), (14, 100), (19, 0)] {
            assert_eq!(clock.until_look(&due, begin + seconds(second)), Some(Duration::ZERO));
            assert!(clock.extend(&due, unacknowledged, begin + seconds(second)), "{second}");
        }
        assert_eq!(clock.left(&due, begin + seconds(23)), Some(seconds(1)));
        assert!(!clock.extend(&due, 0, begin + seconds(24)));
        // Nothing gets on: the time for taking a piece rules, not that for the answer.
        due.progress = 1;
        clock.left(&due, begin + seconds(100));
        for second in (104..134).step_by(5) {
            assert!(clock.extend(&due, 900, begin + seconds(second)), "{second}");
        }
        assert!(!clock.extend(&due, 900, begin + seconds(134)));
    }

    #[test]
    fn a_server_that_gets_nothing_has_no_time_for_an_answer() {
        let seconds = Duration::from_secs;
        let begin = Instant::now();
        let mut due = Due { timeout: Some(seconds(600)), progress: 0, overdue: false };
        let mut clock = Clock::default();
        clock.left(&due, begin);
        assert!(clock.extend(&due, 900, begin + seconds(4)));
        assert_eq!(clock.left(&due, begin + seconds(4)), Some(seconds(30)));
        assert!(!clock.extend(&due, 900, begin + seconds(34)));
        // Where it has all that was said, the answer may take its time, counted from when that was said.
        due.progress = 1;
        clock.left(&due, begin + seconds(100));
        assert!(clock.extend(&due, 0, begin + seconds(104)));
        assert_eq!(clock.left(&due, begin + seconds(104)), Some(seconds(596)));
        assert!(!clock.extend(&due, 0, begin + seconds(700)));
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
