//! Everything that changed since the last transaction, written as one.
//!
//! What was changed many times is written once, as it is at the end. Somebody who waits for an answer, and a job that
//! comes to rest, are worth a transaction of their own; how far a running job is goes to the disk a few times a
//! second at most. Replies and events of the first kind wait until the transaction is on disk.

use std::collections::BTreeSet;
use std::time::Duration;

use dray_jobs::{Code, Failure, FileIndex, Job, JobId, JobState};

use tokio::time::Instant;

use super::actor::Actor;
use super::errand::ErrandId;
use super::message::{Answer, Message, Reply};
use super::transfers::FileId;
use crate::events::Happening;
use crate::records::{Change, FileKey, JobKey, NotDurable, encode};

/// How long what nobody waits for may stay in memory. A crash costs that much of what was known of running files,
/// and none of their bytes, which have checkpoints of their own.
const PATIENCE: Duration = Duration::from_millis(250);

/// What has gathered since the last transaction.
#[derive(Default)]
pub(super) struct Turn {
    /// Somebody waits for it.
    pub(super) urgent: bool,
    /// When the first of it that writes gathered.
    since: Option<Instant>,
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
        self.urgent = true;
        self.change.forget(key(job));
        self.forgotten.insert(job);
    }

    /// Whether a transaction is needed.
    pub(super) fn writes(&self) -> bool {
        !self.jobs.is_empty() || !self.files.is_empty() || !self.change.is_empty()
    }

    /// When it has to be written even if nobody waits for it.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
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
    /// Hands over what is due, and tells watchers what need not wait.
    pub(super) fn end_turn(&mut self) {
        let now = Instant::now();
        if self.turn.since.is_none() && self.turn.writes() {
            self.turn.since = Some(now);
        }
        if self.turn.urgent || self.turn.due().is_some_and(|due| due <= now) {
            self.write_turn();
        } else {
            self.hub.publish(std::mem::take(&mut self.turn.happenings));
        }
    }

    /// Hands everything to the disk and begins anew.
    pub(super) fn write_turn(&mut self) {
        let turn = std::mem::take(&mut self.turn);
        let writes = turn.writes();
        let Turn { jobs, files, mut change, forgotten, replies, happenings, errands, .. } = turn;
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
        let held = hub.hold(happenings);
        let finish = move |outcome: Result<(), NotDurable>| {
            let refused = outcome.err().map(|error| {
                Failure::new(Code::ERROR_WRITE_FAULT, format!("The change may not last: {error}."))
            });
            for (reply, answer) in replies {
                send(reply, refused.clone().map_or(Ok(answer), Err));
            }
            hub.release(held);
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

    /// Tells watchers.
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
        self.turn.urgent = true;
        self.turn.replies.push((reply, answer));
    }
}
