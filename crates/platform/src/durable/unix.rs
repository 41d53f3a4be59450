//! fsync on directories, sync_file_range, syncfs, renameat2.

use std::fs::File;
use std::io;
use std::path::Path;

pub(super) fn sync_dir(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(target_os = "linux")]
pub(super) fn start_writeback(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let too_far = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let offset = libc::off64_t::try_from(offset).map_err(too_far)?;
    let len = libc::off64_t::try_from(len).map_err(too_far)?;
    sync_file_range(file, offset, len, libc::SYNC_FILE_RANGE_WRITE)
}

/// The wait reports an error of the file that this descriptor has not been told yet, and does not flush the disk.
#[cfg(target_os = "linux")]
pub(super) fn check_written(file: &File) -> io::Result<()> {
    match sync_file_range(file, 0, 0, libc::SYNC_FILE_RANGE_WAIT_BEFORE) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => file.sync_data(),
        outcome => outcome,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn check_written(file: &File) -> io::Result<()> {
    file.sync_data()
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn sync_file_range(
    file: &File,
    offset: libc::off64_t,
    len: libc::off64_t,
    what: libc::c_uint,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: no memory is passed, and the descriptor is open for as long as `file` is borrowed.
    let outcome = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, what) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn start_writeback(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Ok(())
}

pub(super) const SYNCS_WHOLE_FILESYSTEM: bool = cfg!(target_os = "linux");

pub(super) fn sync_filesystem(file: &File) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        Ok(rustix::fs::syncfs(file)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        file.sync_all()
    }
}

pub(super) fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // File systems that do not know the flag (NFS, some FUSE) say INVAL or NOTSUP, old kernels NOSYS.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            outcome => return Ok(outcome?),
        }
    }
    link_then_unlink(from, to)
}

/// A hard link never replaces, so link and unlink make a rename that does not either. Where links are impossible too (FAT),
/// look first and rename: a file that appears in between is then lost, and no call of that system could save it.
fn link_then_unlink(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_without_the_flag_spares_what_is_there_too() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, b"new").unwrap();
        std::fs::write(&to, b"old").unwrap();
        assert_eq!(link_then_unlink(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_file(&to).unwrap();
        link_then_unlink(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
    }
}
