//! One owner at a time: a lock on a file, held by a process and let go by the system when that process ends.
//!
//! `flock` on Unix, `LockFileEx` on Windows. The file itself stays; only the lock on it means something.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::FileError;
use crate::file_error::Context as _;
use crate::identity_of::FileStamp;

/// How long to rest between two tries.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// A held lock; dropping it lets the next one in.
#[derive(Debug)]
pub struct LockFile {
    file: File,
}

/// A held lock whose file is removed when it is let go.
#[derive(Debug)]
pub struct TransientLock {
    path: PathBuf,
    _lock: LockFile,
}

impl Drop for TransientLock {
    fn drop(&mut self) {
        // What stays behind is an empty lock that the next one takes.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl LockFile {
    /// Takes the lock, or says `None` because somebody else has it. The file is created when missing.
    pub fn try_acquire(path: &Path) -> Result<Option<LockFile>, FileError> {
        let mut file = crate::open::open_or_create_private(path)?;
        match file.try_lock() {
            Ok(()) => {
                // For a person who wonders who holds it. Nothing reads it back, so a failure costs nothing.
                let _ = file.set_len(0);
                let _ = writeln!(file, "{}", std::process::id());
                Ok(Some(LockFile { file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context("lock", path),
        }
    }

    /// Takes a lock whose file goes away with it, as beside a user's own files. The file is removed while the lock on it is held,
    /// and whoever gets a lock on a file that has lost its name meanwhile tries again.
    pub fn try_acquire_transient(path: &Path) -> Result<Option<TransientLock>, FileError> {
        loop {
            let Some(lock) = LockFile::try_acquire(path)? else { return Ok(None) };
            let held = FileStamp::of(&lock.file).context("look at", path)?;
            match FileStamp::of_path(path) {
                Ok(named) if named.same_file(&held) => {
                    return Ok(Some(TransientLock { path: path.to_owned(), _lock: lock }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`LockFile::try_acquire`], trying again until `patience` is over.
    pub fn acquire_within(path: &Path, patience: Duration) -> Result<Option<LockFile>, FileError> {
        let start = Instant::now();
        loop {
            if let Some(lock) = LockFile::try_acquire(path)? {
                return Ok(Some(lock));
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(RETRY_PAUSE.min(left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_free_again_after_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = LockFile::try_acquire(&path).unwrap().unwrap();
        assert!(LockFile::try_acquire(&path).unwrap().is_none());
        assert!(LockFile::acquire_within(&path, Duration::from_millis(12)).unwrap().is_none());
        drop(held);
        assert!(LockFile::acquire_within(&path, Duration::from_secs(1)).unwrap().is_some());
    }

    #[test]
    fn a_transient_lock_takes_its_file_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = LockFile::try_acquire_transient(&path).unwrap().unwrap();
        assert!(LockFile::try_acquire_transient(&path).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        assert!(LockFile::try_acquire_transient(&path).unwrap().is_some());
    }

    #[test]
    fn a_directory_that_is_not_there_is_named_in_the_error() {
        let error = LockFile::try_acquire(Path::new("/nowhere/at/all/lock")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all/lock"), "{error}");
    }
}
