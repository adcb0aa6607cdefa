//! What the Router is told when wants change, by table and against a naive model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use ringbolt_bgp::policy::{OriginationKey, PeerSet, RouteAttributes, RouteClass};
use ringbolt_bgp::types::{PeerName, Prefix};
use ringbolt_bgp::wire::Community;

use super::{AttributeField, Owner, RouteChange, RouteTable, Via, Wanted};

/// What a Router holds after a sequence of changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told(BTreeMap<OriginationKey, (Arc<RouteAttributes>, PeerSet)>);

#[test]
fn a_new_owner_originates_its_prefixes_with_one_shared_attribute_value() {
    let mut table = RouteTable::default();
    let via = via("a", attributes(10), PeerSet::All);
    let change = table.update([(
        advertisement("a"),
        wanted(&via, &["10.0.0.0/24", "10.0.1.0/24"]),
    )]);
    assert_eq!(change.originate.len(), 2);
    assert!(
        change
            .originate
            .iter()
            .all(|route| Arc::ptr_eq(&route.attributes, &via.attributes))
    );
    assert!(change.withdraw.is_empty());
}

#[test]
fn an_owner_that_says_the_same_again_changes_nothing() {
    let mut table = RouteTable::default();
    let want = || wanted(&via("a", attributes(10), PeerSet::All), &["10.0.0.0/24"]);
    table.update([(advertisement("a"), want())]);
    assert!(table.update([(advertisement("a"), want())]).is_empty());
}

