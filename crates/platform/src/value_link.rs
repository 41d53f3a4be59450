//! A name with a short text behind it: the smallest record a file system can hold.
//!
//! On Unix it is a symbolic link whose target is the text, so it lives in the directory and the inode, takes no block, and
//! is never half written. The target means nothing as a path and is never followed. Windows keeps a tiny file resident in
//! its table. Nothing is synced: after a power cut a value may be missing, so it must be something that can be found again.

use std::io;
use std::path::Path;

use crate::FileError;
use crate::file_error::Context as _;
use crate::open;

/// Longest text, in bytes: what ext4 keeps inside the inode.
pub const MAX_VALUE_LEN: usize = 59;

/// Puts `value` behind the name `path`, replacing what was there. Empty, too long or with a NUL is `InvalidInput`.
pub fn set(path: &Path, value: &str) -> Result<(), FileError> {
    if value.is_empty() || value.len() > MAX_VALUE_LEN || value.contains('\0') {
        return Err(FileError::new("write", path, io::ErrorKind::InvalidInput.into()));
    }
    match create(path, value) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other.context("write", path),
    }
    let temp = open::directory_of(path).join(open::temp_name());
    create(&temp, value).context("write", &temp)?;
    crate::durable::replace(&temp, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&temp);
    })
}

/// The value behind `path`; `None` when there is no such name, or something else is in its place.
pub fn get(path: &Path) -> Option<String> {
    read(path).filter(|value| !value.is_empty() && value.len() <= MAX_VALUE_LEN)
}

#[cfg(unix)]
fn create(path: &Path, value: &str) -> io::Result<()> {
    std::os::unix::fs::symlink(value, path)
}

#[cfg(unix)]
fn read(path: &Path) -> Option<String> {
    std::fs::read_link(path).ok()?.into_os_string().into_string().ok()
}

#[cfg(windows)]
fn create(path: &Path, value: &str) -> io::Result<()> {
    use std::io::Write as _;
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(value.as_bytes())
}

#[cfg(windows)]
fn read(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let limit = MAX_VALUE_LEN as u64 + 1;
    open::open_nofollow(path).ok()?.take(limit).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_again_replaced_and_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        assert_eq!(get(&path), None);
        set(&path, "one").unwrap();
        set(&path, "../two").unwrap();
        assert_eq!(get(&path).as_deref(), Some("../two"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(get(&path), None);
    }

    #[test]
    fn the_longest_value_fits_and_one_more_byte_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        set(&path, &"x".repeat(MAX_VALUE_LEN)).unwrap();
        assert!(get(&path).is_some());
        for bad in [String::new(), "x".repeat(MAX_VALUE_LEN + 1), "a\0b".to_owned()] {
            assert_eq!(set(&path, &bad).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
