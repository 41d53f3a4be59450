//! A long queue: ten thousand jobs of three files, made and listed through the daemon's socket by one client.
//!
//! The client keeps a number of callers busy on one connection, as a fleet tool does that hands over a list: each creates a job, adds its
//! files and resumes it, and waits for every answer, which comes only when the record is durable. The files' server accepts and never
//! answers, so that the queue stays as long as it was made. Memory is what the kernel counts as resident at the end of each step.

use std::fs;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dray_api::client::{self, JobClient};
use dray_api::v1;
use dray_tests::{Daemon, FaultServer, Home};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::{mebibytes, number, seconds};
use crate::median::median;
use crate::site::Site;
use crate::table::Line;

/// Callers at once on the one connection.
const CALLERS: u32 = 64;
const FILES_PER_JOB: u32 = 3;
const PAGE: u32 = 100;

const LEAST_PER_S: f64 = 2000.0;
const MOST_PAGE_S: f64 = 0.010;
const MOST_START_S: f64 = 2.0;
const MOST_RESIDENT_BYTES: u64 = 120 << 20;

/// What one daemon's life gave.
struct Found {
    jobs_per_s: f64,
    page_s: f64,
    start_s: f64,
    resident_bytes: f64,
    resident_after_start_bytes: f64,
}

pub(super) fn queue(site: &Site, runs: usize) -> Result<Vec<Line>> {
    let jobs = site.sizes.queued_jobs;
    let found = (0..runs).map(|_| life(jobs)).collect::<Result<Vec<_>>>()?;
    let middle =
        |pick: fn(&Found) -> f64| median(&found.iter().map(pick).collect::<Vec<_>>()).unwrap_or(f64::NAN);
    let what = format!("{jobs} queued jobs of {FILES_PER_JOB} files");
    let (rate, page, start) = (middle(|f| f.jobs_per_s), middle(|f| f.page_s), middle(|f| f.start_s));
    let (resident, again) = (middle(|f| f.resident_bytes), middle(|f| f.resident_after_start_bytes));
    Ok(vec![
        line(
            format!("{what}, create + add + resume"),
            format!("{rate:.0} jobs/s"),
            format!("above {LEAST_PER_S:.0} per second"),
            rate > LEAST_PER_S,
        ),
        line(
            format!("{what}, one page of {PAGE}"),
            seconds(page),
            format!("below {}", seconds(MOST_PAGE_S)),
            page < MOST_PAGE_S,
        ),
        line(
            format!("{what}, start after a kill until the first page is there"),
            seconds(start),
            format!("below {}", seconds(MOST_START_S)),
            start < MOST_START_S,
        ),
        memory(format!("{what}, resident memory when all are made"), resident),
        memory(format!("{what}, resident memory after the start"), again),
    ])
}

fn line(what: String, result: String, target: String, reached: bool) -> Line {
    Line { what, curl: String::new(), dray: result.clone(), result, target, reached: Some(reached) }
}

fn memory(what: String, bytes: f64) -> Line {
    let target = format!("below {}", mebibytes(number(MOST_RESIDENT_BYTES)));
    line(what, mebibytes(bytes), target, bytes < number(MOST_RESIDENT_BYTES))
}

/// One daemon: the queue is made, listed, killed, started, and listed again.
fn life(jobs: u32) -> Result<Found> {
    let server = FaultServer::start()?;
    server.page("/silent", |_| {
        loop {
            std::thread::park();
        }
    });
    let home = Home::new()?;
    let mut daemon = Daemon::configured(&home, &configuration(jobs))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = connect(&runtime, &daemon)?;
    let url = server.url("/silent");
    let folder = home.downloads().display().to_string();

    let began = Instant::now();
    runtime.block_on(make(&client, jobs, &url, &folder)).with_context(|| daemon.log())?;
    let made = began.elapsed();
    let page_s = pages(&runtime, &client, jobs)?;
    let resident_bytes = number(resident(&daemon)?);

    daemon.kill()?;
    let began = Instant::now();
    daemon.restart()?;
    let client = connect(&runtime, &daemon)?;
    let (first, _) = page(&runtime, &client, String::new())?;
    let start_s = began.elapsed().as_secs_f64();
    ensure!(first == PAGE.min(jobs), "{first} jobs on the first page after the start");
    pages(&runtime, &client, jobs)?;
    let resident_after_start_bytes = number(resident(&daemon)?);
    // Not asked nicely: ten thousand jobs that wait are no reason to measure the stop.
    daemon.kill()?;
    Ok(Found {
        jobs_per_s: f64::from(jobs) / made.as_secs_f64(),
        page_s,
        start_s,
        resident_bytes,
        resident_after_start_bytes,
    })
}

