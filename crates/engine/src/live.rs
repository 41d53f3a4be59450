//! A file while it is fetched, for those who cannot wait for the end: they say which bytes they need, see which are written, and read them.
//!
//! One [`Live`] outlives the transfers of its file: a transfer that is stopped and goes on later, or from another URL, tells the same
//! one. What a reader may put together is said by [`Standing::version`]: bytes read under one version are of one remote file, and
//! whatever takes bytes back, because the file changed or proved wrong, begins another version first.

use std::fs::File;
use std::io;
use std::path::Path;

use dray_origin::Wish;
use dray_planner::OPEN_END;
use dray_platform::identity_of::FileStamp;
use dray_platform::{open, positioned};
use dray_ranges::{ByteRange, RangeSet};
use tokio::sync::watch;

/// What readers ask of a transfer, as offsets in the remote file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// These bytes before all others: of several sets, those of the first that lacks any.
    pub first: Vec<RangeSet>,
    /// These bytes and no others; the transfer ends with [`FetchError::OnlyPart`](crate::FetchError::OnlyPart) once they are there
    /// and the file is not whole. `None`: all of it.
    pub only: Option<RangeSet>,
}

impl Wishes {
    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.iter().all(RangeSet::is_empty) && self.only.is_none()
    }

    /// What to ask for first, where nothing is there.
    pub(crate) fn opening(&self) -> Option<Wish> {
        let range = self.first.iter().chain(&self.only).find_map(|set| set.iter().next())?;
        Some(if range.end() == OPEN_END { Wish::From(range.start()) } else { Wish::Range(range) })
    }
}

/// What is there of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Goes up whenever bytes that were there are no longer: bytes of two versions must not be put together.
    pub version: u64,
    /// The number of the sink on its volume, once there is one.
    pub sink: Option<u64>,
    /// Length of the local file in bytes, once known.
    pub size: Option<u64>,
    /// The bytes that can be read, as offsets in the local file (those of the remote file, unless ranges are packed).
    ///
    /// What came from an origin is what it sent under one validator; what came from anyone else was proven before it was written.
    pub written: RangeSet,
    /// Every byte is there, and every digest that anyone gave holds.
    pub is_proven: bool,
}

/// A file that is being fetched and read. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Live {
    wishes: watch::Sender<Wishes>,
    standing: watch::Sender<Standing>,
}

impl Live {
    /// Says what is needed from now on, in place of what was said before. A running transfer follows at once.
    pub fn steer(&self, wishes: Wishes) {
        self.wishes.send_if_modified(|now| {
            let is_other = *now != wishes;
            *now = wishes;
            is_other
        });
    }

    /// What is needed, and every change of it.
    pub(crate) fn wishes(&self) -> watch::Receiver<Wishes> {
        self.wishes.subscribe()
    }

    /// What is there, and every change of it.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// A sink with these bytes is what there is from now on. Whoever calls this knows whether they are those of the version before:
    /// they are when it is the same file, and holds anything of it.
    pub fn stand(&self, sink: u64, size: Option<u64>, written: RangeSet, is_proven: bool) {
        self.standing.send_modify(|standing| {
            let is_same = standing.sink == Some(sink) && !written.is_empty();
            let is_same = is_same && (standing.size.is_none() || size.is_none() || standing.size == size);
            let version = standing.version + u64::from(!is_same && !standing.written.is_empty());
            *standing = Standing { version, sink: Some(sink), size, written, is_proven };
        });
    }

    /// Nothing of what was there counts any more.
    pub fn clear(&self) {
        self.standing.send_modify(|standing| {
            let version = standing.version + u64::from(!standing.written.is_empty());
            *standing = Standing { version, ..Standing::default() };
        });
    }

    /// Bytes of the local file were written.
    pub(crate) fn wrote(&self, local: ByteRange) {
        self.standing.send_modify(|standing| standing.written.insert(local));
    }

