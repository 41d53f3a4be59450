//! Giving a content away: to a destination, or piece by piece. No byte leaves unproven.
//!
//! The aliasing rule: the object may be the same file as *one* destination (a hard link), and two destinations are never the
//! same file. So a link is made only of an object with one name, and looked at again afterwards: whoever finds a third name
//! takes his own back and copies. A destination that is edited in place then damages the cached copy and nobody else's file;
//! the damage is found by reading, here, every time.
//!
//! A hard link shares owner and rights too. Nobody reaches an object through the store, whose directory is its user's alone;
//! and a file is linked, in or out, only while it belongs to this user and no one else may write to it. Whoever gives the
//! destination wider rights or another owner later (the daemon, for a job of another user, should do so before adopting)
//! changes the object with it: from then on it is only copied, each copy proven.

use std::fs::File;
use std::io;
use std::path::Path;

use dray_content::{ContentId, PieceIndex, PieceTable};
use dray_platform::clone::{self, Placed};
use dray_platform::identity_of::{self, FileStamp};
use dray_platform::{FileError, open, positioned};

use crate::entry::Entry;
use crate::error::CacheError;
use crate::marker;
use crate::prove::{self, Proof};
use crate::store::Store;

impl Store {
    /// Brings a content to the path `dest`, at which there must be nothing: by reflink, else by hard link where the aliasing
    /// rule allows it, else by copy. `progress` is told how many bytes have been proven so far.
    ///
    /// After an error there is nothing at `dest`. A copy is private to its owner, a hard link has the rights of the file that
    /// was adopted; nothing is synced. When the stored bytes prove wrong the content leaves the store: [`CacheError::Corrupt`].
    pub fn deliver(&self, entry: &Entry, dest: &Path, progress: &dyn Fn(u64)) -> Result<Placed, CacheError> {
        let object = self.open_object(entry)?;
        let outcome = self.deliver_from(&object, entry, dest, progress);
        match &outcome {
            Ok(_) => self.touch(&entry.id()),
            Err(CacheError::Corrupt { .. }) => drop(self.condemn_object(&entry.id(), &object)),
            Err(_) => {}
        }
        if outcome.is_ok() && !entry.is_untouched() {
            // Right, but it looked otherwise: maintenance will note how it looks now.
            let _ = marker::set(&self.layout, &entry.id(), entry.size());
        }
        outcome
    }

    fn deliver_from(
        &self,
        object: &File,
        entry: &Entry,
        dest: &Path,
        progress: &dyn Fn(u64),
    ) -> Result<Placed, CacheError> {
        let table = entry.table();
        let corrupt = || CacheError::Corrupt { id: entry.id() };
        let created = Created::new(dest)?;
        if self.reflink(object, &created.file).map_err(|error| created.error("clone a file to", error))? {
            return match prove::prove_only(&created.file, table, progress) {
                Ok(Proof::Right) => {
                    created.keep();
                    Ok(Placed::Reflink)
                }
                Ok(Proof::Wrong) => Err(corrupt()),
                Err(error) => Err(created.error("read", error).into()),
            };
        }
        if self.may_link(object) {
            match prove::prove_only(object, table, progress) {
                Ok(Proof::Right) => {}
                Ok(Proof::Wrong) => return Err(corrupt()),
                Err(error) => return Err(FileError::new("read", entry.path(), error).into()),
            }
            // Our empty file has kept the name from others until here.
            drop(created);
            if self.link_checked(entry.path(), object, dest)? {
                return Ok(Placed::HardLink);
            }
            return self.deliver_copy(object, entry, Created::new(dest)?, progress);
        }
        self.deliver_copy(object, entry, created, progress)
    }

    fn deliver_copy(
        &self,
        object: &File,
        entry: &Entry,
        created: Created<'_>,
        progress: &dyn Fn(u64),
    ) -> Result<Placed, CacheError> {
        if !copy(object, entry.table(), &created, progress)? {
            return Err(CacheError::Corrupt { id: entry.id() });
        }
        created.keep();
        Ok(Placed::Copy)
    }

