//! What is to be written: rows that change together, and whoever waits to hear of it.

use std::path::PathBuf;
use std::sync::Arc;

use super::rows::{FileKey, JobKey};

/// A change could not be made durable. It holds in memory and is tried again, but the caller must not count on it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the job records {} cannot be written: {cause}", path.display())]
pub(crate) struct NotDurable {
    pub(super) path: PathBuf,
    pub(super) cause: Arc<str>,
}

pub(super) type Done = Box<dyn FnOnce(Result<(), NotDurable>) + Send>;

/// Rows that change together.
#[derive(Default)]
pub(crate) struct Change {
    pub(super) rows: Vec<(Row, Option<Vec<u8>>)>,
    pub(super) forget: Vec<JobKey>,
    pub(super) done: Option<Done>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    Job(JobKey),
    File(FileKey),
    Checkpoint(FileKey),
    Proven(FileKey),
}

impl Row {
    pub(super) fn job(&self) -> &JobKey {
        match self {
            Row::Job(job) => job,
            Row::File(file) | Row::Checkpoint(file) | Row::Proven(file) => &file.job,
        }
    }
}

impl Change {
    /// The job's row is this.
    pub(crate) fn job(&mut self, key: JobKey, value: Vec<u8>) {
        self.rows.push((Row::Job(key), Some(value)));
    }

    /// The file's row is this.
    pub(crate) fn file(&mut self, key: FileKey, value: Vec<u8>) {
        self.rows.push((Row::File(key), Some(value)));
    }

    /// The file has no checkpoint any more.
    pub(crate) fn no_checkpoint(&mut self, key: FileKey) {
        self.rows.push((Row::Checkpoint(key), None));
    }

    /// The file is proven, and this is how it will be known again.
    pub(crate) fn proven(&mut self, key: FileKey, value: Vec<u8>) {
        self.rows.push((Row::Proven(key), Some(value)));
    }

    /// What was proven of the file is gone.
    pub(crate) fn not_proven(&mut self, key: FileKey) {
        self.rows.push((Row::Proven(key), None));
    }

    /// The job and everything that belongs to it is gone.
    pub(crate) fn forget(&mut self, key: JobKey) {
        self.forget.push(key);
    }

    /// Calls `done` on the writer's thread once the change is on disk or has failed.
    pub(crate) fn then(&mut self, done: impl FnOnce(Result<(), NotDurable>) + Send + 'static) {
        debug_assert!(self.done.is_none(), "a change has one answer");
        self.done = Some(Box::new(done));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.forget.is_empty() && self.done.is_none()
    }
}
