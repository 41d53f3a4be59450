//! Which file is this, and is it still as it was?

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::fs::File;
use std::io;
use std::path::Path;

use crate::FileError;
use crate::file_error::Context as _;

/// What the system tells about a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStamp {
    /// The file system it is on. May differ after a reboot for the same file system.
    pub volume: u64,
    /// Inode number or NTFS file index: the same for all names of one file.
    pub file: u64,
    /// Bytes.
    pub size: u64,
    /// Last change of the bytes, nanoseconds since 1970. Can be set by the file's owner.
    pub modified_ns: i64,
    /// Last change of anything, names and rights included. Cannot be set; 0 where unknown.
    pub changed_ns: i64,
    /// How many names the file has.
    pub links: u64,
}

impl FileStamp {
    /// The stamp of an open file.
    pub fn of(file: &File) -> io::Result<FileStamp> {
        system::stamp(file)
    }

    /// The stamp of the file under this path; a symbolic link is not followed, it has a stamp of its own.
    pub fn of_path(path: &Path) -> Result<FileStamp, FileError> {
        system::stamp_of_path(path).context("look at", path)
    }

    /// Whether two stamps are of one file, under whatever names.
    pub fn same_file(&self, other: &FileStamp) -> bool {
        self.volume == other.volume && self.file == other.file
    }

    /// Whether the bytes are probably those of the earlier stamp: same file, size and modification time. The change time is
    /// left out because a new name or new rights move it too, and the volume because its number may change over a reboot.
    /// An owner who edits a file and turns its clock back is not noticed; only reading the bytes tells that.
    pub fn unchanged_since(&self, earlier: &FileStamp) -> bool {
        self.file == earlier.file && self.size == earlier.size && self.modified_ns == earlier.modified_ns
    }
}

/// Whether the file belongs to the user of this process, and its rights let nobody else write to it. Asked before a file is
/// shared by hard link. Windows: the owner alone is looked at, further entries of the access list are not.
pub fn only_we_can_write(file: &File) -> io::Result<bool> {
    system::only_we_can_write(file)
}

/// Whether the file belongs to the user of this process or to the superuser, and its rights let nobody else read it. Asked before
/// a secret is taken from it. Windows: the owner alone is looked at, further entries of the access list are not.
pub fn only_we_can_read(file: &File) -> io::Result<bool> {
    system::only_we_can_read(file)
}

/// About a directory: whether somebody else could put names into it.
pub fn only_we_can_write_dir(path: &Path) -> Result<bool, FileError> {
    system::open_dir(path).and_then(|directory| only_we_can_write(&directory)).context("look at", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_second_name_leaves_the_stamp_unchanged_and_an_edit_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, b"bytes").unwrap();
        let before = FileStamp::of_path(&path).unwrap();
        std::fs::hard_link(&path, &other).unwrap();
        let linked = FileStamp::of_path(&other).unwrap();
        assert!(linked.unchanged_since(&before) && linked.same_file(&before));
        assert_eq!((before.links, linked.links), (1, 2));

        let mut file = File::options().write(true).open(&other).unwrap();
        file.write_all(b"Bytes").unwrap();
        crate::times::set_modified(&file, SystemTime::now() + Duration::from_secs(1)).unwrap();
        assert!(!FileStamp::of_path(&path).unwrap().unchanged_since(&before));
        assert_eq!(FileStamp::of(&file).unwrap(), FileStamp::of_path(&path).unwrap());
    }

    #[test]
    fn a_file_put_in_the_place_of_another_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, b"bytes").unwrap();
        std::fs::write(&other, b"bytes").unwrap();
        let before = FileStamp::of_path(&path).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(!FileStamp::of_path(&path).unwrap().unchanged_since(&before));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_told_apart() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("a")).unwrap();
        for (mode, is_ours) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(only_we_can_read(&file).unwrap(), is_ours, "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_write_is_told_apart() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("a")).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(only_we_can_write(&file).unwrap());
        file.set_permissions(std::fs::Permissions::from_mode(0o664)).unwrap();
        assert!(!only_we_can_write(&file).unwrap());

        assert!(only_we_can_write_dir(dir.path()).unwrap());
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!only_we_can_write_dir(dir.path()).unwrap());
    }
}
