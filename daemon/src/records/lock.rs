//! One daemon per state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::RecordsError;

/// Held while this process owns the state directory; the system lets go of it however the process ends.
pub(crate) struct InstanceLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl InstanceLock {
    /// Takes the directory for this process.
    pub(crate) fn take(state_dir: &Path) -> Result<InstanceLock, RecordsError> {
        let failed = |cause| RecordsError::Directory { path: state_dir.to_owned(), cause };
        let path = state_dir.join("drayd.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The number only serves the sentence; without it the sentence is still true.
                let _ = file.take(20).read_to_string(&mut text);
                let pid = text.trim().parse().ok();
                return Err(RecordsError::Busy { path: state_dir.to_owned(), pid });
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(InstanceLock(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_on_the_same_state_directory_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = InstanceLock::take(folder.path()).unwrap();
        let error = InstanceLock::take(folder.path()).err().unwrap().to_string();
        let expected = format!(
            "another drayd (process {}) already uses the state directory {}; stop it, or choose another with \
             --state-dir",
            std::process::id(),
            folder.path().display()
        );
        assert_eq!(error, expected);
        drop(first);
        assert!(InstanceLock::take(folder.path()).is_ok());
    }
}