    /// Reads bytes of the sink at `path` that are written, up to `most`, under the version that a reader has bytes of already.
    /// Blocking.
    ///
    /// # Errors
    /// [`ReadError::OtherVersion`] when what is there now must not be put together with those bytes.
    pub fn read(
        &self,
        path: &Path,
        version: u64,
        wanted: ByteRange,
        most: u64,
    ) -> Result<Vec<u8>, ReadError> {
        let (sink, range) = {
            let standing = self.standing.borrow();
            if standing.version != version {
                return Err(ReadError::OtherVersion);
            }
            let there = standing.written.range_at(wanted.start()).ok_or(ReadError::NotThere)?;
            (standing.sink, ByteRange::new(wanted.start(), there.end().min(wanted.end())))
        };
        let range = range.ok_or(ReadError::NotThere)?;
        let len = usize::try_from(range.len().min(most)).unwrap_or(usize::MAX);
        let file = open_sink(path)?;
        if Some(FileStamp::of(&file)?.file) != sink {
            return Err(ReadError::OtherVersion);
        }
        let mut bytes = vec![0; len];
        let outcome = positioned::read_exact_at(&file, &mut bytes, range.start());
        // A version ends before its bytes are touched, so what was read before is of this one.
        if self.standing.borrow().version != version {
            return Err(ReadError::OtherVersion);
        }
        outcome?;
        Ok(bytes)
    }
}

fn open_sink(path: &Path) -> Result<File, ReadError> {
    open::open_nofollow(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::OtherVersion,
        kind => ReadError::Io(io::Error::new(kind, error.to_string())),
    })
}

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What is there now is not, or not for certain, of the file that was read so far.
    #[error("the file is not the one that was read so far")]
    OtherVersion,
    /// Not written yet.
    #[error("the bytes are not there yet")]
    NotThere,
    /// The disk.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> ByteRange {
        ByteRange::new(start, end).unwrap()
    }

    #[test]
    fn bytes_are_read_once_they_are_written_and_never_across_versions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink");
        std::fs::write(&path, b"0123456789").unwrap();
        let number = FileStamp::of_path(&path).unwrap().file;
        let live = Live::default();
        live.stand(number, Some(10), [range(2, 4)].into_iter().collect(), false);
        let version = live.standing().borrow().version;
        assert!(matches!(live.read(&path, version, range(0, 4), 9), Err(ReadError::NotThere)));
        assert_eq!(live.read(&path, version, range(2, 9), 9).unwrap(), b"23");
        live.wrote(range(4, 7));
        assert_eq!(live.read(&path, version, range(2, 9), 9).unwrap(), b"23456");
        assert_eq!(live.read(&path, version, range(2, 9), 3).unwrap(), b"234");
        // The same sink goes on, whole in the end.
        live.stand(number, Some(10), [range(0, 10)].into_iter().collect(), true);
        assert_eq!(live.read(&path, version, range(8, 10), 9).unwrap(), b"89");
        live.stand(number, Some(10), RangeSet::new(), false);
        live.wrote(range(0, 10));
        assert!(matches!(live.read(&path, version, range(8, 10), 9), Err(ReadError::OtherVersion)));
        assert_eq!(live.read(&path, version + 1, range(8, 10), 9).unwrap(), b"89");
    }

    #[test]
    fn another_file_of_that_name_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("sink"), folder.path().join("other"));
        std::fs::write(&path, b"0123456789").unwrap();
        std::fs::write(&other, b"abcdefghij").unwrap();
        let live = Live::default();
        let number = FileStamp::of_path(&path).unwrap().file;
        live.stand(number, Some(10), [range(0, 10)].into_iter().collect(), false);
        std::fs::rename(&other, &path).unwrap();
        assert!(matches!(live.read(&path, 0, range(0, 4), 9), Err(ReadError::OtherVersion)));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(live.read(&path, 0, range(0, 4), 9), Err(ReadError::OtherVersion)));
    }
}
