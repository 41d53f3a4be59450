//! A set of pieces, as a bitmap that is as long as its last piece.

use std::fmt;
use std::ops::Range;

use dray_content::{PieceIndex, piece_len};
use dray_ranges::{ByteRange, RangeSet};

/// How many pieces a content may have to be exchanged: 4 TiB in the longest pieces. A bitmap of that many takes 32 KiB.
pub const MAX_PIECES: u32 = 1 << 18;

const BITS: u32 = u64::BITS;

/// Which pieces of one content. Cheap to compare and to join; never longer than [`MAX_PIECES`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct PieceSet {
    /// Piece `i` is bit `i % 64` of word `i / 64`; the last word is never zero.
    words: Vec<u64>,
}

/// How many pieces a content of `size` bytes has; `None` when that is more than can be exchanged.
#[must_use]
pub fn piece_count(size: u64) -> Option<u32> {
    u32::try_from(size.div_ceil(piece_len(size))).ok().filter(|count| *count <= MAX_PIECES)
}

impl PieceSet {
    /// No piece.
    #[must_use]
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// The first `count` pieces: all, when a content has that many. More than [`MAX_PIECES`] are left out.
    #[must_use]
    pub fn full(count: u32) -> Self {
        let mut set = Self::new();
        set.insert_run(0..count);
        set
    }

    /// The pieces of a content of `size` bytes that lie in `ranges` wholly.
    #[must_use]
    pub fn within(ranges: &RangeSet, size: u64) -> Self {
        Self::of_ranges(ranges, size, |start, len| {
            (
                start.div_ceil(len),
                |end: u64, size: u64, len: u64| {
                    if end >= size { size.div_ceil(len) } else { end / len }
                },
            )
        })
    }

    /// The pieces of a content of `size` bytes of which at least one byte lies in `ranges`.
    #[must_use]
    pub fn touching(ranges: &RangeSet, size: u64) -> Self {
        Self::of_ranges(ranges, size, |start, len| {
            (start / len, |end: u64, size: u64, len: u64| end.min(size).div_ceil(len))
        })
    }

    fn of_ranges<F: Fn(u64, u64, u64) -> u64>(
        ranges: &RangeSet,
        size: u64,
        cut: impl Fn(u64, u64) -> (u64, F),
    ) -> Self {
        let len = piece_len(size);
        let mut set = Self::new();
        for range in ranges.iter() {
            let (first, behind) = cut(range.start(), len);
            let index = |piece: u64| u32::try_from(piece).unwrap_or(MAX_PIECES);
            set.insert_run(index(first)..index(behind(range.end(), size, len)));
        }
        set
    }

    /// The bytes of these pieces in a content of `size` bytes.
    #[must_use]
    pub fn to_ranges(&self, size: u64) -> RangeSet {
        let len = piece_len(size);
        self.runs()
            .filter_map(|run| {
                ByteRange::new(u64::from(run.start) * len, (u64::from(run.end) * len).min(size))
            })
            .collect()
    }

    /// Whether the piece is there.
    #[must_use]
    pub fn contains(&self, piece: PieceIndex) -> bool {
        let word = self.words.get((piece.0 / BITS) as usize);
        word.is_some_and(|word| word >> (piece.0 % BITS) & 1 == 1)
    }

    /// Whether every piece that `range` touches is there, in a content of `size` bytes.
    #[must_use]
    pub fn covers(&self, range: ByteRange, size: u64) -> bool {
        let len = piece_len(size);
        let (first, last) = (range.start() / len, range.last() / len);
        let (Ok(first), Ok(last)) = (u32::try_from(first), u32::try_from(last)) else { return false };
        range.end() <= size && (first..=last).all(|index| self.contains(PieceIndex(index)))
    }

    /// Adds a piece. One beyond [`MAX_PIECES`] is left out.
    pub fn insert(&mut self, piece: PieceIndex) {
        self.insert_run(piece.0..piece.0.saturating_add(1));
    }

