//! The service of Delivery Optimization: downloads over the same runner as the jobs.
//!
//! Nothing is decided here: what a call means is `dray_jobs::download`'s. [`place`] makes sure that the file can go where
//! it shall, [`listing`] is EnumDownloads, [`watch`] tells of every status, [`secrets`] keeps
//! the headers of a download to its owner.

mod listing;
mod place;
mod secrets;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use dray_api::transport::Caller as Connected;
use dray_api::v1;
use dray_api::v1::delivery_optimization_service_server::DeliveryOptimizationService;
use dray_jobs::{Call, Caller, DownloadCall, DownloadState, Failure, Job, JobId, JobType, NewJob};
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::access::Access;
use super::answer;
use super::jobs::Jobs;
use crate::events::Hub;
use crate::metrics::Metrics;
use crate::runner::Runner;
use crate::wire::download as wire;
use watch::Statuses;

/// How long StartDownload waits in blocking mode; less than the server lets any call take.
const BLOCKING_LIMIT: Duration = Duration::from_secs(100);

/// The download service of one daemon.
#[derive(Clone)]
pub(crate) struct Downloads {
    pub(crate) runner: Runner,
    pub(crate) hub: Arc<Hub>,
    pub(crate) access: Access,
    pub(crate) metrics: Metrics,
}

impl Downloads {
    /// Over the runner of that service.
    pub(crate) fn beside(jobs: &Jobs) -> Downloads {
        let Jobs { runner, hub, access, metrics } = jobs.clone();
        Downloads { runner, hub, access, metrics }
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Failure> {
        self.access.caller(Connected::of(request))
    }

    /// Looks at a download that the caller may see.
    async fn look<T: Send + 'static>(
        &self,
        caller: Caller,
        id: JobId,
        look: impl FnOnce(&Job) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.runner
            .look(move |actor| {
                let found = actor.queue().find_download(&caller, id);
                found.map_err(|failure| wire::naming(id, failure)).and_then(look)
            })
            .await?
    }

    async fn status(&self, caller: Caller, id: JobId) -> Result<Option<v1::DownloadStatus>, Failure> {
        self.look(caller, id, |job| Ok(Some(wire::status(&job.download_status())))).await
    }

    async fn call(&self, caller: Caller, id: JobId, call: DownloadCall) -> Result<(), Failure> {
        let answered = self.runner.call(caller, id, Call::Download(call)).await;
        answered.map(drop).map_err(|failure| wire::naming(id, failure))
    }

    /// A call that has no arguments, and the status after it.
    async fn change<T>(
        &self,
        request: &Request<T>,
        id: &str,
        call: DownloadCall,
    ) -> Result<Option<v1::DownloadStatus>, Failure> {
        let caller = self.caller(request)?;
        let id = wire::take_id(id)?;
        self.call(caller.clone(), id, call).await?;
        self.status(caller, id).await
    }

    async fn create<T>(&self, request: &Request<T>) -> Result<v1::CreateDownloadResponse, Failure> {
        let caller = self.caller(request)?;
        self.access.may_write(&caller)?;
        let new = NewJob {
            id: JobId(Uuid::new_v4()),
            display_name: String::new(),
            job_type: JobType::DoDownload,
            settings: Vec::new(),
        };
        let created = self.runner.create(caller, new).await?;
        Ok(v1::CreateDownloadResponse { download_id: created.job.to_string() })
    }

    async fn start(
        &self,
        request: Request<v1::StartDownloadRequest>,
    ) -> Result<v1::StartDownloadResponse, Failure> {
        let caller = self.caller(&request)?;
        let v1::StartDownloadRequest { download_id, ranges } = request.into_inner();
        let id = wire::take_id(&download_id)?;
        let (begins_at, blocks) =
            self.look(caller.clone(), id, |job| Ok((place::first_place(job), job.blocks_start()))).await?;
        self.access.may_write(&caller)?;
        if let Some(path) = begins_at {
            place::prepare(path).await?;
        }
        // From before the start, so that nothing is missed.
        let statuses = match blocks {
            true => Some(Statuses::of(&self.runner, &self.hub, caller.clone(), Some([id].into())).await?),
            false => None,
        };
        self.call(caller.clone(), id, DownloadCall::Start(wire::take_wanted(ranges))).await?;
        if let Some(statuses) = statuses {
            self.wait(statuses, caller.clone(), id).await;
        }
        Ok(v1::StartDownloadResponse { status: self.status(caller, id).await? })
    }

    /// Until the download rests, or for as long as a call may take.
    async fn wait(&self, mut statuses: Statuses, caller: Caller, id: JobId) {
        let rested = async {
            loop {
                let state = self.look(caller.clone(), id, |job| Ok(job.download_state())).await;
                if !state.is_ok_and(|state| state == DownloadState::Transferring)
                    || statuses.next().await.is_none()
                {
                    return;
                }
            }
        };
        // Over or not: the answer says how the download stands.
        let _ = tokio::time::timeout(BLOCKING_LIMIT, rested).await;
    }

