//! The group's key, from its file. Its text is wiped from memory once the group is made of it, and no sentence repeats it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use dray_identity::{Group, GroupError};
use dray_platform::{FileError, identity_of, open};
use zeroize::Zeroizing;

/// A key takes less than a hundred bytes; no more than this is read of whatever is there.
const MAX_FILE_BYTES: u64 = 4096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// It is not there, or does not open.
    #[error("the group's key cannot be read: {0}")]
    File(#[from] FileError),
    /// The path leads nowhere, or reading stopped.
    #[error("the group's key cannot be read from {}: {error}", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    /// Others know it too.
    #[error("the group's key in {} can be read by others than the daemon, so it may be known to anyone", .0.display())]
    Exposed(PathBuf),
    /// It is no key.
    #[error("{}: {error}", path.display())]
    Key { path: PathBuf, error: GroupError },
}

/// The group of that name whose key is in that file.
pub(crate) fn read(name: &str, path: &Path) -> Result<Group, KeyError> {
    let failed = |error| KeyError::Read { path: path.to_owned(), error };
    // A link is fine: what counts is who can read the file that it leads to.
    let file = open::open_nofollow(&std::fs::canonicalize(path).map_err(failed)?)?;
    if !identity_of::only_we_can_read(&file).map_err(failed)? {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
    Group::from_key_text(name, &text).map_err(|error| KeyError::Key { path: path.to_owned(), error })
}

impl KeyError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            KeyError::File(_) | KeyError::Read { .. } => {
                "Make a key with `dray group new NAME`, or copy it from another machine of the group, and name its place with \
                 `group_key_file`."
            }
            KeyError::Exposed(_) => {
                "Let the daemon's user own it, with rights 0600; make a new key for the group if strangers may have read it."
            }
            KeyError::Key { .. } => {
                "Copy the key from another machine of the group, as `dray group new` wrote it."
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_read_only_from_a_file_that_nobody_else_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.key");
        let key = Group::generate_key_text();
        assert!(matches!(read("lab", &path), Err(KeyError::Read { .. })));
        std::fs::write(&path, format!("{}\n", *key)).unwrap();
        for (mode, is_read) in [(0o600, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read("lab", &path).is_ok(), is_read, "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.key");
        std::fs::write(&path, "dray-group-1:secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = read("lab", &path).unwrap_err().to_string();
        assert!(error.contains("group.key") && !error.contains("secret"), "{error}");
    }
}
