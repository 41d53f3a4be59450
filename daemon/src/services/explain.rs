//! Why a file came from where it came from: what is remembered of it, and what holds now.

use std::collections::BTreeMap;
use std::sync::Arc;

use dray_api::transport::Caller as Connected;
use dray_api::v1;
use dray_jobs::{Caller, Code, Failure, FileIndex, Job, JobId, Owner, Timestamp};
use tonic::Request;

use super::daemon::Daemon;
use crate::history::{Account, Source, Story, Told};
use crate::runner::Actor;
use crate::wire::refusal::shown_url;
use crate::wire::{show, take};

/// Files in one answer.
const MAX_FILES: usize = 200;

impl Daemon {
    pub(super) async fn explain(
        &self,
        request: Request<v1::ExplainFilesRequest>,
    ) -> Result<v1::ExplainFilesResponse, Failure> {
        let caller = self.access.caller(Connected::of(&request))?;
        let v1::ExplainFilesRequest { job_id, remote_url, content_id } = request.into_inner();
        let stories = match (job_id.as_str(), remote_url.as_str(), content_id.as_str()) {
            (id, "", "") if !id.is_empty() => self.of_job(caller, take::job_id(id)?).await?,
            ("", url, "") if !url.is_empty() => {
                let wanted = without_query(url);
                self.found(caller, move |story| story.url == wanted).await?
            }
            ("", "", id) if !id.is_empty() => {
                let id = id.to_ascii_lowercase();
                self.found(caller, move |story| story.content.as_ref() == Some(&id)).await?
            }
            _ => {
                let sentence = "Name exactly one of a job, a URL and a content.";
                return Err(Failure::new(Code::E_INVALIDARG, sentence));
            }
        };
        Ok(v1::ExplainFilesResponse {
            files: stories.iter().map(|story| explanation(story)).collect(),
            machine: self.peering.machine().into_iter().map(decision).collect(),
        })
    }

    /// The files of a job as they are now; of a job that has ended, as they were.
    async fn of_job(&self, caller: Caller, id: JobId) -> Result<Vec<Arc<Story>>, Failure> {
        let asking = caller.clone();
        let now = self.runner.look(move |actor| {
            let job = actor.queue().find(&asking, id).ok()?;
            Some(stories_of(actor, job))
        });
        let told = self.history.of_job(id);
        let Some(now) = now.await? else {
            let seen: Vec<_> = told.into_iter().filter(|story| may_see(&caller, story)).collect();
            if seen.is_empty() {
                return Err(take::naming(id, Code::BG_E_NOT_FOUND.into()));
            }
            return Ok(seen);
        };
        // What was told last of a file says why; the job says how it stands.
        let mut told: BTreeMap<FileIndex, Arc<Story>> =
            told.into_iter().map(|story| (story.file, story)).collect();
        let join = |now: Story| {
            let before = told.remove(&now.file);
            Arc::new(joined(now, before))
        };
        Ok(now.into_iter().map(join).collect())
    }

    async fn found(
        &self,
        caller: Caller,
        is_meant: impl Fn(&Story) -> bool + Send + 'static,
    ) -> Result<Vec<Arc<Story>>, Failure> {
        // Of what runs, the history knows nothing yet.
        let asking = caller.clone();
        let (running, is_meant) = self
            .runner
            .look(move |actor| {
                let jobs = actor.queue().jobs().filter(|job| actor.queue().find(&asking, job.id()).is_ok());
                let stories = jobs.flat_map(|job| stories_of(actor, job)).filter(|story| is_meant(story));
                (stories.take(MAX_FILES).collect::<Vec<_>>(), is_meant)
            })
            .await?;
        let told = self.history.find(MAX_FILES, |story| is_meant(story) && may_see(&caller, story));
        let mut found = Vec::new();
        for now in running {
            let before = told.iter().find(|story| (story.job, story.file) == (now.job, now.file)).cloned();
            found.push(Arc::new(joined(now, before)));
        }
        let is_new =
            |story: &&Arc<Story>| !found.iter().any(|it| (it.job, it.file) == (story.job, story.file));
        let ended: Vec<_> = told.iter().filter(is_new).cloned().collect();
        found.extend(ended);
        found.sort_by_key(|story| std::cmp::Reverse(story.at_ms));
        found.truncate(MAX_FILES);
        Ok(found)
    }
}

/// How the files of a job stand, and what was decided in the transfers that run.
fn stories_of(actor: &Actor, job: &Job) -> Vec<Story> {
    let now = actor.wall_ms();
    let numbered = (0..).map(FileIndex).zip(job.files());
    let story = |(index, file)| {
        let told = actor.told((job.id(), index));
        Story { told, ..Story::of(job, index, file, now) }
    };
    numbered.map(story).collect()
}

/// How a file stands, with what was told of it before if nothing newer is.
fn joined(now: Story, before: Option<Arc<Story>>) -> Story {
    let Some(before) = before else { return now };
    if !now.told.is_empty() {
        return now;
    }
    Story { at_ms: before.at_ms, accounts: before.accounts.clone(), told: before.told.clone(), ..now }
}

fn may_see(caller: &Caller, story: &Story) -> bool {
    caller.may_touch(&Owner::new(story.owner.clone()))
}

/// A URL as stories have it; one that is none is no file's.
fn without_query(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), shown_url)
}

fn explanation(story: &Story) -> v1::FileExplanation {
    v1::FileExplanation {
        job_id: story.job.to_string(),
        file_index: story.file.0,
        remote_url: story.url.clone(),
        local_path: story.local.clone(),
        time: Some(show::timestamp(Timestamp::from_unix_ms(story.at_ms))),
        transferred: story.transferred,
        bytes_by_source: Some(show::sources(story.bytes)),
        sources: story.accounts.iter().map(account).collect(),
        decisions: story.told.iter().cloned().map(decision).collect(),
    }
}

fn account(account: &Account) -> v1::SourceAccount {
    let kind = match account.source {
        Source::Origin => v1::SourceKind::Origin,
        Source::CacheHost => v1::SourceKind::CacheHost,
        Source::LanPeer => v1::SourceKind::LanPeer,
        Source::GroupPeer => v1::SourceKind::GroupPeer,
        Source::LocalCache => v1::SourceKind::LocalCache,
    };
    v1::SourceAccount {
        kind: kind.into(),
        name: account.name.clone(),
        address: account.address.clone(),
        bytes: account.bytes,
        wasted_bytes: account.wasted,
        remark: account.remark.clone(),
    }
}

fn decision(told: Told) -> v1::Decision {
    v1::Decision { name: told.name, sentence: told.sentence, hint: told.hint, against: told.against }
}
