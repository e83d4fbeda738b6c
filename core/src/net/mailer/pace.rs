//! How many messages may go out in what time.

use std::time::{Duration, Instant};

/// How many messages may go out now, if there is a limit to that.
pub(super) struct Pace {
    /// Between two messages.
    interval: Option<Duration>,
    next: Instant,
}

/// What was not sent in time is caught up with for so long: a thread is not always woken to the moment.
const SLACK: Duration = Duration::from_millis(50);

impl Pace {
    pub(super) fn new(rate: Option<f64>, now: Instant) -> Self {
        let interval = rate.map(|rate| {
            // One in a year is as good as anything slower.
            Duration::try_from_secs_f64(1.0 / rate)
                .unwrap_or(Duration::MAX)
                .min(Duration::from_secs(366 * 24 * 3600))
        });
        Self { interval, next: now }
    }

    fn begin(&self, now: Instant) -> Instant {
        self.next.max(now.checked_sub(SLACK).unwrap_or(now))
    }

    pub(super) fn quota(&self, now: Instant) -> usize {
        let Some(interval) = self.interval else { return usize::MAX };
        match now.checked_duration_since(self.begin(now)) {
            None => 0,
            Some(late) => {
                let more = late.as_nanos() / interval.as_nanos().max(1);
                usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1)
            }
        }
    }

    /// Notes that so many have gone out, and says how many more may.
    pub(super) fn spend(&mut self, now: Instant, count: u32) -> usize {
        if let Some(interval) = self.interval {
            let begin = self.begin(now);
            self.next = begin.checked_add(interval.saturating_mul(count)).unwrap_or(begin);
        }
        self.quota(now)
    }

    /// When the next message may go out.
    pub(super) fn wakes(&self, now: Instant) -> Option<Instant> {
        self.interval.and(Some(self.next)).filter(|next| *next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_none() {
        let now = Instant::now();
        let mut pace = Pace::new(None, now);
        assert_eq!((pace.quota(now), pace.spend(now, 7), pace.wakes(now)), (usize::MAX, usize::MAX, None));
    }

    #[test]
    fn a_second_has_as_many_as_it_may() {
        let begin = Instant::now();
        for (step, rate) in [(1, 10.0), (7, 100.0), (40, 1000.0), (300, 50.0)] {
            let mut pace = Pace::new(Some(rate), begin);
            let mut sent = 0_usize;
            let mut now = begin;
            while now < begin + Duration::from_secs(10) {
                while pace.quota(now) > 0 {
                    pace.spend(now, 1);
                    sent += 1;
                }
                assert!(pace.wakes(now).is_some_and(|next| next > now));
                now += Duration::from_millis(step);
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let most = (rate * 10.05) as usize + 1;
            assert!(sent <= most, "{sent} of {most}");
            // A thread that is hardly ever woken cannot catch up with more than the slack.
            assert!(step > 50 || sent >= most * 9 / 10, "{sent} of {most}");
        }
    }

    #[test]
    fn rates_that_are_no_use_do_no_harm() {
        let now = Instant::now();
        for rate in [f64::MIN_POSITIVE, 1e-30, 1e300] {
            let mut pace = Pace::new(Some(rate), now);
            assert!(pace.quota(now) > 0);
            pace.spend(now, u32::MAX);
            pace.quota(now);
        }
    }
}
