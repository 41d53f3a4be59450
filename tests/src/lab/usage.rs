//! What a running process, and all that it started, has cost until now.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of processor time in `/proc`; the same on every Linux that Debian runs on.
const TICKS_PER_S: u64 = 100;

/// Cost of a process group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, that of ended children included.
    pub cpu: Duration,
    /// Resident bytes now, all processes together.
    pub resident_bytes: u64,
    /// The same at its peak, for each process at its own moment.
    pub peak_bytes: u64,
}

impl Usage {
    /// Of the process group that this process leads.
    pub(crate) fn of_group(leader: u32) -> Result<Usage> {
        let mut usage = Usage::default();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // Any process may end between two looks at it.
            let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
            let (group, ticks) =
                parse_stat(&stat).with_context(|| format!("/proc/{process}/stat: {stat}"))?;
            if group == leader {
                usage.cpu += Duration::from_millis(ticks * 1000 / TICKS_PER_S);
                let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
                usage.resident_bytes += kibibytes(&status, "VmRSS:") * 1024;
                usage.peak_bytes += kibibytes(&status, "VmHWM:") * 1024;
            }
        }
        Ok(usage)
    }

    /// Whether this process has ended, and only waits to be asked how.
    pub(crate) fn is_final(process: u32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"));
        stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('Z')))
    }

    /// What came to it since `before`; memory as it is now.
    #[must_use]
    pub fn since(self, before: Usage) -> Usage {
        Usage { cpu: self.cpu.saturating_sub(before.cpu), ..self }
    }
}

/// The process group (5th field) and the ticks of the process and of its ended children (14th to 17th).
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some((fields.get(2)?.parse().ok()?, ticks))
}

/// Absent of a process that has ended and not been waited for.
fn kibibytes(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_even_if_its_name_has_brackets_and_blanks() {
        let stat = "12 (a) b) S 1 77 77 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7";
        assert_eq!(parse_stat(stat), Some((77, 100)));
    }

    #[test]
    fn memory_is_read_in_bytes_and_missing_memory_is_none() {
        assert_eq!(kibibytes("Name:\tx\nVmRSS:\t  2048 kB\n", "VmRSS:"), 2048);
        assert_eq!(kibibytes("Name:\tx\n", "VmRSS:"), 0);
    }
}
