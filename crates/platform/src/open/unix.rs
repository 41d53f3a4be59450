//! O_NOFOLLOW, modes and the umask.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::OFlags;

pub(super) fn private(options: &mut OpenOptions) {
    options.mode(0o600);
}

pub(super) fn nofollow(options: &mut OpenOptions) {
    // NONBLOCK keeps a pipe that somebody put there from hanging us; it means nothing to a regular file.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(i32::from_ne_bytes(flags.bits().to_ne_bytes()));
}

/// The system says "too many levels of symbolic links" for a link that was not followed; say what was meant.
pub(super) fn name_the_link(error: io::Error) -> io::Error {
    match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::LOOP) => {
            io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link, which is not followed")
        }
        // A pipe without a reader, opened for writing.
        Some(rustix::io::Errno::NXIO) => io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"),
        _ => error,
    }
}

pub(super) fn create_private_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            DirBuilder::new().recursive(true).mode(0o700).create(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

pub(super) fn share_as_usual(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o666 & !umask()))
}

/// The process's umask as it was when first asked for; nothing here changes it, and to read it each time costs more than to write a
/// small file.
fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(read_umask)
}

/// Linux tells the umask in `/proc`; elsewhere the only way to read it is to set it for a moment.
#[allow(clippy::useless_conversion, reason = "a mode has 16 bits on some systems")]
fn read_umask() -> u32 {
    let told = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
        u32::from_str_radix(line.trim(), 8).ok()
    });
    told.unwrap_or_else(|| {
        let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        rustix::process::umask(mask);
        mask.as_raw_mode().into()
    })
}
