//! One range of bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The bytes `start..end` of something: half-open, in bytes, never empty.
///
/// The byte at offset `u64::MAX` cannot be named, because its end would not be a number; no file is that long.
/// Serialized as `[start, end]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64)", into = "(u64, u64)")]
pub struct ByteRange {
    start: u64,
    end: u64,
}

impl ByteRange {
    /// The bytes from `start` up to but not including `end`; `None` when that is no byte at all.
    pub const fn new(start: u64, end: u64) -> Option<Self> {
        if start < end { Some(Self { start, end }) } else { None }
    }

    /// `len` bytes from `start`; `None` when `len` is zero or the end is beyond `u64::MAX`.
    pub const fn with_len(start: u64, len: u64) -> Option<Self> {
        match start.checked_add(len) {
            Some(end) => Self::new(start, end),
            None => None,
        }
    }

    /// Offset of the first byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// Offset just behind the last byte.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Offset of the last byte: what HTTP writes behind the dash.
    pub const fn last(self) -> u64 {
        self.end - 1
    }

    /// Number of bytes, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether the byte at `offset` is in the range.
    pub const fn contains(self, offset: u64) -> bool {
        self.start <= offset && offset < self.end
    }

    /// Whether every byte of `other` is in this range.
    pub const fn contains_range(self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The bytes that are in both.
    pub fn intersection(self, other: &Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether at least one byte is in both. Touching ranges do not overlap.
    pub const fn overlaps(self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Inclusive, as HTTP and the command line write it: `0-99` is the first hundred bytes.
impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.last())
    }
}

/// Half-open, as the code counts: `0..100`.
impl fmt::Debug for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl From<ByteRange> for (u64, u64) {
    fn from(range: ByteRange) -> Self {
        (range.start, range.end)
    }
}

impl TryFrom<(u64, u64)> for ByteRange {
    type Error = String;

    fn try_from((start, end): (u64, u64)) -> Result<Self, String> {
        Self::new(start, end).ok_or_else(|| format!("[{start}, {end}] is not a range of at least one byte"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> ByteRange {
        ByteRange::new(start, end).unwrap()
    }

    #[test]
    fn an_empty_or_backward_range_cannot_be_made() {
        assert_eq!(ByteRange::new(5, 5), None);
        assert_eq!(ByteRange::new(6, 5), None);
        assert_eq!(ByteRange::with_len(5, 0), None);
    }

    #[test]
    fn a_length_that_overflows_is_refused() {
        assert_eq!(ByteRange::with_len(u64::MAX, 1), None);
        assert_eq!(ByteRange::with_len(u64::MAX - 1, 1), ByteRange::new(u64::MAX - 1, u64::MAX));
    }

    #[test]
    fn touching_ranges_do_not_overlap() {
        assert!(!range(0, 10).overlaps(&range(10, 20)));
        assert!(range(0, 11).overlaps(&range(10, 20)));
        assert_eq!(range(0, 10).intersection(&range(10, 20)), None);
        assert_eq!(range(0, 12).intersection(&range(10, 20)), Some(range(10, 12)));
    }

    #[test]
    fn it_is_shown_with_its_last_byte() {
        assert_eq!(range(0, 100).to_string(), "0-99");
    }

    #[test]
    fn it_is_stored_as_a_pair_and_a_bad_pair_is_refused() {
        assert_eq!(serde_json::to_string(&range(3, 9)).unwrap(), "[3,9]");
        assert_eq!(serde_json::from_str::<ByteRange>("[3,9]").unwrap(), range(3, 9));
        assert!(serde_json::from_str::<ByteRange>("[9,3]").is_err());
        assert!(serde_json::from_str::<ByteRange>("[3,3]").is_err());
    }
}
