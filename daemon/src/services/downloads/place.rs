//! Where the file of a download goes: the directories are made, and what is there already stays.

use std::path::{Path, PathBuf};

use dray_jobs::{Code, DownloadProperty, DownloadState, Failure, Job};

use crate::runner::code_of;
use crate::wire::{download, take};

/// The place of a download that was never started and has all that a start needs.
pub(super) fn first_place(job: &Job) -> Option<PathBuf> {
    if job.download_state() != DownloadState::Created {
        return None;
    }
    download::text(job, DownloadProperty::Uri)?;
    download::text(job, DownloadProperty::LocalPath).map(PathBuf::from)
}

/// Makes the directories that are missing, with the rights of the daemon: whoever may start a download here has no less.
pub(super) async fn prepare(path: PathBuf) -> Result<(), Failure> {
    let prepared = tokio::task::spawn_blocking(move || prepare_now(&path)).await;
    prepared.map_err(|_| Failure::from(Code::E_UNEXPECTED))?
}

fn prepare_now(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        let sentence = format!("{} is there already; it stays as it is.", path.display());
        return Err(Failure::new(Code::ERROR_FILE_EXISTS, sentence));
    }
    let Some(directory) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(directory).map_err(|error| {
        let sentence = format!("The directory {} cannot be made: {error}.", directory.display());
        Failure::new(code_of(error.kind()), sentence)
    })?;
    take::check_directory(directory, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c.bin");
        assert_eq!(prepare_now(&path), Ok(()));
        assert!(path.parent().unwrap().is_dir() && !path.exists());
        std::fs::write(&path, b"mine").unwrap();
        assert_eq!(prepare_now(&path).unwrap_err().code, Code::ERROR_FILE_EXISTS);
        assert!(prepare_now(&path.join("d")).is_err(), "below a file");
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }
}
