//! Like a set of numbers, and counted.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn it_behaves_like_a_set(deeds in proptest::collection::vec((any::<bool>(), 0_u32..300), 0..200)) {
        let mut bits = BitSet::default();
        let mut set = BTreeSet::new();
        for (insert, index) in deeds {
            if insert {
                bits.insert(index);
                set.insert(index);
            } else {
                prop_assert_eq!(bits.remove(index), set.remove(&index));
            }
            prop_assert_eq!(bits.len(), set.len());
        }
        for index in 0..400 {
            prop_assert_eq!(bits.contains(index), set.contains(&index));
        }
    }
}
