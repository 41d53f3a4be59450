//! The state of every piece, as far as the swarm is concerned: what is missing, what is on its way, who has it.

use std::ops::Range;

use dray_ranges::{ByteRange, RangeSet};

use super::bits::Bits;
use crate::Has;

/// A file of more pieces than this is fetched without a division. 1 TiB has 65,536 of them.
pub(crate) const MAX_PIECES: u64 = 1 << 22;

/// Where the pieces are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    piece_len: u64,
    size: u64,
    pieces: usize,
}

impl Shape {
    pub(crate) fn pieces(self) -> usize {
        self.pieces
    }

    pub(crate) fn piece_len(self) -> u64 {
        self.piece_len
    }

    /// The bytes of a stretch of pieces.
    pub(crate) fn bytes(self, pieces: Range<usize>) -> Option<ByteRange> {
        let start = (pieces.start as u64).saturating_mul(self.piece_len);
        let end = (pieces.end as u64).saturating_mul(self.piece_len).min(self.size);
        ByteRange::new(start, end)
    }

    /// The piece that a byte is in.
    pub(crate) fn piece_at(self, offset: u64) -> usize {
        usize::try_from(offset / self.piece_len).unwrap_or(usize::MAX).min(self.pieces)
    }

    /// The pieces that have a byte in `range`.
    pub(crate) fn touched(self, range: ByteRange) -> Range<usize> {
        self.piece_at(range.start())..self.piece_at(range.end() - 1).saturating_add(1).min(self.pieces)
    }

    /// The pieces that are wholly within `range`.
    pub(crate) fn whole(self, range: ByteRange) -> Range<usize> {
        let first = range.start().div_ceil(self.piece_len);
        let end = if range.end() >= self.size {
            self.size.div_ceil(self.piece_len)
        } else {
            range.end() / self.piece_len
        };
        let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.pieces);
        clamp(first)..clamp(end)
    }
}

/// What is known of every piece.
#[derive(Debug)]
pub(crate) struct Board {
    shape: Shape,
    /// Bytes of it are missing.
    pub(crate) need: Bits,
    /// A running request brings some of it.
    pub(crate) coming: Bits,
    /// At least one peer in good standing has it.
    pub(crate) held: Bits,
    /// How many of them.
    copies: Box<[u16]>,
}

impl std::ops::Deref for Board {
    type Target = Shape;

    fn deref(&self) -> &Shape {
        &self.shape
    }
}

impl Board {
    /// `None` when there are too many pieces, or none.
    pub(crate) fn new(size: u64, piece_len: u64, missing: &RangeSet) -> Option<Self> {
        let count = size.div_ceil(piece_len);
        let pieces = usize::try_from(count).ok().filter(|_| count > 0 && count <= MAX_PIECES)?;
        let mut board = Self {
            shape: Shape { piece_len, size, pieces },
            need: Bits::none(pieces),
            coming: Bits::none(pieces),
            held: Bits::none(pieces),
            copies: vec![0; pieces].into(),
        };
        for gap in missing.iter() {
            board.need_all_of(gap);
        }
        Some(board)
    }

    /// Bytes of these pieces are missing.
    pub(crate) fn need_all_of(&mut self, gap: ByteRange) {
        for piece in self.touched(gap) {
            self.need.insert(piece);
        }
    }

    /// Where the pieces are.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// The whole pieces that a source has.
    pub(crate) fn pieces_of(&self, has: &Has) -> Bits {
        match has {
            Has::Everything => Bits::all(self.pieces),
            Has::Only(set) => {
                let mut bits = Bits::none(self.pieces);
                for piece in set.iter().flat_map(|range| self.whole(range)) {
                    bits.insert(piece);
                }
                bits
            }
        }
    }

    /// The bytes of some pieces.
    pub(crate) fn ranges_of(&self, pieces: &Bits) -> RangeSet {
        pieces.iter().filter_map(|piece| self.bytes(piece..piece + 1)).collect()
    }

    /// One more peer has the piece.
    pub(crate) fn add_copy(&mut self, piece: usize) {
        if let Some(copies) = self.copies.get_mut(piece) {
            *copies = copies.saturating_add(1);
            self.held.insert(piece);
        }
    }

    /// One peer fewer has it.
    pub(crate) fn remove_copy(&mut self, piece: usize) {
        if let Some(copies) = self.copies.get_mut(piece) {
            *copies = copies.saturating_sub(1);
            if *copies == 0 {
                self.held.remove(piece);
            }
        }
    }

    /// How many peers have it.
    pub(crate) fn copies(&self, piece: usize) -> u16 {
        self.copies.get(piece).copied().unwrap_or(0)
    }

    /// Whether bytes of it are missing that no request brings.
    pub(crate) fn is_open(&self, piece: usize) -> bool {
        self.need.contains(piece) && !self.coming.contains(piece)
    }

    /// Pieces of one word of the board of which bytes are missing that no request brings.
    pub(crate) fn open_word(&self, index: usize) -> u64 {
        self.need.word(index) & !self.coming.word(index)
    }

    /// Whether there are such pieces.
    pub(crate) fn has_open(&self) -> bool {
        (0..self.need.words()).any(|index| self.open_word(index) != 0)
    }

    /// Those of them that no peer in good standing has; with `even_held`, all of them.
    pub(crate) fn open(&self, even_held: bool) -> Bits {
        let mut open = self.need.clone();
        open.retain_words(|index, word| {
            word & !self.coming.word(index) & if even_held { u64::MAX } else { !self.held.word(index) }
        });
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> ByteRange {
        ByteRange::new(start, end).unwrap()
    }

    #[test]
    fn the_last_piece_is_shorter_and_counts_as_whole() {
        let board = Board::new(1_050, 100, &range(0, 1_050).into()).unwrap();
        assert_eq!(board.pieces(), 11);
        assert_eq!(board.bytes(10..11), Some(range(1_000, 1_050)));
        assert_eq!(board.whole(range(950, 1_050)), 10..11);
        assert_eq!(board.whole(range(100, 1_049)), 1..10);
        assert_eq!(board.touched(range(99, 101)), 0..2);
    }

    #[test]
    fn only_missing_bytes_make_a_piece_needed() {
        let board =
            Board::new(1_000, 100, &[range(150, 151), range(300, 400)].into_iter().collect()).unwrap();
        assert_eq!(board.need.iter().collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn a_file_of_too_many_pieces_has_no_board() {
        assert!(Board::new(MAX_PIECES + 1, 1, &RangeSet::new()).is_none());
        assert!(Board::new(MAX_PIECES, 1, &RangeSet::new()).is_some());
        assert!(Board::new(0, 1, &RangeSet::new()).is_none());
    }
}
