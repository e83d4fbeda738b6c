//! Ending a call from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Cancels calls from another thread. Clones share one state.
#[derive(Clone, Default)]
pub struct Cancel(Arc<State>);

#[derive(Default)]
struct State {
    triggered: AtomicBool,
    ask: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    /// How long the thread that sends may wait without asking.
    pace: Option<Box<dyn Fn() -> Option<Duration> + Send + Sync>>,
}

/// How long a cancel may go unseen: a person takes less than this for "at once".
const SLICE: Duration = Duration::from_millis(200);

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
        Self::paced(ask, || None)
    }

    /// As [`asking`](Self::asking), for whoever knows how long the thread that sends may wait now without asking.
    /// `None`: as long as it likes.
    pub fn paced(
        ask: impl Fn() -> bool + Send + Sync + 'static,
        longest_wait: impl Fn() -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(State {
            ask: Some(Box::new(ask)),
            pace: Some(Box::new(longest_wait)),
            ..State::default()
        }))
    }

    /// How long the thread that sends may wait now without looking whether it was triggered; `None`: as long as it likes.
    pub fn longest_wait(&self) -> Option<Duration> {
        self.0.pace.as_ref().map_or(Some(SLICE), |longest_wait| longest_wait())
    }

    /// Cancels every call that was given this. One atomic store, so that a signal handler may do it.
    pub fn trigger(&self) {
        self.0.triggered.store(true, Ordering::Release);
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.triggered.load(Ordering::Acquire) || self.0.ask.as_ref().is_some_and(|ask| ask())
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
        let within = Cancel::within(|| true);
        assert!(within.is_triggered() && within.longest_wait().is_none());
    }
}
