//! The present, for those who must not ask for it themselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dray_jobs::{Now, Timestamp};
use dray_platform::process;
use tokio::time::Instant;

/// How often a timer that is still to come is looked at again. A machine that slept wakes with timers that are due and with
/// a runtime that has not noticed; no other work is done for that.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Both clocks: the wall, and time since the daemon started, which counts on while the machine sleeps (reference 7.6).
///
/// So a job's time limits run on in a machine that is closed, as those of BITS do: what became due meanwhile happens at
/// most a minute after it wakes. Retries, whose errors mostly come from such a pause, are then tried at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    slept_before: Duration,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { started: Instant::now(), slept_before: process::asleep() }
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: wall(), mono: self.started.elapsed() + self.slept() }
    }

    /// When to look whether the monotonic clock shows `mono`: then, or earlier.
    pub(crate) fn at(&self, mono: Duration) -> Instant {
        let soon = Instant::now() + LOOK_AGAIN;
        self.started.checked_add(mono.saturating_sub(self.slept())).map_or(soon, |at| at.min(soon))
    }

    fn slept(&self) -> Duration {
        process::asleep().saturating_sub(self.slept_before)
    }
}

/// The wall clock.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_timer_is_looked_at_every_minute_and_a_near_one_when_it_is_due() {
        let clock = Clock::start();
        let in_a_second = clock.at(clock.now().mono + Duration::from_secs(1));
        assert!(in_a_second <= Instant::now() + Duration::from_millis(1100));
        for far in [Duration::from_secs(86_400), Duration::MAX] {
            assert!(clock.at(far) <= Instant::now() + LOOK_AGAIN);
        }
    }

    #[test]
    fn time_asleep_counts() {
        let clock = Clock::start();
        let slept = Clock { started: clock.started, slept_before: Duration::ZERO };
        let asleep = process::asleep();
        assert!(
            slept.now().mono >= asleep && slept.at(asleep) <= Instant::now() + Duration::from_millis(100)
        );
    }
}
