//! Advertisements: scopes, attributes, references, identity over changes.

use super::*;
use crate::model::bgp::{Origin, PeerScope};
use crate::model::community::Community;
use crate::model::{InterfaceScope, PoolScope};

const L2: Kind = Kind::L2Advertisement;
const BGP: Kind = Kind::BGPAdvertisement;

#[test]
fn empty_advertisements_cover_everything() {
    let config = resolve(&snapshot(&[(L2, "l", json!({})), (BGP, "b", json!({}))])).unwrap();
    let l2 = config.l2_advertisements.values().next().unwrap();
    assert_eq!(
        (&l2.pools, &l2.interfaces),
        (&PoolScope::All, &InterfaceScope::Any)
    );
    assert_eq!(l2.refresh, Some(std::time::Duration::from_secs(60)));
    let bgp = config.bgp_advertisements.values().next().unwrap();
    assert_eq!((bgp.aggregation_v4, bgp.aggregation_v6), (32, 128));
    assert_eq!(bgp.peers, PeerScope::All);
    let Origin::LoadBalancer(scope) = &bgp.origin else {
        panic!("LoadBalancer by default")
    };
    assert_eq!(scope.pools, PoolScope::All);
    assert!(!scope.allow_service_attributes);
}

#[test]
fn pools_and_peers_are_found_by_name_and_by_label() {
    let mut snapshot = snapshot(&[(
        BGP,
        "b",
        json!({
            "ipAddressPools": ["p"], "ipAddressPoolSelectors": [{"matchLabels": {"edge": "yes"}}],
            "peers": ["tor"], "peerSelectors": [{"matchLabels": {"edge": "yes"}}],
        }),
    )]);
    let edge = |name: &str| json!({"name": name, "labels": {"edge": "yes"}});
    put(
        &mut snapshot,
        Kind::IPAddressPool,
        json!({"name": "p"}),
        pool(&["192.0.2.0/24"]),
    );
    put(
        &mut snapshot,
        Kind::IPAddressPool,
        edge("q"),
        pool(&["192.0.3.0/24"]),
    );
    put(
        &mut snapshot,
        Kind::IPAddressPool,
        json!({"name": "r"}),
        pool(&["192.0.4.0/24"]),
    );
    put(&mut snapshot, Kind::BGPPeer, json!({"name": "tor"}), peer());
    put(&mut snapshot, Kind::BGPPeer, edge("spine"), peer());
    put(
        &mut snapshot,
        Kind::BGPPeer,
        json!({"name": "other"}),
        peer(),
    );
    let config = resolve(&snapshot).unwrap();
    let bgp = config.bgp_advertisements.values().next().unwrap();
    let Origin::LoadBalancer(scope) = &bgp.origin else {
        panic!("LoadBalancer by default")
    };
    for (name, covered) in [("p", true), ("q", true), ("r", false)] {
        assert_eq!(
            scope.pools.covers(&name.parse().unwrap()),
            covered,
            "{name}"
        );
    }
    for (name, covered) in [("tor", true), ("spine", true), ("other", false)] {
        assert_eq!(bgp.peers.covers(&name.parse().unwrap()), covered, "{name}");
    }
}

#[test]
fn an_unknown_name_in_a_list_is_noticed_and_never_widens_the_scope() {
    let spec = json!({"ipAddressPools": ["gone"], "peers": ["nobody"]});
    let snapshot = snapshot(&[
        (BGP, "b", spec),
        (L2, "l", json!({"ipAddressPools": ["gone"]})),
    ]);
    let (config, problems) = LastGood::default().update(&snapshot);
    assert_eq!(
        said(&problems),
        [
            "L2Advertisement l: spec.ipAddressPools[0]: UnknownReference",
            "BGPAdvertisement b: spec.peers[0]: UnknownReference",
            "BGPAdvertisement b: spec.ipAddressPools[0]: UnknownReference",
        ]
    );
    let bgp = config.bgp_advertisements.values().next().unwrap();
    assert!(!bgp.peers.covers(&"tor".parse().unwrap()));
    let l2 = config.l2_advertisements.values().next().unwrap();
    assert!(!l2.pools.covers(&"p".parse().unwrap()));
    assert!(resolve(&snapshot).is_ok());
}

#[test]
fn communities_are_resolved_and_an_unknown_one_refuses() {
    let aliases = json!({"communities": [{"name": "transit", "value": "65000:1"}]});
    let spec = json!({"communities": ["transit", "large:1:2:3", "no-export"]});
    let mut snapshot = snapshot(&[(Kind::Community, "c", aliases), (BGP, "b", spec)]);
    let mut memory = LastGood::default();
    let (before, problems) = memory.update(&snapshot);
    assert_eq!(problems, []);
    let attributes = &before
        .bgp_advertisements
        .values()
        .next()
        .unwrap()
        .attributes;
    assert!(
        attributes
            .communities
            .contains(&Community::Standard(65_000 << 16 | 1))
    );
    assert_eq!(attributes.communities.len(), 3);
    remove(&mut snapshot, Kind::Community, "c");
    let (after, problems) = memory.update(&snapshot);
    assert_eq!(
        said(&problems),
        ["BGPAdvertisement b: spec.communities[0]: UnknownCommunity"]
    );
    assert_eq!(after.bgp_advertisements, before.bgp_advertisements);
}

