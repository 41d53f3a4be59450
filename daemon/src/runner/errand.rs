//! Work on the disk that a call asks for: temporary files deleted, final names given.
//!
//! An errand begins when what it follows from is on disk and no transfer has its hands on its files, and runs beside
//! everything else. Its order is fixed: names first, then deletions, then its job may be forgotten.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dray_jobs::{Failure, FileIndex, JobId};

use super::place::{ToPlace, place};
use super::transfers::FileId;

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
    /// A temporary file is still there.
    pub(crate) left_behind: bool,
}

/// Does the work.
pub(crate) async fn run(work: Work) -> Done {
    let (renames, deletes) = (work.renames, work.deletes);
    let renamed = match renames.is_empty() {
        true => Vec::new(),
        false => blocking(move || place(&renames)).await.unwrap_or_default(),
    };
    Done { renamed, left_behind: blocking(move || delete(&deletes)).await.unwrap_or(true) }
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
