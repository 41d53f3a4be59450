//! How much room a file system has left.

use std::path::Path;

use crate::FileError;
use crate::file_error::Context as _;

/// Room on the file system that holds a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// The room around `path`, which must exist.
pub fn space(path: &Path) -> Result<Space, FileError> {
    system(path).context("find the free space of", path)
}

#[cfg(unix)]
fn system(path: &Path) -> std::io::Result<Space> {
    let answer = rustix::fs::statvfs(path)?;
    Ok(Space {
        free: answer.f_bavail.saturating_mul(answer.f_frsize),
        total: answer.f_blocks.saturating_mul(answer.f_frsize),
    })
}

#[cfg(windows)]
#[allow(unsafe_code)]
fn system(path: &Path) -> std::io::Result<Space> {
    use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
    let path = crate::wide::wide(path)?;
    let (mut free, mut total) = (0, 0);
    // SAFETY: the path is NUL-terminated and outlives the call; the two out-pointers are ours, the third may be null.
    crate::wide::check(unsafe {
        GetDiskFreeSpaceExW(path.as_ptr(), &mut free, &mut total, std::ptr::null_mut())
    })?;
    Ok(Space { free, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some_room_and_less_than_in_all() {
        let dir = tempfile::tempdir().unwrap();
        let found = space(dir.path()).unwrap();
        assert!(found.free > 0 && found.free <= found.total);
        assert!(space(&dir.path().join("missing")).is_err());
    }
}
