//! Facts about this process and this machine's run.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory in RAM now; 0 where the system does not say.
    pub resident_bytes: u64,
    /// User and system time of all threads.
    pub cpu: Duration,
}

/// What this process has used.
pub fn usage() -> io::Result<Usage> {
    system::usage()
}

/// How many threads can run at once for this process; at least 1.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A text that differs from one start of the machine to the next; `None` where the system has no such thing. What was
/// written but not synced can be relied on only while this stays the same.
pub fn boot_id() -> Option<String> {
    system::boot_id()
}

/// How long the machine has slept since it was started. The clock of [`std::time::Instant`] stands still meanwhile; zero
/// where it does not, or where nobody tells. Never goes back.
pub fn asleep() -> Duration {
    /// In nanoseconds. Two clocks are read one after the other, so a thread that is held up between them sees too little.
    static LONGEST: AtomicU64 = AtomicU64::new(0);
    let seen = u64::try_from(system::asleep().as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(LONGEST.fetch_max(seen, Ordering::Relaxed).max(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_uses_memory_and_time() {
        let found = usage().unwrap();
        #[cfg(any(target_os = "linux", windows))]
        assert!(found.resident_bytes > 100_000);
        assert!(found.cpu > Duration::ZERO);
        assert!(cores() >= 1);
    }

    #[test]
    fn a_machine_that_is_awake_sleeps_no_longer() {
        let before = asleep();
        std::thread::sleep(Duration::from_millis(20));
        assert!(asleep().abs_diff(before) < Duration::from_millis(15));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_boot_has_a_name_and_keeps_it() {
        let name = boot_id().unwrap();
        assert_eq!(name.len(), 36);
        assert_eq!(boot_id(), Some(name));
    }
}
