//! A daemon that keeps jobs in memory and moves no bytes: enough to see what `dray job` asks and how it shows the answers.

use std::{
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex},
};

use dray_api::{
    server,
    transport::{BindOptions, Listener},
    v1::{daemon_service_server::DaemonService, job_event::Event, job_service_server::JobService, *},
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;
type Events = Vec<Result<WatchEventsResponse, Status>>;

/// The two jobs that the daemon has; both ids begin with "1".
pub(crate) const FIRST: &str = "11111111-0000-4000-8000-000000000000";
pub(crate) const SECOND: &str = "1abcdef0-0000-4000-8000-000000000000";

#[derive(Default)]
pub(crate) struct State {
    /// Every request that would have changed something, in its debug form.
    pub(crate) asked: Vec<String>,
    pub(crate) added: Vec<NewFile>,
    /// What each next stream of events brings; after it the stream stays open.
    pub(crate) streams: Vec<Events>,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<State>>);

impl Fake {
    pub(crate) fn note(&self, request: impl std::fmt::Debug) {
        self.with(|state| state.asked.push(format!("{request:?}")));
    }

    pub(crate) fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        action(&mut self.0.lock().expect("no test panics in here"))
    }
}

pub(crate) fn job(job_id: &str, state: JobState) -> Job {
    Job {
        job_id: job_id.to_owned(),
        r#type: JobType::Download.into(),
        state: state.into(),
        properties: Some(JobProperties {
            display_name: Some("night\u{1b}ly".to_owned()),
            priority: Some(JobPriority::Normal.into()),
            minimum_retry_delay_s: Some(600),
            ..JobProperties::default()
        }),
        owner: "1000".to_owned(),
        progress: Some(JobProgress {
            bytes_total: Some(4096),
            bytes_transferred: 1024,
            files_total: 1,
            ..JobProgress::default()
        }),
        ..Job::default()
    }
}

pub(crate) fn event(job_id: &str, event: Event) -> Result<WatchEventsResponse, Status> {
    let event = JobEvent { job_id: job_id.to_owned(), event: Some(event), ..JobEvent::default() };
    Ok(WatchEventsResponse { event: Some(event) })
}

fn refusal(name: &str, value: u32, sentence: &str, hint: &str) -> Status {
    ErrorDetail::new(name, value, sentence).with_hint(hint).into()
}

