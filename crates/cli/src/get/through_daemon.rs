//! `dray get` as a client of the daemon: one job with one file, watched to its end and completed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dray_api::Channel;
use dray_api::client::{self, JobClient};
use dray_api::transport::ConnectError;
use dray_api::v1::job_event::Event;
use dray_api::v1::{
    AddFilesRequest, CancelJobRequest, CompleteJobRequest, CreateJobRequest, ErrorDetail, File, FileRange,
    Job, JobError, JobPriority, JobProperties, JobState, JobType, ListFilesRequest, ListJobsRequest, NewFile,
    ResumeJobRequest, SuspendJobRequest, WatchEventsRequest,
};
use dray_jobs::Code;
use indicatif::ProgressBar;
use serde_json::json;
use tonic::Status;

use super::Request;
use super::arrived::{Arrived, gifts};
use super::progress::bar;
use crate::exit::Exit;
use crate::printer::{Printer, bytes};

/// While a person waits, the daemon tries again soon and gives up in a minute (BITS: MinimumRetryDelay, NoProgressTimeout).
const RETRY_DELAY_S: u32 = 5;
const GIVE_UP_AFTER_S: u32 = 60;
/// How long a daemon that is silent or gone is waited for, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(300);
/// What the names of these jobs begin with, and how much of the path they show after it.
const NAME: &str = "dray get ";
const MAX_SHOWN: usize = 200;

/// A channel to the daemon, or the exit code and the sentence for when there is none.
pub(crate) async fn connect(socket: Option<PathBuf>) -> Result<Channel, (Exit, String)> {
    let path = socket.unwrap_or_else(crate::socket::usual);
    client::connect(&path).await.map_err(|error| {
        let exit = match error {
            ConnectError::NotPermitted { .. } => Exit::NotPermitted,
            _ => Exit::NoDaemon,
        };
        (exit, error.to_string())
    })
}

/// How a watched job ended.
enum End {
    Transferred,
    Failed(JobError),
    Gone(JobState),
    Interrupted,
}

/// Downloads through the daemon and says what came from where. `None` when the daemon would not begin and need not: then nothing was
/// changed there.
pub(crate) async fn run(channel: Channel, request: &Request, must: bool, printer: &Printer) -> Option<Exit> {
    let started = Instant::now();
    let mut jobs = client::jobs(channel.clone());
    let path = match std::path::absolute(&request.destination.path) {
        Ok(path) => path,
        Err(error) => return Some(printer.failure(Exit::Failed, &error.to_string())),
    };
    let prepared = tokio::time::timeout(PATIENCE, prepare(&mut jobs, request, &path)).await;
    let id = match prepared.unwrap_or_else(|_| Err(Status::deadline_exceeded("it does not answer"))) {
        Ok(id) => id,
        Err(status) if !must && is_no_daemon_for_us(&status) => return None,
        Err(status) => return Some(refused(printer, &status)),
    };
    let bar = bar(&request.destination, printer);
    let end = tokio::select! {
        end = watch(&mut jobs, &id, &bar) => end,
        _ = tokio::signal::ctrl_c() => Ok(End::Interrupted),
    };
    bar.finish_and_clear();
    Some(match end {
        Ok(End::Transferred) => finish(channel, id, request, &path, started, printer).await,
        Ok(End::Failed(error)) => give_up(&mut jobs, id, error.detail.unwrap_or_default(), printer).await,
        Ok(End::Interrupted) => {
            let _ = jobs.suspend_job(SuspendJobRequest { job_id: id.clone() }).await;
            printer.failure(
                Exit::Interrupted,
                &format!("interrupted; job {id} keeps what came, and the same command goes on from there"),
            )
        }
        Ok(End::Gone(state)) => printer
            .failure(Exit::Failed, &format!("job {id} was ended by someone else ({})", state.short_name())),
        Err(status) => refused(printer, &status),
    })
}

/// Whether the daemon is not there, or not for this user: a download in this process is what is left.
fn is_no_daemon_for_us(status: &Status) -> bool {
    ErrorDetail::from_status(status)
        .is_none_or(|detail| Code::from_value(detail.value) == Code::E_ACCESSDENIED)
}

