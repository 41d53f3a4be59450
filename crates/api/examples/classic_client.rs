//! A notification client as they have been written for BITS for decades: it sets the notify flags of some jobs, and
//! does what is usual when one of them calls back. It ends with the jobs.
//!
//! ```text
//! classic_client SOCKET JOB... [--slow-ms N]
//! ```
//!
//! Handlers must be idempotent: an event whose acknowledgement was lost comes again.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that a person looks at")]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use dray_api::client::{self, JobClient};
use dray_api::v1::job_event::Event;
use dray_api::v1::{
    AcknowledgeEventRequest, CancelJobRequest, CompleteJobRequest, ErrorDetail, File, GetJobRequest,
    JobError, JobEvent, JobPriority, JobProperties, JobState, ListFilesRequest, ResumeJobRequest,
    SetValidationStateRequest, UpdateJobRequest, WatchEventsRequest,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// BG_NOTIFY_JOB_TRANSFERRED, JOB_ERROR, JOB_MODIFICATION and FILE_TRANSFERRED.
const FLAGS: u32 = 0x01 | 0x02 | 0x08 | 0x10;
const BG_E_INSUFFICIENT_RANGE_SUPPORT: u32 = 0x8020_0013;
const BG_E_NOT_FOUND: u32 = 0x8020_0001;
/// The largest file that is worth fetching in one piece.
const LARGEST: u64 = 2 << 30;

struct Client {
    jobs: JobClient,
    /// The jobs that have not ended.
    open: BTreeSet<String>,
    slow: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let socket = PathBuf::from(words.next().ok_or("usage: classic_client SOCKET JOB... [--slow-ms N]")?);
    let (mut open, mut slow) = (BTreeSet::new(), Duration::ZERO);
    while let Some(word) = words.next() {
        if word == "--slow-ms" {
            slow = Duration::from_millis(words.next().unwrap_or_default().parse()?);
        } else {
            open.insert(word);
        }
    }
    let jobs = client::jobs(client::connect(&socket).await?);
    Client { jobs, open, slow }.run().await
}

impl Client {
    async fn run(mut self) -> Result<()> {
        for job_id in self.open.clone() {
            let properties = JobProperties { notify_flags: Some(FLAGS), ..Default::default() };
            self.jobs.update_job(UpdateJobRequest { job_id, properties: Some(properties) }).await?;
        }
        let job_ids = self.open.iter().cloned().collect();
        // In BITS: SetNotifyInterface of each job.
        let request = WatchEventsRequest { job_ids, acknowledge: true, ..Default::default() };
        let mut events = self.jobs.watch_events(request).await?.into_inner();
        while let Some(message) = events.message().await? {
            let Some(event) = message.event else { continue };
            let event_id = event.event_id;
            let handled = self.handle(event).await;
            if let Err(error) = &handled {
                eprintln!("{error}");
            }
            if event_id > 0 {
                // The return value of the callback. A failure brings the event again.
                let answer = AcknowledgeEventRequest { event_id, rejected: handled.is_err() };
                self.jobs.acknowledge_event(answer).await?;
            }
            if self.open.is_empty() {
                return Ok(());
            }
        }
        Err("the daemon ended the stream".into())
    }

    async fn handle(&mut self, event: JobEvent) -> Result<()> {
        let job_id = event.job_id;
        let Some(event) = event.event else { return Ok(()) };
        match event {
            Event::FileTransferred(transferred) => {
                println!("FileTransferred");
                tokio::time::sleep(self.slow).await;
                let file = transferred.file.ok_or("no file")?;
                self.file_transferred(job_id, file).await
            }
            Event::JobTransferred(_) => {
                println!("JobTransferred");
                tokio::time::sleep(self.slow).await;
                self.job_transferred(job_id).await
            }
            Event::JobFailed(failed) => {
                println!("JobError");
                tokio::time::sleep(self.slow).await;
                self.job_error(job_id, failed.error.unwrap_or_default()).await
            }
            Event::Modified(_) => {
                println!("JobModification");
                // It does not count what happened; whoever is slow here only hears of it less often.
                tokio::time::sleep(self.slow).await;
                self.job_modification(job_id).await
            }
            _ => Ok(()),
        }
    }

    /// Looks at the bytes before anyone else may have them.
    async fn file_transferred(&mut self, job_id: String, file: File) -> Result<()> {
        let expected = file.progress.unwrap_or_default().bytes_total;
        let found = std::fs::metadata(&file.temporary_path)?.len();
        let valid = expected == Some(found);
        let request = SetValidationStateRequest { job_id, file_index: file.index, valid };
        self.jobs.set_validation_state(request).await?;
        Ok(())
    }

    async fn job_transferred(&mut self, job_id: String) -> Result<()> {
        match self.jobs.complete_job(CompleteJobRequest { job_id: job_id.clone() }).await {
            Ok(completed) => println!("completed: {}", completed.into_inner().code().short_name()),
            // Completed before, and its acknowledgement was lost.
            Err(status) if code(&status) == Some(BG_E_NOT_FOUND) => {}
            Err(status) => return Err(status.into()),
        }
        self.open.remove(&job_id);
        Ok(())
    }

    async fn job_error(&mut self, job_id: String, error: JobError) -> Result<()> {
        let detail = error.detail.unwrap_or_default();
        println!("error: {} {}", detail.name, detail.sentence);
        if detail.value == BG_E_INSUFFICIENT_RANGE_SUPPORT && self.is_worth_one_piece(&job_id).await? {
            // In the foreground a server needs no ranges.
            let priority = Some(JobPriority::Foreground.into());
            let properties = JobProperties { priority, ..Default::default() };
            let request = UpdateJobRequest { job_id: job_id.clone(), properties: Some(properties) };
            self.jobs.update_job(request).await?;
            self.jobs.resume_job(ResumeJobRequest { job_id }).await?;
            println!("resumed in the foreground");
            return Ok(());
        }
        match self.jobs.cancel_job(CancelJobRequest { job_id: job_id.clone() }).await {
            Ok(_) => println!("cancelled"),
            Err(status) if code(&status) == Some(BG_E_NOT_FOUND) => {}
            Err(status) => return Err(status.into()),
        }
        self.open.remove(&job_id);
        Ok(())
    }

    /// Whether every size is known and small, and this was not tried before.
    async fn is_worth_one_piece(&mut self, job_id: &str) -> Result<bool> {
        let request = GetJobRequest { job_id: job_id.to_owned() };
        let job = self.jobs.get_job(request).await?.into_inner().job.unwrap_or_default();
        if job.properties.unwrap_or_default().priority() == JobPriority::Foreground {
            return Ok(false);
        }
        let request = ListFilesRequest { job_id: job_id.to_owned(), page_size: 1000, ..Default::default() };
        let files = self.jobs.list_files(request).await?.into_inner().files;
        let sizes = files.iter().map(|file| file.progress.unwrap_or_default().bytes_total);
        Ok(sizes.into_iter().all(|size| size.is_some_and(|size| size < LARGEST)))
    }

    async fn job_modification(&mut self, job_id: String) -> Result<()> {
        let Ok(found) = self.jobs.get_job(GetJobRequest { job_id: job_id.clone() }).await else {
            // An old modification may come after the end of the job.
            return Ok(());
        };
        let job = found.into_inner().job.unwrap_or_default();
        let progress = job.progress.unwrap_or_default();
        println!("{}: {} bytes", job.state().short_name(), progress.bytes_transferred);
        if matches!(job.state(), JobState::Acknowledged | JobState::Cancelled) {
            self.open.remove(&job_id);
        }
        Ok(())
    }
}

/// The HRESULT of a failed call.
fn code(status: &tonic::Status) -> Option<u32> {
    ErrorDetail::from_status(status).map(|detail| detail.value)
}
