//! Where the bytes of a remote file go in the local one.

use crate::{ByteRange, RangeError, RangeSet, RangeSpec, check_request};

/// How the local file is made of the remote one: the whole of it, or chosen ranges packed back to back in the
/// order given, without holes (BITS reference, 8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    specs: Option<Vec<RangeSpec>>,
}

/// A stretch of the remote file and where it starts in the local one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The bytes of the remote file.
    pub remote: ByteRange,
    /// Offset in the local file where the first of them goes.
    pub local: u64,
}

impl Layout {
    /// The local file is the remote file.
    pub const fn whole() -> Self {
        Self { specs: None }
    }

    /// The local file is these ranges, in this order. They are checked by [`check_request`].
    pub fn packed(specs: Vec<RangeSpec>) -> Result<Self, RangeError> {
        check_request(&specs)?;
        Ok(Self { specs: Some(specs) })
    }

    /// The ranges, in the order given; `None` for the whole file.
    pub fn specs(&self) -> Option<&[RangeSpec]> {
        self.specs.as_deref()
    }

    /// The segments for a remote file of `size` bytes, in local order. A whole file of no bytes has none.
    pub fn resolve(&self, size: u64) -> Result<Vec<Segment>, RangeError> {
        let Some(specs) = &self.specs else {
            return Ok(ByteRange::new(0, size)
                .map(|remote| Segment { remote, local: 0 })
                .into_iter()
                .collect());
        };
        let mut local = 0;
        specs
            .iter()
            .map(|spec| {
                let segment = Segment { remote: spec.resolve(size)?, local };
                local += segment.remote.len(); // disjoint ranges within `size`: the sum is at most `size`
                Ok(segment)
            })
            .collect()
    }

    /// The bytes of a remote file of `size` bytes that the local file needs.
    pub fn wanted(&self, size: u64) -> Result<RangeSet, RangeError> {
        Ok(self.resolve(size)?.into_iter().map(|segment| segment.remote).collect())
    }

    /// Length of the local file, as far as that can be told: without the size of the remote file a whole file
    /// and a range to the end have none.
    pub fn local_len(&self, size: Option<u64>) -> Option<u64> {
        let end = |spec: &RangeSpec| match spec.length {
            Some(length) => Some(length),
            None => size?.checked_sub(spec.offset),
        };
        match &self.specs {
            None => size,
            Some(specs) => specs.iter().try_fold(0_u64, |sum, spec| sum.checked_add(end(spec)?)),
        }
    }
}

impl Segment {
    /// The part of `remote` that belongs to this segment, and its offset in the local file.
    pub fn place(&self, remote: ByteRange) -> Option<(ByteRange, u64)> {
        let part = self.remote.intersection(&remote)?;
        Some((part, self.local + (part.start() - self.remote.start())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EOF: u64 = RangeSpec::LENGTH_TO_EOF;

    fn packed(specs: &[(u64, u64)]) -> Layout {
        let specs = specs.iter().map(|&(offset, length)| RangeSpec::from_bits(offset, length)).collect();
        Layout::packed(specs).unwrap()
    }

    fn resolved(layout: &Layout, size: u64) -> Vec<(u64, u64, u64)> {
        let segments = layout.resolve(size).unwrap();
        segments.iter().map(|s| (s.remote.start(), s.remote.end(), s.local)).collect()
    }

    #[test]
    fn ranges_are_packed_in_the_order_given() {
        let layout = packed(&[(100, 100), (900, 100), (400, 100)]);
        assert_eq!(resolved(&layout, 1000), [(100, 200, 0), (900, 1000, 100), (400, 500, 200)]);
        assert_eq!(layout.local_len(None), Some(300));
        assert_eq!(layout.wanted(1000).unwrap().len_bytes(), 300);
    }

    #[test]
    fn what_follows_a_range_to_the_end_is_placed_once_the_size_is_known() {
        let layout = packed(&[(24, 17), (111, EOF), (83, 7)]);
        assert_eq!(resolved(&layout, 211), [(24, 41, 0), (111, 211, 17), (83, 90, 117)]);
        assert_eq!(layout.local_len(None), None);
        assert_eq!(layout.local_len(Some(211)), Some(124));
    }

    #[test]
    fn a_range_beyond_the_end_is_an_error_once_the_size_is_known() {
        for (spec, size) in [((90, 11), 100), ((100, 1), 100), ((100, EOF), 100), ((0, 1), 0), ((0, EOF), 0)]
        {
            let spec = RangeSpec::from_bits(spec.0, spec.1);
            let layout = Layout::packed(vec![spec]).unwrap();
            assert_eq!(layout.resolve(size), Err(RangeError::BeyondEnd { spec, size }));
        }
        assert_eq!(resolved(&packed(&[(90, 10)]), 100), [(90, 100, 0)]);
    }

    #[test]
    fn the_whole_of_an_empty_file_is_no_segment() {
        assert_eq!(resolved(&Layout::whole(), 0), []);
        assert_eq!(resolved(&Layout::whole(), 5), [(0, 5, 0)]);
        assert_eq!(Layout::whole().local_len(None), None);
    }

    #[test]
    fn bytes_are_placed_in_their_segment_only() {
        let segment = Segment { remote: ByteRange::new(100, 200).unwrap(), local: 1000 };
        let place = |start, end| segment.place(ByteRange::new(start, end).unwrap());
        assert_eq!(place(150, 250), Some((ByteRange::new(150, 200).unwrap(), 1050)));
        assert_eq!(place(0, 101), Some((ByteRange::new(100, 101).unwrap(), 1000)));
        assert_eq!(place(0, 100), None);
    }

    #[test]
    fn a_list_that_may_not_be_asked_for_makes_no_layout() {
        assert_eq!(Layout::packed(vec![]), Err(RangeError::Empty));
    }
}