    async fn property(
        &self,
        request: Request<v1::GetDownloadPropertyRequest>,
    ) -> Result<v1::GetDownloadPropertyResponse, Failure> {
        let caller = self.caller(&request)?;
        let v1::GetDownloadPropertyRequest { download_id, property } = request.into_inner();
        let id = wire::take_id(&download_id)?;
        // A wrong download is said before a wrong property.
        self.look(caller.clone(), id, |_| Ok(())).await?;
        let property = wire::take_property(property)?;
        let all = self.access.may_do_all(&caller);
        let asking = caller.owner.clone();
        let value = self
            .look(caller, id, move |job| {
                secrets::may_get(job, property, &asking, all)?;
                job.download_property(property)
            })
            .await?;
        Ok(v1::GetDownloadPropertyResponse { value: Some(wire::value(value)) })
    }

    async fn set_property(
        &self,
        request: Request<v1::SetDownloadPropertyRequest>,
    ) -> Result<v1::SetDownloadPropertyResponse, Failure> {
        let caller = self.caller(&request)?;
        let v1::SetDownloadPropertyRequest { download_id, property, value } = request.into_inner();
        let id = wire::take_id(&download_id)?;
        self.look(caller.clone(), id, |_| Ok(())).await?;
        let property = wire::take_property(property)?;
        let (all, asking) = (self.access.may_do_all(&caller), caller.owner.clone());
        self.look(caller.clone(), id, move |job| {
            secrets::may_set(job, property, &asking, all)?;
            job.check_settable(property)
        })
        .await?;
        let value = wire::take_value(property, value)?;
        self.call(caller, id, DownloadCall::Set(property, value)).await?;
        Ok(v1::SetDownloadPropertyResponse {})
    }
}

#[tonic::async_trait]
impl DeliveryOptimizationService for Downloads {
    async fn create_download(
        &self,
        request: Request<v1::CreateDownloadRequest>,
    ) -> Result<Response<v1::CreateDownloadResponse>, Status> {
        answer(&self.metrics, "CreateDownload", self.create(&request).await)
    }

    async fn enum_downloads(
        &self,
        request: Request<v1::EnumDownloadsRequest>,
    ) -> Result<Response<v1::EnumDownloadsResponse>, Status> {
        answer(&self.metrics, "EnumDownloads", self.list(request).await)
    }

    async fn start_download(
        &self,
        request: Request<v1::StartDownloadRequest>,
    ) -> Result<Response<v1::StartDownloadResponse>, Status> {
        answer(&self.metrics, "StartDownload", self.start(request).await)
    }

    async fn pause_download(
        &self,
        request: Request<v1::PauseDownloadRequest>,
    ) -> Result<Response<v1::PauseDownloadResponse>, Status> {
        let changed = self.change(&request, &request.get_ref().download_id, DownloadCall::Pause).await;
        answer(&self.metrics, "PauseDownload", changed.map(|status| v1::PauseDownloadResponse { status }))
    }

    async fn abort_download(
        &self,
        request: Request<v1::AbortDownloadRequest>,
    ) -> Result<Response<v1::AbortDownloadResponse>, Status> {
        let changed = self.change(&request, &request.get_ref().download_id, DownloadCall::Abort).await;
        answer(&self.metrics, "AbortDownload", changed.map(|status| v1::AbortDownloadResponse { status }))
    }

    async fn finalize_download(
        &self,
        request: Request<v1::FinalizeDownloadRequest>,
    ) -> Result<Response<v1::FinalizeDownloadResponse>, Status> {
        let changed = self.change(&request, &request.get_ref().download_id, DownloadCall::Finalize).await;
        let response = changed.map(|status| v1::FinalizeDownloadResponse { status });
        answer(&self.metrics, "FinalizeDownload", response)
    }

    async fn get_download_status(
        &self,
        request: Request<v1::GetDownloadStatusRequest>,
    ) -> Result<Response<v1::GetDownloadStatusResponse>, Status> {
        let status = match (self.caller(&request), wire::take_id(&request.get_ref().download_id)) {
            (Ok(caller), Ok(id)) => self.status(caller, id).await,
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        };
        let response = status.map(|status| v1::GetDownloadStatusResponse { status });
        answer(&self.metrics, "GetDownloadStatus", response)
    }

    async fn get_download_property(
        &self,
        request: Request<v1::GetDownloadPropertyRequest>,
    ) -> Result<Response<v1::GetDownloadPropertyResponse>, Status> {
        answer(&self.metrics, "GetDownloadProperty", self.property(request).await)
    }

    async fn set_download_property(
        &self,
        request: Request<v1::SetDownloadPropertyRequest>,
    ) -> Result<Response<v1::SetDownloadPropertyResponse>, Status> {
        answer(&self.metrics, "SetDownloadProperty", self.set_property(request).await)
    }

    type WatchDownloadsStream = BoxStream<'static, Result<v1::WatchDownloadsResponse, Status>>;

    async fn watch_downloads(
        &self,
        request: Request<v1::WatchDownloadsRequest>,
    ) -> Result<Response<Self::WatchDownloadsStream>, Status> {
        let stream = match self.caller(&request) {
            Ok(caller) => watch::begin(&self.runner, &self.hub, caller, request.into_inner()).await,
            Err(failure) => Err(failure),
        };
        answer(&self.metrics, "WatchDownloads", stream)
    }
}