    /// Adds pieces that follow each other.
    pub fn insert_run(&mut self, run: Range<u32>) {
        let run = run.start..run.end.min(MAX_PIECES);
        if run.is_empty() {
            return;
        }
        let words = run.end.div_ceil(BITS) as usize;
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
        for (index, mask) in masks(run) {
            self.words[index] |= mask;
        }
    }

    /// Takes a piece away, if it is there.
    pub fn remove(&mut self, piece: PieceIndex) {
        self.remove_run(piece.0..piece.0.saturating_add(1));
    }

    /// Takes pieces away that follow each other, as far as they are there.
    pub fn remove_run(&mut self, run: Range<u32>) {
        for (index, mask) in masks(run.start..run.end.min(MAX_PIECES)) {
            match self.words.get_mut(index) {
                Some(word) => *word &= !mask,
                None => break,
            }
        }
        self.trim();
    }

    /// The pieces that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (long, short) = if self.words.len() >= other.words.len() { (self, other) } else { (other, self) };
        let mut words = long.words.clone();
        words.iter_mut().zip(&short.words).for_each(|(word, more)| *word |= more);
        Self { words }
    }

    /// The pieces that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let both = self.words.iter().zip(&other.words).map(|(one, two)| one & two);
        let mut set = Self { words: both.collect() };
        set.trim();
        set
    }

    /// The pieces that are in this set and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut set = self.clone();
        set.words.iter_mut().zip(&other.words).for_each(|(word, less)| *word &= !less);
        set.trim();
        set
    }

    /// Every piece, in order.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.runs().flatten().map(PieceIndex)
    }

    /// Pieces that follow each other, as runs, in order.
    pub fn runs(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = self.next_with(from, true)?;
            from = self.next_with(start, false).unwrap_or_else(|| self.end());
            Some(start..from)
        })
    }

    /// How many pieces there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether there is no piece.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether these are the first `count` pieces and no other.
    #[must_use]
    pub fn is_full(&self, count: u32) -> bool {
        self.len() == count && self.end() == count
    }

    /// One more than the last piece's number; zero without pieces.
    #[must_use]
    pub fn end(&self) -> u32 {
        let words = u32::try_from(self.words.len()).unwrap_or(0);
        self.words.last().map_or(0, |last| words * BITS - last.leading_zeros())
    }

    /// The bitmap, eight pieces a byte, the first in the lowest bit.
    pub(crate) fn to_bitmap(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(self.end().div_ceil(8) as usize);
        bytes
    }

    /// Reads [`Self::to_bitmap`] back; `None` when it is longer than any content's.
    pub(crate) fn from_bitmap(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > (MAX_PIECES / 8) as usize {
            return None;
        }
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        let mut set = Self { words: words.collect() };
        set.trim();
        Some(set)
    }

    /// The first piece at or behind `from` that is there, or is not.
    fn next_with(&self, from: u32, there: bool) -> Option<u32> {
        let mut skip = from % BITS;
        for (index, word) in self.words.iter().enumerate().skip((from / BITS) as usize) {
            let wanted = if there { *word } else { !*word } >> skip << skip;
            if wanted != 0 {
                return Some(u32::try_from(index).ok()? * BITS + wanted.trailing_zeros());
            }
            skip = 0;
        }
        None
    }

    fn trim(&mut self) {
        let used = self.words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        self.words.truncate(used);
    }
}

/// The words that a run lies in, each with the run's bits.
fn masks(run: Range<u32>) -> impl Iterator<Item = (usize, u64)> {
    let words = if run.is_empty() { 0..0 } else { run.start / BITS..run.end.div_ceil(BITS) };
    words.map(move |word| {
        let first = run.start.saturating_sub(word * BITS);
        let behind = (run.end - word * BITS).min(BITS);
        let up_to = if behind == BITS { u64::MAX } else { (1 << behind) - 1 };
        (word as usize, up_to >> first << first)
    })
}

impl FromIterator<PieceIndex> for PieceSet {
    fn from_iter<I: IntoIterator<Item = PieceIndex>>(pieces: I) -> Self {
        let mut set = Self::new();
        pieces.into_iter().for_each(|piece| set.insert(piece));
        set
    }
}

