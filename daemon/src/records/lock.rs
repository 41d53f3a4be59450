//! One daemon per state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::RecordsError;

/// Held while this process owns the state directory; the system lets go of it however the process ends.
pub(crate) struct InstanceLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl InstanceLock {
    /// Takes the directory for this process.
    pub(crate) fn take(state_dir: &Path) -> Result<InstanceLock, RecordsError> {
        let failed = |cause| RecordsError::Directory { path: state_dir.to_owned(), cause };
        let path = state_dir.join("drayd.lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(InstanceLock(file)),
            Err(TryLockError::WouldBlock) => Err(RecordsError::Busy { path: state_dir.to_owned() }),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_on_the_same_state_directory_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let first = InstanceLock::take(folder.path()).unwrap();
        let error = InstanceLock::take(folder.path()).err().unwrap().to_string();
        let expected = format!(
            "another drayd already uses the state directory {}; stop it, or choose another with --state-dir",
            folder.path().display()
        );
        assert_eq!(error, expected);
        drop(first);
        assert!(InstanceLock::take(folder.path()).is_ok());
    }
}
