//! Taking contents out: because somebody said so, because room is needed, or because they are damaged.
//!
//! The bytes go first and the side file after them, so that a crash in between leaves a claim that the next look refutes
//! rather than bytes that nobody knows of.

use std::fs::File;
use std::path::Path;
use std::sync::PoisonError;

use dray_content::ContentId;
use dray_platform::identity_of::FileStamp;

use crate::config::MAX_QUARANTINED;
use crate::error::CacheError;
use crate::marker;
use crate::name::{self, Name};
use crate::side_file::{self, Read};
use crate::store::{Store, now_ms};

impl Store {
    /// Removes a content, also one that is in use: who reads it keeps reading. `false`: it was not there.
    pub fn remove(&self, id: &ContentId) -> Result<bool, CacheError> {
        if matches!(side_file::read(&self.layout, id), Read::Missing) {
            return Ok(false);
        }
        marker::set(&self.layout, id, 0)?;
        self.remove_all(id);
        Ok(true)
    }

    /// Removes everything of a content; gives back the names that led to it.
    pub(crate) fn remove_all(&self, id: &ContentId) -> Vec<Name> {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        self.remove_locked(id)
    }

    fn remove_locked(&self, id: &ContentId) -> Vec<Name> {
        let names = match side_file::read(&self.layout, id) {
            Read::Good(side) => side.names(),
            _ => Vec::new(),
        };
        remove(&self.layout.object(id));
        names.iter().for_each(|name| name::unlink(&self.layout, name, id));
        remove(&self.layout.side_file(id));
        names
    }

    /// Somebody looked for the bytes and did not find them: what else there is goes too, unless they came back meanwhile.
    pub(crate) fn object_is_missing(&self, id: &ContentId) -> Vec<Name> {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = marker::set(&self.layout, id, 0);
        if is_missing(&self.layout.object(id)) { self.remove_locked(id) } else { Vec::new() }
    }

    /// Takes out a content whose bytes, read from `file`, proved wrong. If they lie under a second name they are a destination
    /// that its owner changed, and stay his; else the disk or somebody inside the store changed them, and they are kept for
    /// a look.
    pub(crate) fn condemn_object(&self, id: &ContentId, file: &File) -> Vec<Name> {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let object = self.layout.object(id);
        let (Ok(wrong), Ok(stamp)) = (FileStamp::of(file), FileStamp::of_path(&object)) else {
            return Vec::new();
        };
        if !wrong.same_file(&stamp) {
            return Vec::new(); // Somebody has brought the right bytes already.
        }
        tracing::warn!(%id, "a cached content is damaged or was changed; it is removed from the cache");
        let _ = marker::set(&self.layout, id, 0);
        if stamp.links == 1 {
            self.quarantine(&object);
        }
        self.counters.condemned();
        self.remove_locked(id)
    }

    /// Takes out a side file that cannot be read. The bytes stay: maintenance finds out by reading whether they are still what
    /// their name says.
    pub(crate) fn condemn_side_file(&self, id: &ContentId) {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let Read::Bad(reason) = side_file::read(&self.layout, id) else { return };
        tracing::warn!(%id, reason, "the side file of a cached content is damaged; the content will be read to make a new one");
        let _ = marker::set(&self.layout, id, 0);
        self.quarantine(&self.layout.side_file(id));
    }

    /// Moves a file to where it can be looked at, or removes it when even that fails.
    fn quarantine(&self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let to = self.layout.quarantine().join(format!("{:013}-{name}", now_ms()));
        if std::fs::rename(path, &to).is_err() {
            remove(path);
        }
        self.trim_quarantine();
    }

    fn trim_quarantine(&self) {
        let entries = std::fs::read_dir(self.layout.quarantine()).into_iter().flatten().flatten();
        let mut kept: Vec<_> = entries.map(|entry| entry.path()).collect();
        kept.sort();
        kept.iter().rev().skip(MAX_QUARANTINED).for_each(|path| remove(path));
    }
}

pub(crate) fn is_missing(path: &Path) -> bool {
    FileStamp::of_path(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// What cannot be removed now is found again by its marker or by the next comparison with the index.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(path = %path.display(), %error, "a file of the cache cannot be removed");
    }
}
