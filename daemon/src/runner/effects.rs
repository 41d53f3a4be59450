//! What the queue answers with, carried out.

use std::path::PathBuf;

use dray_engine::{FileTask, Retries};
use dray_jobs::{Code, Effect, FileIndex, JobId, JobState, Notice, Priority, RunId};

use super::actor::Actor;
use super::errand::Work;
use super::message::Reply;
use super::meter::Transfer;
use super::place::ToPlace;
use super::temp_path;
use super::transfers::FileId;
use crate::events::Happening;

/// A file of this size or more is not fetched whole for the ranges of it that are wanted, in bytes.
const MAX_WITHOUT_RANGES: u64 = 2 << 30;

impl Actor {
    /// Carries out what follows from one call or event. The reply waits for what the call asked of the disk.
    pub(super) fn perform(&mut self, job: JobId, effects: Vec<Effect>, reply: Option<(Reply, Code)>) {
        self.owe(job, &effects);
        let is_quiet = effects.is_empty();
        let mut work = Work::default();
        for effect in effects {
            match effect {
                Effect::Persist => self.turn.persist(job),
                Effect::PersistFile(file) => self.turn.persist_file(job, file),
                Effect::Stop(file) => {
                    self.transfers.stop((job, file));
                }
                Effect::Start { file, run } => self.transfers.want((job, file), run),
                Effect::Prefer { file, ranges } => self.prefer((job, file), ranges),
                Effect::Extend { file, kept } => self.extend(job, file, kept),
                Effect::DeleteTemp(file) => work.deletes.extend(self.deletion(job, file)),
                Effect::Rename(file) => work.renames.extend(self.placing(job, file)),
                Effect::State { from, to } => self.state_changed(job, from, to),
                Effect::Notify(notice) => self.notify(job, notice),
                Effect::Forget => work.forget = true,
            }
        }
        if !is_quiet {
            self.steer_job(job);
        }
        // Readers hear first why the bytes go.
        for (file, _) in &work.deletes {
            self.unreadable_now((job, *file));
        }
        if work.touches_files() || work.forget && self.is_busy(job) {
            self.add_errand(job, work, reply);
            return;
        }
        if let Some((reply, code)) = reply {
            self.reply(job, reply, code);
        }
        if work.forget {
            self.forget(job);
        }
    }

    fn state_changed(&mut self, job: JobId, from: JobState, to: JobState) {
        tracing::info!(%job, %from, %to, "state");
        self.turn.urgent |= !to.is_action();
        self.metrics.jobs.with_label_values(&[from.name()]).dec();
        if !to.is_final() {
            self.metrics.jobs.with_label_values(&[to.name()]).inc();
        }
        let error = self.queue.job(job).and_then(|job| job.error().ok());
        if let Some(error) = error.filter(|_| matches!(to, JobState::Error | JobState::TransientError)) {
            let file = error.file.map(|file| file.0);
            tracing::warn!(%job, file, code = %error.code, "{}", error.detail);
            self.metrics.errors.with_label_values(&[error.code.name()]).inc();
        }
        // A watcher that shows the state shows the bytes beside it.
        if let Some(files) = self.moved.remove(&job) {
            self.tell(job, |job| Some(Happening::progressed(job, &files)));
        }
        self.tell(job, |job| Some(Happening::state_changed(job, from, to)));
    }

    fn notify(&mut self, job: JobId, notice: Notice) {
        match notice {
            Notice::JobTransferred => self.tell(job, |job| Some(Happening::job_transferred(job))),
            Notice::JobError => self.tell(job, |job| Some(Happening::job_failed(job))),
            Notice::JobModification => self.modified(job),
            // Watchers hear of files whatever the flags, when they arrive.
            Notice::FileTransferred(_) => {}
        }
    }

    fn deletion(&mut self, job: JobId, file: FileIndex) -> Option<(FileIndex, PathBuf)> {
        let key = Transfer { job, file, run: RunId(0) }.key();
        self.checkpoints.remove(&(job, file));
        self.turn.change.no_checkpoint(key);
        if self.proven.remove(&(job, file)).is_some() {
            self.turn.change.not_proven(key);
        }
        let path = temp_path(job, file, self.queue.job(job)?.file(file).ok()?.local());
        Some((file, path))
    }

    fn placing(&self, job: JobId, index: FileIndex) -> Option<ToPlace> {
        let file = self.queue.job(job)?.file(index).ok()?;
        Some(ToPlace {
            index,
            temp: temp_path(job, index, file.local()),
            destination: PathBuf::from(file.local().as_str()),
            proven: self.proven.get(&(job, index)).copied(),
        })
    }

    /// Starts every transfer that has a place and a free file.
    pub(super) fn start_transfers(&mut self) {
        while let Some(((job, file), run)) = self.transfers.next_start() {
            let Some(mut task) = self.task(job, file, run) else { continue };
            task.live = Some(self.live_of((job, file)));
            let before = self.queue.job(job).and_then(|job| job.file(file).ok());
            let before = before.map(|file| (file.progress().bytes_transferred, file.sources()));
            self.transfers.launch(Transfer { job, file, run }, before.unwrap_or_default(), task);
        }
    }

    /// Whether packed ranges of the file are taken out of the whole: a foreground job may, where the server serves no
    /// ranges, as long as the file is small (reference 10.7).
    pub(super) fn comes_without_ranges(&self, (job, index): FileId) -> bool {
        let Some(job) = self.queue.job(job) else { return false };
        let Ok(file) = job.file(index) else { return false };
        let learned = file.learned();
        job.properties().priority == Priority::Foreground
            && file.ranges().is_some()
            && learned.has_ranges == Some(false)
            && learned.size.is_some_and(|size| size < MAX_WITHOUT_RANGES)
    }

    /// What the engine is to fetch; `None` when the start is no longer wanted.
    fn task(&self, id: JobId, index: FileIndex, run: RunId) -> Option<FileTask> {
        let file = self.queue.job(id)?.file(index).ok()?;
        if !file.is_running() || file.run() != run {
            return None;
        }
        Some(FileTask {
            url: file.remote().url(),
            // Checked when the file was added.
            digest: file.digest().and_then(|digest| digest.parse().ok()),
            layout: file.layout().clone(),
            temp: temp_path(id, index, file.local()),
            resume: self.checkpoints.get(&(id, index)).cloned(),
            // What is kept of a file is of that file, under whatever URL it was then.
            resume_elsewhere: true,
            live: None,
            without_ranges: self.comes_without_ranges((id, index)),
            headers: self.queue.job(id)?.request_headers(),
            retries: Retries::default(),
            use_cache: true,
            use_peers: self.may_use_peers((id, index)),
            // Many of them are synced at once, before the queue hears that the files are there.
            may_leave_unsynced: true,
        })
    }
}
