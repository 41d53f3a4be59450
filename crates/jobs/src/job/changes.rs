//! Collects what one call or event changes, and gives it back as effects in the one right order: records,
//! then work on files, then words.

use std::collections::BTreeSet;

use crate::{Effect, FileIndex, Job, JobState, Notice};

pub(super) struct Changes {
    before: JobState,
    record: bool,
    file_records: BTreeSet<FileIndex>,
    work: Vec<Effect>,
    notices: Vec<Notice>,
}

impl Changes {
    pub(super) fn new(job: &Job) -> Changes {
        Changes {
            before: job.state,
            record: false,
            file_records: BTreeSet::new(),
            work: Vec::new(),
            notices: Vec::new(),
        }
    }

    pub(super) fn persist(&mut self) {
        self.record = true;
    }

    pub(super) fn persist_file(&mut self, file: FileIndex) {
        self.file_records.insert(file);
    }

    pub(super) fn work(&mut self, effect: Effect) {
        self.work.push(effect);
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Something changed that JobModification is about.
    pub(super) fn modified(&mut self) {
        self.notify(Notice::JobModification);
    }

    /// Whether the state is another than before.
    pub(super) fn moved(&self, job: &Job) -> bool {
        job.state != self.before
    }

    pub(super) fn finish(mut self, job: &Job) -> Vec<Effect> {
        let moved = job.state != self.before;
        // A change of state is a modification, but ERROR and TRANSFERRED have notices of their own (9.4).
        if moved && !matches!(job.state, JobState::Error | JobState::Transferred) {
            self.modified();
        }
        // FileTransferred before JobTransferred and JobError, modifications last (9.4).
        self.notices.sort_unstable();

        let mut effects = Vec::new();
        if self.record || moved {
            effects.push(Effect::Persist);
        }
        effects.extend(self.file_records.into_iter().map(Effect::PersistFile));
        effects.append(&mut self.work);
        if moved {
            effects.push(Effect::State { from: self.before, to: job.state });
        }
        effects.extend(self.notices.into_iter().filter(|notice| job.wants(*notice)).map(Effect::Notify));
        if job.state.is_final() && !self.before.is_final() {
            effects.push(Effect::Forget);
        }
        effects
    }
}