/// Finds or makes the job and starts it.
async fn prepare(jobs: &mut JobClient, request: &Request, path: &Path) -> Result<String, Status> {
    let wanted = wanted(request, path);
    let id = match begun_before(jobs, &wanted).await? {
        Some(id) => id,
        None => create(jobs, wanted).await?,
    };
    jobs.resume_job(ResumeJobRequest { job_id: id.clone() }).await?;
    Ok(id)
}

/// Gives the file its name and reports it.
async fn finish(
    channel: Channel,
    id: String,
    request: &Request,
    path: &Path,
    started: Instant,
    printer: &Printer,
) -> Exit {
    if let Err(sentence) = request.destination.check_free(path) {
        return printer.failure(Exit::Failed, &format!("{sentence} (job {id} keeps what came)"));
    }
    match complete(&mut client::jobs(channel.clone()), &id).await {
        Ok(Some(file)) => {
            let gifts = gifts(channel, id).await;
            Arrived { path, request, file, gifts, took: started.elapsed() }.report(printer);
            Exit::Done
        }
        Ok(None) => Exit::Done,
        Err(status) => refused(printer, &status),
    }
}

/// A job that failed: what came is kept for the next try, unless it is wrong or nothing.
async fn give_up(jobs: &mut JobClient, id: String, detail: ErrorDetail, printer: &Printer) -> Exit {
    let file = first_file(jobs, &id).await.ok().flatten();
    let kept = file.and_then(|file| file.progress).map_or(0, |progress| progress.bytes_transferred);
    if kept > 0 && Code::from_value(detail.value) != Code::BG_E_VALIDATION_FAILED {
        let sentence = format!(
            "{} (job {id} keeps {}, and the same command goes on from there)",
            detail.sentence,
            bytes(kept)
        );
        return failed(printer, &ErrorDetail { sentence, ..detail });
    }
    let _ = jobs.cancel_job(CancelJobRequest { job_id: id }).await;
    failed(printer, &detail)
}

