//! Which claim counts, and what the table keeps of it.
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::test_time::origin;
use crate::types::Standing;

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn name(node: &str) -> NodeName {
    NodeName::new(node).unwrap()
}

fn owner(node: &str, epoch: u64, view: Option<u64>) -> Owner {
    let (epoch, view) = (Epoch(epoch), view.map(View));
    let claim = Claim {
        address: address(1),
        epoch,
        view,
        standing: Standing::default(),
        moves: 0,
    };
    Owner {
        node: name(node),
        claim,
    }
}

#[test]
fn a_newer_view_beats_a_higher_epoch_and_unknown_views_do_not_count() {
    assert!(owner("a", 1, Some(6)).beats(&owner("b", 9, Some(5))));
    assert!(owner("b", 9, Some(5)).beats(&owner("a", 1, Some(5))));
    assert!(owner("b", 9, None).beats(&owner("a", 1, Some(5))));
    assert!(owner("b", 9, Some(5)).beats(&owner("a", 1, None)));
}

#[test]
fn equal_epochs_are_settled_by_the_standing_in_the_claims() {
    let preferred = |node: &str| {
        let mut owner = owner(node, 3, None);
        owner.claim.standing.preference = 1;
        owner
    };
    for (one, other) in [("a", "b"), ("b", "a")] {
        assert!(preferred(one).beats(&owner(other, 3, None)));
        assert!(
            owner(one, 3, None).beats(&owner(other, 3, None))
                != owner(other, 3, None).beats(&owner(one, 3, None))
        );
    }
}

#[test]
fn an_epoch_moves_by_a_thousand_per_claim_at_most() {
    let mut table = ClaimTable::default();
    assert_eq!(table.believe(address(1), Epoch(5)), Ok(Epoch(5)));
    assert_eq!(table.believe(address(1), Epoch(1 << 50)), Ok(Epoch(1_005)));
    assert_eq!(table.believe(address(1), Epoch(1 << 50)), Ok(Epoch(2_005)));
    assert_eq!(table.believe(address(1), Epoch(7)), Ok(Epoch(7)));
    assert_eq!(table.highest(address(1)), Epoch(2_005));
    assert_eq!(
        table.believe(address(1), Epoch(u64::MAX)),
        Err(ClaimRefusal::Epoch)
    );
    assert_eq!(
        table.believe(address(2), Epoch(EPOCH_FIRST_MAX)),
        Err(ClaimRefusal::Epoch)
    );
}

#[test]
fn forgetting_needs_no_owner_and_leaves_no_trace() {
    let (mut table, now) = (ClaimTable::default(), origin());
    table.set_owner(address(1), None, now);
    assert_eq!(table.believe(address(1), Epoch(90_000)), Ok(Epoch(90_000)));
    table.set_owner(address(1), Some(owner("a", 90_000, None)), now);
    table.forget_unowned(address(1));
    assert!(table.owner(address(1)).is_some());
    table.set_owner(address(1), None, now);
    table.forget_unowned(address(1));
    assert_eq!(table.highest(address(1)), Epoch(0));
}

#[test]
fn moves_are_counted_within_their_window_and_renewals_are_none() {
    let (mut table, now) = (ClaimTable::default(), origin());
    let second = Duration::from_secs(1);
    table.set_owner(address(1), Some(owner("a", 1, None)), now);
    table.set_owner(address(1), Some(owner("a", 2, None)), now + second);
    table.set_owner(address(1), Some(owner("b", 3, None)), now + second * 2);
    table.set_owner(address(1), None, now + second * 3);
    table.set_owner(address(1), Some(owner("b", 4, None)), now + second * 4);
    table.set_owner(address(1), Some(owner("a", 5, None)), now + second * 5);
    assert_eq!(table.recent_moves(address(1), now + second * 6), 2);
    assert_eq!(
        table.recent_moves(address(1), now + MOVES_WINDOW + second * 3),
        1
    );
    assert_eq!(table.recent_moves(address(1), now + MOVES_WINDOW * 2), 0);
    // Who came later is told of what it did not see; what it knows already is not counted twice.
    let later = now + MOVES_WINDOW * 2;
    table.learn_moves(address(1), 3, later);
    table.learn_moves(address(1), 2, later);
    assert_eq!(table.recent_moves(address(1), later), 3);
    assert_eq!(table.spoken(address(1), later).unwrap().moves, 3);
}

proptest! {
    #[test]
    fn digests_are_those_of_what_is_held_whatever_the_way_there(
        steps in proptest::collection::vec((0_u8..6, 0_usize..4, 1_u64..5), 0..60),
    ) {
        let nodes = ["a", "b", "c"];
        let (mut table, now) = (ClaimTable::default(), origin());
        let mut model: BTreeMap<IpAddr, (&str, u64)> = BTreeMap::new();
        for (last, node, epoch) in steps {
            let Some(node) = nodes.get(node) else {
                table.set_owner(address(last), None, now);
                model.remove(&address(last));
                continue;
            };
            let mut next = owner(node, epoch, None);
            next.claim.address = address(last);
            table.set_owner(address(last), Some(next), now);
            model.insert(address(last), (node, epoch));
        }
        for node in nodes {
            let mut fresh = ClaimTable::default();
            for (address, (_, epoch)) in model.iter().filter(|(_, (owner, _))| *owner == node) {
                let mut next = owner(node, *epoch, None);
                next.claim.address = *address;
                fresh.set_owner(*address, Some(next), now);
            }
            prop_assert_eq!(table.digest(&name(node)), fresh.digest(&name(node)));
            prop_assert_eq!(table.held_by(&name(node)), fresh.held_by(&name(node)));
        }
    }
}
