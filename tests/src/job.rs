//! One job of a daemon, driven by `dray job`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::daemon::Daemon;
use crate::dray::Outcome;
use crate::wait::until;

/// A job that the tests wait for less long than the daemon's own default.
const RETRY_DELAY: &str = "5s";

/// The id of a job; the daemon that has it is told each time, since it may be another process by then.
#[derive(Clone, Debug)]
pub struct Job {
    /// As the daemon gave it.
    pub id: String,
}

impl Job {
    /// A new job without files.
    pub fn create(daemon: &Daemon<'_>) -> Result<Job> {
        let created = daemon.dray(&["job", "create", "--retry-delay", RETRY_DELAY, "test"])?;
        let id = created.stdout.trim().to_owned();
        ensure!(created.code == 0 && id.len() == 36, "not an id: {created}\n{}", daemon.log());
        Ok(Job { id })
    }

    /// A new job with one file, which goes to `name` in the downloads folder, and started.
    pub fn begin(daemon: &Daemon<'_>, url: &str, name: &str, options: &[&str]) -> Result<Job> {
        let job = Job::create(daemon)?;
        job.add(daemon, url, name, options)?.expect(0);
        job.call(daemon, "resume")?.expect(0);
        Ok(job)
    }

    /// Adds a file.
    pub fn add(&self, daemon: &Daemon<'_>, url: &str, name: &str, options: &[&str]) -> Result<Outcome> {
        let place = daemon.downloads().join(name);
        let place = place.to_str().context("a temporary folder's name is text")?;
        daemon.dray(&[&["job", "add"], options, &[&self.id, url, place]].concat())
    }

    /// `dray job VERB ID`.
    pub fn call(&self, daemon: &Daemon<'_>, verb: &str) -> Result<Outcome> {
        daemon.dray(&["job", verb, &self.id])
    }

    /// `dray job show --json ID`.
    pub fn show(&self, daemon: &Daemon<'_>) -> Result<Value> {
        let shown = daemon.dray(&["job", "show", "--json", &self.id])?;
        ensure!(shown.code == 0, "{shown}\n{}", daemon.log());
        shown.json()
    }

    /// Its state, in the field's words.
    pub fn state(&self, daemon: &Daemon<'_>) -> Result<String> {
        let shown = self.show(daemon)?;
        Ok(shown["state"].as_str().context("a state")?.to_owned())
    }

    /// Bytes that are there.
    pub fn bytes(&self, daemon: &Daemon<'_>) -> Result<u64> {
        let shown = self.show(daemon)?;
        shown.pointer("/progress/bytes_transferred").and_then(Value::as_u64).context("a number of bytes")
    }

    /// Where the first file's bytes are before the job is completed.
    pub fn temporary(&self, daemon: &Daemon<'_>) -> Result<PathBuf> {
        let shown = self.show(daemon)?;
        let path =
            shown.pointer("/files/0/temporary_path").and_then(Value::as_str).context("a temporary file")?;
        Ok(Path::new(path).to_path_buf())
    }

    /// Waits until it is in this state.
    pub fn wait_for(&self, daemon: &Daemon<'_>, state: &str, limit: Duration) -> Result<()> {
        until(&format!("the job to be {state}"), limit, || {
            let now = self.state(daemon)?;
            ensure!(
                now == state || now != "ERROR",
                "the job failed: {}\n{}",
                self.show(daemon)?,
                daemon.log()
            );
            Ok((now == state).then_some(()))
        })
        .with_context(|| self.show(daemon).map(|shown| shown.to_string()).unwrap_or_default())
        .with_context(|| daemon.log())
    }
}
