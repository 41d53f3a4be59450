//! The two clocks a job lives by. The caller reads them; this crate never does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the wall clock, in milliseconds since 1970-01-01 UTC. Goes into records and is shown to
/// people; nothing is timed by it, because it may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_unix_ms(ms: u64) -> Timestamp {
        Timestamp(ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when the clock was set back in between.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The present, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Timestamp,
    /// A clock that never goes back and that counts on while the machine sleeps (reference 7.6), from any
    /// epoch the caller likes. All timers run on it.
    pub mono: Duration,
}

/// A duration in whole milliseconds, as records hold it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
