//! The order of nodes: stable, fair, total.
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn nodes(count: usize) -> Vec<NodeName> {
    (0..count)
        .map(|index| NodeName::new(&format!("node-{index}")).unwrap())
        .collect()
}

fn address(index: u32) -> IpAddr {
    Ipv4Addr::from(0xc633_6400 + index).into()
}

fn winner(nodes: &[NodeName], standing: impl Fn(usize) -> Standing, address: IpAddr) -> &NodeName {
    let ranks = nodes.iter().enumerate();
    let ranks =
        ranks.map(|(index, node)| Rank::new(node, node_seed(node), standing(index), address));
    ranks.max().unwrap().node
}

#[test]
fn the_order_is_the_same_on_every_machine() {
    // Values of this function, fixed: nodes of two versions must agree, or each address has two owners.
    assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    let nodes = nodes(5);
    let winners: Vec<&str> = (0..8)
        .map(|one| winner(&nodes, |_| Standing::default(), address(one)).as_str())
        .collect();
    assert_eq!(winners, EXPECTED);
}

#[test]
fn a_node_that_goes_moves_only_what_it_had_and_one_that_comes_moves_only_what_it_wins() {
    let all = nodes(7);
    let without: Vec<NodeName> = all[..6].to_vec();
    for index in 0..2_000 {
        let with = winner(&all, |_| Standing::default(), address(index));
        let before = winner(&without, |_| Standing::default(), address(index));
        assert!(with == before || *with == all[6]);
    }
}

#[test]
fn shares_are_even_among_equals() {
    let nodes = nodes(5);
    let mut shares: BTreeMap<&NodeName, u32> = BTreeMap::new();
    for index in 0..10_000 {
        *shares
            .entry(winner(&nodes, |_| Standing::default(), address(index)))
            .or_default() += 1;
    }
    // 2,000 expected each, standard deviation 40.
    assert!(
        shares.values().all(|share| (1_840..=2_160).contains(share)),
        "{shares:?}"
    );
}

#[test]
fn shares_follow_weights() {
    let nodes = nodes(3);
    let weights = [1, 2, 5];
    let standing = |index: usize| Standing {
        preference: 0,
        weight: weights[index],
    };
    let mut shares: BTreeMap<&NodeName, u32> = BTreeMap::new();
    for index in 0..16_000 {
        *shares
            .entry(winner(&nodes, standing, address(index)))
            .or_default() += 1;
    }
    for (node, weight) in nodes.iter().zip(weights) {
        let expected = 2_000 * u32::from(weight);
        assert!(shares[node].abs_diff(expected) < 200, "{shares:?}");
    }
}

#[test]
fn preference_goes_before_every_hash() {
    let nodes = nodes(4);
    let standing = |index: usize| Standing {
        preference: u32::from(index == 2),
        weight: 1,
    };
    assert!((0..500).all(|index| *winner(&nodes, standing, address(index)) == nodes[2]));
}

#[test]
fn the_logarithm_is_right_at_powers_of_two() {
    for power in 0..64_u32 {
        assert_eq!(minus_log2(1 << power), u64::from(64 - power) << 40);
    }
    assert!(minus_log2(u64::MAX) <= 2);
}

proptest! {
    #[test]
    fn the_order_is_total(
        one in any::<(u32, u16, u64)>(),
        two in any::<(u32, u16, u64)>(),
        three in any::<(u32, u16, u64)>(),
    ) {
        let names = nodes(3);
        let rank = |index: usize, (preference, weight, hash): (u32, u16, u64)| Rank {
            preference: preference % 2,
            weight: weight.max(1),
            hash,
            node: &names[index],
        };
        let ranks = [rank(0, one), rank(1, two), rank(2, three)];
        for a in &ranks {
            for b in &ranks {
                prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
                prop_assert_eq!(a.cmp(b) == Ordering::Equal, a.node == b.node);
                for c in &ranks {
                    prop_assert!(!(a < b && b < c) || a < c);
                }
            }
        }
    }

    #[test]
    fn a_greater_hash_never_has_a_lower_score(a in any::<u64>(), b in any::<u64>(), weight in 1_u16..) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(weighted(low, weight) <= weighted(high, weight));
    }
}

const EXPECTED: [&str; 8] = [
    "node-0", "node-2", "node-1", "node-3", "node-2", "node-4", "node-2", "node-3",
];
