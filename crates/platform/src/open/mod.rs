//! Opening files so that nobody in between can put another file in their place.
//!
//! Everything here refuses a symbolic link in the last component of the path, and nothing that is opened leaks into child
//! processes (the standard library sees to that).

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use crate::FileError;
use crate::file_error::Context as _;

/// How many random names are tried for a temporary file before the directory is called broken.
const TEMP_NAME_TRIES: u32 = 16;

/// Creates a file that did not exist, readable and writable by its owner alone. On Windows the directory's access list
/// decides, which inside a user's profile comes to the same.
pub fn create_new_private(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    system::private(&mut options);
    options.open(path).context("create", path)
}

/// Opens a regular file for reading. A symbolic link, a directory, a pipe or a device is `InvalidInput`.
pub fn open_nofollow(path: &Path) -> Result<File, FileError> {
    open_regular(OpenOptions::new().read(true), path)
}

/// Opens a regular file that exists for reading and writing, as when a transfer goes on where it stopped.
pub fn open_nofollow_writable(path: &Path) -> Result<File, FileError> {
    open_regular(OpenOptions::new().read(true).write(true), path)
}

/// Opens a private file for reading and writing, and creates it when it is missing.
pub fn open_or_create_private(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    system::private(&mut options);
    open_regular(&mut options, path)
}

/// Creates a private file under a fresh random name in the directory of `path`, so that a rename can put it in place.
pub fn create_temp_beside(path: &Path) -> Result<(File, PathBuf), FileError> {
    let directory = directory_of(path);
    for _ in 0..TEMP_NAME_TRIES {
        let candidate = directory.join(temp_name());
        match create_new_private(&candidate) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|file| (file, candidate)),
        }
    }
    Err(FileError::new("find a free name beside", path, io::ErrorKind::AlreadyExists.into()))
}

/// A random name for a temporary file: hidden on Unix, short, and plain ASCII.
pub fn temp_name() -> OsString {
    // The standard library seeds each RandomState from the system's randomness. O_EXCL is what keeps us safe; the
    // randomness only keeps us from meeting ourselves.
    OsString::from(format!(".dray-{:016x}.tmp", RandomState::new().build_hasher().finish()))
}

/// Creates a directory and what is missing above it; the last one is its owner's alone.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    system::create_private_dir(path).context("create the directory", path)
}

/// Gives a file that was created private the rights that an ordinary new file of this process has.
pub fn share_as_usual(file: &File) -> io::Result<()> {
    system::share_as_usual(file)
}

/// The directory that `path` is in; "." for a bare name.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn open_regular(options: &mut OpenOptions, path: &Path) -> Result<File, FileError> {
    system::nofollow(options);
    let file = options.open(path).map_err(system::name_the_link).context("open", path)?;
    let metadata = file.metadata().context("look at", path)?;
    if metadata.is_file() {
        Ok(file)
    } else {
        let reason = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        Err(FileError::new("open", path, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_never_replaces_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let file = create_new_private(&path).unwrap();
        assert_eq!(create_new_private(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            share_as_usual(&file).unwrap();
            let ordinary = File::create(dir.path().join("b")).unwrap();
            assert_eq!(
                file.metadata().unwrap().permissions().mode(),
                ordinary.metadata().unwrap().permissions().mode()
            );
        }
        #[cfg(windows)]
        share_as_usual(&file).unwrap();
    }

    #[test]
    fn a_directory_is_not_a_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open_nofollow(dir.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_and_a_pipe_are_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, b"x").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert_eq!(open_nofollow(&link).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(open_nofollow_writable(&link).is_err());
        assert!(open_or_create_private(&link).is_err());
        assert!(create_new_private(&link).is_err());

        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert_eq!(open_nofollow(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn temporary_files_lie_beside_and_differ() {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("file.iso");
        let (_one, first) = create_temp_beside(&dest).unwrap();
        let (_two, second) = create_temp_beside(&dest).unwrap();
        assert_ne!(first, second);
        assert_eq!(first.parent(), Some(dir.path()));
    }

    #[test]
    fn a_private_directory_may_exist_already() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        create_private_dir(&path).unwrap();
        create_private_dir(&path).unwrap();
        assert!(path.is_dir());
    }
}
