//! A second name or a second body for a file, written to the disk at most once.
//!
//! A reflink shares blocks until one side changes them: the best, where the file system can (btrfs, XFS, ReFS). A hard
//! link is the *same* file under a second name: whoever changes one changes both. A copy costs every byte again.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::fs::File;
use std::io;
use std::path::Path;

use crate::FileError;
use crate::file_error::Context as _;
use crate::open;

/// How a file came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placed {
    /// Its blocks are shared until written.
    Reflink,
    /// It is the same file under a second name.
    HardLink,
    /// Its bytes were written again.
    Copy,
}

/// Makes the empty file `dest` share all blocks of `source`. `false`: this file system cannot, and `dest` is as before.
pub fn reflink(source: &File, dest: &File) -> io::Result<bool> {
    system::reflink(source, dest)
}

/// Gives the file `source` the second name `dest`, which must be free (`AlreadyExists`). `false`: not possible between these
/// two places (another file system, no rights to it, no links at all).
pub fn hard_link(source: &Path, dest: &Path) -> Result<bool, FileError> {
    match std::fs::hard_link(source, dest) {
        Ok(()) => Ok(true),
        Err(error) if system::no_link_here(&error) => Ok(false),
        Err(error) => Err(error).context("link a file to", dest),
    }
}

/// Brings `source` to the free path `dest` by the cheapest way: reflink, else hard link, else copy. A copy is private to its
/// owner and not yet synced.
pub fn place_copy(source: &Path, dest: &Path) -> Result<Placed, FileError> {
    let from = open::open_nofollow(source)?;
    let to = open::create_new_private(dest)?;
    let placed = place_into(&from, source, to, dest);
    if placed.is_err() {
        let _ = std::fs::remove_file(dest);
    }
    placed
}

fn place_into(from: &File, source: &Path, to: File, dest: &Path) -> Result<Placed, FileError> {
    if reflink(from, &to).context("clone a file to", dest)? {
        return Ok(Placed::Reflink);
    }
    // The name is taken by our own empty file; a link under a fresh name then replaces it.
    let temp = open::directory_of(dest).join(open::temp_name());
    if hard_link(source, &temp)? {
        drop(to);
        return match crate::durable::replace(&temp, dest) {
            Ok(()) => Ok(Placed::HardLink),
            Err(error) => {
                let _ = std::fs::remove_file(&temp);
                Err(error)
            }
        };
    }
    io::copy(&mut &*from, &mut &to).context("copy a file to", dest)?;
    Ok(Placed::Copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placed_file_has_the_bytes_of_its_source() {
        let dir = tempfile::tempdir().unwrap();
        let (source, dest) = (dir.path().join("source"), dir.path().join("dest"));
        std::fs::write(&source, vec![5; 300_000]).unwrap();
        let placed = place_copy(&source, &dest).unwrap();
        assert_eq!(std::fs::read(&dest).unwrap(), vec![5; 300_000]);
        assert_ne!(placed, Placed::Copy, "two names in one directory can share their bytes");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(place_copy(&source, &dest).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(hard_link(&source, &dest).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn between_two_file_systems_the_bytes_are_copied() {
        let here = tempfile::tempdir().unwrap();
        let Ok(there) = tempfile::tempdir_in("/dev/shm") else { return };
        let (source, dest) = (here.path().join("source"), there.path().join("dest"));
        std::fs::write(&source, b"bytes").unwrap();
        assert!(!hard_link(&source, &dest).unwrap());
        assert_eq!(place_copy(&source, &dest).unwrap(), Placed::Copy);
        assert_eq!(std::fs::read(&dest).unwrap(), b"bytes");
    }

    #[test]
    fn a_missing_source_leaves_no_destination() {
        let dir = tempfile::tempdir().unwrap();
        assert!(place_copy(&dir.path().join("none"), &dir.path().join("dest")).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
