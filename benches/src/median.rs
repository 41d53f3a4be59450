//! Medians, and the spread around them.

/// The middle one; with an even count the lower of the two. `None` of nothing.
pub(crate) fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_one_odd_run_does_not_move_it() {
        assert_eq!(median(&[5, 1, 3]), Some(3));
        assert_eq!(median(&[1, 2, 3, 1000, 2]), Some(2));
        assert_eq!(median(&[1, 2]), Some(1));
        assert_eq!(median::<u8>(&[]), None);
    }
}
