//! Work on the disk that a call asks for: temporary files deleted, final names given.
//!
//! An errand begins when what it follows from is on disk and no transfer has its hands on its files, and runs beside
//! everything else. Its order is fixed: names first, then deletions, then its job may be forgotten.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dray_jobs::{Code, Failure, FileIndex, JobId};
use tokio::sync::oneshot;

use super::place::{Intent, Prepared, ToPlace, prepare, rename};
use super::transfers::FileId;
use crate::records::{Change, FileKey, Records, encode};

/// Numbers errands.
pub(crate) type ErrandId = u64;

/// What is to be done for one job.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) renames: Vec<ToPlace>,
    pub(crate) deletes: Vec<(FileIndex, PathBuf)>,
    /// The job has ended: its records go once the rest is done.
    pub(crate) forget: bool,
}

impl Work {
    pub(crate) fn touches_files(&self) -> bool {
        !self.renames.is_empty() || !self.deletes.is_empty()
    }

    /// The files that must be free.
    pub(crate) fn files(&self, job: JobId) -> BTreeSet<FileId> {
        let renamed = self.renames.iter().map(|file| (job, file.index));
        renamed.chain(self.deletes.iter().map(|(index, _)| (job, *index))).collect()
    }
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Of each rename.
    pub(crate) renamed: Vec<(FileIndex, Result<(), Failure>)>,
    /// What was about to be renamed, to be known again by the next attempt.
    pub(crate) intents: Vec<(FileIndex, Intent)>,
    /// A temporary file is still there.
    pub(crate) left_behind: bool,
}

/// Does the work.
pub(crate) async fn run(job: JobId, work: Work, records: Records) -> Done {
    let mut done = Done::default();
    if !work.renames.is_empty() {
        let renames = work.renames;
        let indexes: Vec<FileIndex> = renames.iter().map(|file| file.index).collect();
        let prepared =
            blocking(move || renames.into_iter().map(|file| (file.index, prepare(file))).collect::<Vec<_>>());
        let mut ready = Vec::new();
        for (index, prepared) in prepared.await.unwrap_or_default() {
            match prepared {
                Ok(prepared) => ready.push(prepared),
                Err(failure) => done.renamed.push((index, Err(failure))),
            }
        }
        match record_intents(job, &ready, &records).await {
            Ok(intents) => {
                done.intents = intents;
                done.renamed.extend(blocking(move || rename(ready)).await.unwrap_or_default());
            }
            Err(failure) => {
                done.renamed = indexes.iter().map(|index| (*index, Err(failure.clone()))).collect();
            }
        }
    }
    let deletes = work.deletes;
    done.left_behind = blocking(move || delete(&deletes)).await.unwrap_or(true);
    done
}

/// Keeps on disk what is about to be renamed.
async fn record_intents(
    job: JobId,
    ready: &[Prepared],
    records: &Records,
) -> Result<Vec<(FileIndex, Intent)>, Failure> {
    let mut change = Change::default();
    let mut intents = Vec::new();
    for file in ready {
        if let Prepared::Ready { file, intent } = file {
            intents.push((file.index, *intent));
            change.intent(FileKey { job: *job.0.as_bytes(), index: file.index.0 }, encode(intent));
        }
    }
    if intents.is_empty() {
        return Ok(intents);
    }
    let (sender, durable) = oneshot::channel();
    change.then(move |outcome| drop(sender.send(outcome)));
    records.submit(change);
    match durable.await {
        Ok(Ok(())) => Ok(intents),
        Ok(Err(error)) => Err(Failure::new(Code::ERROR_WRITE_FAULT, error.to_string())),
        Err(_) => Err(Failure::new(Code::E_ABORT, "The daemon is stopping; complete the job again.")),
    }
}

/// Deletes temporary files; whether one is still there.
fn delete(files: &[(FileIndex, PathBuf)]) -> bool {
    let mut left_behind = false;
    for (_, path) in files {
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a temporary file could not be deleted");
                left_behind = true;
            }
        }
    }
    left_behind
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(act).await.ok()
}
