//! How fast bytes come, smoothed.

use std::time::Duration;

use crate::Time;

/// Bytes are gathered this long before they move the average, so that a burst of chunks is not a rate.
const WINDOW: Duration = Duration::from_millis(250);
/// A source that is done sooner still shows a rate if it took at least this long.
const SHORTEST: Duration = Duration::from_millis(10);
/// The past weighs as much as this much time: the smoothing of the average.
const MEMORY: Duration = Duration::from_secs(2);

/// An exponentially weighted average of bytes per second, over the time in which something was asked for.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    rate: Option<u64>,
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    since: Time,
    until: Time,
    bytes: u64,
}

impl Meter {
    /// The average; `None` until there was enough to measure.
    pub(crate) fn bytes_per_s(&self) -> Option<u64> {
        self.rate
    }

    /// Counts bytes that came at `now`. The first ones after a pause took an unknown time and only start the clock.
    /// True when that moved the average.
    pub(crate) fn add(&mut self, now: Time, bytes: u64) -> bool {
        let Some(window) = &mut self.window else {
            self.window = Some(Window { since: now, until: now, bytes: 0 });
            return false;
        };
        window.until = now;
        window.bytes = window.bytes.saturating_add(bytes);
        let is_full = now.saturating_sub(window.since) >= WINDOW;
        if is_full {
            self.fold();
            self.window = Some(Window { since: now, until: now, bytes: 0 });
        }
        is_full
    }

    /// Nothing is asked for any more: the time until the next byte says nothing about the rate.
    pub(crate) fn pause(&mut self) {
        if self.window.as_ref().is_some_and(|w| w.until.saturating_sub(w.since) >= SHORTEST) {
            self.fold();
        }
        self.window = None;
    }

    fn fold(&mut self) {
        let Some(window) = self.window.take() else { return };
        let elapsed = window.until.saturating_sub(window.since);
        self.rate = Some(match self.rate {
            None => per_second(window.bytes, elapsed),
            Some(rate) => {
                let remembered = u128::from(rate) * MEMORY.as_nanos();
                let seen = u128::from(window.bytes) * NANOS_PER_S;
                saturate((remembered + seen) / (MEMORY + elapsed).as_nanos())
            }
        });
    }
}

const NANOS_PER_S: u128 = 1_000_000_000;

/// Bytes per second when `bytes` came within `elapsed`.
pub(crate) fn per_second(bytes: u64, elapsed: Duration) -> u64 {
    saturate(u128::from(bytes) * NANOS_PER_S / elapsed.as_nanos().max(1))
}

/// How long `bytes` take at a rate.
pub(crate) fn time_for(bytes: u64, bytes_per_s: u64) -> Duration {
    let nanos = u128::from(bytes) * NANOS_PER_S / u128::from(bytes_per_s.max(1));
    Duration::from_nanos(saturate(nanos))
}

fn saturate(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Duration::from_millis(ms)
    }

    /// One chunk every 50 ms.
    fn run(meter: &mut Meter, from: u64, to: u64, chunk: u64) {
        for at in (from..to).step_by(50) {
            meter.add(ms(at), chunk);
        }
    }

    #[test]
    fn a_steady_stream_has_its_own_rate() {
        let mut meter = Meter::default();
        run(&mut meter, 0, 5_000, 50_000);
        assert_eq!(meter.bytes_per_s(), Some(1_000_000));
    }

    #[test]
    fn it_follows_a_change_within_some_seconds() {
        let mut meter = Meter::default();
        run(&mut meter, 0, 5_000, 50_000);
        run(&mut meter, 5_000, 15_000, 5_000);
        let rate = meter.bytes_per_s().unwrap();
        assert!((100_000..110_000).contains(&rate), "{rate}");
    }

    #[test]
    fn the_time_between_requests_does_not_count() {
        let mut meter = Meter::default();
        run(&mut meter, 0, 5_000, 50_000);
        meter.pause();
        run(&mut meter, 500_000, 505_000, 50_000);
        assert_eq!(meter.bytes_per_s(), Some(1_000_000));
    }

    #[test]
    fn a_short_burst_is_no_rate_but_a_short_transfer_is() {
        let mut meter = Meter::default();
        run(&mut meter, 0, 50, 50_000);
        meter.pause();
        assert_eq!(meter.bytes_per_s(), None);
        run(&mut meter, 0, 150, 50_000);
        meter.pause();
        assert_eq!(meter.bytes_per_s(), Some(1_000_000));
    }

    #[test]
    fn extreme_numbers_saturate() {
        assert_eq!(per_second(u64::MAX, Duration::ZERO), u64::MAX);
        assert_eq!(time_for(u64::MAX, 0), Duration::from_nanos(u64::MAX));
    }
}
