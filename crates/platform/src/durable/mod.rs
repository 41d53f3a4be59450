//! What it takes for bytes and names to outlive a power cut.
//!
//! Two facts to keep apart: the bytes of a file are durable after [`sync_data`], its *name* only after [`sync_dir`] on
//! the directory. [`write_atomic`] does both in the order that leaves the old file or the new one, never half of one.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::FileError;
use crate::file_error::Context as _;
use crate::open;

/// Replaces `path` by a file with these bytes: temporary file beside it, sync, rename, sync of the directory. The file is
/// private to its owner.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put_in_place(path, bytes, true)?;
    sync_dir(open::directory_of(path))
}

/// As [`write_atomic`] for readers of now, but with nothing synced: after a power cut the file may be the old one, the new
/// one, or damaged. For files that carry their own checksum and can be made again.
pub fn write_atomic_relaxed(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put_in_place(path, bytes, false)
}

fn put_in_place(path: &Path, bytes: &[u8], sync: bool) -> Result<(), FileError> {
    let (mut file, temp) = open::create_temp_beside(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| if sync { file.sync_all() } else { Ok(()) })
        .context("write", &temp)
        .and_then(|()| {
            // Windows does not rename a file that is open without share-delete rights in every place; close it first.
            drop(file);
            replace(&temp, path)
        });
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    written
}

/// Waits until the file's bytes, and the size needed to read them, are on the disk.
pub fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Waits until the names in this directory are on the disk. Windows has no such call: NTFS journals names, and the renames
/// made here ask for write-through.
pub fn sync_dir(directory: &Path) -> Result<(), FileError> {
    system::sync_dir(directory).context("sync the directory", directory)
}

/// Asks the system to begin writing these bytes to the disk and does not wait. Only a hint: where there is no such call
/// (everywhere but Linux) it does nothing.
pub fn start_writeback(file: &File, offset: u64, len: u64) -> io::Result<()> {
    system::start_writeback(file, offset, len)
}

/// Waits until everything that was written to the file system of this file is on the disk. One call for a thousand small
/// files. Where the system knows no such call, the one file is synced.
pub fn sync_filesystem(file: &File) -> io::Result<()> {
    system::sync_filesystem(file)
}

/// Whether bytes of this file, as it is open here, were lost on their way to the disk. Waits for nothing new to be written:
/// it tells what a sync of the whole file system came to for this one file. Where the system knows no such call, the file is
/// synced.
pub fn check_written(file: &File) -> io::Result<()> {
    system::check_written(file)
}

/// Whether [`sync_filesystem`] covers the whole file system here, or one file only.
pub const SYNCS_WHOLE_FILESYSTEM: bool = system::SYNCS_WHOLE_FILESYSTEM;

/// Renames, replacing what is there.
pub fn replace(from: &Path, to: &Path) -> Result<(), FileError> {
    std::fs::rename(from, to).context("rename a file to", to)
}

/// Renames, and fails with `AlreadyExists` when something is there.
pub fn rename_noreplace(from: &Path, to: &Path) -> Result<(), FileError> {
    system::rename_noreplace(from, to).context("rename a file to", to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_atomic_write_replaces_the_old_file_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        write_atomic_relaxed(&path, b"three").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_atomic_write_that_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), b"").unwrap();
        assert!(write_atomic(&path, b"one").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_rename_without_replacing_spares_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, b"new").unwrap();
        std::fs::write(&to, b"old").unwrap();
        assert_eq!(rename_noreplace(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&to).unwrap(), b"old");
        std::fs::remove_file(&to).unwrap();
        rename_noreplace(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
    }

    #[test]
    fn the_syncs_work_on_a_real_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("f")).unwrap();
        (&file).write_all(&[7; 100_000]).unwrap();
        start_writeback(&file, 0, 65_536).unwrap();
        start_writeback(&file, 65_536, 0).unwrap();
        sync_data(&file).unwrap();
        sync_filesystem(&file).unwrap();
        check_written(&file).unwrap();
        sync_dir(dir.path()).unwrap();
    }
}
