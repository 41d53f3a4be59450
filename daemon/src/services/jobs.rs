//! The job service.

use std::sync::Arc;

use dray_api::transport::Caller as Connected;
use dray_api::v1::job_service_server::JobService;
use dray_api::v1::{self, SuccessCode};
use dray_jobs::{Call, Caller, Code, Failure, FileIndex, JobId, NewJob, Setting};
use dray_ranges::{ByteRange, RangeSet};
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::access::Access;
use super::pages::{self, JobsAfter};
use super::{answer, watch};
use crate::events::Hub;
use crate::metrics::Metrics;
use crate::runner::{Actor, Runner, wall};
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
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Failure> {
        self.access.caller(Connected::of(request))
    }

    /// Looks at a job that the caller may see.
    async fn look<T: Send + 'static>(
        &self,
        caller: Caller,
        job: JobId,
        look: impl FnOnce(&Actor, &dray_jobs::Job) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.runner
            .look(move |actor| {
                let found = actor.queue().find(&caller, job)?;
                look(actor, found)
            })
            .await?
    }

    async fn shown(&self, caller: Caller, job: JobId) -> Result<Option<v1::Job>, Failure> {
        self.look(caller, job, |_, job| Ok(Some(show::job(job)))).await
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

    async fn list(&self, request: Request<v1::ListJobsRequest>) -> Result<v1::ListJobsResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let after = JobsAfter::parse(&request.page_token)?;
        let size = pages::size(request.page_size);
        self.runner
            .look(move |actor| {
                let until = after.map_or_else(wall, |after| after.until);
                let queue = actor.queue();
                let jobs = queue.list(&caller, request.all_users)?;
                let jobs = jobs.into_iter().filter_map(|id| queue.job(id));
                let rest = jobs.filter(|job| {
                    let place = (job.times().created, job.id());
                    after.is_none_or(|after| place > after.last) && job.times().created <= until
                });
                let mut last = None;
                let shown = rest.map(|job| ((job.times().created, job.id()), show::job(job)));
                let (jobs, is_all) = pages::fill(size, shown.map(|(_, job)| job));
                if let Some(id) = jobs.last().and_then(|job| job.job_id.parse().ok()) {
                    last = queue.job(id).map(|job| (job.times().created, job.id()));
                }
                let next = last.filter(|_| !is_all).map(|last| JobsAfter { last, until }.to_token());
                Ok(v1::ListJobsResponse { jobs, next_page_token: next.unwrap_or_default() })
            })
            .await?
    }

    async fn update(&self, request: Request<v1::UpdateJobRequest>) -> Result<v1::UpdateJobResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let job = take::job_id(&request.job_id)?;
        let settings: Vec<Setting> = take::settings(request.properties.unwrap_or_default())?;
        self.runner.call(caller.clone(), job, Call::Set(settings)).await?;
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
        let files = take::new_files(request.files)?;
        let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
        let (files, checked) = tokio::task::spawn_blocking(move || {
            let checked = take::check_destinations(&files);
            (files, checked)
        })
        .await
        .map_err(|_| Failure::from(Code::E_UNEXPECTED))?;
        checked?;
        let added = self.runner.call(caller, job, Call::AddFiles(files)).await?;
        let first = added.files_total.saturating_sub(count);
        Ok(v1::AddFilesResponse { file_indexes: (first..added.files_total).collect() })
    }

    async fn list_files(
        &self,
        request: Request<v1::ListFilesRequest>,
    ) -> Result<v1::ListFilesResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let job = take::job_id(&request.job_id)?;
        let from = pages::files_from(&request.page_token)?;
        let size = pages::size(request.page_size);
        self.look(caller, job, move |_, job| {
            let files = job.files().iter().enumerate().skip(from);
            let shown = files.map(|(place, file)| {
                let index = FileIndex(u32::try_from(place).unwrap_or(u32::MAX));
                show::file(job, index, file)
            });
            let (files, is_all) = pages::fill(size, shown);
            let next = if is_all { String::new() } else { (from + files.len()).to_string() };
            Ok(v1::ListFilesResponse { files, next_page_token: next })
        })
        .await
    }

    async fn file_ranges(
        &self,
        request: Request<v1::GetFileRangesRequest>,
    ) -> Result<v1::GetFileRangesResponse, Failure> {
        let caller = self.caller(&request)?;
        let job = take::job_id(&request.get_ref().job_id)?;
        let index = FileIndex(request.get_ref().file_index);
        self.look(caller, job, move |_, job| {
            let ranges = job.file(index)?.ranges();
            let code = if ranges.is_some() { SuccessCode::SOk } else { SuccessCode::SFalse };
            let ranges = ranges.into_iter().flatten().map(show::range_spec).collect();
            Ok(v1::GetFileRangesResponse { code: code.into(), ranges })
        })
        .await
    }

    async fn filled_ranges(
        &self,
        request: Request<v1::GetFilledFileRangesRequest>,
    ) -> Result<v1::GetFilledFileRangesResponse, Failure> {
        let caller = self.caller(&request)?;
        let job = take::job_id(&request.get_ref().job_id)?;
        let index = FileIndex(request.get_ref().file_index);
        self.look(caller, job, move |actor, job| {
            let file = job.file(index)?;
            if file.ranges().is_some() || !job.job_type().is_download() {
                return Err(Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED.into());
            }
            let filled: RangeSet = if file.has_arrived() {
                ByteRange::new(0, file.progress().bytes_transferred).into_iter().collect()
            } else {
                actor.checkpoint((job.id(), index)).map(|there| there.filled).unwrap_or_default()
            };
            Ok(v1::GetFilledFileRangesResponse { ranges: show::filled(&filled) })
        })
        .await
    }

    async fn change(
        &self,
        caller: Result<Caller, Failure>,
        job: &str,
        call: Call,
    ) -> Result<crate::runner::Answer, Failure> {
        self.runner.call(caller?, take::job_id(job)?, call).await
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
        answer(&self.metrics, "ListFiles", Jobs::list_files(self, request).await)
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
            Ok(caller) => watch::begin(&self.runner, &self.hub, caller, request.into_inner()).await,
            Err(failure) => Err(failure),
        };
        answer(&self.metrics, "WatchEvents", stream)
    }

    async fn acknowledge_event(
        &self,
        request: Request<v1::AcknowledgeEventRequest>,
    ) -> Result<Response<v1::AcknowledgeEventResponse>, Status> {
        let refused = self.caller(&request).and_then(|_| {
            let sentence = "This daemon delivers no events for acknowledgement yet.";
            Err(Failure::new(Code::E_NOTIMPL, sentence))
        });
        answer(&self.metrics, "AcknowledgeEvent", refused)
    }
}
