//! The way to the daemon: which socket, and which job is meant.

use std::path::PathBuf;

use dray_api::{
    client::{self, DaemonClient, JobClient},
    v1::ListJobsRequest,
};

use super::problem::Problem;
use crate::socket;

/// Length of a job id in full; shorter ones are beginnings.
const JOB_ID_LEN: usize = 36;

/// How many jobs are asked for at a time.
const PAGE_SIZE: u32 = 500;

/// The services of one daemon.
pub(crate) struct Link {
    pub(crate) jobs: JobClient,
    pub(crate) daemon: DaemonClient,
}

impl Link {
    pub(crate) async fn open(socket: Option<PathBuf>) -> Result<Self, Problem> {
        let path = socket.unwrap_or_else(socket::usual);
        let channel = client::connect(&path).await.map_err(Problem::Connect)?;
        Ok(Self { jobs: client::jobs(channel.clone()), daemon: client::daemon(channel) })
    }

    /// The id that `text` is, or is the beginning of.
    pub(crate) async fn resolve(&mut self, text: &str) -> Result<String, Problem> {
        self.resolve_among(text, false).await
    }

    /// The same, among everyone's jobs.
    pub(super) async fn resolve_among(&mut self, text: &str, all_users: bool) -> Result<String, Problem> {
        if text.len() >= JOB_ID_LEN {
            return Ok(text.to_owned());
        }
        let wanted = text.to_ascii_lowercase();
        let mut ids = Vec::new();
        let mut pages = self.pages(all_users);
        while let Some(jobs) = pages.next().await? {
            ids.extend(jobs.into_iter().map(|job| job.job_id).filter(|id| id.starts_with(&wanted)));
        }
        match ids.pop() {
            Some(id) if ids.is_empty() => Ok(id),
            rest => {
                Err(Problem::Prefix { text: text.to_owned(), found: ids.len() + usize::from(rest.is_some()) })
            }
        }
    }

    pub(super) async fn resolve_all(&mut self, texts: &[String]) -> Result<Vec<String>, Problem> {
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            ids.push(self.resolve(text).await?);
        }
        Ok(ids)
    }

    /// The jobs of the caller, page by page.
    pub(super) fn pages(&mut self, all_users: bool) -> Pages<'_> {
        Pages { link: self, all_users, token: Some(String::new()) }
    }
}

pub(super) struct Pages<'a> {
    link: &'a mut Link,
    all_users: bool,
    /// `None` after the last page.
    token: Option<String>,
}

impl Pages<'_> {
    pub(super) async fn next(&mut self) -> Result<Option<Vec<dray_api::v1::Job>>, Problem> {
        let Some(page_token) = self.token.take() else { return Ok(None) };
        let request = ListJobsRequest { page_size: PAGE_SIZE, page_token, all_users: self.all_users };
        let page = self.link.jobs.list_jobs(request).await?.into_inner();
        self.token = Some(page.next_page_token).filter(|token| !token.is_empty());
        Ok(Some(page.jobs))
    }
}
