//! FICLONE, and the errors by which a file system says that it has no links.

use std::fs::File;
use std::io;

use rustix::io::Errno;

#[cfg(target_os = "linux")]
pub(super) fn reflink(source: &File, dest: &File) -> io::Result<bool> {
    match rustix::fs::ioctl_ficlone(dest, source) {
        Ok(()) => Ok(true),
        // Which of these comes depends on the file system; none of them has touched `dest`.
        Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::PERM) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reflink(_source: &File, _dest: &File) -> io::Result<bool> {
    Ok(false)
}

pub(super) fn no_link_here(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        // PERM: FAT, or a file of somebody else under fs.protected_hardlinks. MLINK: the file has all the names it may.
        Some(Errno::XDEV | Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP | Errno::NOSYS)
    )
}
