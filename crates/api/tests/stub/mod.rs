//! A daemon that holds one job in its hands and answers nothing but what these tests ask.

use std::{path::PathBuf, pin::Pin};

use dray_api::{
    server::{self, ServeError},
    transport::{BindOptions, Caller, Listener},
    v1::{daemon_service_server::DaemonService, job_event::Event, job_service_server::JobService, *},
};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

pub(crate) struct Jobs;

pub(crate) fn not_found(job_id: &str) -> ErrorDetail {
    ErrorDetail::new("BG_E_NOT_FOUND", 0x8020_0001, format!("there is no job {job_id}"))
        .with_hint("`dray job list` shows your jobs")
}

macro_rules! not_implemented {
    ($($name:ident: $request:ty => $response:ty;)*) => {
        #[tonic::async_trait]
        impl JobService for Jobs {
            $(async fn $name(&self, _request: Request<$request>) -> Answer<$response> {
                Err(ErrorDetail::new("E_NOTIMPL", 0x8000_4001, "not in this test").into())
            })*

            async fn get_job(&self, request: Request<GetJobRequest>) -> Answer<GetJobResponse> {
                Err(not_found(&request.get_ref().job_id).into())
            }

            async fn create_job(&self, request: Request<CreateJobRequest>) -> Answer<CreateJobResponse> {
                let owner = Caller::of(&request).map(|caller| caller.user.to_string()).unwrap_or_default();
                let job = Job { owner, properties: request.into_inner().properties, ..Job::default() };
                Ok(Response::new(CreateJobResponse { job: Some(job) }))
            }

            type ReadFileRangeStream = Pin<Box<dyn Stream<Item = Result<ReadFileRangeResponse, Status>> + Send>>;

            async fn read_file_range(
                &self,
                _: Request<ReadFileRangeRequest>,
            ) -> Answer<Self::ReadFileRangeStream> {
                Err(Status::unimplemented("not here"))
            }

            type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<WatchEventsResponse, Status>> + Send>>;

            async fn watch_events(&self, _: Request<WatchEventsRequest>) -> Answer<Self::WatchEventsStream> {
                let event = JobEvent { event: Some(Event::CaughtUp(CaughtUp {})), ..JobEvent::default() };
                let first = tokio_stream::iter([Ok(WatchEventsResponse { event: Some(event) })]);
                Ok(Response::new(Box::pin(tokio_stream::StreamExt::chain(first, tokio_stream::pending()))))
            }
        }
    };
}

not_implemented! {
    list_jobs: ListJobsRequest => ListJobsResponse;
    update_job: UpdateJobRequest => UpdateJobResponse;
    add_files: AddFilesRequest => AddFilesResponse;
    list_files: ListFilesRequest => ListFilesResponse;
    get_file_ranges: GetFileRangesRequest => GetFileRangesResponse;
    get_filled_file_ranges: GetFilledFileRangesRequest => GetFilledFileRangesResponse;
    request_file_ranges: RequestFileRangesRequest => RequestFileRangesResponse;
    update_download_position: UpdateDownloadPositionRequest => UpdateDownloadPositionResponse;
    set_remote_name: SetRemoteNameRequest => SetRemoteNameResponse;
    replace_remote_prefix: ReplaceRemotePrefixRequest => ReplaceRemotePrefixResponse;
    set_validation_state: SetValidationStateRequest => SetValidationStateResponse;
    take_ownership: TakeOwnershipRequest => TakeOwnershipResponse;
    get_job_error: GetJobErrorRequest => GetJobErrorResponse;
    get_error_description: GetErrorDescriptionRequest => GetErrorDescriptionResponse;
    resume_job: ResumeJobRequest => ResumeJobResponse;
    suspend_job: SuspendJobRequest => SuspendJobResponse;
    cancel_job: CancelJobRequest => CancelJobResponse;
    complete_job: CompleteJobRequest => CompleteJobResponse;
    acknowledge_event: AcknowledgeEventRequest => AcknowledgeEventResponse;
}

pub(crate) struct Daemon;

#[tonic::async_trait]
impl DaemonService for Daemon {
    async fn get_version(&self, _: Request<GetVersionRequest>) -> Answer<GetVersionResponse> {
        Ok(Response::new(GetVersionResponse { version: "1.2.3".to_owned(), commit: String::new() }))
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

/// A served socket in a directory of its own.
pub(crate) struct Served {
    pub(crate) socket: PathBuf,
    _directory: tempfile::TempDir,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) serving: JoinHandle<Result<(), ServeError>>,
}

pub(crate) fn start() -> Served {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("drayd.sock");
    let listener = Listener::bind(&socket, &BindOptions::default()).expect("a fresh directory");
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        let _ = stopped.await;
    };
    let serving = tokio::spawn(server::serve(listener, Jobs, Daemon, shutdown));
    Served { socket, _directory: directory, stop, serving }
}
