//! The piece table: one BLAKE3 subtree value a piece, from which the root of the whole file follows.

use blake3::hazmat::{self, HasherExt as _, Mode};
use dray_ranges::ByteRange;

use crate::{ContentId, PieceIndex, piece_len};

/// The subtree values of all pieces of one file.
///
/// A file of one piece has no subtree: its only value is the root itself. An empty file has no pieces; its root is the BLAKE3 of
/// nothing. (BLAKE3 specification, section 2.4; the merge is that of `blake3::hazmat`.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceTable {
    size: u64,
    piece_len: u64,
    pieces: Vec<[u8; 32]>,
}

impl PieceTable {
    /// A table of a file of `size` bytes, cut as [`piece_len`] says.
    ///
    /// # Errors
    /// [`TableError::Count`] when the number of values does not fit the size.
    pub fn new(size: u64, pieces: Vec<[u8; 32]>) -> Result<Self, TableError> {
        let piece_len = piece_len(size);
        if pieces.len() as u64 != size.div_ceil(piece_len) {
            return Err(TableError::Count);
        }
        Ok(Self { size, piece_len, pieces })
    }

    /// Size of the file in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Length of every piece but the last, in bytes.
    #[must_use]
    pub fn piece_len(&self) -> u64 {
        self.piece_len
    }

    /// The values, in file order.
    #[must_use]
    pub fn values(&self) -> &[[u8; 32]] {
        &self.pieces
    }

    /// Every piece with its bytes' place in the file.
    pub fn pieces(&self) -> impl Iterator<Item = (PieceIndex, ByteRange)> + '_ {
        (0..self.pieces.len()).filter_map(|index| {
            let index = PieceIndex(u32::try_from(index).ok()?);
            Some((index, self.piece_range(index)?))
        })
    }

    /// Where a piece lies in the file; `None` past the end.
    #[must_use]
    pub fn piece_range(&self, index: PieceIndex) -> Option<ByteRange> {
        let start = u64::from(index.0).checked_mul(self.piece_len)?;
        ByteRange::new(start, (start + self.piece_len).min(self.size))
    }

    /// The name of the content that this table describes.
    #[must_use]
    pub fn root(&self) -> ContentId {
        ContentId(subtree(&self.pieces, self.piece_len, self.size, true))
    }

    /// Whether `bytes` are exactly the bytes of that piece.
    #[must_use]
    pub fn verify_piece(&self, index: PieceIndex, bytes: &[u8]) -> bool {
        let Some(range) = self.piece_range(index) else {
            return false;
        };
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(range.start());
        hasher.update(bytes);
        bytes.len() as u64 == range.len() && self.matches(index, &hasher)
    }

    /// Whether the value of a hasher that has taken exactly the bytes of that piece is the table's.
    fn matches(&self, index: PieceIndex, hasher: &blake3::Hasher) -> bool {
        let value = finish(hasher, self.pieces.len() == 1);
        self.pieces.get(index.0 as usize).is_some_and(|expected| *expected == value)
    }

    /// The table as bytes: size (u64, big endian), then the values.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.pieces.len() * 32);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend(self.pieces.iter().flatten());
        bytes
    }

    /// Reads [`Self::to_bytes`] back.
    ///
    /// # Errors
    /// [`TableError::Malformed`] or [`TableError::Count`]; nothing is allocated beyond the length of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let (size, values) = bytes.split_first_chunk::<8>().ok_or(TableError::Malformed)?;
        let (pieces, rest) = values.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(TableError::Malformed);
        }
        Self::new(u64::from_be_bytes(*size), pieces.to_vec())
    }
}

/// Why bytes are not a piece table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// Not a size followed by whole values.
    Malformed,
    /// The number of values does not fit the size.
    Count,
}

impl std::fmt::Display for TableError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the piece table is cut off or malformed",
            Self::Count => "the piece table has a number of pieces that does not fit the file's size",
        })
    }
}

impl std::error::Error for TableError {}

/// The value of a hasher: of a subtree, or of the whole tree.
pub(crate) fn finish(hasher: &blake3::Hasher, is_whole_file: bool) -> [u8; 32] {
    if is_whole_file { *hasher.finalize().as_bytes() } else { hasher.finalize_non_root() }
}

/// Merges consecutive values, each of `unit` bytes but the last, that cover `len` bytes in all.
pub(crate) fn subtree(values: &[[u8; 32]], unit: u64, len: u64, is_root: bool) -> [u8; 32] {
    match values {
        [] => *blake3::hash(&[]).as_bytes(),
        [only] => *only,
        _ => {
            let left_len = hazmat::left_subtree_len(len);
            let split = usize::try_from(left_len / unit).unwrap_or(values.len() - 1);
            let (left, right) = values.split_at(split);
            let left = subtree(left, unit, left_len, false);
            let right = subtree(right, unit, len - left_len, false);
            if is_root {
                *hazmat::merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
            } else {
                hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TableBuilder;

    fn table_of(bytes: &[u8]) -> PieceTable {
        let mut builder = TableBuilder::new(Some(bytes.len() as u64));
        builder.feed(0, bytes);
        builder.finish(bytes.len() as u64).unwrap()
    }

    #[test]
    fn a_piece_proves_itself_and_a_changed_one_does_not() {
        let bytes: Vec<u8> = (0..700_000u32).map(|i| (i * 7 % 251) as u8).collect();
        let table = table_of(&bytes);
        for (index, range) in table.pieces() {
            let piece = &bytes[range.start() as usize..range.end() as usize];
            assert!(table.verify_piece(index, piece));
            let mut wrong = piece.to_vec();
            wrong[piece.len() / 2] ^= 1;
            assert!(!table.verify_piece(index, &wrong));
            assert!(!table.verify_piece(index, &piece[1..]));
            assert!(!table.verify_piece(PieceIndex(index.0 + 1), piece));
        }
    }

    #[test]
    fn a_table_reads_back_as_it_is_written_and_refuses_anything_else() {
        let table = table_of(&vec![5; 600_000]);
        let bytes = table.to_bytes();
        assert_eq!(PieceTable::from_bytes(&bytes), Ok(table));
        assert_eq!(PieceTable::from_bytes(&bytes[..7]), Err(TableError::Malformed));
        assert_eq!(PieceTable::from_bytes(&bytes[..bytes.len() - 1]), Err(TableError::Malformed));
        assert_eq!(PieceTable::from_bytes(&bytes[..bytes.len() - 32]), Err(TableError::Count));
        assert_eq!(PieceTable::from_bytes(&u64::MAX.to_be_bytes()), Err(TableError::Count));
    }
}
