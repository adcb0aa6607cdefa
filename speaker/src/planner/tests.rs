//! Orders add up to what is wanted, whatever the order and grouping of changes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use ringbolt_bgp::policy::{OriginationKey, PeerSet, RouteAttributes};
use ringbolt_config::names::Kind;
use ringbolt_l2::announcer::Share;
use serde_json::{Value, json};

use super::{Orders, Planner, Touched};
use crate::desired::tests::world::{
    ELSEWHERE, HERE, World, bgp_advertisement, decoded, l2_advertisement, node, peer, pool,
    service, slice, with,
};
use crate::settings::Settings;

/// What both halves hold after a sequence of orders.
#[derive(Debug, Default, PartialEq)]
struct Held {
    routes: BTreeMap<OriginationKey, (Arc<RouteAttributes>, PeerSet)>,
    addresses: BTreeMap<IpAddr, Vec<Share>>,
    peers: usize,
    drained: bool,
}

impl Held {
    fn obey(&mut self, orders: Orders) {
        for key in orders.routes.withdraw {
            assert!(
                self.routes.remove(&key).is_some(),
                "{key:?} withdrawn twice"
            );
        }
        for route in orders.routes.originate {
            let value = (route.attributes, route.peers);
            assert_ne!(
                self.routes.get(&route.key),
                Some(&value),
                "{:?} told again",
                route.key
            );
            self.routes.insert(route.key, value);
        }
        for address in orders.shares.removed {
            self.addresses.remove(&address);
        }
        for claimable in orders.shares.set {
            self.addresses.insert(claimable.address, claimable.shares);
        }
        if let Some(peers) = orders.peers {
            self.peers = peers.len();
        }
        if let Some(drain) = orders.drain {
            self.drained = drain == ringbolt_bgp::router::Drain::Drained;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_the_same_objects_gives_the_same_announcements(
        chosen in subsequence(universe(), 0..=universe().len()),
        order in proptest::collection::vec(any::<Index>(), universe().len()),
        settle_after in proptest::collection::vec(any::<bool>(), universe().len()),
    ) {
        let (at_once, expected) = told(&chosen, &[]);
        let mut shuffled = chosen;
        for (at, index) in order.iter().take(shuffled.len()).enumerate() {
            let other = index.index(shuffled.len());
            shuffled.swap(at, other);
        }
        let (one_by_one, held) = told(&shuffled, &settle_after);
        prop_assert_eq!(held, expected);
        for (key, _) in at_once.index().services() {
            let of = |planner: &Planner| crate::desired::compute(planner.index(), planner.local(), key);
            prop_assert_eq!(of(&one_by_one), of(&at_once));
        }
    }

    #[test]
    fn objects_that_come_and_go_leave_nothing_behind(
        passing in subsequence(universe(), 0..=universe().len()),
        settle_between in any::<bool>(),
    ) {
        let mut planner = Planner::new(&Settings::new(HERE.parse().unwrap()));
        let mut held = Held::default();
        for manifest in &passing {
            planner.apply(decoded(manifest.clone()));
            if settle_between {
                held.obey(planner.settle());
            }
        }
        for manifest in &passing {
            planner.remove(&decoded(manifest.clone()).object_ref());
            if settle_between {
                held.obey(planner.settle());
            }
        }
        held.obey(planner.settle());
        // A node that was there leaves.
        let drained = passing.contains(&node(HERE));
        prop_assert_eq!(planner.has_left(), drained);
        prop_assert_eq!(held, Held { drained, ..Held::default() });
    }
}

#[test]
fn settling_twice_orders_nothing_the_second_time() {
    let (mut planner, _) = told(&universe(), &[]);
    let orders = planner.settle();
    assert!(orders.routes.is_empty() && orders.shares.is_empty());
    assert!(orders.peers.is_none() && orders.drain.is_none());
    assert_eq!(
        (orders.keys, orders.l2_advertisements),
        (Touched::No, Touched::No)
    );
}

#[test]
fn an_object_that_says_what_it_said_before_orders_nothing() {
    let (mut planner, _) = told(&universe(), &[]);
    for manifest in universe() {
        planner.apply(decoded(manifest));
    }
    assert!(
        planner.index.take_dirty().is_empty(),
        "no Service is looked at again"
    );
    let orders = planner.settle();
    assert!(orders.routes.is_empty() && orders.shares.is_empty() && orders.peers.is_none());
}

#[test]
fn the_secret_of_the_speakers_is_noticed_and_no_other() {
    let mut world = World::usual();
    let secret = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "data": {},
            "metadata": {"name": name, "namespace": "ringbolt-system"},
        })
    };
    assert_eq!(world.apply(secret("other")).keys, Touched::No);
    assert!(world.planner.speaker_key().is_none());
    assert_eq!(
        world.apply(secret("ringbolt-speaker-key")).keys,
        Touched::Yes
    );
    assert!(world.planner.speaker_key().is_some());
}

#[test]
fn secrets_are_sought_where_ringbolt_lives() {
    let mut world = World::usual();
    let secret = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "lb"},
            "data": {"password": "b3Blbg=="}, "type": "kubernetes.io/basic-auth",
        })
    };
    let reference = json!({"spec": {"passwordSecret": {"name": "tor"}}});
    world.apply(secret("tor"));
    world.apply(secret("ringbolt-speaker-key"));
    world.apply(with(peer("tor"), reference));
    assert!(world.planner.speaker_key().is_none());
    assert_eq!(world.planner.problems().len(), 1, "no such Secret");
    world.planner.set_namespaces("lb".into(), "lb".into());
    assert_eq!(world.planner.settle().keys, Touched::Yes);
    assert!(world.planner.speaker_key().is_some());
    assert_eq!(world.planner.problems(), []);
    world.planner.set_namespaces("lb".into(), "lb".into());
    assert_eq!(world.planner.settle().keys, Touched::No, "nothing is new");
}

