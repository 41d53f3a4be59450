//! clock_gettime, and what Linux tells in `/proc`.

use std::io;
use std::time::Duration;

use rustix::time::ClockId;

use super::Usage;

pub(super) fn usage() -> io::Result<Usage> {
    let cpu = read(ClockId::ProcessCPUTime);
    Ok(Usage { resident_bytes: resident_bytes().unwrap_or(0), cpu })
}

fn read(clock: ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(target_os = "linux")]
pub(super) fn asleep() -> Duration {
    // In this order, so that a moment between the two does not count.
    let with_sleep = read(ClockId::Boottime);
    with_sleep.saturating_sub(read(ClockId::Monotonic))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn asleep() -> Duration {
    Duration::ZERO
}

/// The line "VmRSS:     1234 kB".
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

pub(super) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
