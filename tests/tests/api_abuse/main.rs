//! Clients of the local API that mean no good, or are broken: bytes that are no HTTP/2, half a message and then nothing, streams
//! that nobody reads, ten thousand subscribers. The daemon answers everyone else meanwhile, and its memory stays bounded.

mod crowd;
mod raw;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_api::client::{self, DaemonClient, JobClient};
use dray_api::v1;
use dray_tests::{Daemon, Home};
use tokio::runtime::Runtime;

/// By how much the daemon may grow under any of this. An idle daemon has 20 MiB; what it holds for a client is bounded by
/// connections and streams, which are bounded too.
const MAX_GROWTH_BYTES: u64 = 64 << 20;
/// How long a well-behaved client waits for an answer, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon, and a client that does nothing wrong.
struct Watched<'a> {
    daemon: &'a Daemon<'a>,
    runtime: Runtime,
    jobs: JobClient,
    about: DaemonClient,
    before: u64,
}

impl<'a> Watched<'a> {
    fn new(daemon: &'a Daemon<'a>) -> Result<Watched<'a>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let channel = runtime.block_on(client::connect(&daemon.socket()))?;
        let (jobs, about) = (client::jobs(channel.clone()), client::daemon(channel));
        let before = resident(daemon)?;
        Ok(Watched { daemon, runtime, jobs, about, before })
    }

    /// The daemon answers, and holds no more than it may.
    fn is_well(&self, while_what: &str) -> Result<()> {
        let mut about = self.about.clone();
        let answer =
            async { tokio::time::timeout(PATIENCE, about.get_status(v1::GetStatusRequest::default())).await };
        self.runtime.block_on(answer).with_context(|| format!("no answer: {while_what}"))??;
        let grown = resident(self.daemon)?.saturating_sub(self.before);
        ensure!(grown <= MAX_GROWTH_BYTES, "{while_what}: grown by {} MiB", grown >> 20);
        Ok(())
    }

    /// A job that others hear of.
    fn create(&self) -> Result<String> {
        let properties =
            v1::JobProperties { display_name: Some("noise".repeat(50)), ..v1::JobProperties::default() };
        let request = v1::CreateJobRequest { properties: Some(properties), ..Default::default() };
        let mut jobs = self.jobs.clone();
        let created = self.runtime.block_on(jobs.create_job(request))?.into_inner();
        Ok(created.job.unwrap_or_default().job_id)
    }

    /// Something that every watcher of the job hears of.
    fn rename(&self, job_id: &str, number: u32) -> Result<()> {
        let display_name = Some(format!("{number} {}", "noise".repeat(50)));
        let properties = v1::JobProperties { display_name, ..v1::JobProperties::default() };
        let request = v1::UpdateJobRequest { job_id: job_id.to_owned(), properties: Some(properties) };
        let mut jobs = self.jobs.clone();
        self.runtime.block_on(jobs.update_job(request))?;
        Ok(())
    }
}

fn resident(daemon: &Daemon<'_>) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: u64 = line.split_whitespace().next().context("no number")?.parse()?;
    Ok(kibibytes << 10)
}

fn with_daemon(play: impl FnOnce(&Watched<'_>) -> Result<()>) -> Result<()> {
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let watched = Watched::new(&daemon)?;
    play(&watched).with_context(|| daemon.log())
}
