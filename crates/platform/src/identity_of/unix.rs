//! stat.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::FileStamp;

pub(super) fn stamp(file: &File) -> io::Result<FileStamp> {
    file.metadata().map(|metadata| from_metadata(&metadata))
}

pub(super) fn stamp_of_path(path: &Path) -> io::Result<FileStamp> {
    path.symlink_metadata().map(|metadata| from_metadata(&metadata))
}

pub(super) fn open_dir(path: &Path) -> io::Result<File> {
    File::open(path)
}

pub(super) fn only_we_can_write(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok(metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0)
}

pub(super) fn only_we_can_read(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() || metadata.uid() == 0;
    Ok(is_ours && metadata.mode() & 0o077 == 0)
}

fn from_metadata(metadata: &Metadata) -> FileStamp {
    FileStamp {
        volume: metadata.dev(),
        file: metadata.ino(),
        size: metadata.size(),
        modified_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: nanos(metadata.ctime(), metadata.ctime_nsec()),
        links: metadata.nlink(),
    }
}

fn nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
