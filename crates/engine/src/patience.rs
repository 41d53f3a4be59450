//! How often and how long the engine tries by itself before its caller hears of a failure.

use std::time::{Duration, Instant};

use dray_origin::{Backoff, BackoffSettings};

use crate::{FetchError, Retries};

/// Counts the attempts in a row that brought nothing.
pub(crate) struct Patience {
    retries: Retries,
    failures: u32,
    began: Instant,
    backoff: Backoff,
}

impl Patience {
    pub(crate) fn new(retries: Retries) -> Self {
        Self { retries, failures: 0, began: Instant::now(), backoff: backoff() }
    }

    /// Bytes came: the next failure is the first again.
    pub(crate) fn reset(&mut self) {
        if self.failures > 0 {
            self.failures = 0;
            self.backoff = backoff();
        }
    }

    /// How long to wait after that failure; `None` when there is no use in trying again, or not here.
    pub(crate) fn pause_after(&mut self, error: &FetchError) -> Option<Duration> {
        self.failures += 1;
        let asked = error.retry_after();
        let is_too_long = asked.is_some_and(|asked| asked > self.retries.longest_pause);
        if !error.is_transient() || self.failures >= self.retries.attempts || is_too_long {
            return None;
        }
        let pause = self.backoff.failed(self.began.elapsed(), asked)?;
        Some(pause.min(self.retries.longest_pause.max(asked.unwrap_or_default())))
    }
}

fn backoff() -> Backoff {
    // Spread over machines and files by the address space and the clock is enough; nothing here needs secrecy.
    Backoff::new(BackoffSettings::default(), fastrand::u64(..))
}
