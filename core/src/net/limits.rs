//! When a call must be over, and how long one system call may block because of that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::error::{Error, Kind, Step};
use crate::options::Options;

/// When a whole call must be over, and how it can be ended early. The default has no limit.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// The moment at which the call gives up.
    pub deadline: Option<Instant>,
    /// Ends the call early.
    pub cancel: Option<Cancel>,
    /// The session or mailer that makes the call. A function that it calls may give it up, which ends the call, too.
    pub(super) owner: Option<Owner>,
}

/// What the calls of a session or mailer look at.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// Set when it is given up.
    pub(super) over: Arc<AtomicBool>,
    /// What the error says.
    pub(super) text: &'static str,
}

impl Owner {
    pub(super) fn new(text: &'static str) -> Self {
        Self { over: Arc::default(), text }
    }
}

impl Limits {
    /// Until `deadline`, or until `cancel` is triggered.
    pub const fn new(deadline: Option<Instant>, cancel: Option<Cancel>) -> Self {
        Self { deadline, cancel, owner: None }
    }

    /// Those of a call that begins now, by options `deadline` and `cancel`.
    pub fn begin(options: &Options) -> Self {
        let deadline = options.deadline.and_then(|time| Instant::now().checked_add(time));
        Self::new(deadline, options.cancel.clone())
    }

    /// An error if the call must end now.
    ///
    /// # Errors
    /// [`Kind::Cancelled`], or [`Kind::Timeout`] with a text that names the deadline; both at `step`.
    pub fn check(&self, step: Step) -> Result<(), Error> {
        if self.cancel.as_ref().is_some_and(Cancel::is_triggered) {
            return Err(Error::new(Kind::Cancelled, step, "the caller cancelled the call"));
        }
        if let Some(owner) = self.owner.as_ref().filter(|owner| owner.over.load(Ordering::Acquire)) {
            return Err(Error::new(Kind::Cancelled, step, owner.text));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::new(Kind::Timeout, step, "the deadline of the whole call has passed"));
        }
        Ok(())
    }

    /// How long one system call may block: `wait`, but no longer than the time left, and at most 200 ms
    /// where a cancel is attached that another thread may trigger. Zero once the deadline has passed.
    pub fn slice(&self, wait: Duration) -> Duration {
        let mut slice = wait;
        if let Some(deadline) = self.deadline {
            slice = slice.min(deadline.saturating_duration_since(Instant::now()));
        }
        let longest = self.cancel.as_ref().and_then(Cancel::longest_wait);
        slice.min(longest.unwrap_or(Duration::MAX))
    }
}

/// The limits of a call, narrowed to a part of it with a time-out of its own.
pub(super) struct PhaseLimits<'a> {
    limits: &'a Limits,
    length: Duration,
    /// `None` if the time-out is beyond what the clock can say.
    end: Option<Instant>,
}

impl<'a> PhaseLimits<'a> {
    pub(super) fn begin(limits: &'a Limits, length: Duration) -> Self {
        Self { limits, length, end: Instant::now().checked_add(length) }
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// The limits of the whole call.
    pub(super) fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// What is left of the phase's own time-out.
    pub(super) fn left(&self) -> Duration {
        self.end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether the phase's own time-out has passed; an error if the whole call must end.
    pub(super) fn is_over(&self) -> Result<bool, Error> {
        self.limits.check(Step::Connect)?;
        Ok(self.end.is_some_and(|end| Instant::now() >= end))
    }

    /// As [`Limits::slice`], within the phase.
    pub(super) fn slice(&self, wait: Duration) -> Duration {
        self.limits.slice(wait.min(self.left()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn no_limit_means_the_whole_wait() {
        let limits = Limits::default();
        assert!(limits.check(Step::Mail).is_ok());
        assert_eq!(limits.slice(HOUR), HOUR);
        assert_eq!(limits.slice(Duration::MAX), Duration::MAX);
    }

    #[test]
    fn a_deadline_shortens_and_then_ends() {
        let limits = Limits::new(Some(Instant::now() + Duration::from_secs(60)), None);
        assert!(limits.check(Step::Mail).is_ok());
        let slice = limits.slice(HOUR);
        assert!(slice <= Duration::from_secs(60) && slice > Duration::from_secs(50));

        let limits = Limits::new(Some(Instant::now()), None);
        let error = limits.check(Step::Mail).unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Timeout, Step::Mail));
        assert!(error.text().contains("deadline"));
        assert_eq!(limits.slice(HOUR), Duration::ZERO);
    }

    #[test]
    fn a_cancel_is_shared_and_can_be_reset() {
        let cancel = Cancel::new();
        let limits = Limits::new(None, Some(cancel.clone()));
        assert_eq!(limits.slice(HOUR), Duration::from_millis(200));
        cancel.trigger();
        let error = limits.check(Step::Data).unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Cancelled, Step::Data));
        cancel.reset();
        assert!(limits.check(Step::Data).is_ok());
        let limits = Limits::new(None, Some(Cancel::within(|| false)));
        assert_eq!(limits.slice(HOUR), HOUR);
    }

    #[test]
    fn a_phase_ends_before_its_call() {
        let limits = Limits::default();
        assert!(PhaseLimits::begin(&limits, Duration::ZERO).is_over().unwrap());
        assert!(!PhaseLimits::begin(&limits, Duration::MAX).is_over().unwrap());
        assert!(PhaseLimits::begin(&limits, Duration::from_secs(5)).slice(HOUR) <= Duration::from_secs(5));
    }
}
