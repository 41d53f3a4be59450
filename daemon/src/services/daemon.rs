//! The daemon service: which daemon this is, and how it is.

use std::path::PathBuf;
use std::sync::Arc;

use dray_api::transport::Caller as Connected;
use dray_api::v1::daemon_service_server::DaemonService;
use dray_api::v1::{self};
use dray_cache::Store;
use dray_jobs::{Code, Failure, JobState, Timestamp};
use tonic::{Request, Response, Status};

use super::access::Access;
use super::answer;
use super::peers::totals;
use crate::config::Listed;
use crate::history::History;
use crate::metrics::Metrics;
use crate::peering::Peering;
use crate::runner::Runner;
use crate::wire::show;

/// What does not change while the daemon runs.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) started: Timestamp,
    pub(crate) state_dir: PathBuf,
    /// What an administrator should know, one sentence each.
    pub(crate) warnings: Vec<String>,
    /// What the daemon was told.
    pub(crate) settings: Vec<Listed>,
}

/// The daemon service of one daemon.
#[derive(Clone)]
pub(crate) struct Daemon {
    pub(crate) about: Arc<About>,
    pub(crate) runner: Runner,
    pub(crate) cache: Option<Store>,
    pub(crate) peering: Arc<Peering>,
    pub(crate) history: History,
    pub(crate) access: Access,
    pub(crate) metrics: Metrics,
}

impl Daemon {
    async fn status(&self, trusted: bool) -> Result<v1::GetStatusResponse, Failure> {
        let jobs = self.runner.look(|actor| {
            let counts = JobState::ALL.into_iter().filter(|state| !state.is_final()).filter_map(|state| {
                let count = u32::try_from(actor.queue().count(state)).unwrap_or(u32::MAX);
                (count > 0).then(|| v1::JobCount { state: show::state(state).into(), count })
            });
            counts.collect::<Vec<_>>()
        });
        let about = &self.about;
        let (since_start, overall, since_ms) = self.history.totals();
        Ok(v1::GetStatusResponse {
            started: Some(show::timestamp(about.started)),
            pid: std::process::id(),
            state_dir: if trusted { about.state_dir.display().to_string() } else { String::new() },
            jobs: jobs.await?,
            cache: self.cache_status().await,
            // They name paths and jobs.
            warnings: if trusted { about.warnings.clone() } else { Vec::new() },
            swarm: Some(self.swarm_status(trusted)),
            since_start: Some(totals(since_start, about.started)),
            overall: Some(totals(overall, Timestamp::from_unix_ms(since_ms))),
        })
    }

    fn configuration(&self, trusted: bool) -> Result<v1::GetConfigurationResponse, Failure> {
        if !trusted {
            let sentence = "The configuration is shown to administrators and to the daemon's own user.";
            return Err(Failure::new(Code::E_ACCESSDENIED, sentence));
        }
        let shown = |setting: &Listed| v1::ConfiguredSetting {
            key: setting.key.to_owned(),
            value: setting.value.clone(),
            from: setting.from.clone(),
            is_default: setting.is_default,
        };
        Ok(v1::GetConfigurationResponse { settings: self.about.settings.iter().map(shown).collect() })
    }

    async fn cache_status(&self) -> Option<v1::CacheStatus> {
        let store = self.cache.clone()?;
        let stats = tokio::task::spawn_blocking(move || store.stats()).await.ok()?.ok()?;
        Some(v1::CacheStatus { contents: stats.contents, bytes: stats.bytes, bytes_limit: stats.limit_bytes })
    }
}

#[tonic::async_trait]
impl DaemonService for Daemon {
    async fn get_version(
        &self,
        _request: Request<v1::GetVersionRequest>,
    ) -> Result<Response<v1::GetVersionResponse>, Status> {
        let version = v1::GetVersionResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("DRAY_COMMIT").unwrap_or_default().to_owned(),
        };
        answer(&self.metrics, "GetVersion", Ok(version))
    }

    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let trusted = self.access.is_trusted(Connected::of(&request));
        answer(&self.metrics, "GetStatus", self.status(trusted).await)
    }

    async fn list_peers(
        &self,
        request: Request<v1::ListPeersRequest>,
    ) -> Result<Response<v1::ListPeersResponse>, Status> {
        let trusted = self.access.is_trusted(Connected::of(&request));
        answer(&self.metrics, "ListPeers", self.peers(trusted).await)
    }

    async fn explain_files(
        &self,
        request: Request<v1::ExplainFilesRequest>,
    ) -> Result<Response<v1::ExplainFilesResponse>, Status> {
        let explained = self.explain(request).await;
        answer(&self.metrics, "ExplainFiles", explained)
    }

    async fn get_configuration(
        &self,
        request: Request<v1::GetConfigurationRequest>,
    ) -> Result<Response<v1::GetConfigurationResponse>, Status> {
        let trusted = self.access.is_trusted(Connected::of(&request));
        answer(&self.metrics, "GetConfiguration", self.configuration(trusted))
    }
}
