//! `dray get` as a client of the daemon: one job with one file, watched to its end and completed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use dray_api::Channel;
use dray_api::client::{self, JobClient};
use dray_api::transport::ConnectError;
use dray_api::v1::job_event::Event;
use dray_api::v1::{
    AddFilesRequest, BytesBySource, CompleteJobRequest, CreateJobRequest, ErrorDetail, File, FileRange, Job,
    JobError, JobPriority, JobProperties, JobState, JobType, ListFilesRequest, ListJobsRequest, NewFile,
    ResumeJobRequest, SuspendJobRequest, WatchEventsRequest,
};
use dray_jobs::Code;
use indicatif::ProgressBar;
use serde_json::json;
use tonic::Status;

use super::Request;
use super::progress::bar;
use super::summary::Summary;
use crate::exit::Exit;
use crate::printer::Printer;

/// While a person waits, the daemon tries again soon and gives up in a minute (BITS: MinimumRetryDelay, NoProgressTimeout).
const RETRY_DELAY_S: u32 = 5;
const GIVE_UP_AFTER_S: u32 = 60;

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

/// Downloads through the daemon and says what came from where.
pub(crate) async fn run(channel: Channel, request: Request, printer: &Printer) -> Exit {
    let started = Instant::now();
    let mut jobs = client::jobs(channel);
    let path = match std::path::absolute(&request.destination.path) {
        Ok(path) => path,
        Err(error) => return printer.failure(Exit::Failed, &error.to_string()),
    };
    let bar = bar(&request.destination, printer);
    let result = drive(&mut jobs, &request, &path, &bar).await;
    bar.finish_and_clear();
    match result {
        Ok((End::Transferred, id)) => match complete(&mut jobs, &id).await {
            Ok(Some(file)) => {
                let bytes = file.bytes_by_source.unwrap_or_default();
                let size = file.progress.map_or(0, |progress| progress.bytes_transferred);
                report(printer, &path, &request, size, &bytes, &file, started);
                Exit::Done
            }
            Ok(None) => Exit::Done,
            Err(status) => refused(printer, &status),
        },
        Ok((End::Failed(error), id)) => {
            let _ = jobs.cancel_job(dray_api::v1::CancelJobRequest { job_id: id }).await;
            let detail = error.detail.unwrap_or_default();
            failed(printer, &detail)
        }
        Ok((End::Interrupted, id)) => {
            let _ = jobs.suspend_job(SuspendJobRequest { job_id: id.clone() }).await;
            printer.failure(
                Exit::Interrupted,
                &format!("interrupted; job {id} keeps what came, and the same command goes on from there"),
            )
        }
        Ok((End::Gone(state), id)) => printer
            .failure(Exit::Failed, &format!("job {id} was ended by someone else ({})", state.as_str_name())),
        Err(status) => refused(printer, &status),
    }
}

/// Finds or makes the job, starts it, and watches it.
async fn drive(
    jobs: &mut JobClient,
    request: &Request,
    path: &Path,
    bar: &ProgressBar,
) -> Result<(End, String), Status> {
    let local_path = path.to_string_lossy().into_owned();
    let id = match interrupted_before(jobs, request.url.as_str(), &local_path).await? {
        Some(id) => id,
        None => create(jobs, request, local_path).await?,
    };
    let watched = WatchEventsRequest { job_ids: vec![id.clone()], ..WatchEventsRequest::default() };
    let mut events = jobs.watch_events(watched).await?.into_inner();
    jobs.resume_job(ResumeJobRequest { job_id: id.clone() }).await?;
    loop {
        let message = tokio::select! {
            message = events.message() => message?,
            _ = tokio::signal::ctrl_c() => return Ok((End::Interrupted, id)),
        };
        let Some(event) = message.and_then(|message| message.event).and_then(|event| event.event) else {
            return Err(Status::unavailable("the daemon stopped; the job goes on when it runs again"));
        };
        match event {
            Event::Snapshot(snapshot) => {
                let Some(job) = snapshot.job else { continue };
                show(bar, &job);
                if let Some(end) = end_of(job.state(), job.error) {
                    return Ok((end, id));
                }
            }
            Event::Progressed(progressed) => {
                if let Some(progress) = progressed.progress {
                    set(bar, progress.bytes_total, progress.bytes_transferred);
                }
            }
            Event::StateChanged(changed) => {
                let state = changed.state();
                if state == JobState::TransientError
                    && let Some(detail) = changed.error.as_ref().and_then(|error| error.detail.as_ref())
                {
                    bar.suspend(|| tracing::warn!("{}; the daemon tries again", detail.sentence));
                }
                if let Some(end) = end_of(state, changed.error) {
                    return Ok((end, id));
                }
            }
            _ => {}
        }
    }
}

