//! One turn of the runner: everything that a batch of messages changed, written as one transaction.
//!
//! What was changed many times within a turn is written once, as it is at the end. Replies and events wait until the
//! transaction is on disk.

use std::collections::BTreeSet;

use dray_jobs::{Failure, FileIndex, JobId};

use super::errand::ErrandId;
use super::message::{Answer, Reply};
use super::transfers::FileId;
use crate::events::Happening;
use crate::records::{Change, JobKey};

/// What has gathered since the last transaction.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) jobs: BTreeSet<JobId>,
    pub(super) files: BTreeSet<FileId>,
    /// Changes that are rows already.
    pub(super) change: Change,
    pub(super) forgotten: BTreeSet<JobId>,
    pub(super) replies: Vec<(Reply, Answer)>,
    pub(super) happenings: Vec<Happening>,
    /// Errands that begin once this turn is on disk.
    pub(super) errands: Vec<ErrandId>,
}

impl Turn {
    pub(super) fn persist(&mut self, job: JobId) {
        self.jobs.insert(job);
    }

    pub(super) fn persist_file(&mut self, job: JobId, file: FileIndex) {
        self.files.insert((job, file));
    }

    /// The job and all its rows are gone.
    pub(super) fn forget(&mut self, job: JobId) {
        self.change.forget(key(job));
        self.forgotten.insert(job);
    }

    /// Whether a transaction is needed.
    pub(super) fn writes(&self) -> bool {
        !self.jobs.is_empty() || !self.files.is_empty() || !self.change.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.writes() && self.replies.is_empty() && self.happenings.is_empty() && self.errands.is_empty()
    }
}

pub(super) fn key(job: JobId) -> JobKey {
    *job.0.as_bytes()
}

/// Sends an answer, or a refusal, to whoever still waits for it.
pub(super) fn send(reply: Reply, answer: Result<Answer, Failure>) {
    // A client that is gone needs no answer.
    let _ = reply.send(answer);
}
