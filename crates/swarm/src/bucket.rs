//! How much of something one party may do: so many at once, and so many per second after that. Given the time; pure.

use std::time::Duration;

/// Time since any epoch the caller likes; never goes back.
pub(crate) type Time = Duration;

/// A bucket of tokens that fills with time.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    tokens: f64,
    at: Time,
}

/// How large a bucket is, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// So many at once.
    pub burst: u32,
    /// So many in each second after that.
    pub per_second: f64,
}

impl Bucket {
    pub(crate) fn full(now: Time, rate: Rate) -> Self {
        Self { tokens: f64::from(rate.burst), at: now }
    }

    /// Takes `count` tokens; `false` and nothing taken when there are not so many.
    pub(crate) fn take(&mut self, now: Time, rate: Rate, count: u32) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * rate.per_second).min(f64::from(rate.burst));
        let enough = self.tokens >= f64::from(count);
        if enough {
            self.tokens -= f64::from(count);
        }
        enough
    }

    /// Whether it has filled up again, so that forgetting it changes nothing.
    pub(crate) fn is_full(&self, now: Time, rate: Rate) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens + passed * rate.per_second >= f64::from(rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_only_the_rate() {
        let rate = Rate { burst: 10, per_second: 2.0 };
        let mut bucket = Bucket::full(Duration::ZERO, rate);
        assert!(bucket.take(Duration::ZERO, rate, 10));
        assert!(!bucket.take(Duration::ZERO, rate, 1));
        assert!(!bucket.is_full(Duration::from_secs(4), rate));
        assert!(bucket.take(Duration::from_millis(500), rate, 1));
        assert!(!bucket.take(Duration::from_millis(600), rate, 1));
        assert!(bucket.is_full(Duration::from_secs(10), rate));
        assert!(!bucket.take(Duration::from_secs(100), rate, 11), "more than the burst never passes");
    }
}