#[test]
fn an_alias_with_two_meanings_has_that_of_the_older_object() {
    let mut snapshot = Snapshot::default();
    for (name, day, value) in [("a", 2, "1:1"), ("b", 1, "2:2")] {
        let created = format!("2026-01-0{day}T00:00:00Z");
        let spec = json!({"communities": [{"name": "x", "value": value}]});
        let metadata = json!({"name": name, "creationTimestamp": created});
        put(&mut snapshot, Kind::Community, metadata, spec);
    }
    let (config, problems) = LastGood::default().update(&snapshot);
    assert_eq!(
        said(&problems),
        ["Community a: spec.communities: AliasConflict"]
    );
    assert_eq!(
        config.communities.resolve("x"),
        Ok(Community::Standard(2 << 16 | 2))
    );
}

#[test]
fn static_prefixes_are_canonical_and_each_bad_one_is_named() {
    let of = |prefixes: Value| {
        resolve(&snapshot(&[(
            BGP,
            "b",
            json!({"source": "Static", "prefixes": prefixes}),
        )]))
    };
    let config = of(json!(["2001:db8::/32", "10.0.0.0/8"])).unwrap();
    let Origin::Static(prefixes) = &config.bgp_advertisements.values().next().unwrap().origin
    else {
        panic!("Static as asked")
    };
    assert_eq!(prefixes.len(), 2);
    let problems = of(json!(["10.0.0.1/8", "10.0.0.0/8", "10.0.0.0/8", "x/y"])).unwrap_err();
    assert_eq!(
        said(&problems),
        [
            "BGPAdvertisement b: spec.prefixes[0]: InvalidPrefix",
            "BGPAdvertisement b: spec.prefixes[2]: Duplicate",
            "BGPAdvertisement b: spec.prefixes[3]: InvalidPrefix",
        ]
    );
}

#[test]
fn one_change_among_many_leaves_all_others_the_same_value_in_the_same_place() {
    let specs: Vec<_> = (0..20).map(|i| format!("b{i}")).collect();
    let mut snapshot = Snapshot::default();
    for name in &specs {
        put(&mut snapshot, BGP, json!({"name": name}), json!({"med": 1}));
        put(&mut snapshot, L2, json!({"name": name}), json!({}));
    }
    put(&mut snapshot, Kind::BGPPeer, json!({"name": "tor"}), peer());
    let mut memory = LastGood::default();
    let (before, _) = memory.update(&snapshot);
    put(&mut snapshot, BGP, json!({"name": "b7"}), json!({"med": 2}));
    let (after, _) = memory.update(&snapshot);
    for (name, adv) in &before.bgp_advertisements {
        let same = Arc::ptr_eq(adv, &after.bgp_advertisements[name]);
        assert_eq!(same, name.as_str() != "b7", "{name}");
    }
    for (name, adv) in &before.l2_advertisements {
        assert!(Arc::ptr_eq(adv, &after.l2_advertisements[name]));
    }
    // A pool that appears is something every advertisement may refer to: read again, equal, kept.
    put(
        &mut snapshot,
        Kind::IPAddressPool,
        json!({"name": "p"}),
        pool(&["192.0.2.0/24"]),
    );
    let (last, _) = memory.update(&snapshot);
    for (name, adv) in &after.bgp_advertisements {
        assert!(Arc::ptr_eq(adv, &last.bgp_advertisements[name]), "{name}");
    }
    assert!(Arc::ptr_eq(
        &before.peers[&"tor".parse().unwrap()],
        &last.peers[&"tor".parse().unwrap()]
    ));
}

#[test]
fn preferences_of_a_node_add_up() {
    let zone = |zone: &str| json!({"matchLabels": {"zone": zone}});
    let spec = json!({"preferredNodeSelectors": [
        {"weight": 10, "preference": zone("a")},
        {"weight": 5, "preference": {}},
        {"weight": 1, "preference": zone("b")},
    ], "failback": "Never", "refreshSeconds": 0, "interfaces": []});
    let config = resolve(&snapshot(&[(L2, "l", spec)])).unwrap();
    let l2 = config.l2_advertisements.values().next().unwrap();
    let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    assert_eq!(l2.preference(&labels), 15);
    assert_eq!(l2.refresh, None);
    assert!(l2.interfaces.covers("eth0"));
}
