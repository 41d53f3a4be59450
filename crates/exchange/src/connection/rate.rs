//! How much is too much.

use std::time::Duration;

/// Allows so many a second and so many at once. Given the time.
#[derive(Debug)]
pub(crate) struct Rate {
    per_s: f64,
    burst: f64,
    left: f64,
    last: Duration,
}

impl Rate {
    pub(crate) fn new(per_s: u32, burst: u32) -> Self {
        Self { per_s: per_s.into(), burst: burst.into(), left: burst.into(), last: Duration::ZERO }
    }

    /// Whether one more is allowed at `now`.
    pub(crate) fn allows(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.last).as_secs_f64();
        self.last = self.last.max(now);
        self.left = (self.left + passed * self.per_s).min(self.burst);
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_and_time_heals() {
        let mut rate = Rate::new(10, 5);
        let at = Duration::from_secs(100);
        assert_eq!((0..20).filter(|_| rate.allows(at)).count(), 5);
        assert_eq!((0..20).filter(|_| rate.allows(at + Duration::from_millis(250))).count(), 2);
        assert_eq!((0..20).filter(|_| rate.allows(at + Duration::from_secs(60))).count(), 5);
        assert_eq!((0..20).filter(|_| rate.allows(at)).count(), 0, "time does not go back");
    }
}