/// Watches the job to its end, through a restart of the daemon too.
async fn watch(jobs: &mut JobClient, id: &str, bar: &ProgressBar) -> Result<End, Status> {
    let mut heard = Instant::now();
    loop {
        let cut = match follow(jobs, id, bar, &mut heard).await {
            Ok(Some(end)) => return Ok(end),
            Ok(None) => Status::unavailable("the daemon stopped; the job goes on when it runs again"),
            Err(status) if ErrorDetail::from_status(&status).is_some() => return Err(status),
            Err(status) => status,
        };
        if heard.elapsed() > PATIENCE {
            return Err(cut);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads one stream of events; `None` when it ended before the job did.
async fn follow(
    jobs: &mut JobClient,
    id: &str,
    bar: &ProgressBar,
    heard: &mut Instant,
) -> Result<Option<End>, Status> {
    let watched = WatchEventsRequest { job_ids: vec![id.to_owned()], ..WatchEventsRequest::default() };
    let mut events = jobs.watch_events(watched).await?.into_inner();
    while let Some(message) = events.message().await? {
        *heard = Instant::now();
        let Some(event) = message.event.and_then(|event| event.event) else { continue };
        let end = match event {
            Event::Snapshot(snapshot) => snapshot.job.and_then(|job| {
                show(bar, &job);
                end_of(job.state(), job.error)
            }),
            Event::Progressed(progressed) => {
                if let Some(progress) = progressed.progress {
                    set(bar, progress.bytes_total, progress.bytes_transferred);
                }
                None
            }
            Event::StateChanged(changed) => {
                let state = changed.state();
                if let Some(detail) = changed.error.as_ref().and_then(|error| error.detail.as_ref())
                    && state == JobState::TransientError
                {
                    bar.suspend(|| tracing::warn!("{}; the daemon tries again", detail.sentence));
                }
                end_of(state, changed.error)
            }
            _ => None,
        };
        if end.is_some() {
            return Ok(end);
        }
    }
    Ok(None)
}

fn end_of(state: JobState, error: Option<JobError>) -> Option<End> {
    match state {
        JobState::Transferred => Some(End::Transferred),
        JobState::Error => Some(End::Failed(error.unwrap_or_default())),
        JobState::Acknowledged | JobState::Cancelled => Some(End::Gone(state)),
        _ => None,
    }
}

/// The file as the daemon is asked for it.
fn wanted(request: &Request, path: &Path) -> NewFile {
    let specs = request.layout.specs().unwrap_or_default();
    NewFile {
        remote_url: request.url.to_string(),
        local_path: path.to_string_lossy().into_owned(),
        ranges: specs.iter().map(|spec| FileRange { offset: spec.offset, length: spec.length }).collect(),
        digest: request.digest.map(|digest| digest.to_string()).unwrap_or_default(),
    }
}

async fn create(jobs: &mut JobClient, file: NewFile) -> Result<String, Status> {
    let skipped = file.local_path.chars().count().saturating_sub(MAX_SHOWN);
    let shown: String = file.local_path.chars().skip(skipped).collect();
    let properties = JobProperties {
        display_name: Some(format!("{NAME}{shown}")),
        priority: Some(JobPriority::Foreground.into()),
        minimum_retry_delay_s: Some(RETRY_DELAY_S),
        no_progress_timeout_s: Some(GIVE_UP_AFTER_S),
        ..JobProperties::default()
    };
    let create = CreateJobRequest { r#type: JobType::Download.into(), properties: Some(properties) };
    let job_id = jobs.create_job(create).await?.into_inner().job.unwrap_or_default().job_id;
    let added = jobs.add_files(AddFilesRequest { job_id: job_id.clone(), files: vec![file] }).await;
    if let Err(status) = added {
        let _ = jobs.cancel_job(CancelJobRequest { job_id }).await;
        return Err(status);
    }
    Ok(job_id)
}

/// The job that an earlier `dray get` of the very same file left behind, in whatever state.
async fn begun_before(jobs: &mut JobClient, wanted: &NewFile) -> Result<Option<String>, Status> {
    let mut page_token = String::new();
    loop {
        let request = ListJobsRequest { page_size: 1000, page_token, ..ListJobsRequest::default() };
        let page = jobs.list_jobs(request).await?.into_inner();
        for job in page.jobs {
            let is_ours =
                job.properties.as_ref().is_some_and(|properties| properties.display_name().starts_with(NAME));
            let file = if is_ours { first_file(jobs, &job.job_id).await? } else { None };
            if file.is_some_and(|file| is_same(&file, wanted)) {
                return Ok(Some(job.job_id));
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(None);
        }
    }
}

/// Another digest or other ranges are another request.
fn is_same(file: &File, wanted: &NewFile) -> bool {
    file.remote_url == wanted.remote_url
        && file.local_path == wanted.local_path
        && file.ranges == wanted.ranges
        && file.digest == wanted.digest
}

async fn first_file(jobs: &mut JobClient, job_id: &str) -> Result<Option<File>, Status> {
    let request = ListFilesRequest { job_id: job_id.to_owned(), page_size: 1, ..ListFilesRequest::default() };
    Ok(jobs.list_files(request).await?.into_inner().files.into_iter().next())
}

/// Gives the file its name; what it was like is asked before, as a completed job is gone.
async fn complete(jobs: &mut JobClient, job_id: &str) -> Result<Option<File>, Status> {
    let file = first_file(jobs, job_id).await?;
    jobs.complete_job(CompleteJobRequest { job_id: job_id.to_owned() }).await?;
    Ok(file)
}

fn show(bar: &ProgressBar, job: &Job) {
    if let Some(progress) = &job.progress {
        set(bar, progress.bytes_total, progress.bytes_transferred);
    }
}

fn set(bar: &ProgressBar, total: Option<u64>, done: u64) {
    if let Some(total) = total {
        super::progress::know_size(bar, total);
    }
    bar.set_position(done);
}

fn refused(printer: &Printer, status: &Status) -> Exit {
    match ErrorDetail::from_status(status) {
        Some(detail) => failed(printer, &detail),
        None => printer.failure(Exit::NoDaemon, &format!("the daemon went away: {}", status.message())),
    }
}

fn failed(printer: &Printer, detail: &ErrorDetail) -> Exit {
    let code = Code::from_value(detail.value);
    if printer.json {
        printer.json(&json!({ "error": {
            "code": detail.name, "value": format!("{:#010x}", detail.value), "message": detail.sentence,
        }}));
    }
    printer.failure(Exit::for_code(code), &detail.sentence)
}
