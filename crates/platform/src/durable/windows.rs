//! MoveFileExW with write-through stands in for the sync of a directory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{MOVEFILE_WRITE_THROUGH, MoveFileExW};

use crate::wide::{check, wide};

pub(super) fn sync_dir(directory: &Path) -> io::Result<()> {
    // A directory handle cannot be flushed without rights that ordinary users lack. That it is there is all we can tell.
    std::fs::metadata(directory).map(drop)
}

pub(super) fn start_writeback(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Ok(())
}

pub(super) fn check_written(file: &File) -> io::Result<()> {
    file.sync_data()
}

pub(super) const SYNCS_WHOLE_FILESYSTEM: bool = false;

/// Flushing a whole volume needs an administrator, so the one file is flushed.
pub(super) fn sync_filesystem(file: &File) -> io::Result<()> {
    file.sync_all()
}

pub(super) fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide(from)?, wide(to)?);
    // SAFETY: both are NUL-terminated UTF-16 strings that live until the call returns.
    check(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), MOVEFILE_WRITE_THROUGH) })
}
