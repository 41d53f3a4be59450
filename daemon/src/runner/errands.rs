//! Errands from the call that asks for them to the answer that they were waiting for.

use std::collections::BTreeSet;

use dray_jobs::{Code, Failure, FileIndex, JobId, Renamed};

use super::actor::Actor;
use super::errand::{self, Done, ErrandId, Work};
use super::message::{Message, Reply};
use super::transfers::FileId;
use super::turn::send;

/// An errand and what waits for it.
pub(super) struct Errand {
    pub(super) job: JobId,
    /// Gone once it runs.
    pub(super) work: Option<Work>,
    pub(super) files: BTreeSet<FileId>,
    pub(super) durable: bool,
    pub(super) forget: bool,
    pub(super) reply: Option<(Reply, Code)>,
}

impl Actor {
    /// Keeps an errand until it may begin.
    pub(super) fn add_errand(&mut self, job: JobId, work: Work, reply: Option<(Reply, Code)>) {
        let id = self.next_errand;
        self.next_errand += 1;
        let (files, forget) = (work.files(job), work.forget);
        self.turn.urgent = true;
        self.turn.errands.push(id);
        self.errands.insert(id, Errand { job, work: Some(work), files, durable: false, forget, reply });
        self.hold_files();
    }

    /// Whether a transfer or an errand is at work for the job.
    pub(super) fn is_busy(&self, job: JobId) -> bool {
        self.transfers.is_any_running(job) || self.errands.values().any(|errand| errand.job == job)
    }

    /// Keeps transfers off the files that errands work on.
    pub(super) fn hold_files(&mut self) {
        self.transfers.hold(self.errands.values().flat_map(|errand| &errand.files).copied().collect());
    }

    /// Begins every errand whose time has come. Those of one job run one after the other.
    pub(super) fn begin_errands(&mut self) {
        let mut earlier = BTreeSet::new();
        for (id, errand) in &mut self.errands {
            let transfers = &self.transfers;
            let busy = match errand.forget {
                true => transfers.is_any_running(errand.job),
                false => errand.files.iter().any(|file| transfers.is_running(*file)),
            };
            if !earlier.insert(errand.job) || !errand.durable || busy {
                continue;
            }
            if let Some(work) = errand.work.take() {
                let (id, outbox) = (*id, self.outbox.clone());
                tokio::spawn(async move {
                    let done = errand::run(work).await;
                    drop(outbox.send(Message::Ran(id, done)));
                });
            }
        }
    }

    /// An errand is over.
    pub(super) fn ran(&mut self, id: ErrandId, done: Done) {
        let Some(errand) = self.errands.remove(&id) else { return };
        let job = errand.job;
        self.hold_files();
        if !done.renamed.is_empty() {
            self.renamed(job, &done.renamed, errand.reply);
            return;
        }
        if let Some((reply, code)) = errand.reply {
            let left_behind = errand.forget && done.left_behind;
            let code = if left_behind { Code::BG_S_UNABLE_TO_DELETE_FILES } else { code };
            self.reply(job, reply, code);
        }
        if errand.forget {
            self.forget(job);
        }
        self.begin_errands();
    }

    /// What Complete goes on with once the names were tried.
    fn renamed(
        &mut self,
        job: JobId,
        outcomes: &[(FileIndex, Result<(), Failure>)],
        reply: Option<(Reply, Code)>,
    ) {
        let renamed = match self.queue.renamed(self.clock.now(), job, outcomes) {
            Ok(renamed) => renamed,
            Err(failure) => Renamed { result: Err(failure), effects: Vec::new() },
        };
        match renamed.result {
            Ok(code) => self.perform(job, renamed.effects, reply.map(|(reply, _)| (reply, code))),
            Err(failure) => {
                tracing::warn!(%job, code = %failure.code, "{failure}");
                self.perform(job, renamed.effects, None);
                if let Some((reply, _)) = reply {
                    send(reply, Err(failure));
                }
            }
        }
        self.begin_errands();
    }

    /// Drops a job that has ended.
    pub(super) fn forget(&mut self, job: JobId) {
        self.queue.forget(job);
        self.steer_job(job);
        self.delivery.refresh(job, None);
        self.turn.forget(job);
        self.moved.remove(&job);
        let of_job = (job, FileIndex(0))..=(job, FileIndex(u32::MAX));
        for file in self.readable.range(of_job.clone()).map(|(file, _)| *file).collect::<Vec<_>>() {
            self.readable.remove(&file);
        }
        for file in self.checkpoints.range(of_job.clone()).map(|(file, _)| *file).collect::<Vec<_>>() {
            self.checkpoints.remove(&file);
        }
        for file in self.proven.range(of_job).map(|(file, _)| *file).collect::<Vec<_>>() {
            self.proven.remove(&file);
        }
    }
}
