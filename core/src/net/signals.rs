//! The handlers of signals of a language that runs them in the thread that sends, as Python does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cancel::Cancel;

/// How often handlers are run while there is much to do.
const SIGNALS: Duration = Duration::from_millis(100);

/// Whoever begins to wait so soon after they were run misses no signal: it would have to come just in between.
const JUST_NOW: Duration = Duration::from_millis(1);

/// Counts as triggered where `cancel` does, and while `handle` says so, which runs the handlers of signals that have come: every
/// 100 ms while the thread that sends is busy, and before it waits for long. Then nothing wakes it but what it waits for, or
/// a signal: poll(2) and recv(2) end with EINTR. A `cancel` that another thread may trigger still cuts every wait.
pub fn with_signals(cancel: Cancel, handle: impl Fn() -> bool + Send + Sync + 'static) -> Cancel {
    let signals = Arc::new(Signals { handle: Box::new(handle), handled: Mutex::new(None) });
    let (own, asked) = (cancel.clone(), Arc::clone(&signals));
    let ask = move || own.is_triggered() || asked.have_ended_it();
    let longest_wait =
        move || cancel.longest_wait().or_else(|| (!signals.were_just_handled()).then_some(SIGNALS));
    Cancel::paced(ask, longest_wait)
}

/// What runs the handlers, and says whether one of them ends the call.
struct Signals {
    handle: Box<dyn Fn() -> bool + Send + Sync>,
    /// When that began and ended last.
    handled: Mutex<Option<(Instant, Instant)>>,
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn handlers_of_signals_run_before_a_long_wait_that_nothing_cuts_then() {
        let count = Arc::new(AtomicUsize::new(0));
        let ran = Arc::clone(&count);
        let cancel = with_signals(Cancel::within(|| false), move || ran.fetch_add(1, Ordering::SeqCst) == 1);
        assert_eq!(cancel.longest_wait(), Some(SIGNALS), "they have not run");
        assert!(!cancel.is_triggered());
        assert_eq!(cancel.longest_wait(), None);
        assert!(!cancel.is_triggered() && count.load(Ordering::SeqCst) == 1, "they do not run at every look");
        std::thread::sleep(JUST_NOW);
        assert_eq!(cancel.longest_wait(), Some(SIGNALS), "there may have been one since");
        std::thread::sleep(SIGNALS);
        assert!(cancel.is_triggered() && count.load(Ordering::SeqCst) == 2);
        let polled = with_signals(Cancel::asking(|| false), || false);
        assert!(!polled.is_triggered());
        assert_eq!(polled.longest_wait(), Some(Duration::from_millis(200)));
        assert!(with_signals(Cancel::within(|| true), || false).is_triggered());
    }
}
