//! One turn of the runner: everything that a batch of messages changed, written as one transaction.
//!
//! What was changed many times within a turn is written once, as it is at the end. Replies and events wait until the
//! transaction is on disk.

use std::collections::BTreeSet;

use dray_jobs::{Code, Failure, FileIndex, Job, JobId, JobState};

use super::actor::Actor;
use super::errand::ErrandId;
use super::message::{Answer, Message, Reply};
use super::transfers::FileId;
use crate::events::Happening;
use crate::records::{Change, FileKey, JobKey, NotDurable, encode};

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

impl Actor {
    /// Hands the turn to the disk and begins the next one.
    pub(super) fn write_turn(&mut self) {
        let turn = std::mem::take(&mut self.turn);
        if turn.is_empty() {
            return;
        }
        let writes = turn.writes();
        let Turn { jobs, files, mut change, forgotten, replies, happenings, errands } = turn;
        let now = self.clock.now();
        for id in jobs.into_iter().filter(|id| !forgotten.contains(id)) {
            if let Some(job) = self.queue.job(id) {
                change.job(key(id), encode(&job.record(now)));
            }
        }
        for (id, index) in files.into_iter().filter(|(id, _)| !forgotten.contains(id)) {
            if let Some(Ok(record)) = self.queue.job(id).map(|job| job.file_record(index)) {
                change.file(FileKey { job: key(id), index: index.0 }, encode(&record));
            }
        }
        let (hub, outbox) = (self.hub.clone(), self.outbox.clone());
        let finish = move |outcome: Result<(), NotDurable>| {
            let refused = outcome.err().map(|error| {
                Failure::new(Code::ERROR_WRITE_FAULT, format!("The change may not last: {error}."))
            });
            for (reply, answer) in replies {
                send(reply, refused.clone().map_or(Ok(answer), Err));
            }
            hub.publish(&happenings);
            if !errands.is_empty() {
                // Work begins even so: on a full disk it is deletions that make room.
                drop(outbox.send(Message::Durable(errands)));
            }
        };
        if writes {
            change.then(finish);
            self.records.submit(change);
        } else {
            finish(Ok(()));
        }
    }

    /// Tells watchers, once this turn is on disk.
    pub(super) fn tell(&mut self, job: JobId, make: impl FnOnce(&Job) -> Option<Happening>) {
        if self.hub.is_empty() {
            return;
        }
        if let Some(happening) = self.queue.job(job).and_then(make) {
            self.happenings += 1;
            self.turn.happenings.push(happening.numbered(self.happenings));
        }
    }

    /// Gives an answer with how the job stands now, once this turn is on disk.
    pub(super) fn reply(&mut self, id: JobId, reply: Reply, code: Code) {
        let Some(job) = self.queue.job(id) else {
            return send(reply, Err(Code::BG_E_NOT_FOUND.into()));
        };
        let count = |files: usize| u32::try_from(files).unwrap_or(u32::MAX);
        let completed = match job.state() {
            JobState::Acknowledged => job.files().iter().filter(|file| file.progress().completed).count(),
            _ => 0,
        };
        let answer = Answer {
            job: id,
            code,
            state: job.state(),
            files_total: count(job.files().len()),
            files_completed: count(completed),
        };
        self.turn.replies.push((reply, answer));
    }
}
