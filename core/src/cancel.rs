//! Ending a call from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::caught::caught;

/// Cancels calls from another thread. Clones share one state.
#[derive(Clone, Default)]
pub struct Cancel(Arc<State>);

#[derive(Default)]
struct State {
    triggered: AtomicBool,
    ask: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    /// What it asks about only changes in the thread that sends.
    within: bool,
    signals: Option<Box<dyn Signals>>,
}

/// What runs the handlers of signals that have come, in the thread that sends.
pub trait Signals: Send + Sync {
    /// Whether one of them ends the call. It is asked at every step, and runs them as often as it likes.
    fn have_ended_it(&self) -> bool;
    /// How long that thread may wait now without asking again; `None`: as long as it likes.
    fn longest_wait(&self) -> Option<Duration>;
}

/// How long a cancel may go unseen: a person takes less than this for "at once".
#[cfg(feature = "net")]
const SLICE: Duration = Duration::from_millis(200);

impl Cancel {
    /// Not triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts as triggered also while `ask` says so. It is asked in the thread that sends, at least five times
    /// a second while that waits, and often while it does not: it should be quick. A panic in it says so, too: what is not sent can
    /// be sent later, and nothing calls back what is.
    pub fn asking(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(State { ask: Some(Box::new(ask)), ..State::default() }))
    }

    /// As [`asking`](Self::asking), for what only changes in the thread that sends, such as a callback that failed: no
    /// wait is cut short to ask.
    pub fn within(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(State { ask: Some(Box::new(ask)), within: true, ..State::default() }))
    }

    /// Counts as triggered also where `signals` say so.
    #[must_use]
    pub fn and_signals(self, signals: impl Signals + 'static) -> Self {
        let within = self.0.within;
        let ask = Box::new(move || self.is_triggered());
        Self(Arc::new(State { ask: Some(ask), within, signals: Some(Box::new(signals)), ..State::default() }))
    }

    /// How long the thread that sends may wait now without looking whether it was triggered; `None`: as long as it likes.
    #[cfg(feature = "net")]
    pub(crate) fn longest_wait(&self) -> Option<Duration> {
        if !self.0.within {
            return Some(SLICE);
        }
        self.0.signals.as_ref().and_then(|signals| signals.longest_wait())
    }

    /// Cancels every call that was given this. One atomic store, so that a signal handler may do it.
    pub fn trigger(&self) {
        self.0.triggered.store(true, Ordering::Release);
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.triggered.load(Ordering::Acquire)
            || self.0.ask.as_ref().is_some_and(|ask| caught(ask).unwrap_or(true))
            || self.0.signals.as_ref().is_some_and(|signals| signals.have_ended_it())
    }

    /// Makes it usable again.
    pub fn reset(&self) {
        self.0.triggered.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.0.triggered).finish()
    }
}

#[cfg(test)]
mod tests {
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
        assert!(Cancel::asking(|| panic!("on purpose")).is_triggered());
        let within = Cancel::within(|| true);
        assert!(within.is_triggered() && within.longest_wait().is_none());
    }
}
