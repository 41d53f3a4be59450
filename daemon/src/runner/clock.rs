//! The present, for those who must not ask for it themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use dray_jobs::{Now, Timestamp};
use tokio::time::Instant;

/// Both clocks: the wall, and time since the daemon started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: wall(), mono: self.started.elapsed() }
    }

    /// When the monotonic clock will show `mono`.
    pub(crate) fn at(&self, mono: std::time::Duration) -> Instant {
        // A timer beyond the end of the clock is as good as none.
        self.started.checked_add(mono).unwrap_or_else(|| Instant::now() + FAR)
    }
}

/// Longer than any timer that matters.
const FAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);

/// The wall clock.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
