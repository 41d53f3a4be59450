//! Brings small files to the disk, many at once, before a record says that they are there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::PathBuf;

use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open};

/// From this many files on, one sync of the whole file system is cheaper than one for each.
const TOGETHER_FROM: usize = 8;

/// Waits until the bytes of these files are on the disk. A file that is gone needs none: its job was cancelled.
///
/// The name of a new file is on the disk with its bytes on every file system we know that has a sync for them.
pub(super) fn sync_files(paths: &BTreeSet<PathBuf>) -> Result<(), FileError> {
    let together = paths.len() >= TOGETHER_FROM && durable::SYNCS_WHOLE_FILESYSTEM;
    let mut synced_volumes = BTreeSet::new();
    for path in paths {
        let failed = |error: Error| FileError::new("sync", path, error);
        let file = match open::open_nofollow_writable(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if !together {
            durable::sync_data(&file).map_err(failed)?;
        } else if synced_volumes.insert(volume(&file).map_err(failed)?) {
            durable::sync_filesystem(&file).map_err(failed)?;
        }
    }
    Ok(())
}

fn volume(file: &File) -> Result<u64, Error> {
    FileStamp::of(file).map(|stamp| stamp.volume)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_and_many_are_synced_and_missing_ones_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for count in [1, TOGETHER_FROM - 1, TOGETHER_FROM, 3 * TOGETHER_FROM] {
            let mut paths: BTreeSet<PathBuf> =
                (0..count).map(|number| folder.path().join(number.to_string())).collect();
            paths.iter().for_each(|path| std::fs::write(path, b"x").unwrap());
            paths.insert(folder.path().join("gone"));
            sync_files(&paths).unwrap();
        }
    }

    #[test]
    fn what_is_no_file_is_not_synced_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        assert!(sync_files(&[folder.path().to_owned()].into_iter().collect()).is_err());
    }
}
