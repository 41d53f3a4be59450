//! Where the bytes of the remote file go in the sink.

use dray_ranges::{ByteRange, Layout, RangeError, RangeSet, Segment};

/// A layout, resolved against the size of the remote file.
#[derive(Clone, Debug)]
pub(crate) enum Placement {
    /// Every byte at its own offset.
    Whole,
    /// Segments ordered by their place in the remote file.
    Packed(Vec<Segment>),
}

impl Placement {
    /// Resolves a layout; a whole file needs no size.
    pub(crate) fn of(layout: &Layout, size: Option<u64>) -> Result<Self, RangeError> {
        if layout.specs().is_none() {
            return Ok(Self::Whole);
        }
        let mut segments = layout.resolve(size.unwrap_or(u64::MAX))?;
        segments.sort_by_key(|segment| segment.remote.start());
        Ok(Self::Packed(segments))
    }

    /// Where the last byte of a set lands, plus one; `None` when a byte of it has no place.
    pub(crate) fn local_end(&self, set: &RangeSet) -> Option<u64> {
        let mut end = 0;
        for range in set.iter() {
            let mut rest = Some(range);
            while let Some(part) = rest {
                let (placed, local) = self.place(part)?;
                end = end.max(local + placed.len());
                rest = ByteRange::new(placed.end(), part.end());
            }
        }
        Some(end)
    }

    /// Where the bytes of a set land; those without a place are left out.
    pub(crate) fn local(&self, set: &RangeSet) -> RangeSet {
        let mut local = RangeSet::new();
        for range in set.iter() {
            let mut rest = Some(range);
            while let Some((placed, start)) = rest.and_then(|part| self.place(part)) {
                if let Some(range) = ByteRange::with_len(start, placed.len()) {
                    local.insert(range);
                }
                rest = ByteRange::new(placed.end(), range.end());
            }
        }
        local
    }

    /// The part of `range` that goes to one place first, and the local offset of that place.
    pub(crate) fn place(&self, range: ByteRange) -> Option<(ByteRange, u64)> {
        match self {
            Self::Whole => Some((range, range.start())),
            Self::Packed(segments) => {
                let first = segments.partition_point(|segment| segment.remote.end() <= range.start());
                segments.get(first)?.place(range)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dray_ranges::RangeSpec;

    #[test]
    fn a_stretch_over_touching_ranges_goes_to_each_of_their_places() {
        let specs = [(50, 10), (0, 10), (10, 5)].map(|(offset, length)| RangeSpec::from_bits(offset, length));
        let placement = Placement::of(&Layout::packed(specs.to_vec()).unwrap(), Some(100)).unwrap();
        let range = |start, end| ByteRange::new(start, end).unwrap();
        assert_eq!(placement.place(range(5, 15)), Some((range(5, 10), 15)));
        assert_eq!(placement.place(range(10, 15)), Some((range(10, 15), 20)));
        assert_eq!(placement.place(range(55, 60)), Some((range(55, 60), 5)));
        assert_eq!(placement.place(range(60, 70)), None);
        assert_eq!(placement.local_end(&[range(5, 12)].into_iter().collect()), Some(22));
        let local = |ranges: &[ByteRange]| placement.local(&ranges.iter().copied().collect());
        assert_eq!(
            local(&[range(5, 12), range(50, 60), range(70, 80)]).as_slice(),
            [range(0, 10), range(15, 22)]
        );
        assert_eq!(placement.local_end(&[range(5, 16)].into_iter().collect()), None);
    }
}
