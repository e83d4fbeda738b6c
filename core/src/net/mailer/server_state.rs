//! What a mailer knows of one server, and when it may be retried.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counting::ServerCounts;
use crate::options::{Chunking, Options, Pipelining};
use crate::report::Attempts;
use crate::server::Server;

/// After so many failures in a row the pause no longer doubles.
const MOST_DOUBLINGS: u32 = 6;

/// One server.
pub(super) struct ServerState {
    pub(super) address: Server,
    pub(super) counts: ServerCounts,
    /// For its next connection.
    pub(super) options: Arc<Options>,
    /// Pauses between connections that could not be made.
    pub(super) opening: Backoff,
    /// Pauses after messages that the server had no room for.
    pub(super) sending: Backoff,
    /// How the last connection failed that could not be made, or did nothing.
    pub(super) failure: Attempts,
    /// That was since it was looked at last.
    pub(super) has_failed: bool,
    /// A connection is on its way to being ready: there is never more than one.
    pub(super) is_opening: bool,
    /// Messages are left that the open connections do not take.
    pub(super) is_wanted: bool,
    /// Connections that are ready for messages, or will be.
    pub(super) live: usize,
    /// All connections, those that are being closed too.
    pub(super) open: usize,
}

impl ServerState {
    pub(super) fn new(address: Server, options: Arc<Options>) -> Self {
        let (opening, sending) = (Backoff::default(), Backoff::default());
        Self {
            address,
            counts: ServerCounts::default(),
            options,
            opening,
            sending,
            failure: Attempts::new(),
            has_failed: false,
            is_opening: false,
            is_wanted: false,
            live: 0,
            open: 0,
        }
    }

    /// What it has mishandled on one connection is not tried on the next.
    pub(super) fn avoid(&mut self, extensions: &[&str]) {
        let pipelining = extensions.contains(&"PIPELINING") && self.options.pipelining != Pipelining::Off;
        let chunking = extensions.contains(&"CHUNKING") && self.options.chunking != Chunking::Off;
        if pipelining || chunking {
            let options = Arc::make_mut(&mut self.options);
            if pipelining {
                options.pipelining = Pipelining::Off;
            }
            if chunking {
                options.chunking = Chunking::Off;
            }
        }
    }

    /// Whether messages may be given to it now, or to a connection that is opened for them.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        !self.sending.is_on(now) && (self.live > 0 || self.is_opening || !self.opening.is_on(now))
    }

    /// Whether it is unreachable: nothing is open, and the last try failed.
    pub(super) fn is_down(&self) -> bool {
        self.live == 0 && !self.is_opening && self.opening.failures > 0
    }

    /// When that may change by itself.
    pub(super) fn wakes(&self, now: Instant) -> Option<Instant> {
        [self.opening.until, self.sending.until].into_iter().flatten().filter(|until| *until > now).min()
    }
}

/// Pauses that double, with jitter, so that many clients of one server do not come back together.
#[derive(Default)]
pub(super) struct Backoff {
    pub(super) failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Notes a failure. Those that come within the pause, from what was under way, are the same one.
    pub(super) fn fail(&mut self, now: Instant, first: Duration) {
        if self.is_on(now) {
            return;
        }
        let pause = first.saturating_mul(1 << self.failures.min(MOST_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        self.until = now.checked_add(jittered(pause, getrandom::u32().unwrap_or(u32::MAX)));
    }

    /// Notes a success. A pause that has begun is kept all the same.
    pub(super) fn clear(&mut self, now: Instant) {
        if !self.is_on(now) {
            *self = Self::default();
        }
    }

    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// From half of `pause` to all of it. What is longer than a year is a year: no clock ends before.
fn jittered(pause: Duration, random: u32) -> Duration {
    let half = pause.min(Duration::from_secs(366 * 24 * 3600)) / 2;
    half.saturating_add(half.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew() {
        let first = Duration::from_secs(1);
        let mut now = Instant::now();
        let mut backoff = Backoff::default();
        for most in [1, 2, 4, 8, 16, 32, 64, 64, 64] {
            backoff.fail(now, first);
            let until = backoff.until.unwrap();
            let pause = until.duration_since(now);
            assert!(
                pause <= Duration::from_secs(most) && pause >= Duration::from_secs(most) / 2,
                "{pause:?}"
            );
            assert!(backoff.is_on(now));
            backoff.fail(now, first); // of the same batch
            assert_eq!(backoff.until, Some(until));
            now = until;
            assert!(!backoff.is_on(now));
        }
        backoff.clear(now);
        backoff.fail(now, first);
        assert!(backoff.until.unwrap().duration_since(now) <= first);
    }

    #[test]
    fn no_pause_is_too_long_to_be_told() {
        let mut backoff = Backoff::default();
        backoff.fail(Instant::now(), Duration::MAX);
        assert_eq!(jittered(Duration::from_secs(2), 0), Duration::from_secs(1));
        assert_eq!(jittered(Duration::from_secs(2), u32::MAX), Duration::from_secs(2));
    }
}
