//! What one run of a program costs.
//!
//! Wall time is taken around the process. The rest is what the kernel accounted to it, as `wait4` tells its parent (here GNU time, which
//! does nothing else): user and system seconds, the largest resident set, and the blocks written. The kernel counts a block as
//! written when a page of a file becomes dirty, so the number holds the process's own writes, rewrites included, and none of what
//! else goes on at the disk; `/sys/block` would need a machine where nothing else runs. The file system's journal is not in it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dray_tests::system_program;

/// `ru_oublock` counts in these.
const BLOCK_BYTES: u64 = 512;

/// The cost of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) peak_bytes: u64,
    pub(crate) written_bytes: u64,
}

/// Runs `command` to its end and tells the cost; a failure of the command is one of the bench.
pub(crate) fn run(command: &Command) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report");
    let mut timed = Command::new(system_program("time")?);
    timed.args(["--quiet", "--format", "%U %S %M %O", "--output"]).arg(&report).arg("--");
    timed.arg(command.get_program()).args(command.get_args()).env_clear();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(key, value);
        }
    }
    if let Some(current) = command.get_current_dir() {
        timed.current_dir(current);
    }
    let start = Instant::now();
    let output = timed.output()?;
    let wall = start.elapsed();
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    parse(&fs::read_to_string(&report)?, wall)
}

fn parse(report: &str, wall: Duration) -> Result<Cost> {
    let fields: Vec<&str> = report.split_whitespace().collect();
    let [user, system, peak, blocks] = fields[..] else { bail!("GNU time reported {report:?}") };
    let seconds = |text: &str| -> Result<Duration> {
        Ok(Duration::from_secs_f64(text.parse().with_context(|| format!("GNU time reported {report:?}"))?))
    };
    Ok(Cost {
        wall,
        cpu: seconds(user)? + seconds(system)?,
        peak_bytes: peak.parse::<u64>()? * 1024,
        written_bytes: blocks.parse::<u64>()? * BLOCK_BYTES,
    })
}

/// Lets the disk catch up, so that no run pays for the one before it.
pub(crate) fn settle() -> Result<()> {
    let status = Command::new(system_program("sync")?).status()?;
    anyhow::ensure!(status.success(), "sync ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_in_seconds_and_bytes() {
        let cost = parse("0.25 0.50 2048 16\n", Duration::from_secs(1)).unwrap();
        assert_eq!(cost.cpu, Duration::from_millis(750));
        assert_eq!((cost.peak_bytes, cost.written_bytes), (2048 * 1024, 8192));
    }

    #[test]
    fn the_cost_of_a_real_program_is_plausible() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exit 0"]);
        let cost = run(&command).unwrap();
        assert!(cost.peak_bytes > 0 && cost.cpu < Duration::from_secs(5));
    }

    #[test]
    fn a_program_that_fails_is_not_measured() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exit 3"]);
        assert!(run(&command).is_err());
    }
}
