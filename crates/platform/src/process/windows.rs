//! GetProcessTimes and the process status calls.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::time::Duration;

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessTimes};

use super::Usage;
use crate::wide::check;

pub(super) fn asleep() -> Duration {
    // The performance counter, on which Instant runs, counts on.
    Duration::ZERO
}

pub(super) fn usage() -> io::Result<Usage> {
    let mut memory = PROCESS_MEMORY_COUNTERS::default();
    let len = u32::try_from(size_of::<PROCESS_MEMORY_COUNTERS>()).unwrap_or(0);
    // SAFETY: the pseudo handle of the own process needs no closing, and `len` is the size of the structure.
    check(unsafe { K32GetProcessMemoryInfo(GetCurrentProcess(), &mut memory, len) })?;
    let mut times = [FILETIME::default(); 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: as above; the four out-pointers are distinct and ours.
    check(unsafe { GetProcessTimes(GetCurrentProcess(), created, exited, kernel, user) })?;
    Ok(Usage { resident_bytes: memory.WorkingSetSize as u64, cpu: duration(*kernel) + duration(*user) })
}

/// A FILETIME that counts a span: steps of 100 ns.
fn duration(span: FILETIME) -> Duration {
    let steps = u64::from(span.dwHighDateTime) << 32 | u64::from(span.dwLowDateTime);
    Duration::from_nanos(steps.saturating_mul(100))
}

/// Windows tells how long it has been up, not which start this is; counted back with a clock that can be set, that would
/// name one start differently twice.
pub(super) fn boot_id() -> Option<String> {
    None
}
