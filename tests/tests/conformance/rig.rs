//! A daemon, a client of it, and a server whose pages behave in known ways.

use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dray_api::client::{self, DownloadClient, JobClient};
use dray_api::v1::{self, ErrorDetail, JobPriority, JobState};
use dray_tests::{Content, Daemon, FaultServer, Home, Reply, random_bytes, until};
use tokio::runtime::Runtime;
use tonic::{Response, Status};

/// Longest wait for a state.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of the page `/a`.
pub(crate) const SIZE: u64 = 100_000;

/// Time stamp of the page `/a`.
pub(crate) const MODIFIED: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
/// The same, in seconds since 1970.
pub(crate) const MODIFIED_S: u64 = 1_000_000_000;

/// A call that was refused: the name of its code.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

pub(crate) type Answer<T> = std::result::Result<T, Refused>;

/// What rows play with.
pub(crate) struct Rig<'a> {
    pub(crate) home: &'a Home,
    pub(crate) server: FaultServer,
    pub(crate) content: Content,
    runtime: Runtime,
    pub(crate) jobs: JobClient,
    pub(crate) downloads: DownloadClient,
    names: AtomicU32,
}

/// One call of the job service.
macro_rules! ask {
    ($rig:expr, $method:ident, $request:expr) => {{
        let mut jobs = $rig.jobs.clone();
        let request = $request;
        $rig.wait(async move { jobs.$method(request).await })
    }};
}
pub(crate) use ask;

/// A place in the life of a job: the rows of table 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Empty,
    Suspended,
    Queued,
    Connecting,
    Transferring,
    TransientError,
    Error,
    Transferred,
    Acknowledged,
    Cancelled,
}

impl Place {
    pub(crate) fn state(self) -> JobState {
        match self {
            Place::Empty | Place::Suspended => JobState::Suspended,
            Place::Queued => JobState::Queued,
            Place::Connecting => JobState::Connecting,
            Place::Transferring => JobState::Transferring,
            Place::TransientError => JobState::TransientError,
            Place::Error => JobState::Error,
            Place::Transferred => JobState::Transferred,
            Place::Acknowledged => JobState::Acknowledged,
            Place::Cancelled => JobState::Cancelled,
        }
    }
}

