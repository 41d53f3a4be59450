//! How long to wait before the next attempt.

use std::time::Duration;

/// No wait is shorter: even a first retry should not meet the same full queue.
const SHORTEST: Duration = Duration::from_millis(50);
/// What is added to a `Retry-After`, at most, as a share of it: a fleet that was told "in a minute" must not come as one.
const SPREAD_PERCENT: u32 = 10;

/// The rules of a [`Backoff`].
#[derive(Clone, Copy, Debug)]
pub struct BackoffSettings {
    /// Ceiling of the first wait; it doubles with each failure.
    pub first: Duration,
    /// Ceiling of all waits that no server asked for.
    pub longest: Duration,
    /// Ceiling of waits that a server asks for.
    pub longest_retry_after: Duration,
    /// Give up when this long after the first failure in a row nothing moved (BITS reference, 7.5: NoProgressTimeout); `None` is never.
    pub give_up_after: Option<Duration>,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(60),
            longest_retry_after: Duration::from_secs(60 * 60),
            give_up_after: None,
        }
    }
}

/// Exponential backoff with full jitter: each wait is drawn evenly between nothing and a ceiling that doubles.
///
/// It has no clock and no randomness of its own: the time since any epoch comes in, and so does the seed.
#[derive(Clone, Debug)]
pub struct Backoff {
    settings: BackoffSettings,
    random: fastrand::Rng,
    failures: u32,
    first_failure: Option<Duration>,
}

impl Backoff {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new(settings: BackoffSettings, seed: u64) -> Self {
        Self { settings, random: fastrand::Rng::with_seed(seed), failures: 0, first_failure: None }
    }

    /// An attempt failed at `now`: how long to wait, or `None` to give up.
    ///
    /// A `retry_after` is never undercut, unless it is beyond its ceiling.
    pub fn failed(&mut self, now: Duration, retry_after: Option<Duration>) -> Option<Duration> {
        let since = *self.first_failure.get_or_insert(now);
        let doubled = self.settings.first.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let ceiling = doubled.min(self.settings.longest);
        self.failures = self.failures.saturating_add(1);
        let wait = match retry_after {
            Some(asked) => {
                let asked = asked.min(self.settings.longest_retry_after);
                asked + self.draw((asked * SPREAD_PERCENT / 100).max(SHORTEST))
            }
            None => self.draw(ceiling).max(SHORTEST),
        };
        let is_too_late =
            self.settings.give_up_after.is_some_and(|limit| now.saturating_sub(since) + wait > limit);
        (!is_too_late).then_some(wait)
    }

    /// Bytes moved: the next failure is a first one again.
    pub fn progressed(&mut self) {
        self.failures = 0;
        self.first_failure = None;
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    fn draw(&mut self, ceiling: Duration) -> Duration {
        ceiling.mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff(seed: u64) -> Backoff {
        Backoff::new(
            BackoffSettings { give_up_after: Some(1000 * SECOND), ..BackoffSettings::default() },
            seed,
        )
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_longest_wait() {
        let mut highest = [Duration::ZERO; 12];
        for seed in 0..2000 {
            let mut backoff = backoff(seed);
            for highest in &mut highest {
                *highest = backoff.failed(Duration::ZERO, None).unwrap().max(*highest);
            }
        }
        for (n, highest) in highest.into_iter().enumerate() {
            let ceiling = (SECOND / 2 * (1 << n)).min(60 * SECOND);
            assert!(highest <= ceiling && highest > ceiling.mul_f64(0.95), "{n}: {highest:?} of {ceiling:?}");
        }
    }

    #[test]
    fn a_server_that_says_when_is_not_asked_before() {
        for seed in 0..200 {
            let wait = backoff(seed).failed(Duration::ZERO, Some(60 * SECOND)).unwrap();
            assert!((60 * SECOND..=66 * SECOND).contains(&wait), "{wait:?}");
        }
        let eternity = Some(Duration::MAX);
        let mut patient = Backoff::new(BackoffSettings::default(), 1);
        assert!(patient.failed(Duration::ZERO, eternity).unwrap() <= 4000 * SECOND);
    }

    #[test]
    fn it_gives_up_when_nothing_moved_for_too_long_and_progress_starts_anew() {
        let mut backoff = backoff(7);
        assert!(backoff.failed(5 * SECOND, None).is_some());
        assert!(backoff.failed(1004 * SECOND, Some(2 * SECOND)).is_none());
        backoff.progressed();
        assert_eq!(backoff.failures(), 0);
        assert!(backoff.failed(1004 * SECOND, Some(2 * SECOND)).is_some());
    }

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        let waits = |seed| (0..5).map(|_| backoff(seed).failed(Duration::ZERO, None)).collect::<Vec<_>>();
        assert_eq!(waits(3), waits(3));
        assert_ne!(waits(3), waits(4));
    }

    #[test]
    fn countless_failures_do_not_overflow() {
        let mut backoff = Backoff::new(BackoffSettings::default(), 0);
        backoff.failures = u32::MAX;
        assert!(backoff.failed(Duration::MAX, None).unwrap() <= 60 * SECOND);
    }
}