#[test]
fn a_peer_that_is_not_this_nodes_is_not_told_to_the_router() {
    let mut world = World::usual();
    let selected = json!({"spec": {"nodeSelectors": [{"matchLabels": {"rack": "a"}}]}});
    let orders = world.apply(with(peer("tor"), selected));
    assert_eq!(orders.peers.map(|peers| peers.len()), Some(0));
    let orders = world.apply(with(
        node(HERE),
        json!({"metadata": {"labels": {"rack": "a"}}}),
    ));
    assert_eq!(orders.peers.map(|peers| peers.len()), Some(1));
    assert!(world.apply(node(HERE)).peers.is_some());
    assert_eq!(
        world.remove(Kind::BGPPeer, "tor").peers,
        None,
        "it was none of ours"
    );
}

/// A planner that was told these manifests, settled after those that say so and at the end; and what it ordered.
fn told(manifests: &[Value], settle_after: &[bool]) -> (Planner, Held) {
    let mut planner = Planner::new(&Settings::new(HERE.parse().unwrap()));
    let mut held = Held::default();
    for (at, manifest) in manifests.iter().enumerate() {
        planner.apply(decoded(manifest.clone()));
        if settle_after.get(at).copied().unwrap_or(false) {
            held.obey(planner.settle());
        }
    }
    held.obey(planner.settle());
    (planner, held)
}

/// Objects that have to do with each other in most of the ways there are.
fn universe() -> Vec<Value> {
    let shared = |key: &str, created: &str| {
        json!({"metadata": {
            "annotations": {"ringbolt.io/allow-shared-ip": key}, "creationTimestamp": created,
        }})
    };
    let local = json!({"spec": {"externalTrafficPolicy": "Local"}});
    let here = json!({"matchLabels": {"kubernetes.io/hostname": HERE}});
    vec![
        node(HERE),
        with(node(ELSEWHERE), json!({"metadata": {"labels": {"x": "y"}}})),
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "default", "labels": {"team": "a"}},
        }),
        pool("public", &["192.0.2.0/24", "2001:db8::/64"]),
        pool("private", &["10.9.0.0/16"]),
        peer("tor"),
        with(
            peer("spare"),
            json!({"spec": {"peerAddress": "198.51.100.2", "nodeSelectors": [here]}}),
        ),
        bgp_advertisement(
            "all",
            json!({"ipAddressPools": ["public"], "communities": ["64512:1"]}),
        ),
        bgp_advertisement(
            "some",
            json!({"peers": ["spare"], "med": 5, "nodeSelectors": [here]}),
        ),
        bgp_advertisement(
            "teams",
            json!({
                "namespaceSelectors": [{"matchLabels": {"team": "a"}}],
                "aggregationLength": 24, "aggregationLengthV6": 64, "med": 7,
            }),
        ),
        bgp_advertisement("pods", json!({"source": "PodCIDR"})),
        bgp_advertisement(
            "listed",
            json!({"source": "Static", "prefixes": ["192.0.2.0/24", "10.0.0.0/8"], "med": 9}),
        ),
        l2_advertisement("all", json!({"ipAddressPools": ["public"]})),
        l2_advertisement(
            "quiet",
            json!({"withoutEndpoints": "Announce", "nodeSelectors": [here]}),
        ),
        service("web", &["192.0.2.10", "2001:db8::10"]),
        with(
            service("api", &["192.0.2.10"]),
            shared("k", "2026-01-02T00:00:00Z"),
        ),
        with(
            service("old", &["192.0.2.10"]),
            shared("k", "2025-01-02T00:00:00Z"),
        ),
        with(service("near", &["192.0.2.11", "10.9.0.1"]), local),
        service("gone", &["203.0.113.9"]),
        slice("web-4", "web", "IPv4", json!([{"nodeName": ELSEWHERE}])),
        slice("web-6", "web", "IPv6", json!([{"nodeName": HERE}])),
        slice("api-4", "api", "IPv4", json!([{"nodeName": HERE}])),
        slice("old-4", "old", "IPv4", json!([{}])),
        slice(
            "near-4a",
            "near",
            "IPv4",
            json!([{"nodeName": HERE, "conditions": {"ready": false}}]),
        ),
        slice(
            "near-4b",
            "near",
            "IPv4",
            json!([{"nodeName": HERE}, {"nodeName": ELSEWHERE}]),
        ),
    ]
}

#[test]
fn how_many_speakers_there_should_be_is_learnt_from_the_controller() {
    let mut planner = Planner::new(&Settings::new(HERE.parse().unwrap()));
    let mut counted = |mut advertisement: Value, count: Option<u32>| {
        if let Some(count) = count {
            advertisement["status"]["expectedSpeakers"] = json!(count);
        }
        planner.apply(decoded(advertisement));
        planner.apply(decoded(node(HERE)));
        let _orders = planner.settle();
        (planner.expected_speakers(), planner.nodes())
    };
    assert_eq!(counted(l2_advertisement("all", json!({})), None), (1, 1));
    assert_eq!(counted(l2_advertisement("all", json!({})), Some(7)), (7, 7));
    let elsewhere = json!({ "nodeSelectors": [{ "matchLabels": { "no": "such" } }] });
    let elsewhere = l2_advertisement("elsewhere", elsewhere);
    assert_eq!(counted(elsewhere, Some(9)), (7, 9), "not on our segment");
    assert_eq!(counted(l2_advertisement("all", json!({})), Some(2)), (2, 9));
}
