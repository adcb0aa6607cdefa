//! The interval set against a plain set of bytes lifted to the number types.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Ranges;

#[test]
fn neighbours_become_one_interval() {
    let mut set = Ranges::<u32>::default();
    set.insert(10, 11);
    set.insert(14, 15);
    set.insert(12, 13);
    assert_eq!(set.iter().collect::<Vec<_>>(), [(10, 15)]);
}

#[test]
fn a_hole_splits_an_interval() {
    let mut set = Ranges::<u128>::default();
    set.insert(0, u128::MAX);
    assert_eq!(set.len(), u128::MAX, "the count of everything saturates");
    set.remove(5, 7);
    assert_eq!(set.iter().collect::<Vec<_>>(), [(0, 4), (8, u128::MAX)]);
    assert_eq!(set.at_or_above(5), Some(8));
}

#[test]
fn both_ends_of_the_number_line_can_be_added_and_taken() {
    let mut set = Ranges::<u32>::default();
    set.insert(u32::MAX, u32::MAX);
    set.insert(0, 0);
    assert_eq!(set.at_or_above(1), Some(u32::MAX));
    set.remove(u32::MAX, u32::MAX);
    set.remove(0, 0);
    assert_eq!(set.len(), 0);
}

proptest! {
    #[test]
    fn agrees_with_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0u32..60, 0u32..60), 1..80)) {
        let mut set = Ranges::<u32>::default();
        let mut model = BTreeSet::new();
        for (adds, a, b) in steps {
            let (first, last) = (a.min(b), a.max(b));
            if adds {
                set.insert(first, last);
                model.extend(first..=last);
            } else {
                set.remove(first, last);
                model.retain(|n| *n < first || *n > last);
            }
            prop_assert_eq!(set.len(), model.len() as u128);
            for n in 0..61 {
                prop_assert_eq!(set.contains(n), model.contains(&n));
                prop_assert_eq!(set.at_or_above(n), model.range(n..).next().copied());
            }
            let intervals: Vec<_> = set.iter().collect();
            for pair in intervals.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "{:?} touch", pair);
            }
        }
    }
}
