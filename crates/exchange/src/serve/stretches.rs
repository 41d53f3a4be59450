//! In which parts a range is read.

use dray_ranges::ByteRange;

use crate::READ_BYTES;

/// Parts that end at multiples of [`READ_BYTES`]: pieces that are not longer are never cut, but by the range itself.
pub(super) fn stretches(range: ByteRange) -> impl Iterator<Item = ByteRange> {
    let mut from = range.start();
    std::iter::from_fn(move || {
        let end = (from / READ_BYTES + 1).saturating_mul(READ_BYTES).min(range.end());
        let stretch = ByteRange::new(from, end)?;
        from = end;
        Some(stretch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_where_pieces_do_and_are_the_whole_range() {
        let range = |start, end| ByteRange::new(start, end).unwrap();
        let parts: Vec<_> = stretches(range(5, 2 * READ_BYTES + 7)).collect();
        let expected = [
            range(5, READ_BYTES),
            range(READ_BYTES, 2 * READ_BYTES),
            range(2 * READ_BYTES, 2 * READ_BYTES + 7),
        ];
        assert_eq!(parts, expected);
        assert_eq!(stretches(range(0, READ_BYTES)).collect::<Vec<_>>(), [range(0, READ_BYTES)]);
        assert_eq!(stretches(range(u64::MAX - 1, u64::MAX)).count(), 1);
    }
}