/// Room for them all, and a server's silence that outlasts the measurement.
fn configuration(jobs: u32) -> String {
    format!(
        "[limits]\njobs_per_owner = {jobs}\njobs_per_machine = {jobs}\n[origin]\nfirst_byte_timeout_s = 3600\n"
    )
}

fn connect(runtime: &Runtime, daemon: &Daemon<'_>) -> Result<JobClient> {
    Ok(client::jobs(runtime.block_on(client::connect(&daemon.socket()))?))
}

/// Every caller takes each [`CALLERS`]th job.
async fn make(client: &JobClient, jobs: u32, url: &str, folder: &str) -> Result<()> {
    let mut callers = JoinSet::new();
    for first in 0..CALLERS.min(jobs) {
        let (client, url, folder) = (client.clone(), url.to_owned(), folder.to_owned());
        callers.spawn(async move {
            for number in (first..jobs).step_by(CALLERS as usize) {
                one(client.clone(), number, &url, &folder).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}

async fn one(mut client: JobClient, number: u32, url: &str, folder: &str) -> Result<()> {
    let properties =
        v1::JobProperties { display_name: Some(format!("update {number}")), ..v1::JobProperties::default() };
    let created = client
        .create_job(v1::CreateJobRequest { properties: Some(properties), ..v1::CreateJobRequest::default() })
        .await?;
    let job_id = created.into_inner().job.context("a job")?.job_id;
    let file = |file: u32| v1::NewFile {
        remote_url: format!("{url}?job={number}&file={file}"),
        local_path: format!("{folder}/{number}-{file}.bin"),
        ..v1::NewFile::default()
    };
    let files = (0..FILES_PER_JOB).map(file).collect();
    client.add_files(v1::AddFilesRequest { job_id: job_id.clone(), files }).await?;
    client.resume_job(v1::ResumeJobRequest { job_id }).await?;
    Ok(())
}

/// Walks the whole list; the median time of a page.
fn pages(runtime: &Runtime, client: &JobClient, jobs: u32) -> Result<f64> {
    let (mut times, mut seen, mut token) = (Vec::new(), 0, String::new());
    loop {
        let began = Instant::now();
        let (found, next) = page(runtime, client, token)?;
        times.push(began.elapsed());
        seen += found;
        token = next;
        if token.is_empty() {
            break;
        }
    }
    ensure!(seen == jobs, "{seen} jobs are listed, {jobs} were made");
    Ok(median(&times).unwrap_or(Duration::ZERO).as_secs_f64())
}

fn page(runtime: &Runtime, client: &JobClient, page_token: String) -> Result<(u32, String)> {
    let mut client = client.clone();
    let request = v1::ListJobsRequest { page_size: PAGE, page_token, all_users: false };
    let answer = patiently(runtime, client.list_jobs(request))?.into_inner();
    Ok((u32::try_from(answer.jobs.len())?, answer.next_page_token))
}

fn patiently<T>(
    runtime: &Runtime,
    call: impl Future<Output = std::result::Result<T, tonic::Status>>,
) -> Result<T> {
    const PATIENCE: Duration = Duration::from_secs(60);
    Ok(runtime.block_on(async { tokio::time::timeout(PATIENCE, call).await })??)
}

fn resident(daemon: &Daemon<'_>) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
