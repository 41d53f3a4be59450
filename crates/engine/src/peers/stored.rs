//! A content of the cache, as others see it: complete, leased while it is in use, and each piece proven by its table as it is read.

use std::io;
use std::sync::Arc;

use dray_cache::{CacheError, Entry, PieceReader, Store};
use dray_content::{PieceIndex, PieceTable};
use dray_exchange::{Holding, Volume};
use dray_ranges::ByteRange;
use tokio::sync::watch;

use crate::peers::proven_pieces::ProvenPieces;

/// A complete content.
pub(crate) struct Stored {
    table: Arc<PieceTable>,
    reader: PieceReader,
    /// Held so that the content is not evicted.
    entry: Entry,
    lately: Arc<ProvenPieces>,
    /// Replaced by a holding of nothing when the content proves wrong.
    ours: watch::Sender<Arc<Holding>>,
}

impl Stored {
    /// Opens a content of the cache.
    pub(crate) fn open(store: &Store, entry: Entry, lately: Arc<ProvenPieces>) -> Result<Self, CacheError> {
        let reader = store.read_pieces(&entry)?;
        let table = Arc::new(entry.table().clone());
        let holding = Holding::complete(table.size(), Some(entry.id()));
        let (ours, _) = watch::channel(Arc::new(holding));
        Ok(Self { table, reader, entry, lately, ours })
    }

    /// Its pieces.
    pub(crate) fn piece_table(&self) -> Arc<PieceTable> {
        Arc::clone(&self.table)
    }

    /// Whether it has proven right so far.
    pub(crate) fn is_good(&self) -> bool {
        !self.ours.borrow().have.is_empty()
    }

    fn piece(&self, index: PieceIndex) -> io::Result<Arc<Vec<u8>>> {
        let of = (self.entry.id(), index);
        if let Some(piece) = self.lately.get(of) {
            return Ok(piece);
        }
        let mut bytes = Vec::new();
        if let Err(error) = self.reader.read(index, &mut bytes) {
            tracing::warn!(id = %self.entry.id(), %error, "a content is not offered any more");
            self.ours.send_replace(Arc::new(Holding { size: Some(self.table.size()), ..Holding::default() }));
            return Err(io::Error::other(error));
        }
        let piece = Arc::new(bytes);
        self.lately.keep(of, Arc::clone(&piece));
        Ok(piece)
    }
}

impl Volume for Stored {
    fn ours(&self) -> watch::Receiver<Arc<Holding>> {
        self.ours.subscribe()
    }

    fn table(&self) -> Option<Arc<PieceTable>> {
        Some(self.piece_table())
    }

    fn read(&self, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        if range.end() > self.table.size() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut at = range.start();
        while at < range.end() {
            let index = u32::try_from(at / self.table.piece_len()).map_err(io::Error::other)?;
            let bounds = self.table.piece_range(PieceIndex(index)).ok_or(io::ErrorKind::NotFound)?;
            let piece = self.piece(PieceIndex(index))?;
            let end = range.end().min(bounds.end());
            let within = |offset: u64| usize::try_from(offset - bounds.start()).map_err(io::Error::other);
            into.extend_from_slice(piece.get(within(at)?..within(end)?).ok_or(io::ErrorKind::UnexpectedEof)?);
            at = end;
        }
        Ok(())
    }

    fn is_downloading(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dray_cache::{Audience, Config, NewContent};
    use dray_content::TableBuilder;
    use std::os::unix::fs::FileExt as _;

    fn cached(bytes: &[u8]) -> (tempfile::TempDir, Store, Entry) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache"), Config::default()).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, bytes).unwrap();
        let mut builder = TableBuilder::new(Some(bytes.len() as u64));
        builder.feed(0, bytes);
        let table = builder.finish(bytes.len() as u64).unwrap();
        let id = table.root();
        let new =
            NewContent { table, digests: vec![], urls: vec![], audience: Audience::Everyone, file: &file };
        store.adopt(new).unwrap();
        let entry = store.find_id(&id).unwrap();
        (folder, store, entry)
    }

    #[test]
    fn any_range_is_read_and_a_damaged_piece_is_never_given() {
        let bytes: Vec<u8> = (0..700_000_u32).map(|at| (at * 7 % 253) as u8).collect();
        let (_folder, store, entry) = cached(&bytes);
        let open = || Stored::open(&store, entry.clone(), Arc::default()).unwrap();
        let mut into = vec![1];
        let stored = open();
        for (start, end) in [(0, 1), (262_143, 262_145), (5, 700_000), (524_288, 700_000)] {
            stored.read(ByteRange::new(start, end).unwrap(), &mut into).unwrap();
            assert_eq!(into, bytes[start as usize..end as usize]);
        }
        assert!(stored.read(ByteRange::new(0, 700_001).unwrap(), &mut into).is_err());
        let damaged = open();
        let ours = damaged.ours();
        assert!(!ours.borrow().have.is_empty());
        let object = std::fs::OpenOptions::new().write(true).open(entry.path()).unwrap();
        object.write_all_at(b"damaged", 300_000).unwrap();
        damaged.read(ByteRange::new(0, 100).unwrap(), &mut into).unwrap();
        assert!(damaged.read(ByteRange::new(262_144, 262_145).unwrap(), &mut into).is_err());
        assert!(ours.borrow().have.is_empty());
    }
}
