//! Makes a piece table while the bytes of a file arrive, in whatever order its sources deliver them.

use std::collections::BTreeMap;

use blake3::hazmat::HasherExt as _;
use dray_ranges::{ByteRange, RangeSet};

use crate::table::{finish, subtree};
use crate::{MIN_PIECE_LEN, PieceTable, piece_len};

/// How many pieces may be half hashed at once: more than there are connections of one file. Past it the oldest is read back later.
const MAX_OPEN: usize = 64;

/// Hashes the bytes of one piece, from its first on.
pub struct PieceHasher {
    hasher: blake3::Hasher,
    next: u64,
}

impl PieceHasher {
    /// A hasher for a piece that starts at `offset` of its file; a multiple of the piece length.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(offset);
        Self { hasher, next: offset }
    }

    /// Takes the next bytes of the piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.next += bytes.len() as u64;
    }

    /// The piece's value in the table. A piece that is the whole file counts as the root of its tree.
    #[must_use]
    pub fn finish(&self, is_whole_file: bool) -> [u8; 32] {
        finish(&self.hasher, is_whole_file)
    }
}

/// Collects the values of a file's pieces.
///
/// Bytes that arrive in order within a piece are hashed as they pass. A piece that was begun in its middle is left out, and
/// [`Self::unhashed`] names it so that the caller reads it back from where the bytes were written.
pub struct TableBuilder {
    /// Length of the pieces hashed: that of the table when the size is known, else the finest, merged at the end.
    unit: u64,
    size: Option<u64>,
    done: BTreeMap<u64, [u8; 32]>,
    open: BTreeMap<u64, PieceHasher>,
}

