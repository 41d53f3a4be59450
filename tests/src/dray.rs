//! `dray` as a process: running, and what came out of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::lab::Usage;
use crate::process::{self, Group, Signal};

/// Numbers the output files of one test's commands.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code, or 128 plus the number of the signal that ended it.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
}

impl Outcome {
    /// The single JSON object on stdout.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("stdout is not JSON: {self}"))
    }

    /// Asserts the exit code, and shows everything if it is another one.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Outcome {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// The lines of stderr that are not empty.
    pub fn complaints(&self) -> Vec<&str> {
        self.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { code, stdout, stderr, elapsed } = self;
        write!(f, "code {code} after {elapsed:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// A command that has not been waited for.
#[derive(Debug)]
pub struct Running {
    group: Group,
    stdout: PathBuf,
    stderr: PathBuf,
    start: Instant,
}

impl Running {
    /// Starts a command of any kind, whose output goes to files in `folder`.
    pub fn start(mut command: Command, folder: &Path) -> Result<Running> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let stdout = folder.join(format!("stdout-{number}"));
        let stderr = folder.join(format!("stderr-{number}"));
        let start = Instant::now();
        let group = Group::spawn(&mut command, &stdout, &stderr)?;
        Ok(Running { group, stdout, stderr, start })
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.group.signal(signal)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.group.ended()?.is_none())
    }

    /// Whether it has ended. Unlike [`Running::is_running`] this leaves its cost where [`Running::usage`] finds it.
    pub fn has_ended(&self) -> bool {
        Usage::is_final(self.group.id())
    }

    /// What it has cost, with all that it started: until now, or until its end.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of_group(self.group.id())
    }

    /// What it has written to stdout by now.
    pub fn stdout_so_far(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.stdout)?)
    }

    /// Waits for its end, at most for `limit`.
    pub fn wait(mut self, limit: Duration) -> Result<Outcome> {
        let ended = self.group.wait(limit);
        let elapsed = self.start.elapsed();
        let stdout = String::from_utf8_lossy(&fs::read(&self.stdout)?).into_owned();
        let stderr = String::from_utf8_lossy(&fs::read(&self.stderr)?).into_owned();
        let status = ended.with_context(|| format!("--- stdout\n{stdout}\n--- stderr\n{stderr}"))?;
        Ok(Outcome { code: process::code(status), stdout, stderr, elapsed })
    }
}
