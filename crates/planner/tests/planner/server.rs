//! A simulated source: how fast, how late, and how badly it behaves.

use std::time::Duration;

use dray_planner::{Has, Ranges, Source, SourceKind};

/// A source as it really is.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) kind: SourceKind,
    /// Whether it can start in the middle: the truth.
    pub(crate) does_ranges: bool,
    /// What the planner is told about that at first.
    pub(crate) said_ranges: Ranges,
    pub(crate) has: Has,
    pub(crate) max_requests: u16,
    /// From the request to the first byte.
    pub(crate) latency: Duration,
    /// Over all its requests.
    pub(crate) bytes_per_s: u64,
    /// Of one request alone.
    pub(crate) bytes_per_s_each: u64,
    /// The more requests than this fail with a wait.
    pub(crate) tolerates: usize,
    /// When it starts to take part.
    pub(crate) joins: Duration,
    /// When it is removed.
    pub(crate) leaves: Option<Duration>,
    pub(crate) faults: Faults,
}

/// How many in a hundred requests end in which way; the rest end well.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Fails after some bytes, and may pass.
    pub(crate) retry: u8,
    /// Falls silent after some bytes.
    pub(crate) silent: u8,
    /// Is reported finished after some bytes, though more were asked for.
    pub(crate) early: u8,
    /// Fails for good.
    pub(crate) gone: u8,
}

impl Server {
    /// An honest, complete source with ranges, at this rate.
    pub(crate) fn new(kind: SourceKind, bytes_per_s: u64) -> Self {
        Self {
            kind,
            does_ranges: true,
            said_ranges: Ranges::Yes,
            has: Has::Everything,
            max_requests: 8,
            latency: Duration::from_millis(20),
            bytes_per_s,
            bytes_per_s_each: u64::MAX,
            tolerates: usize::MAX,
            joins: Duration::ZERO,
            leaves: None,
            faults: Faults::default(),
        }
    }

    /// What the planner is told.
    pub(crate) fn about(&self, ranges: Ranges) -> Source {
        Source { kind: self.kind, ranges, has: self.has.clone(), max_requests: self.max_requests }
    }

    /// How long `bytes` take on one of `active` requests.
    pub(crate) fn time_for(&self, bytes: u64, active: usize) -> Duration {
        Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.rate_of_one(active))
    }

    /// What comes at once: a slow stream trickles, it does not stall and burst.
    pub(crate) fn chunk(&self, most: u64, active: usize) -> u64 {
        most.min(self.rate_of_one(active) / 5).max(1)
    }

    fn rate_of_one(&self, active: usize) -> u64 {
        let share = self.bytes_per_s / u64::try_from(active.max(1)).expect("few");
        share.min(self.bytes_per_s_each).max(1)
    }
}