impl TableBuilder {
    /// A builder for a file of that size in bytes; `None` when the origin does not say.
    #[must_use]
    pub fn new(size: Option<u64>) -> Self {
        Self {
            unit: size.map_or(MIN_PIECE_LEN, piece_len),
            size,
            done: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// Takes bytes that lie at `offset` of the file.
    pub fn feed(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let start = offset - offset % self.unit;
            let room = usize::try_from(start + self.unit - offset).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.feed_piece(start, offset, now);
            offset += now.len() as u64;
            bytes = later;
        }
    }

    fn feed_piece(&mut self, start: u64, offset: u64, bytes: &[u8]) {
        if self.done.contains_key(&start) {
            return;
        }
        if offset == start {
            while self.open.len() >= MAX_OPEN {
                self.open.pop_first();
            }
            self.open.insert(start, PieceHasher::new(start));
        }
        let Some(piece) = self.open.get_mut(&start) else {
            return;
        };
        if piece.next != offset {
            self.open.remove(&start);
            return;
        }
        piece.update(bytes);
        let end = self.size.map_or(start + self.unit, |size| size.min(start + self.unit));
        if piece.next == end {
            // With an unknown size a first full unit may still turn out to be the whole file: it is closed by `finish`.
            if self.size.is_none() && start == 0 {
                return;
            }
            let value = piece.finish(self.size == Some(end) && start == 0);
            self.open.remove(&start);
            self.done.insert(start, value);
        }
    }

    /// Forgets what was hashed of the pieces that touch `range`: their bytes are about to be written again.
    pub fn forget(&mut self, range: ByteRange) {
        let first = range.start() - range.start() % self.unit;
        let drop_from =
            |map_keys: Vec<u64>| map_keys.into_iter().filter(|start| (first..range.end()).contains(start));
        for start in drop_from(self.done.keys().copied().collect()) {
            self.done.remove(&start);
        }
        for start in drop_from(self.open.keys().copied().collect()) {
            self.open.remove(&start);
        }
    }

    /// The value of the piece that starts at `start`, once all of it was hashed. Only with a size that was known from the beginning are
    /// the pieces hashed those of the table.
    #[must_use]
    pub fn value(&self, start: u64) -> Option<[u8; 32]> {
        self.size.and_then(|_| self.done.get(&start).copied())
    }

    /// The bytes of a file of `size` bytes whose pieces have no value yet; to be read back and fed, each from its start.
    #[must_use]
    pub fn unhashed(&self, size: u64) -> RangeSet {
        let mut missing = RangeSet::new();
        let mut start = 0;
        while start < size {
            let end = size.min(start + self.unit);
            let closes = |piece: &PieceHasher| self.size.is_none() && piece.next == end;
            if !self.done.contains_key(&start) && !self.open.get(&start).is_some_and(closes) {
                ByteRange::new(start, end).into_iter().for_each(|range| missing.insert(range));
            }
            start = end;
        }
        missing
    }

    /// The table of the file, which has `size` bytes; `None` while pieces are unhashed.
    #[must_use]
    pub fn finish(mut self, size: u64) -> Option<PieceTable> {
        for (start, piece) in std::mem::take(&mut self.open) {
            if piece.next == size.min(start + self.unit) {
                self.done.insert(start, piece.finish(start == 0 && piece.next == size));
            }
        }
        let units: Vec<[u8; 32]> = self.done.into_values().collect();
        if units.len() as u64 != size.div_ceil(self.unit) {
            return None;
        }
        PieceTable::new(size, coarsen(&units, self.unit, size)).ok()
    }
}

/// Merges values of `unit` bytes each into those of the length that a file of `size` bytes is cut into.
fn coarsen(units: &[[u8; 32]], unit: u64, size: u64) -> Vec<[u8; 32]> {
    let piece = piece_len(size);
    let per_piece = usize::try_from(piece / unit).unwrap_or(1).max(1);
    let is_only = size <= piece;
    let values = units.chunks(per_piece).enumerate().map(|(index, group)| {
        let start = index as u64 * piece;
        subtree(group, unit, piece.min(size - start), is_only)
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u8).collect()
    }

    #[test]
    fn the_root_is_what_b3sum_prints_for_odd_and_even_sizes_known_or_not() {
        let k = 256 << 10;
        for len in [0, 1, 1024, 1025, k - 1, k, k + 1, 2 * k, 3 * k + 17, 8 * k] {
            let bytes = bytes(len);
            for size in [Some(len as u64), None] {
                let mut builder = TableBuilder::new(size);
                bytes.chunks(60_000).fold(0, |at, chunk| {
                    builder.feed(at, chunk);
                    at + chunk.len() as u64
                });
                assert!(builder.unhashed(len as u64).is_empty(), "{len} {size:?}");
                let table = builder.finish(len as u64).unwrap();
                assert_eq!(&table.root().0, blake3::hash(&bytes).as_bytes(), "{len} {size:?}");
            }
        }
    }

    #[test]
    fn units_of_an_unknown_size_merge_into_the_pieces_of_the_known_one() {
        let size = 300 << 20;
        let chunk = bytes(1 << 20);
        let (mut known, mut unknown) = (TableBuilder::new(Some(size)), TableBuilder::new(None));
        let mut whole = blake3::Hasher::new();
        for at in (0..size).step_by(chunk.len()) {
            known.feed(at, &chunk);
            unknown.feed(at, &chunk);
            whole.update(&chunk);
        }
        let table = known.finish(size).unwrap();
        assert_eq!(table.piece_len(), 512 << 10);
        assert_eq!(&table.root().0, whole.finalize().as_bytes());
        assert_eq!(unknown.finish(size), Some(table));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_order_of_arrival_gives_the_same_table_once_the_gaps_are_read_back(
            cuts in proptest::collection::vec(0usize..1_300_000, 0..12), seed in 0u64..1000,
        ) {
            let bytes = bytes(1_300_000);
            let mut edges = cuts;
            edges.extend([0, bytes.len()]);
            edges.sort_unstable();
            edges.dedup();
            let mut parts: Vec<_> = edges.windows(2).map(|pair| pair[0]..pair[1]).collect();
            let len = parts.len();
            for i in 0..len {
                parts.swap(i, (seed as usize + i * 7) % len);
            }
            let size = bytes.len() as u64;
            let mut builder = TableBuilder::new(Some(size));
            for part in parts {
                builder.feed(part.start as u64, &bytes[part]);
            }
            for gap in builder.unhashed(size).iter().collect::<Vec<_>>() {
                builder.feed(gap.start(), &bytes[gap.start() as usize..gap.end() as usize]);
            }
            let table = builder.finish(size).unwrap();
            prop_assert_eq!(table.root().0, *blake3::hash(&bytes).as_bytes());
        }
    }
}
