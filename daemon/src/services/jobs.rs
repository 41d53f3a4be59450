//! The job service.

use std::sync::Arc;

use dray_api::transport::Caller as Connected;
use dray_api::v1;
use dray_api::v1::job_service_server::JobService;
use dray_jobs::{Call, Caller, Code, Failure, JobId, NewJob, Setting};
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::access::Access;
use super::errors::describe;
use super::{answer, watch};
use crate::events::Hub;
use crate::metrics::Metrics;
use crate::runner::{Actor, Answer, Runner};
use crate::wire::{show, take};

/// The job service of one daemon.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) runner: Runner,
    pub(crate) hub: Arc<Hub>,
    pub(crate) access: Access,
    pub(crate) metrics: Metrics,
}

impl Jobs {
    pub(super) fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Failure> {
        self.access.caller(Connected::of(request))
    }

    /// Looks at a job that the caller may see.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        caller: Caller,
        job: JobId,
        look: impl FnOnce(&Actor, &dray_jobs::Job) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.runner
            .look(move |actor| {
                let found = actor.queue().find(&caller, job).map_err(|failure| take::naming(job, failure))?;
                look(actor, found)
            })
            .await?
    }

    pub(super) async fn shown(&self, caller: Caller, job: JobId) -> Result<Option<v1::Job>, Failure> {
        let mut shown = self.look(caller, job, |_, job| Ok(Some(show::job(job)))).await?;
        self.access.names().fill(&mut shown).await;
        Ok(shown)
    }

    async fn create(&self, request: Request<v1::CreateJobRequest>) -> Result<v1::CreateJobResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let mut properties = request.properties.unwrap_or_default();
        let display_name = properties.display_name.take().ok_or_else(|| {
            Failure::new(Code::E_INVALIDARG, "A job needs a display name; it may be empty.")
        })?;
        let new = NewJob {
            id: JobId(Uuid::new_v4()),
            display_name,
            job_type: take::job_type(request.r#type)?,
            settings: take::settings(properties)?,
        };
        if !new.job_type.is_download() {
            let sentence = "This daemon downloads only; uploads are still to come.";
            return Err(Failure::new(Code::E_NOTIMPL, sentence));
        }
        let created = self.runner.create(caller.clone(), new).await?;
        Ok(v1::CreateJobResponse { job: self.shown(caller, created.job).await? })
    }

    async fn get(&self, request: Request<v1::GetJobRequest>) -> Result<v1::GetJobResponse, Failure> {
        let caller = self.caller(&request)?;
        let job = take::job_id(&request.get_ref().job_id)?;
        Ok(v1::GetJobResponse { job: self.shown(caller, job).await? })
    }

    async fn update(&self, request: Request<v1::UpdateJobRequest>) -> Result<v1::UpdateJobResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let job = take::job_id(&request.job_id)?;
        let settings: Vec<Setting> = take::settings(request.properties.unwrap_or_default())?;
        if settings.iter().any(|setting| matches!(setting, Setting::NotifyCommand(Some(_)))) {
            self.may_command(&caller, job).await?;
        }
        self.call(caller.clone(), job, Call::Set(settings)).await?;
        Ok(v1::UpdateJobResponse { job: self.shown(caller, job).await? })
    }

    async fn add_files(
        &self,
        request: Request<v1::AddFilesRequest>,
    ) -> Result<v1::AddFilesResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let job = take::job_id(&request.job_id)?;
        // Strangers learn nothing about the disk.
        self.look(caller.clone(), job, |_, _| Ok(())).await?;
        self.access.may_write(&caller)?;
        let files = take::new_files(request.files)?;
        let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
        let (files, checked) = tokio::task::spawn_blocking(move || {
            let checked = take::check_destinations(&files);
            (files, checked)
        })
        .await
        .map_err(|_| Failure::from(Code::E_UNEXPECTED))?;
        checked?;
        let added = self.call(caller, job, Call::AddFiles(files)).await?;
        let first = added.files_total.saturating_sub(count);
        Ok(v1::AddFilesResponse { file_indexes: (first..added.files_total).collect() })
    }

    /// The notify command runs with the rights of the job's owner, so that only its owner, or root, may say what runs.
    async fn may_command(&self, caller: &Caller, job: JobId) -> Result<(), Failure> {
        let (asking, all) = (caller.clone(), self.access.may_do_all(caller));
        self.look(caller.clone(), job, move |_, job| {
            if all || *job.owner() == asking.owner {
                return Ok(());
            }
            let sentence = "The notify command runs as the job's owner; only the owner can set it. Take the job over first.";
            Err(Failure::new(Code::E_ACCESSDENIED, sentence))
        })
        .await
    }

    pub(super) async fn change(
        &self,
        caller: Result<Caller, Failure>,
        job: &str,
        call: Call,
    ) -> Result<Answer, Failure> {
        self.call(caller?, take::job_id(job)?, call).await
    }

    pub(super) async fn call(&self, caller: Caller, job: JobId, call: Call) -> Result<Answer, Failure> {
        self.runner.call(caller, job, call).await.map_err(|failure| take::naming(job, failure))
    }
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn create_job(
        &self,
        request: Request<v1::CreateJobRequest>,
    ) -> Result<Response<v1::CreateJobResponse>, Status> {
        answer(&self.metrics, "CreateJob", self.create(request).await)
    }

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::GetJobResponse>, Status> {
        answer(&self.metrics, "GetJob", self.get(request).await)
    }

    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        answer(&self.metrics, "ListJobs", self.list(request).await)
    }

    async fn update_job(
        &self,
        request: Request<v1::UpdateJobRequest>,
    ) -> Result<Response<v1::UpdateJobResponse>, Status> {
        answer(&self.metrics, "UpdateJob", self.update(request).await)
    }

    async fn add_files(
        &self,
        request: Request<v1::AddFilesRequest>,
    ) -> Result<Response<v1::AddFilesResponse>, Status> {
        answer(&self.metrics, "AddFiles", Jobs::add_files(self, request).await)
    }

    async fn list_files(
        &self,
        request: Request<v1::ListFilesRequest>,
    ) -> Result<Response<v1::ListFilesResponse>, Status> {
        answer(&self.metrics, "ListFiles", self.files(request).await)
    }

    async fn get_file_ranges(
        &self,
        request: Request<v1::GetFileRangesRequest>,
    ) -> Result<Response<v1::GetFileRangesResponse>, Status> {
        answer(&self.metrics, "GetFileRanges", self.file_ranges(request).await)
    }

    async fn get_filled_file_ranges(
        &self,
        request: Request<v1::GetFilledFileRangesRequest>,
    ) -> Result<Response<v1::GetFilledFileRangesResponse>, Status> {
        answer(&self.metrics, "GetFilledFileRanges", self.filled_ranges(request).await)
    }

    async fn request_file_ranges(
        &self,
        request: Request<v1::RequestFileRangesRequest>,
    ) -> Result<Response<v1::RequestFileRangesResponse>, Status> {
        answer(&self.metrics, "RequestFileRanges", self.request_ranges(request).await)
    }

    async fn update_download_position(
        &self,
        request: Request<v1::UpdateDownloadPositionRequest>,
    ) -> Result<Response<v1::UpdateDownloadPositionResponse>, Status> {
        answer(&self.metrics, "UpdateDownloadPosition", self.position(request).await)
    }

    type ReadFileRangeStream = BoxStream<'static, Result<v1::ReadFileRangeResponse, Status>>;

    async fn read_file_range(
        &self,
        request: Request<v1::ReadFileRangeRequest>,
    ) -> Result<Response<Self::ReadFileRangeStream>, Status> {
        answer(&self.metrics, "ReadFileRange", self.read(request).await)
    }

    async fn set_remote_name(
        &self,
        request: Request<v1::SetRemoteNameRequest>,
    ) -> Result<Response<v1::SetRemoteNameResponse>, Status> {
        answer(&self.metrics, "SetRemoteName", self.rename(request).await)
    }

    async fn replace_remote_prefix(
        &self,
        request: Request<v1::ReplaceRemotePrefixRequest>,
    ) -> Result<Response<v1::ReplaceRemotePrefixResponse>, Status> {
        answer(&self.metrics, "ReplaceRemotePrefix", self.replace_prefix(request).await)
    }

    async fn set_validation_state(
        &self,
        request: Request<v1::SetValidationStateRequest>,
    ) -> Result<Response<v1::SetValidationStateResponse>, Status> {
        answer(&self.metrics, "SetValidationState", self.validate(request).await)
    }

    async fn take_ownership(
        &self,
        request: Request<v1::TakeOwnershipRequest>,
    ) -> Result<Response<v1::TakeOwnershipResponse>, Status> {
        answer(&self.metrics, "TakeOwnership", self.own(request).await)
    }

    async fn get_job_error(
        &self,
        request: Request<v1::GetJobErrorRequest>,
    ) -> Result<Response<v1::GetJobErrorResponse>, Status> {
        answer(&self.metrics, "GetJobError", self.error(request).await)
    }

    async fn get_error_description(
        &self,
        request: Request<v1::GetErrorDescriptionRequest>,
    ) -> Result<Response<v1::GetErrorDescriptionResponse>, Status> {
        answer(&self.metrics, "GetErrorDescription", describe(request.get_ref()))
    }

    async fn resume_job(
        &self,
        request: Request<v1::ResumeJobRequest>,
    ) -> Result<Response<v1::ResumeJobResponse>, Status> {
        let changed = self.change(self.caller(&request), &request.get_ref().job_id, Call::Resume).await;
        let response =
            changed.map(|changed| v1::ResumeJobResponse { state: show::state(changed.state).into() });
        answer(&self.metrics, "ResumeJob", response)
    }

    async fn suspend_job(
        &self,
        request: Request<v1::SuspendJobRequest>,
    ) -> Result<Response<v1::SuspendJobResponse>, Status> {
        let changed = self.change(self.caller(&request), &request.get_ref().job_id, Call::Suspend).await;
        let response =
            changed.map(|changed| v1::SuspendJobResponse { state: show::state(changed.state).into() });
        answer(&self.metrics, "SuspendJob", response)
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        let changed = self.change(self.caller(&request), &request.get_ref().job_id, Call::Cancel).await;
        let response =
            changed.map(|changed| v1::CancelJobResponse { code: show::success(changed.code).into() });
        answer(&self.metrics, "CancelJob", response)
    }

    async fn complete_job(
        &self,
        request: Request<v1::CompleteJobRequest>,
    ) -> Result<Response<v1::CompleteJobResponse>, Status> {
        let changed = self.change(self.caller(&request), &request.get_ref().job_id, Call::Complete).await;
        let response = changed.map(|changed| v1::CompleteJobResponse {
            code: show::success(changed.code).into(),
            files_completed: changed.files_completed,
            files_total: changed.files_total,
        });
        answer(&self.metrics, "CompleteJob", response)
    }

    type WatchEventsStream = BoxStream<'static, Result<v1::WatchEventsResponse, Status>>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let stream = match self.caller(&request) {
            Ok(caller) => watch::begin(self, caller, request.into_inner()).await,
            Err(failure) => Err(failure),
        };
        answer(&self.metrics, "WatchEvents", stream)
    }

    async fn acknowledge_event(
        &self,
        request: Request<v1::AcknowledgeEventRequest>,
    ) -> Result<Response<v1::AcknowledgeEventResponse>, Status> {
        let answered = match self.caller(&request) {
            Ok(caller) => watch::acknowledge(&self.runner, caller, request.into_inner()).await,
            Err(failure) => Err(failure),
        };
        answer(&self.metrics, "AcknowledgeEvent", answered)
    }
}
