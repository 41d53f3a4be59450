//! The temporary file of a transfer: ours alone, and in nobody else's hands while we write it.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use dray_platform::{identity_of, open};

use crate::FetchError;

/// Opens the temporary file, makes it when it is not there, and keeps every other transfer out of it.
///
/// A file that someone else could write to, or that has a second name, is not the one that we left: it is removed, not written to.
pub(crate) fn open_temp(temp: &Path) -> Result<File, FetchError> {
    let failed = |error: dray_platform::FileError| FetchError::local("open", temp, error.kind().into());
    let file = match open::create_new_private(temp) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let left = open::open_nofollow_writable(temp).ok().filter(is_ours);
            match left {
                Some(left) => left,
                None => {
                    std::fs::remove_file(temp).map_err(|error| FetchError::local("replace", temp, error))?;
                    open::create_new_private(temp).map_err(failed)?
                }
            }
        }
        created => created.map_err(failed)?,
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FetchError::InUse { path: temp.to_owned() }),
        // A file system without locks: better a transfer without this guard than none.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(FetchError::local("lock", temp, error)),
    }
}

fn is_ours(file: &File) -> bool {
    let is_single = identity_of::FileStamp::of(file).is_ok_and(|stamp| stamp.links == 1);
    is_single && identity_of::only_we_can_write(file).unwrap_or(false)
}
