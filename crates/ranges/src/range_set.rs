//! A set of bytes, held as sorted ranges.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ByteRange;

/// How many ranges a stored set may have when it is read back: far above what a transfer of 1 TiB in pieces
/// can leave behind, and a bound on what a damaged state file can make us keep.
pub const MAX_STORED_RANGES: usize = 1 << 20;

/// A set of bytes: its ranges are sorted, and neither overlap nor touch.
///
/// Point questions are a binary search. `insert` at the end of a range that is already there, which is how
/// bytes arrive, changes one number. Serialized as `[[start, end], ...]`.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<ByteRange>", into = "Vec<ByteRange>")]
pub struct RangeSet {
    ranges: Vec<ByteRange>,
}

impl RangeSet {
    /// No bytes.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds the bytes of `range`.
    pub fn insert(&mut self, range: ByteRange) {
        // Everything in `first..behind` overlaps or touches, and becomes one range.
        let first = self.ranges.partition_point(|r| r.end() < range.start());
        let behind = first + self.ranges[first..].partition_point(|r| r.start() <= range.end());
        if first == behind {
            self.ranges.insert(first, range);
            return;
        }
        let start = self.ranges[first].start().min(range.start());
        let end = self.ranges[behind - 1].end().max(range.end());
        self.ranges[first] = ByteRange::new(start, end).expect("it holds `range`, which is not empty");
        self.ranges.drain(first + 1..behind);
    }

    /// Takes the bytes of `range` away, as far as they are there.
    pub fn remove(&mut self, range: ByteRange) {
        let (first, behind) = self.window(range);
        if first == behind {
            return;
        }
        let before = ByteRange::new(self.ranges[first].start(), range.start());
        let after = ByteRange::new(range.end(), self.ranges[behind - 1].end());
        match (before, after) {
            // Bytes are mostly taken from one end of one range, as they arrive: nothing moves.
            (Some(rest), None) | (None, Some(rest)) if behind - first == 1 => self.ranges[first] = rest,
            _ => drop(self.ranges.splice(first..behind, before.into_iter().chain(after))),
        }
    }

    /// Whether the byte at `offset` is there.
    pub fn contains(&self, offset: u64) -> bool {
        self.range_at(offset).is_some()
    }

    /// The range that holds the byte at `offset`.
    pub fn range_at(&self, offset: u64) -> Option<ByteRange> {
        let at = self.ranges.partition_point(|r| r.end() <= offset);
        self.ranges.get(at).copied().filter(|r| r.contains(offset))
    }

    /// Whether every byte of `range` is there.
    pub fn contains_range(&self, range: &ByteRange) -> bool {
        self.range_at(range.start()).is_some_and(|r| r.contains_range(range))
    }

    /// Whether any byte of `range` is there.
    pub fn overlaps(&self, range: &ByteRange) -> bool {
        let (first, behind) = self.window(*range);
        first != behind
    }

    /// Whether every byte of `other` is there.
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|range| self.contains_range(&range))
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = ByteRange> + ExactSizeIterator + '_ {
        self.ranges.iter().copied()
    }

    /// The ranges, in order.
    pub fn as_slice(&self) -> &[ByteRange] {
        &self.ranges
    }

    /// How many bytes there are. The ranges are counted, so this is not for a hot path.
    pub fn len_bytes(&self) -> u64 {
        // Disjoint ranges below u64::MAX cannot sum up to more than u64::MAX.
        self.ranges.iter().map(|r| r.len()).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The bytes of `within` that are there, range by range.
    pub fn iter_within(&self, within: ByteRange) -> impl Iterator<Item = ByteRange> + '_ {
        let (first, behind) = self.window(within);
        self.ranges[first..behind].iter().filter_map(move |r| r.intersection(&within))
    }

    /// The bytes of `within` that are missing, range by range.
    pub fn iter_gaps(&self, within: ByteRange) -> impl Iterator<Item = ByteRange> + '_ {
        let (first, behind) = self.window(within);
        let mut next = within.start();
        let ends = self.ranges[first..behind].iter().map(|r| (r.start(), r.end()));
        ends.chain([(within.end(), within.end())]).filter_map(move |(start, end)| {
            let gap = ByteRange::new(next, start);
            next = end;
            gap
        })
    }

    /// The bytes of `within` that are missing.
    pub fn gaps(&self, within: ByteRange) -> Self {
        Self { ranges: self.iter_gaps(within).collect() }
    }

    /// The first missing stretch of `within` at or behind `from`, as long as it goes.
    pub fn first_gap(&self, from: u64, within: ByteRange) -> Option<ByteRange> {
        let within = ByteRange::new(from.max(within.start()), within.end())?;
        self.iter_gaps(within).next()
    }

    /// The bytes that are in both.
    pub fn intersection(&self, other: &Self) -> Self {
        Self { ranges: self.iter().flat_map(|range| other.iter_within(range)).collect() }
    }

    /// The bytes that are in either.
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// The bytes that are in this set and not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        Self { ranges: self.iter().flat_map(|range| other.iter_gaps(range)).collect() }
    }

    /// Indices `first..behind` of the ranges that share a byte with `range`.
    fn window(&self, range: ByteRange) -> (usize, usize) {
        let first = self.ranges.partition_point(|r| r.end() <= range.start());
        let behind = first + self.ranges[first..].partition_point(|r| r.start() < range.end());
        (first, behind)
    }
}

/// In any order, overlapping or not.
impl FromIterator<ByteRange> for RangeSet {
    fn from_iter<I: IntoIterator<Item = ByteRange>>(ranges: I) -> Self {
        let mut sorted: Vec<ByteRange> = ranges.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup_by(|next, kept| {
            let joins = next.start() <= kept.end();
            if joins {
                let end = kept.end().max(next.end());
                *kept = ByteRange::new(kept.start(), end).expect("it holds `kept`, which is not empty");
            }
            joins
        });
        Self { ranges: sorted }
    }
}

impl From<ByteRange> for RangeSet {
    fn from(range: ByteRange) -> Self {
        Self { ranges: vec![range] }
    }
}

impl From<RangeSet> for Vec<ByteRange> {
    fn from(set: RangeSet) -> Self {
        set.ranges
    }
}

/// As stored: already sorted, apart from each other, and not too many. A list that is not is damaged or forged.
impl TryFrom<Vec<ByteRange>> for RangeSet {
    type Error = String;

    fn try_from(ranges: Vec<ByteRange>) -> Result<Self, String> {
        if ranges.len() > MAX_STORED_RANGES {
            return Err(format!("{} ranges are more than {MAX_STORED_RANGES}", ranges.len()));
        }
        if let Some(pair) = ranges.windows(2).find(|pair| pair[0].end() >= pair[1].start()) {
            return Err(format!("range {} does not lie apart from and before {}", pair[0], pair[1]));
        }
        Ok(Self { ranges })
    }
}

impl fmt::Debug for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.ranges).finish()
    }
}
