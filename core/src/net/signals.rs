//! Handlers of signals that an interpreter runs when it is asked to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::platform;
use crate::cancel::Signals;

/// How often they are run while there is much to do.
const OFTEN: Duration = Duration::from_millis(100);

/// Whoever begins to wait so soon after they were run misses no signal: it would have to come just in between.
const JUST_NOW: Duration = Duration::from_millis(1);

/// Runs handlers every 100 ms while there is much to do, and before a long wait. Then nothing ends that but what is waited
/// for, or a signal: poll(2) and recv(2) end with EINTR.
pub struct HandledSignals<F> {
    handle: F,
    /// When that began and ended last.
    handled: Mutex<Option<(Instant, Instant)>>,
}

impl<F: Fn() -> bool + Send + Sync> HandledSignals<F> {
    /// `handle` runs them, and says whether one of them ends the call.
    pub fn new(handle: F) -> Self {
        Self { handle, handled: Mutex::new(None) }
    }
}

impl<F> HandledSignals<F> {
    fn handled(&self) -> MutexGuard<'_, Option<(Instant, Instant)>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Fn() -> bool + Send + Sync> Signals for HandledSignals<F> {
    fn have_ended_it(&self) -> bool {
        let begin = Instant::now();
        if self.handled().is_some_and(|(began, _)| begin.saturating_duration_since(began) < OFTEN) {
            return false;
        }
        // Without the lock: a handler may take its time, and send a message of its own.
        let ended = (self.handle)();
        *self.handled() = Some((begin, Instant::now()));
        ended
    }

    fn longest_wait(&self) -> Option<Duration> {
        let just = self.handled().is_some_and(|(_, ended)| ended.elapsed() < JUST_NOW);
        (!just).then_some(OFTEN)
    }
}

/// Whether the process ignores a signal, by its number.
pub fn is_ignored(signal: i32) -> bool {
    platform::is_ignored(signal)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cancel::Cancel;

    #[test]
    fn they_run_before_a_long_wait_that_nothing_cuts_then() {
        let count = Arc::new(AtomicUsize::new(0));
        let ran = Arc::clone(&count);
        let signals = HandledSignals::new(move || ran.fetch_add(1, Ordering::SeqCst) == 1);
        assert_eq!(signals.longest_wait(), Some(OFTEN), "they have not run");
        assert!(!signals.have_ended_it() && !signals.have_ended_it());
        assert_eq!(count.load(Ordering::SeqCst), 1, "they do not run at every look");
        std::thread::sleep(JUST_NOW);
        assert_eq!(signals.longest_wait(), Some(OFTEN), "there may have been one since");
        std::thread::sleep(OFTEN);
        assert!(signals.have_ended_it() && count.load(Ordering::SeqCst) == 2);
        let cancel = Cancel::within(|| false).and_signals(signals);
        assert!(!cancel.is_triggered());
        assert!(Cancel::within(|| true).and_signals(HandledSignals::new(|| false)).is_triggered());
    }
}