fn end_of(state: JobState, error: Option<JobError>) -> Option<End> {
    match state {
        JobState::Transferred => Some(End::Transferred),
        JobState::Error => Some(End::Failed(error.unwrap_or_default())),
        JobState::Acknowledged | JobState::Cancelled => Some(End::Gone(state)),
        _ => None,
    }
}

async fn create(jobs: &mut JobClient, request: &Request, local_path: String) -> Result<String, Status> {
    let name: String = local_path.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
    let properties = JobProperties {
        display_name: Some(format!("dray get {name}")),
        priority: Some(JobPriority::Foreground.into()),
        minimum_retry_delay_s: Some(RETRY_DELAY_S),
        no_progress_timeout_s: Some(GIVE_UP_AFTER_S),
        ..JobProperties::default()
    };
    let create = CreateJobRequest { r#type: JobType::Download.into(), properties: Some(properties) };
    let job_id = jobs.create_job(create).await?.into_inner().job.unwrap_or_default().job_id;
    let specs = request.layout.specs().unwrap_or_default();
    let file = NewFile {
        remote_url: request.url.to_string(),
        local_path,
        ranges: specs.iter().map(|spec| FileRange { offset: spec.offset, length: spec.length }).collect(),
        digest: request.digest.map(|digest| digest.to_string()).unwrap_or_default(),
    };
    let added = jobs.add_files(AddFilesRequest { job_id: job_id.clone(), files: vec![file] }).await;
    if let Err(status) = added {
        let _ = jobs.cancel_job(dray_api::v1::CancelJobRequest { job_id }).await;
        return Err(status);
    }
    Ok(job_id)
}

/// The job that an interrupted `dray get` of the same file left suspended.
async fn interrupted_before(jobs: &mut JobClient, url: &str, path: &str) -> Result<Option<String>, Status> {
    let page =
        jobs.list_jobs(ListJobsRequest { page_size: 1000, ..ListJobsRequest::default() }).await?.into_inner();
    for job in page.jobs {
        let is_ours = job
            .properties
            .as_ref()
            .is_some_and(|properties| properties.display_name().starts_with("dray get "));
        if !is_ours || job.state() != JobState::Suspended {
            continue;
        }
        if let Some(file) = first_file(jobs, &job.job_id).await?
            && file.remote_url == url
            && file.local_path == path
        {
            return Ok(Some(job.job_id));
        }
    }
    Ok(None)
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

fn report(
    printer: &Printer,
    path: &Path,
    request: &Request,
    size: u64,
    bytes: &BytesBySource,
    file: &File,
    started: Instant,
) {
    let summary = Summary {
        path,
        url: &request.url,
        size,
        cache: bytes.local_cache_bytes,
        origin: bytes.origin_bytes,
        resumed: size.saturating_sub(bytes.local_cache_bytes + bytes.origin_bytes),
        wasted: 0,
        content: (!file.content_id.is_empty()).then(|| file.content_id.clone()),
        digests: Vec::new(),
        took: started.elapsed(),
    };
    summary.print(printer);
}

fn refused(printer: &Printer, status: &Status) -> Exit {
    match ErrorDetail::from_status(status) {
        Some(detail) => failed(printer, &detail),
        None => printer.failure(Exit::Failed, status.message()),
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