#[test]
fn one_edited_prefix_of_a_list_is_one_withdrawal_and_one_origination() {
    let mut table = RouteTable::default();
    let via = via("a", attributes(10), PeerSet::All);
    table.update([(
        advertisement("a"),
        wanted(&via, &["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
    )]);
    let change = table.update([(
        advertisement("a"),
        wanted(&via, &["10.0.0.0/24", "10.0.2.0/24", "10.0.9.0/24"]),
    )]);
    assert_eq!(
        prefixes(change.originate.iter().map(|route| route.key)),
        ["10.0.9.0/24"]
    );
    assert_eq!(prefixes(change.withdraw.iter().copied()), ["10.0.1.0/24"]);
}

#[test]
fn a_prefix_stays_until_its_last_owner_lets_go() {
    let mut table = RouteTable::default();
    let via = via("a", attributes(10), PeerSet::All);
    let first = table.update([(service("one"), wanted(&via, &["10.0.0.0/24"]))]);
    let second = table.update([(service("two"), wanted(&via, &["10.0.0.0/24"]))]);
    let third = table.update([(service("one"), vec![])]);
    let fourth = table.update([(service("two"), vec![])]);
    assert_eq!(
        (first.originate.len(), second.is_empty(), third.is_empty()),
        (1, true, true)
    );
    assert_eq!(prefixes(fourth.withdraw.into_iter()), ["10.0.0.0/24"]);
    assert!(table.is_empty());
}

#[test]
fn a_prefix_that_moves_between_owners_in_one_batch_is_not_touched() {
    let mut table = RouteTable::default();
    let via = via("a", attributes(10), PeerSet::All);
    table.update([(service("one"), wanted(&via, &["10.0.0.0/24"]))]);
    let change = table.update([
        (service("one"), vec![]),
        (service("two"), wanted(&via, &["10.0.0.0/24"])),
    ]);
    assert!(change.is_empty());
}

#[test]
fn overlapping_advertisements_unite_communities_and_say_what_they_disagree_on() {
    let mut table = RouteTable::default();
    let a = via(
        "a",
        RouteAttributes {
            med: Some(5),
            ..attributes(10)
        },
        PeerSet::All,
    );
    let b = via(
        "b",
        RouteAttributes {
            med: Some(7),
            local_pref: Some(200),
            ..attributes(20)
        },
        PeerSet::All,
    );
    table.update([(service("one"), wanted(&b, &["10.0.0.0/24"]))]);
    let change = table.update([(service("two"), wanted(&a, &["10.0.0.0/24"]))]);
    let [route] = change.originate.as_slice() else {
        panic!("one route: {change:?}")
    };
    assert_eq!(
        route.attributes.communities,
        BTreeSet::from([Community(10), Community(20)])
    );
    assert_eq!(
        (route.attributes.med, route.attributes.local_pref),
        (Some(5), Some(200))
    );
    let disagreement = &table.disagreements()[&prefix("10.0.0.0/24")];
    assert_eq!(disagreement.fields, BTreeSet::from([AttributeField::Med]));
    assert_eq!(disagreement.advertisements.len(), 2);
    table.update([(service("one"), vec![])]);
    assert!(table.disagreements().is_empty());
}

#[test]
fn advertisements_for_different_peers_become_originations_that_no_peer_sees_twice() {
    let mut table = RouteTable::default();
    table.set_peers(peers(&["x", "y", "z"]));
    let all = via("a", attributes(10), PeerSet::All);
    let some = via("b", attributes(20), only(&["x"]));
    table.update([(service("one"), wanted(&all, &["10.0.0.0/24"]))]);
    let change = table.update([(service("two"), wanted(&some, &["10.0.0.0/24"]))]);
    let told: BTreeMap<_, _> = change
        .originate
        .iter()
        .map(|route| (route.peers.clone(), route.attributes.communities.len()))
        .collect();
    assert_eq!(
        told,
        BTreeMap::from([(only(&["x"]), 2), (only(&["y", "z"]), 1)])
    );
    let change = table.set_peers(peers(&["x", "z"]));
    assert_eq!(change.originate.len(), 1);
    assert_eq!(change.originate[0].peers, only(&["z"]));
    let change = table.update([(service("two"), vec![])]);
    assert_eq!(
        change
            .originate
            .iter()
            .map(|route| &route.peers)
            .collect::<Vec<_>>(),
        [&PeerSet::All]
    );
    assert_eq!(change.withdraw.len(), 1);
}

#[test]
fn a_route_that_stands_for_a_node_as_well_stays_when_the_node_drains() {
    let mut table = RouteTable::default();
    let moving = via("a", attributes(1), PeerSet::All);
    let standing = via(
        "b",
        RouteAttributes {
            class: RouteClass::Standing,
            ..attributes(2)
        },
        PeerSet::All,
    );
    table.update([(service("one"), wanted(&moving, &["10.0.0.0/24"]))]);
    let change = table.update([(advertisement("b"), wanted(&standing, &["10.0.0.0/24"]))]);
    assert_eq!(change.originate[0].attributes.class, RouteClass::Standing);
}

#[test]
fn one_changed_document_among_a_hundred_is_told_alone() {
    let mut table = RouteTable::default();
    let documents = 100u32;
    let list = |document: u32| -> Arc<[Prefix]> {
        (0..1000u32)
            .map(|n| {
                Prefix::from(
                    ipnet::Ipv4Net::new((0x0a00_0000 + (document * 1000 + n) * 16).into(), 28)
                        .unwrap(),
                )
            })
            .collect()
    };
    let vias: Vec<_> = (0..documents)
        .map(|n| via(&format!("doc-{n}"), attributes(1), PeerSet::All))
        .collect();
    let want = |n: u32| {
        vec![Wanted {
            via: Arc::clone(&vias[n as usize]),
            prefixes: list(n),
        }]
    };
    let change =
        table.update((0..documents).map(|n| (advertisement(&format!("doc-{n}")), want(n))));
    assert_eq!((change.originate.len(), table.len()), (100_000, 100_000));
    let mut edited = want(42);
    edited[0].prefixes = edited[0].prefixes.iter().copied().skip(1).collect();
    let change = table.update([(advertisement("doc-42"), edited)]);
    assert_eq!((change.originate.len(), change.withdraw.len()), (0, 1));
}

#[test]
fn what_peers_would_bring_and_its_owner_ends_at_once_is_not_told() {
    let mut table = RouteTable::default();
    let x = via("a", attributes(10), only(&["x"]));
    let y = via("b", attributes(20), only(&["y"]));
    table.update([(service("one"), wanted(&x, &["10.0.0.0/24"]))]);
    table.update([(service("two"), wanted(&y, &["10.0.0.0/24"]))]);
    let ended = [(service("one"), vec![]), (service("two"), vec![])];
    let change = table.settle(peers(&["x", "y"]), ended);
    assert!(change.is_empty(), "{change:?}");
}

proptest! {
    #[test]
    fn what_was_told_equals_what_is_wanted_whatever_the_order(
        script in proptest::collection::vec((0u8..4, proptest::collection::vec((0u8..3, 0u8..4), 0..5)), 1..12),
        universe in proptest::collection::btree_set(0u8..3, 0..3),
    ) {
        let mut table = RouteTable::default();
        let mut told = Told::default();
        let mut last = BTreeMap::new();
        for (at, (owner, wants)) in script.iter().enumerate() {
            let owner = service(&format!("s{owner}"));
            let wants = drawn(wants);
            let new = [(owner.clone(), wants.clone())];
            told.apply(if at == script.len() / 2 {
                let peers = universe.iter().map(|n| PeerName::new(format!("p{n}")));
                table.settle(peers.collect(), new)
            } else {
                table.update(new)
            });
            last.insert(owner, wants);
        }
        let mut afresh = RouteTable::default();
        let mut expected = Told::default();
        expected.apply(afresh.set_peers(universe.iter().map(|n| PeerName::new(format!("p{n}"))).collect()));
        expected.apply(afresh.update(last.into_iter().rev()));
        prop_assert_eq!(told, expected);
        prop_assert_eq!(table.disagreements(), afresh.disagreements());
    }
}

/// Draws wants: of each of three ways, some of four prefixes.
fn drawn(wants: &[(u8, u8)]) -> Vec<Wanted> {
    let mut by_via: BTreeMap<u8, BTreeSet<Prefix>> = BTreeMap::new();
    for (way, nth) in wants {
        by_via
            .entry(*way)
            .or_default()
            .insert(prefix(&format!("10.0.{nth}.0/24")));
    }
    by_via
        .into_iter()
        .map(|(way, prefixes)| {
            let peers = match way {
                0 => PeerSet::All,
                way => only(&[&format!("p{way}")]),
            };
            let attributes = RouteAttributes {
                med: Some(u32::from(way)),
                ..attributes(u32::from(way))
            };
            Wanted {
                via: via(&format!("w{way}"), attributes, peers),
                prefixes: prefixes.into_iter().collect(),
            }
        })
        .collect()
}

impl Told {
    fn apply(&mut self, change: RouteChange) {
        for key in change.withdraw {
            assert!(
                self.0.remove(&key).is_some(),
                "{key:?} was withdrawn and never originated"
            );
        }
        for route in change.originate {
            let value = (route.attributes, route.peers);
            assert_ne!(
                self.0.get(&route.key),
                Some(&value),
                "{:?} was told again",
                route.key
            );
            self.0.insert(route.key, value);
        }
    }
}

fn advertisement(name: &str) -> Owner {
    Owner::Advertisement(name.parse().unwrap())
}

fn service(name: &str) -> Owner {
    Owner::Service(format!("default/{name}").parse().unwrap())
}

fn via(name: &str, attributes: RouteAttributes, peers: PeerSet) -> Arc<Via> {
    Via::new(name.parse().unwrap(), attributes, peers)
}

fn attributes(community: u32) -> RouteAttributes {
    RouteAttributes {
        communities: BTreeSet::from([Community(community)]),
        ..RouteAttributes::default()
    }
}

fn wanted(via: &Arc<Via>, prefixes: &[&str]) -> Vec<Wanted> {
    vec![Wanted {
        via: Arc::clone(via),
        prefixes: prefixes.iter().map(|text| prefix(text)).collect(),
    }]
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn prefixes(keys: impl Iterator<Item = OriginationKey>) -> Vec<String> {
    keys.map(|key| key.prefix.to_string()).collect()
}

fn peers(names: &[&str]) -> BTreeSet<PeerName> {
    names.iter().map(|name| PeerName::new(*name)).collect()
}

fn only(names: &[&str]) -> PeerSet {
    PeerSet::Only(Arc::new(peers(names)))
}
