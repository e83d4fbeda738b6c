//! Ending a call from elsewhere.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Cancels calls from another thread. Clones share one state.
#[derive(Clone, Default)]
pub struct Cancel(Arc<State>);

#[derive(Default)]
struct State {
    triggered: AtomicBool,
    ask: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    /// What it asks about only changes in the thread that sends.
    within: bool,
    signals: Option<Signals>,
}

/// What runs the handlers of signals that have come, and says whether one of them ends the call.
struct Signals {
    handle: Box<dyn Fn() -> bool + Send + Sync>,
    /// When that began and ended last.
    handled: Mutex<Option<(Instant, Instant)>>,
}

/// How long a cancel may go unseen: a person takes less than this for "at once".
const SLICE: Duration = Duration::from_millis(200);

/// How often handlers of signals are run while there is much to do.
const SIGNALS: Duration = Duration::from_millis(100);

/// Whoever begins to wait so soon after they were run misses no signal: it would have to come just in between.
const JUST_NOW: Duration = Duration::from_millis(1);

impl Cancel {
    /// Not triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts as triggered also while `ask` says so. It is asked in the thread that sends, at least five times
    /// a second while that waits, and often while it does not: it should be quick.
    pub fn asking(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(State { ask: Some(Box::new(ask)), ..State::default() }))
    }

    /// As [`asking`](Self::asking), for what only changes in the thread that sends, such as a callback that failed: no
    /// wait is cut short to ask.
    pub fn within(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(State { ask: Some(Box::new(ask)), within: true, ..State::default() }))
    }

    /// Counts as triggered also while `handle` says so, which runs the handlers of signals that have come, in the thread that
    /// sends: every 100 ms while that is busy, and before it waits for long. Then nothing wakes it but what it waits for, or a
    /// signal: poll(2) and recv(2) end with EINTR.
    #[must_use]
    pub fn and_signals(self, handle: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let within = self.0.within;
        let signals = Signals { handle: Box::new(handle), handled: Mutex::new(None) };
        let ask = Box::new(move || self.is_triggered());
        Self(Arc::new(State { ask: Some(ask), within, signals: Some(signals), ..State::default() }))
    }

    /// How long the thread that sends may wait now without looking whether it was triggered; `None`: as long as it likes.
    pub(crate) fn longest_wait(&self) -> Option<Duration> {
        if !self.0.within {
            return Some(SLICE);
        }
        self.0.signals.as_ref().filter(|signals| !signals.were_just_handled()).map(|_| SIGNALS)
    }

    /// Cancels every call that was given this. One atomic store, so that a signal handler may do it.
    pub fn trigger(&self) {
        self.0.triggered.store(true, Ordering::Release);
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.triggered.load(Ordering::Acquire)
            || self.0.ask.as_ref().is_some_and(|ask| ask())
            || self.0.signals.as_ref().is_some_and(Signals::have_ended_it)
    }

    /// Makes it usable again.
    pub fn reset(&self) {
        self.0.triggered.store(false, Ordering::Release);
    }
}

impl Signals {
    fn have_ended_it(&self) -> bool {
        let begin = Instant::now();
        if self.handled().is_some_and(|(began, _)| begin.saturating_duration_since(began) < SIGNALS) {
            return false;
        }
        // Without the lock: a handler may take its time, and send a message of its own.
        let ended = (self.handle)();
        *self.handled() = Some((begin, Instant::now()));
        ended
    }

    fn were_just_handled(&self) -> bool {
        self.handled().is_some_and(|(_, ended)| ended.elapsed() < JUST_NOW)
    }

    fn handled(&self) -> MutexGuard<'_, Option<(Instant, Instant)>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.0.triggered).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn it_is_triggered_by_its_owner_and_by_whom_it_asks() {
        let said = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&said);
        let cancel = Cancel::asking(move || asked.load(Ordering::SeqCst));
        assert!(!cancel.is_triggered());
        said.store(true, Ordering::SeqCst);
        assert!(cancel.clone().is_triggered());
        said.store(false, Ordering::SeqCst);
        cancel.trigger();
        assert!(cancel.is_triggered());
        cancel.reset();
        assert!(!cancel.is_triggered() && cancel.longest_wait() == Some(SLICE));
        let within = Cancel::within(|| true);
        assert!(within.is_triggered() && within.longest_wait().is_none());
    }

    #[test]
    fn handlers_of_signals_run_before_a_long_wait_that_nothing_cuts_then() {
        let count = Arc::new(AtomicUsize::new(0));
        let ran = Arc::clone(&count);
        let cancel = Cancel::within(|| false).and_signals(move || ran.fetch_add(1, Ordering::SeqCst) == 1);
        assert_eq!(cancel.longest_wait(), Some(SIGNALS), "they have not run");
        assert!(!cancel.is_triggered());
        assert_eq!(cancel.longest_wait(), None);
        assert!(!cancel.is_triggered() && count.load(Ordering::SeqCst) == 1, "they do not run at every look");
        std::thread::sleep(JUST_NOW);
        assert_eq!(cancel.longest_wait(), Some(SIGNALS), "there may have been one since");
        std::thread::sleep(SIGNALS);
        assert!(cancel.is_triggered() && count.load(Ordering::SeqCst) == 2);
        let polled = Cancel::asking(|| false).and_signals(|| false);
        assert!(!polled.is_triggered());
        assert_eq!(polled.longest_wait(), Some(SLICE));
        assert!(Cancel::within(|| true).and_signals(|| false).is_triggered());
    }
}
