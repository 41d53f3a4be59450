//! The bytes that are wanted, when the size of the file may not be known yet.

use dray_ranges::{ByteRange, RangeSet};

/// The end of a range that goes to the end of a file whose size is not known. No file is that long.
pub const OPEN_END: u64 = u64::MAX;

/// What a transfer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Size of the file in bytes, if known.
    pub size: Option<u64>,
    /// The bytes of it.
    pub ranges: WantedRanges,
}

/// The bytes that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedRanges {
    /// The whole file.
    All,
    /// These bytes. The last range may end at [`OPEN_END`], which is the end of the file.
    Only(RangeSet),
}

/// Why a size cannot be true of this transfer. Nothing is changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Another size was learned before.
    #[error("the size of the file was {known} bytes and is now {told}")]
    Changed {
        /// The size learned before.
        known: u64,
        /// The size told now.
        told: u64,
    },
    /// There are already bytes beyond that end.
    #[error("the file has {size} bytes, but bytes up to {end} are already there")]
    HaveBeyondEnd {
        /// The size told.
        size: u64,
        /// Offset behind the last byte that is there.
        end: u64,
    },
    /// Bytes beyond that end are wanted.
    #[error("the file has {size} bytes, and the range that starts at {start} reaches beyond its end")]
    WantedBeyondEnd {
        /// The size told.
        size: u64,
        /// Where the range starts.
        start: u64,
    },
}

/// The wanted bytes as one set, which has an open end as long as that is all there is to say.
#[derive(Debug)]
pub(crate) struct Target {
    size: Option<u64>,
    bytes: RangeSet,
}

impl Target {
    /// Bytes beyond a size that is known from the start are not wanted.
    pub(crate) fn new(wanted: Wanted) -> Self {
        let mut bytes = match wanted.ranges {
            WantedRanges::All => ByteRange::new(0, OPEN_END).into_iter().collect(),
            WantedRanges::Only(set) => set,
        };
        if let Some(size) = wanted.size {
            clip(&mut bytes, size);
        }
        Self { size: wanted.size, bytes }
    }

    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    pub(crate) fn bytes(&self) -> &RangeSet {
        &self.bytes
    }

    pub(crate) fn set_bytes(&mut self, bytes: RangeSet) {
        self.bytes = bytes;
    }

    /// Takes the size of the file to be `size`, unless that contradicts what is known.
    pub(crate) fn learn(&mut self, size: u64, have: &RangeSet) -> Result<(), SizeError> {
        if let Some(known) = self.size {
            return if known == size { Ok(()) } else { Err(SizeError::Changed { known, told: size }) };
        }
        if let Some(last) = have.iter().next_back().filter(|last| last.end() > size) {
            return Err(SizeError::HaveBeyondEnd { size, end: last.end() });
        }
        let impossible = |range: &ByteRange| match range.end() {
            // The whole of an empty file is no byte; a range to the end of it is an impossible one.
            OPEN_END => range.start() > 0 && range.start() >= size,
            end => end > size,
        };
        if let Some(range) = self.bytes.iter().find(impossible) {
            return Err(SizeError::WantedBeyondEnd { size, start: range.start() });
        }
        clip(&mut self.bytes, size);
        self.size = Some(size);
        Ok(())
    }
}

/// Takes away everything behind `size`.
pub(crate) fn clip(bytes: &mut RangeSet, size: u64) {
    if let Some(beyond) = ByteRange::new(size, u64::MAX) {
        bytes.remove(beyond);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().filter_map(|&(start, end)| ByteRange::new(start, end)).collect()
    }

    fn target(size: Option<u64>, ranges: &[(u64, u64)]) -> Target {
        Target::new(Wanted { size, ranges: WantedRanges::Only(set(ranges)) })
    }

    #[test]
    fn a_whole_file_is_open_until_its_size_is_known() {
        let mut target = Target::new(Wanted { size: None, ranges: WantedRanges::All });
        assert_eq!(target.bytes(), &set(&[(0, OPEN_END)]));
        assert_eq!(target.learn(500, &set(&[(0, 500)])), Ok(()));
        assert_eq!(target.bytes(), &set(&[(0, 500)]));
    }

    #[test]
    fn an_empty_file_wants_nothing() {
        let mut target = Target::new(Wanted { size: None, ranges: WantedRanges::All });
        assert_eq!(target.learn(0, &RangeSet::new()), Ok(()));
        assert!(target.bytes().is_empty());
    }

    #[test]
    fn a_size_that_contradicts_changes_nothing() {
        let mut ranged = target(None, &[(10, 20), (50, OPEN_END)]);
        let none = RangeSet::new();
        assert_eq!(ranged.learn(15, &none), Err(SizeError::WantedBeyondEnd { size: 15, start: 10 }));
        assert_eq!(ranged.learn(50, &none), Err(SizeError::WantedBeyondEnd { size: 50, start: 50 }));
        assert_eq!(ranged.learn(60, &set(&[(0, 61)])), Err(SizeError::HaveBeyondEnd { size: 60, end: 61 }));
        assert_eq!(ranged.size(), None);
        assert_eq!(ranged.learn(60, &none), Ok(()));
        assert_eq!(ranged.learn(60, &none), Ok(()));
        assert_eq!(ranged.learn(61, &none), Err(SizeError::Changed { known: 60, told: 61 }));
        assert_eq!(ranged.bytes(), &set(&[(10, 20), (50, 60)]));
    }

    #[test]
    fn bytes_beyond_a_known_size_are_not_wanted() {
        assert_eq!(target(Some(15), &[(10, 20), (50, OPEN_END)]).bytes(), &set(&[(10, 15)]));
    }
}