    /// Whether an object or a file to adopt may get one more name: only ours to write, and of one name so far.
    pub(crate) fn may_link(&self, file: &File) -> bool {
        self.config.hard_links
            && FileStamp::of(file).is_ok_and(|stamp| stamp.links == 1)
            && identity_of::only_we_can_write(file).unwrap_or(false)
    }

    /// Links and looks again. `false`: no link was made, or it was one too many, or of another file than the one in hand, and
    /// has been taken back.
    pub(crate) fn link_checked(&self, source: &Path, opened: &File, dest: &Path) -> Result<bool, FileError> {
        let Ok(before) = FileStamp::of(opened) else { return Ok(false) };
        if !clone::hard_link(source, dest)? {
            return Ok(false);
        }
        let right = FileStamp::of_path(dest)
            .is_ok_and(|now| now.same_file(&before) && now.unchanged_since(&before) && now.links == 2);
        if !right {
            let _ = std::fs::remove_file(dest);
        }
        Ok(right)
    }

    /// A reader of single pieces, for ranges of a file and for peers.
    pub fn read_pieces(&self, entry: &Entry) -> Result<PieceReader, CacheError> {
        let file = self.open_object(entry)?;
        self.touch(&entry.id());
        Ok(PieceReader { file, entry: entry.clone(), store: self.clone() })
    }

    fn open_object(&self, entry: &Entry) -> Result<File, CacheError> {
        match open::open_nofollow(entry.path()) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.object_is_missing(&entry.id());
                Err(CacheError::Gone { id: entry.id() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads single pieces of a content, each proven.
#[derive(Debug)]
pub struct PieceReader {
    file: File,
    entry: Entry,
    store: Store,
}

impl PieceReader {
    /// The content that is read.
    pub fn id(&self) -> ContentId {
        self.entry.id()
    }

    /// Replaces `buffer` by the bytes of a piece; nothing in it when there is no such piece. A wrong piece puts the content out
    /// of the store, and `buffer` is left empty.
    pub fn read(&self, index: PieceIndex, buffer: &mut Vec<u8>) -> Result<(), CacheError> {
        buffer.clear();
        let table = self.entry.table();
        let Some(range) = table.piece_range(index) else { return Ok(()) };
        buffer.resize(usize::try_from(range.len()).unwrap_or(0), 0);
        let read = positioned::read_exact_at(&self.file, buffer, range.start());
        if read.is_ok() && table.verify_piece(index, buffer) {
            return Ok(());
        }
        buffer.clear();
        self.store.condemn_object(&self.entry.id(), &self.file);
        Err(CacheError::Corrupt { id: self.entry.id() })
    }
}

/// Copies while proving; `false` when the bytes were wrong.
pub(crate) fn copy(
    from: &File,
    table: &PieceTable,
    to: &Created<'_>,
    progress: &dyn Fn(u64),
) -> Result<bool, FileError> {
    let sink = |offset, chunk: &[u8]| positioned::write_all_at(&to.file, chunk, offset);
    match prove::prove(from, table, progress, sink) {
        Ok(proof) => Ok(matches!(proof, Proof::Right)),
        Err(error) => Err(to.error("write", error)),
    }
}

/// A new private file that goes away again unless it is kept.
pub(crate) struct Created<'a> {
    pub(crate) file: File,
    path: &'a Path,
    kept: bool,
}

impl<'a> Created<'a> {
    pub(crate) fn new(path: &'a Path) -> Result<Created<'a>, FileError> {
        Ok(Created { file: open::create_new_private(path)?, path, kept: false })
    }

    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    pub(crate) fn error(&self, doing: &'static str, error: io::Error) -> FileError {
        FileError::new(doing, self.path, error)
    }
}

impl Drop for Created<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(self.path);
        }
    }
}
