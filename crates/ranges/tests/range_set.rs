//! `RangeSet` against the simplest thing that is surely right: one boolean per byte.

use dray_ranges::{ByteRange, RangeSet};
use proptest::prelude::*;

/// Offsets of the model's universe; small, so that ranges meet, touch and swallow each other all the time.
const UNIVERSE: u64 = 64;

#[derive(Clone, Debug)]
enum Step {
    Insert(ByteRange),
    Remove(ByteRange),
}

fn range() -> impl Strategy<Value = ByteRange> {
    (0..UNIVERSE, 1..UNIVERSE).prop_map(|(start, len)| {
        ByteRange::new(start, (start + len).min(UNIVERSE)).expect("start is below the universe's end")
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => range().prop_map(Step::Insert), 2 => range().prop_map(Step::Remove)];
    prop::collection::vec(step, 0..40)
}

/// The set and its model after the same steps.
fn both(steps: &[Step]) -> (RangeSet, Vec<bool>) {
    let (mut set, mut model) = (RangeSet::new(), vec![false; to_index(UNIVERSE)]);
    for step in steps {
        let (range, present) = match step {
            Step::Insert(range) => {
                set.insert(*range);
                (range, true)
            }
            Step::Remove(range) => {
                set.remove(*range);
                (range, false)
            }
        };
        model[to_index(range.start())..to_index(range.end())].fill(present);
    }
    (set, model)
}

fn to_index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset of the small universe")
}

fn bits(set: &RangeSet) -> Vec<bool> {
    (0..UNIVERSE).map(|offset| set.contains(offset)).collect()
}

fn assert_canonical(set: &RangeSet) {
    for pair in set.as_slice().windows(2) {
        assert!(pair[0].end() < pair[1].start(), "{set:?} is not sorted, or has ranges that touch");
    }
}

proptest! {
    #[test]
    fn inserting_and_removing_is_setting_and_clearing_bits(steps in steps()) {
        let (set, model) = both(&steps);
        assert_canonical(&set);
        prop_assert_eq!(bits(&set), model.clone());
        prop_assert_eq!(set.len_bytes(), model.iter().filter(|present| **present).count() as u64);
        prop_assert_eq!(set.is_empty(), !model.contains(&true));
    }

    #[test]
    fn questions_about_a_range_agree_with_the_bits(steps in steps(), range in range(), from in 0..UNIVERSE) {
        let (set, model) = both(&steps);
        let window = &model[to_index(range.start())..to_index(range.end())];
        prop_assert_eq!(set.contains_range(&range), window.iter().all(|present| *present));
        prop_assert_eq!(set.overlaps(&range), window.contains(&true));
        let gaps = set.gaps(range);
        assert_canonical(&gaps);
        let within: RangeSet = set.iter_within(range).collect();
        for offset in 0..UNIVERSE {
            let inside = range.contains(offset);
            prop_assert_eq!(gaps.contains(offset), inside && !model[to_index(offset)]);
            prop_assert_eq!(within.contains(offset), inside && model[to_index(offset)]);
        }
        let first = (from..UNIVERSE).find(|offset| gaps.contains(*offset));
        let expected = first.and_then(|first| ByteRange::new(first, gaps.range_at(first)?.end()));
        prop_assert_eq!(set.first_gap(from, range), expected);
    }

    #[test]
    fn the_algebra_of_two_sets_is_the_algebra_of_their_bits(left in steps(), right in steps()) {
        let ((left, left_bits), (right, right_bits)) = (both(&left), both(&right));
        let zip = |f: fn(bool, bool) -> bool| -> Vec<bool> {
            left_bits.iter().zip(&right_bits).map(|(a, b)| f(*a, *b)).collect()
        };
        for (set, expected) in [
            (left.union(&right), zip(|a, b| a || b)),
            (left.intersection(&right), zip(|a, b| a && b)),
            (left.difference(&right), zip(|a, b| a && !b)),
        ] {
            assert_canonical(&set);
            prop_assert_eq!(bits(&set), expected);
        }
        prop_assert_eq!(left.covers(&right), zip(|a, b| a || !b).iter().all(|holds| *holds));
    }

    #[test]
    fn any_list_of_ranges_becomes_the_set_of_their_bytes(ranges in prop::collection::vec(range(), 0..20)) {
        let mut inserted = RangeSet::new();
        ranges.iter().for_each(|range| inserted.insert(*range));
        prop_assert_eq!(ranges.into_iter().collect::<RangeSet>(), inserted);
    }

    #[test]
    fn a_stored_set_reads_back(steps in steps()) {
        let (set, _) = both(&steps);
        let text = serde_json::to_string(&set).unwrap();
        prop_assert_eq!(serde_json::from_str::<RangeSet>(&text).unwrap(), set);
    }
}

#[test]
fn a_stored_set_is_a_list_of_pairs() {
    let set: RangeSet = [ByteRange::new(0, 5), ByteRange::new(7, 9)].into_iter().flatten().collect();
    assert_eq!(serde_json::to_string(&set).unwrap(), "[[0,5],[7,9]]");
}

#[test]
fn a_stored_set_that_is_not_in_order_is_refused() {
    for text in ["[[7,9],[0,5]]", "[[0,5],[4,9]]", "[[0,5],[5,9]]", "[[5,5]]", "[[5,4]]", "[[0,-1]]", "[5]"] {
        assert!(serde_json::from_str::<RangeSet>(text).is_err(), "{text}");
    }
}

#[test]
fn the_number_of_stored_ranges_has_a_limit() {
    let list = |count: usize| -> Vec<ByteRange> {
        (0..count as u64).filter_map(|n| ByteRange::with_len(n * 2, 1)).collect()
    };
    assert!(RangeSet::try_from(list(dray_ranges::MAX_STORED_RANGES)).is_ok());
    assert!(RangeSet::try_from(list(dray_ranges::MAX_STORED_RANGES + 1)).is_err());
}

#[test]
fn the_largest_range_fits() {
    let all = ByteRange::new(0, u64::MAX).unwrap();
    let mut set = RangeSet::from(all);
    assert_eq!(set.len_bytes(), u64::MAX);
    set.remove(ByteRange::new(1, u64::MAX - 1).unwrap());
    assert_eq!(set.len_bytes(), 2);
    set.insert(all);
    assert_eq!(set, RangeSet::from(all));
}