#[tonic::async_trait]
impl JobService for Fake {
    async fn create_job(&self, request: Request<CreateJobRequest>) -> Answer<CreateJobResponse> {
        self.note(request.get_ref());
        let job = job(FIRST, JobState::Suspended);
        Ok(Response::new(CreateJobResponse { job: Some(job) }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Answer<GetJobResponse> {
        let job_id = &request.get_ref().job_id;
        if job_id != FIRST {
            let sentence = format!("there is no job {job_id}");
            return Err(refusal("BG_E_NOT_FOUND", 0x8020_0001, &sentence, "look at the list"));
        }
        Ok(Response::new(GetJobResponse { job: Some(job(FIRST, JobState::Transferring)) }))
    }

    /// One job a page.
    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Answer<ListJobsResponse> {
        if request.get_ref().all_users {
            return Err(refusal("E_ACCESSDENIED", 0x8007_0005, "only an administrator may", ""));
        }
        let answer = if request.get_ref().page_token.is_empty() {
            ListJobsResponse { jobs: vec![job(FIRST, JobState::Queued)], next_page_token: "more".to_owned() }
        } else {
            ListJobsResponse { jobs: vec![job(SECOND, JobState::Error)], next_page_token: String::new() }
        };
        Ok(Response::new(answer))
    }

    async fn update_job(&self, request: Request<UpdateJobRequest>) -> Answer<UpdateJobResponse> {
        self.note(request.get_ref());
        Ok(Response::new(UpdateJobResponse { job: Some(job(FIRST, JobState::Suspended)) }))
    }

    async fn add_files(&self, request: Request<AddFilesRequest>) -> Answer<AddFilesResponse> {
        let files = request.into_inner().files;
        let file_indexes = self.with(|state| {
            let first = u32::try_from(state.added.len()).unwrap_or(u32::MAX);
            state.added.extend(files);
            (first..).take(state.added.len()).collect()
        });
        Ok(Response::new(AddFilesResponse { file_indexes }))
    }

    async fn list_files(&self, _: Request<ListFilesRequest>) -> Answer<ListFilesResponse> {
        let file = File {
            remote_url: "http://origin/a".to_owned(),
            local_path: "/tmp/a".to_owned(),
            ranges: vec![FileRange { offset: 10, length: Some(5) }, FileRange { offset: 90, length: None }],
            ..File::default()
        };
        Ok(Response::new(ListFilesResponse { files: vec![file], next_page_token: String::new() }))
    }

    async fn get_file_ranges(&self, _: Request<GetFileRangesRequest>) -> Answer<GetFileRangesResponse> {
        let ranges = vec![FileRange { offset: 90, length: None }, FileRange { offset: 10, length: Some(5) }];
        Ok(Response::new(GetFileRangesResponse { code: SuccessCode::SOk.into(), ranges }))
    }

    async fn get_filled_file_ranges(
        &self,
        _: Request<GetFilledFileRangesRequest>,
    ) -> Answer<GetFilledFileRangesResponse> {
        let sentence = "file 0 was added with ranges";
        Err(refusal("BG_E_RANDOM_ACCESS_NOT_SUPPORTED", 0x8020_006D, sentence, ""))
    }

    async fn request_file_ranges(
        &self,
        request: Request<RequestFileRangesRequest>,
    ) -> Answer<RequestFileRangesResponse> {
        self.note(request.get_ref());
        Ok(Response::new(RequestFileRangesResponse { state: JobState::Queued.into() }))
    }

    async fn update_download_position(
        &self,
        request: Request<UpdateDownloadPositionRequest>,
    ) -> Answer<UpdateDownloadPositionResponse> {
        self.note(request.get_ref());
        Ok(Response::new(UpdateDownloadPositionResponse {}))
    }

    async fn set_remote_name(&self, request: Request<SetRemoteNameRequest>) -> Answer<SetRemoteNameResponse> {
        self.note(request.get_ref());
        Ok(Response::new(SetRemoteNameResponse {}))
    }

    /// No file begins with "http://nobody/".
    async fn replace_remote_prefix(
        &self,
        request: Request<ReplaceRemotePrefixRequest>,
    ) -> Answer<ReplaceRemotePrefixResponse> {
        self.note(request.get_ref());
        let nothing = request.get_ref().old_prefix == "http://nobody/";
        let code = if nothing { SuccessCode::SFalse } else { SuccessCode::SOk };
        Ok(Response::new(ReplaceRemotePrefixResponse { code: code.into() }))
    }

    async fn set_validation_state(
        &self,
        request: Request<SetValidationStateRequest>,
    ) -> Answer<SetValidationStateResponse> {
        self.note(request.get_ref());
        let state = if request.get_ref().valid { JobState::Transferred } else { JobState::Error };
        Ok(Response::new(SetValidationStateResponse { state: state.into() }))
    }

    async fn take_ownership(&self, request: Request<TakeOwnershipRequest>) -> Answer<TakeOwnershipResponse> {
        self.note(request.get_ref());
        Ok(Response::new(TakeOwnershipResponse { job: Some(job(FIRST, JobState::Suspended)) }))
    }

    async fn get_job_error(&self, _: Request<GetJobErrorRequest>) -> Answer<GetJobErrorResponse> {
        Err(refusal("BG_E_ERROR_INFORMATION_UNAVAILABLE", 0x8020_000F, "the job has no error", ""))
    }

    async fn get_error_description(
        &self,
        _: Request<GetErrorDescriptionRequest>,
    ) -> Answer<GetErrorDescriptionResponse> {
        let description = "There is no such job.".to_owned();
        let name = "BG_E_NOT_FOUND".to_owned();
        Ok(Response::new(GetErrorDescriptionResponse { name, description, ..Default::default() }))
    }

    async fn resume_job(&self, request: Request<ResumeJobRequest>) -> Answer<ResumeJobResponse> {
        self.note(request.get_ref());
        if request.get_ref().job_id == SECOND {
            return Err(refusal("BG_E_EMPTY", 0x8020_0003, "the job has no files", "add one"));
        }
        Ok(Response::new(ResumeJobResponse { state: JobState::Queued.into() }))
    }

    async fn suspend_job(&self, request: Request<SuspendJobRequest>) -> Answer<SuspendJobResponse> {
        self.note(request.get_ref());
        Ok(Response::new(SuspendJobResponse { state: JobState::Suspended.into() }))
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Answer<CancelJobResponse> {
        self.note(request.get_ref());
        Ok(Response::new(CancelJobResponse { code: SuccessCode::SOk.into() }))
    }

    async fn complete_job(&self, request: Request<CompleteJobRequest>) -> Answer<CompleteJobResponse> {
        self.note(request.get_ref());
        let code = SuccessCode::BgSPartialComplete.into();
        Ok(Response::new(CompleteJobResponse { code, files_completed: 2, files_total: 5 }))
    }

    type ReadFileRangeStream = Pin<Box<dyn Stream<Item = Result<ReadFileRangeResponse, Status>> + Send>>;

    async fn read_file_range(
        &self,
        request: Request<ReadFileRangeRequest>,
    ) -> Answer<Self::ReadFileRangeStream> {
        self.note(request.get_ref());
        let piece = |offset, data: &[u8]| {
            Ok(ReadFileRangeResponse { offset, data: data.to_vec(), verified: false, file_size: Some(4096) })
        };
        let lost = refusal("BG_E_REMOTE_FILE_CHANGED", 0x8020_0073, "the file has changed", "");
        let pieces = vec![piece(5, b"by\0te"), piece(10, b"s\n"), Err(lost)];
        let count = if request.get_ref().length.is_some() { 2 } else { 3 };
        Ok(Response::new(Box::pin(tokio_stream::iter(pieces).take(count))))
    }

    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<WatchEventsResponse, Status>> + Send>>;

    async fn watch_events(&self, request: Request<WatchEventsRequest>) -> Answer<Self::WatchEventsStream> {
        self.note(request.get_ref());
        let events =
            self.with(|state| if state.streams.is_empty() { Vec::new() } else { state.streams.remove(0) });
        Ok(Response::new(Box::pin(tokio_stream::iter(events).chain(tokio_stream::pending()))))
    }

    async fn acknowledge_event(
        &self,
        _: Request<AcknowledgeEventRequest>,
    ) -> Answer<AcknowledgeEventResponse> {
        Err(refusal("E_NOTIMPL", 0x8000_4001, "no", ""))
    }
}

#[tonic::async_trait]
impl DaemonService for Fake {
    async fn get_version(&self, _: Request<GetVersionRequest>) -> Answer<GetVersionResponse> {
        Ok(Response::new(GetVersionResponse::default()))
    }

    async fn get_status(&self, _: Request<GetStatusRequest>) -> Answer<GetStatusResponse> {
        Ok(Response::new(GetStatusResponse::default()))
    }

    async fn list_peers(&self, _: Request<ListPeersRequest>) -> Answer<ListPeersResponse> {
        Ok(Response::new(ListPeersResponse::default()))
    }

    async fn explain_files(&self, _: Request<ExplainFilesRequest>) -> Answer<ExplainFilesResponse> {
        Ok(Response::new(ExplainFilesResponse::default()))
    }

    async fn get_configuration(
        &self,
        _: Request<GetConfigurationRequest>,
    ) -> Answer<GetConfigurationResponse> {
        Ok(Response::new(GetConfigurationResponse::default()))
    }
}

/// The fake daemon on a socket of its own, on a thread of its own, until the test process ends.
pub(crate) struct Running {
    pub(crate) socket: PathBuf,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) fake: Fake,
}

pub(crate) fn start() -> Running {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("drayd.sock");
    let fake = Fake::default();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (path, served) = (socket.clone(), fake.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = Listener::bind(&path, &BindOptions::default()).expect("a fresh socket");
            ready.send(()).expect("the test waits for it");
            server::serve(listener, served.clone(), served, std::future::pending()).await
        })
    });
    is_ready.recv().expect("the daemon listens");
    Running { socket, directory, fake }
}
