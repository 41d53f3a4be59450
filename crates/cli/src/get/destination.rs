//! Where the file goes: its name, the temporary file beside it, and the act of giving it its name.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use dray_content::{Algorithm, WholeHasher};
use dray_engine::{Checkpoint, MAX_CHECKPOINT_LEN};
use dray_origin::SafeName;
use dray_platform::lock::{LockFile, TransientLock};
use dray_platform::{FileError, durable, identity_of, open};

/// The name of a file whose URL has none.
const NAMELESS: &str = "download";

/// The longest name, in bytes, that is used as it is in the names of temporary files; file systems allow 255.
const MAX_NAME_LEN: usize = 220;

/// Where a file goes.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// The final name.
    pub(crate) path: PathBuf,
    /// Whether the user chose the name; a server's proposal counts only when not.
    is_chosen: bool,
    may_replace: bool,
}

impl Destination {
    /// A name that the user gave.
    pub(crate) fn from_path(path: PathBuf, may_replace: bool) -> Result<Self, String> {
        if path.is_dir() || path.file_name().is_none() || ends_with_separator(&path) {
            return Err(format!("{} is a folder; add the name of the file to it", path.display()));
        }
        let folder = folder_of(&path);
        if !folder.is_dir() {
            return Err(format!("the folder {} does not exist; create it first", folder.display()));
        }
        Ok(Self { path, is_chosen: true, may_replace })
    }

    /// The name in the URL, in the current folder.
    pub(crate) fn from_url(name: Option<SafeName>, may_replace: bool) -> Result<Self, String> {
        let name = name.as_ref().map_or(NAMELESS, SafeName::as_str);
        Ok(Self { path: PathBuf::from(name), is_chosen: false, may_replace })
    }

    /// The final name, given what the server proposes.
    pub(crate) fn final_path(&self, proposed: Option<&SafeName>) -> PathBuf {
        match proposed {
            Some(name) if !self.is_chosen => self.path.with_file_name(name.as_str()),
            _ => self.path.clone(),
        }
    }

    /// Whether a file may get that name.
    pub(crate) fn check_free(&self, path: &Path) -> Result<(), String> {
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                Err(format!("{} is a folder; choose another name with -o", path.display()))
            }
            Ok(_) if !self.may_replace => Err(format!(
                "{} exists; replace it with --force, or choose another name with -o",
                path.display()
            )),
            _ => Ok(()),
        }
    }

    /// The temporary file that the bytes go to.
    pub(crate) fn temp(&self) -> PathBuf {
        self.beside("dray-part")
    }

    /// The record of how far it is.
    pub(crate) fn state(&self) -> PathBuf {
        self.beside("dray-state")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{}.{ending}", shortened(&name)))
    }

    /// Keeps every other `dray get` away from this destination until it is dropped; `None` when another one is at work.
    pub(crate) fn lock(&self) -> Result<Option<TransientLock>, FileError> {
        LockFile::try_acquire_transient(&self.beside("dray-lock"))
    }

    /// Where an earlier attempt stopped; or, in words, why its record is of no use.
    pub(crate) fn checkpoint(&self) -> Result<Option<Checkpoint>, String> {
        let unreadable =
            |error: &dyn Display| format!("the record of the transfer's progress cannot be read: {error}");
        let file = match open::open_nofollow(&self.state()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| unreadable(&error))?,
        };
        if !identity_of::only_we_can_write(&file).map_err(|error| unreadable(&error))? {
            return Err("the record of the transfer's progress was written by someone else".to_owned());
        }
        let mut bytes = Vec::new();
        file.take(MAX_CHECKPOINT_LEN as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(&error))?;
        Checkpoint::from_bytes(&bytes).map(Some).map_err(|error| error.to_string())
    }

    /// Keeps a checkpoint. The names are fixed, so that a kill at any moment leaves nothing that the next run would not replace.
    pub(crate) fn keep(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let next = self.beside("dray-state-new");
        remove(&next)?;
        let mut file = open::create_new_private(&next)?;
        file.write_all(&checkpoint.to_bytes())?;
        file.sync_data()?;
        Ok(durable::replace(&next, &self.state())?)
    }

    /// Drops the checkpoint.
    pub(crate) fn forget(&self) -> io::Result<()> {
        remove(&self.state())
    }

    /// Gives the temporary file its name and makes that last.
    pub(crate) fn publish(&self, path: &Path) -> Result<(), String> {
        let temp = self.temp();
        let named = if self.may_replace {
            durable::replace(&temp, path)
        } else {
            durable::rename_noreplace(&temp, path)
        };
        named.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                format!(
                    "{} came into being meanwhile; the same command with --force replaces it",
                    path.display()
                )
            }
            _ => error.to_string(),
        })?;
        // A record that stays behind names a file that is no longer the temporary one, and is not believed.
        let _ = self.forget();
        let _ = remove(&self.beside("dray-state-new"));
        durable::sync_dir(folder_of(path)).map_err(|error: FileError| error.to_string())
    }

    /// Removes what a failed download left; only for who holds the lock.
    pub(crate) fn discard(&self) {
        let _ = self.forget();
        let _ = remove(&self.temp());
        let _ = remove(&self.beside("dray-state-new"));
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A name that leaves room for what is put around it: a long one keeps its beginning and gets a digest of the whole.
fn shortened(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_NAME_LEN {
        return name.into();
    }
    let mut hasher = WholeHasher::new(&[Algorithm::Sha256], false);
    hasher.feed(0, name.as_bytes());
    let digest: String = hasher
        .finish()
        .0
        .iter()
        .flat_map(|digest| &digest.bytes()[..8])
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}~{digest}", &name[..name.floor_char_boundary(MAX_NAME_LEN - digest.len() - 1)]).into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn ends_with_separator(path: &Path) -> bool {
    path.as_os_str().to_string_lossy().ends_with(std::path::is_separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_leaves_room_for_what_surrounds_it_and_stays_its_own() {
        let temp = |name: String| Destination::from_path(name.into(), false).unwrap().temp();
        let (one, other) = (temp("ü".repeat(127)), temp("ü".repeat(126) + "xy"));
        assert!(one.as_os_str().len() <= 255 && one != other, "{one:?}");
    }

    #[test]
    fn a_servers_proposal_counts_only_when_the_user_chose_no_name() {
        let proposed = SafeName::mend("proposed.iso").unwrap();
        let chosen = Destination::from_path("chosen".into(), false).unwrap();
        assert_eq!(chosen.final_path(Some(&proposed)), Path::new("chosen"));
        let named = Destination::from_url(SafeName::mend("x"), false).unwrap();
        assert_eq!(named.final_path(Some(&proposed)), Path::new("proposed.iso"));
        assert_eq!(named.final_path(None), Path::new("x"));
        assert_eq!(named.temp(), Path::new(".x.dray-part"));
        assert_eq!(named.state(), Path::new(".x.dray-state"));
    }
}
