//! The limit on what all uploads together send each second.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// What may be sent at once after a pause, as time at the full rate.
const BURST: Duration = Duration::from_millis(100);

/// A bucket of bytes, filled at a rate that can change.
pub(crate) struct Bucket {
    state: Mutex<State>,
    /// Those who wait stand in line here, so that none is overtaken.
    line: tokio::sync::Mutex<()>,
}

struct State {
    bytes_per_s: Option<u64>,
    /// Until when what was taken so far is paid for.
    paid_until: Instant,
}

impl Bucket {
    pub(crate) fn new(bytes_per_s: Option<u64>) -> Self {
        let state = State { bytes_per_s, paid_until: Instant::now() };
        Self { state: Mutex::new(state), line: tokio::sync::Mutex::new(()) }
    }

    pub(crate) fn set(&self, bytes_per_s: Option<u64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes_per_s = bytes_per_s;
        state.paid_until = Instant::now();
    }

    /// Whether there is a limit now.
    pub(crate) fn is_limited(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes_per_s.is_some()
    }

    /// Waits until `bytes` may be sent.
    pub(crate) async fn take(&self, bytes: usize) {
        if !self.is_limited() {
            return;
        }
        let _turn = self.line.lock().await;
        if let Some(wait) = self.pay(bytes) {
            sleep(wait).await;
        }
    }

    fn pay(&self, bytes: usize) -> Option<Duration> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pay(bytes, Instant::now())
    }
}

impl State {
    /// How long to wait from `now` for so many bytes; `None` without a limit.
    fn pay(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let rate = self.bytes_per_s?.max(1);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let cost = Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / rate);
        self.paid_until = self.paid_until.max(earliest) + cost;
        Some(self.paid_until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long `times` times `bytes` take, in ms, when each waits for its turn.
    fn time_for(state: &mut State, mut now: Instant, times: u32, bytes: usize) -> u128 {
        let begun = now;
        for _ in 0..times {
            now += state.pay(bytes, now).unwrap_or_default();
        }
        (now - begun).as_millis()
    }

    #[test]
    fn bytes_leave_at_the_rate_after_a_short_burst() {
        let now = Instant::now() + Duration::from_secs(100);
        let mut state = State { bytes_per_s: Some(1_000_000), paid_until: now };
        assert_eq!(time_for(&mut state, now, 40, 50_000), 2000);
        let later = now + Duration::from_secs(60);
        assert_eq!(time_for(&mut state, later, 40, 50_000), 1900, "a pause is worth a tenth of a second");
        state.bytes_per_s = None;
        assert_eq!(state.pay(usize::MAX, later), None);
    }

    #[tokio::test]
    async fn a_limit_can_be_set_and_lifted() {
        let bucket = Bucket::new(None);
        bucket.take(usize::MAX).await;
        bucket.set(Some(1 << 40));
        assert!(bucket.is_limited());
        bucket.take(1 << 20).await;
        bucket.set(None);
        bucket.take(usize::MAX).await;
    }
}