/// The runs, as the code counts: `{0..4, 7..8}`.
impl fmt::Debug for PieceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.runs()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn set(pieces: &BTreeSet<u32>) -> PieceSet {
        pieces.iter().copied().map(PieceIndex).collect()
    }

    fn listed(set: &PieceSet) -> BTreeSet<u32> {
        set.iter().map(|piece| piece.0).collect()
    }

    fn some_pieces() -> impl Strategy<Value = BTreeSet<u32>> {
        proptest::collection::btree_set(0u32..300, 0..120)
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_set_of_numbers(one in some_pieces(), two in some_pieces(), run in (0u32..300, 0u32..80)) {
            let (a, b) = (set(&one), set(&two));
            prop_assert_eq!(listed(&a), one.clone());
            prop_assert_eq!(a.len() as usize, one.len());
            prop_assert_eq!(a.end(), one.last().map_or(0, |last| last + 1));
            prop_assert_eq!(listed(&a.union(&b)), &one | &two);
            prop_assert_eq!(listed(&a.intersection(&b)), &one & &two);
            prop_assert_eq!(listed(&a.difference(&b)), &one - &two);
            prop_assert_eq!(PieceSet::from_bitmap(&a.to_bitmap()), Some(a.clone()));
            let run = run.0..run.0 + run.1;
            let (mut more, mut less) = (a.clone(), a);
            more.insert_run(run.clone());
            less.remove_run(run.clone());
            prop_assert_eq!(listed(&more), &one | &run.clone().collect());
            prop_assert_eq!(listed(&less), &one - &run.collect());
            // Equal sets are equal values, whatever way they came to be.
            prop_assert_eq!(&less, &set(&listed(&less)));
        }
    }

    #[test]
    fn pieces_of_bytes_are_those_that_are_whole_and_bytes_of_pieces_end_with_the_file() {
        let (len, size) = (256 << 10, (256 << 10) * 4 + 100);
        let ranges = |list: &[(u64, u64)]| {
            list.iter().filter_map(|(start, end)| ByteRange::new(*start, *end)).collect::<RangeSet>()
        };
        let some = ranges(&[(1, len * 2), (len * 3, len * 4 + 50)]);
        assert_eq!(listed(&PieceSet::within(&some, size)), BTreeSet::from([1, 3]));
        assert_eq!(listed(&PieceSet::touching(&some, size)), BTreeSet::from([0, 1, 3, 4]));
        let all = PieceSet::within(&ranges(&[(0, size)]), size);
        assert!(all.is_full(5) && all == PieceSet::full(piece_count(size).unwrap()));
        assert_eq!(all.to_ranges(size), ranges(&[(0, size)]));
        assert!(all.covers(ByteRange::new(5, size).unwrap(), size));
        assert!(!all.covers(ByteRange::new(5, size + 1).unwrap(), size));
        assert!(!PieceSet::within(&some, size).covers(ByteRange::new(len - 1, len + 1).unwrap(), size));
    }

    #[test]
    fn no_set_grows_beyond_the_longest_content() {
        let mut set = PieceSet::full(u32::MAX);
        assert_eq!(set.len(), MAX_PIECES);
        set.insert(PieceIndex(MAX_PIECES));
        set.insert(PieceIndex(u32::MAX));
        assert!(set.is_full(MAX_PIECES));
        assert!(!set.contains(PieceIndex(u32::MAX)));
        set.remove(PieceIndex(u32::MAX));
        set.remove_run(0..u32::MAX);
        assert!(set.is_empty());
        assert!(PieceSet::from_bitmap(&vec![1; (MAX_PIECES / 8) as usize]).is_some());
        assert!(PieceSet::from_bitmap(&vec![1; (MAX_PIECES / 8) as usize + 1]).is_none());
        assert_eq!(piece_count(4 << 40), Some(MAX_PIECES));
        assert_eq!(piece_count((4 << 40) + 1), None);
    }
}