/// A daemon for the time of `play`.
pub(crate) fn with_rig(play: impl FnOnce(&Rig<'_>) -> Result<()>) -> Result<()> {
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let rig = Rig::new(&home, &daemon)?;
    play(&rig).with_context(|| daemon.log())
}

impl<'a> Rig<'a> {
    pub(crate) fn new(home: &'a Home, daemon: &Daemon<'_>) -> Result<Rig<'a>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let channel = runtime.block_on(client::connect(&daemon.socket()))?;
        let server = FaultServer::start()?;
        let bytes = random_bytes(300, usize::try_from(SIZE)?);
        let content = Content { last_modified: Some(MODIFIED.to_owned()), ..Content::new(bytes, "a") };
        let rig = Rig {
            home,
            server,
            content: content.clone(),
            runtime,
            jobs: client::jobs(channel.clone()),
            downloads: client::downloads(channel),
            names: AtomicU32::new(0),
        };
        let again = content.clone();
        rig.server.page("/a", move |ask| again.answer(ask));
        let plain = content.clone();
        rig.server.page("/plain", move |_| plain.whole().without("Accept-Ranges"));
        let slow = Content::new(random_bytes(301, 32 << 20), "slow");
        rig.server.page("/slow", move |ask| slow.answer(ask).at_rate(1 << 20));
        rig.server.page("/busy", |_| Reply::status(503).header("Retry-After", "3600"));
        rig.server.page("/silent", |_| {
            loop {
                std::thread::park();
            }
        });
        Ok(rig)
    }

    /// Runs something of another shape than a call.
    pub(crate) fn block_on<T>(&self, something: impl Future<Output = T>) -> T {
        self.runtime.block_on(something)
    }

    /// Waits for an answer; every refusal has to be typed.
    pub(crate) fn wait<T>(
        &self,
        call: impl Future<Output = std::result::Result<Response<T>, Status>>,
    ) -> Answer<T> {
        self.runtime.block_on(call).map(Response::into_inner).map_err(
            |status| match ErrorDetail::from_status(&status) {
                Some(detail) if !detail.sentence.is_empty() => Refused(detail.name),
                _ => Refused(format!("not typed: {status}")),
            },
        )
    }

    pub(crate) fn url(&self, page: &str) -> String {
        self.server.url(page)
    }

    /// A path that no other row uses.
    pub(crate) fn place(&self) -> PathBuf {
        self.home.downloads().join(self.names.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// The page, to a place of its own.
    pub(crate) fn file(&self, page: &str) -> v1::NewFile {
        v1::NewFile {
            remote_url: self.url(page),
            local_path: self.place().display().to_string(),
            ..v1::NewFile::default()
        }
    }

    pub(crate) fn create(&self, properties: v1::JobProperties) -> Answer<v1::Job> {
        let properties = v1::JobProperties {
            display_name: properties.display_name.or(Some("row".to_owned())),
            ..properties
        };
        let request = v1::CreateJobRequest { properties: Some(properties), ..Default::default() };
        Ok(ask!(self, create_job, request)?.job.unwrap_or_default())
    }

    /// A job that no other holds up, with these pages.
    pub(crate) fn job(&self, pages: &[&str]) -> Result<String> {
        let id = self.create(urgent())?.job_id;
        for page in pages {
            self.add(&id, self.file(page))?;
        }
        Ok(id)
    }

    pub(crate) fn add(&self, id: &str, file: v1::NewFile) -> Answer<u32> {
        let request = v1::AddFilesRequest { job_id: id.to_owned(), files: vec![file] };
        Ok(ask!(self, add_files, request)?.file_indexes.first().copied().unwrap_or(u32::MAX))
    }

    pub(crate) fn set(&self, id: &str, properties: v1::JobProperties) -> Answer<v1::JobProperties> {
        let request = v1::UpdateJobRequest { job_id: id.to_owned(), properties: Some(properties) };
        Ok(ask!(self, update_job, request)?.job.unwrap_or_default().properties.unwrap_or_default())
    }

    pub(crate) fn get(&self, id: &str) -> Answer<v1::Job> {
        let request = v1::GetJobRequest { job_id: id.to_owned() };
        Ok(ask!(self, get_job, request)?.job.unwrap_or_default())
    }

    pub(crate) fn files(&self, id: &str) -> Answer<Vec<v1::File>> {
        let request = v1::ListFilesRequest { job_id: id.to_owned(), ..Default::default() };
        Ok(ask!(self, list_files, request)?.files)
    }

    pub(crate) fn first_file(&self, id: &str) -> Result<v1::File> {
        self.files(id)?.into_iter().next().context("the job has no file")
    }

    pub(crate) fn resume(&self, id: &str) -> Answer<JobState> {
        Ok(ask!(self, resume_job, v1::ResumeJobRequest { job_id: id.to_owned() })?.state())
    }

    pub(crate) fn suspend(&self, id: &str) -> Answer<JobState> {
        Ok(ask!(self, suspend_job, v1::SuspendJobRequest { job_id: id.to_owned() })?.state())
    }

    pub(crate) fn cancel(&self, id: &str) -> Answer<v1::SuccessCode> {
        Ok(ask!(self, cancel_job, v1::CancelJobRequest { job_id: id.to_owned() })?.code())
    }

    pub(crate) fn complete(&self, id: &str) -> Answer<v1::CompleteJobResponse> {
        ask!(self, complete_job, v1::CompleteJobRequest { job_id: id.to_owned() })
    }

    pub(crate) fn error(&self, id: &str) -> Answer<v1::JobError> {
        let request = v1::GetJobErrorRequest { job_id: id.to_owned() };
        Ok(ask!(self, get_job_error, request)?.error.unwrap_or_default())
    }

    /// Starts a job and waits until it is there.
    pub(crate) fn run(&self, id: &str, state: JobState) -> Result<()> {
        self.resume(id)?;
        self.wait_for(id, state)
    }

    pub(crate) fn wait_for(&self, id: &str, state: JobState) -> Result<()> {
        let mut last = JobState::Unspecified;
        until(&format!("the job to be {}", state.short_name()), PATIENCE, || {
            last = self.get(id)?.state();
            let stuck = last == JobState::Error && state != JobState::Error;
            if stuck {
                bail!("the job failed: {:?}", self.error(id)?);
            }
            Ok((last == state).then_some(()))
        })
        .with_context(|| format!("it is {}", last.short_name()))
    }

    /// A job at this place.
    pub(crate) fn at(&self, place: Place) -> Result<String> {
        let id = match place {
            Place::Empty => return self.job(&[]),
            Place::Queued => {
                // Dynamic content runs in the foreground only, so in the background it waits for ever.
                let id = self
                    .create(v1::JobProperties {
                        dynamic_content: Some(true),
                        ..v1::JobProperties::default()
                    })?
                    .job_id;
                self.add(&id, self.file("/a"))?;
                id
            }
            Place::Suspended | Place::Transferring => self.job(&["/slow"])?,
            Place::Connecting => self.job(&["/silent"])?,
            Place::TransientError => self.job(&["/busy"])?,
            Place::Error => self.job(&["/missing"])?,
            Place::Transferred | Place::Acknowledged | Place::Cancelled => self.job(&["/a"])?,
        };
        match place {
            Place::Suspended => {}
            Place::Acknowledged => {
                self.run(&id, JobState::Transferred)?;
                self.complete(&id)?;
            }
            Place::Cancelled => {
                self.cancel(&id)?;
            }
            _ => self.run(&id, place.state())?,
        }
        Ok(id)
    }
}

/// Of a job that runs at once whatever else does.
pub(crate) fn urgent() -> v1::JobProperties {
    v1::JobProperties { priority: Some(JobPriority::Foreground.into()), ..v1::JobProperties::default() }
}

/// Whether a call was refused with this code.
pub(crate) fn refused<T: Debug>(outcome: Answer<T>, code: &str) -> Result<()> {
    match outcome {
        Err(Refused(name)) if name == code => Ok(()),
        other => bail!("not {code} but {other:?}"),
    }
}

/// Whether two values are the same.
pub(crate) fn same<T: PartialEq + Debug>(found: T, expected: T) -> Result<()> {
    ensure!(found == expected, "{found:?} is not {expected:?}");
    Ok(())
}
