//! Reparse points are opened as themselves, and then refused because they are not regular files.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;

/// The access list is inherited from the directory: `%LOCALAPPDATA%` admits its user, `%ProgramData%\dray` is given its
/// list by the installer.
pub(super) fn private(_options: &mut OpenOptions) {}

pub(super) fn nofollow(options: &mut OpenOptions) {
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
}

pub(super) fn name_the_link(error: io::Error) -> io::Error {
    error
}

pub(super) fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// New files inherit their rights here too, so there is nothing to widen.
pub(super) fn share_as_usual(_file: &File) -> io::Result<()> {
    Ok(())
}
