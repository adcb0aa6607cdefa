//! What of a pool may be handed out, and to whom.

use std::net::Ipv4Addr;

use serde_json::json;

use super::*;
use crate::model::Config;
use crate::names::Kind;
use crate::object::decode;
use crate::resolve::resolve;
use crate::snapshot::Snapshot;

#[test]
fn avoid_buggy_ips_leaves_out_the_ends_of_every_256() {
    let pool = pool(json!({
        "addresses": ["10.0.0.254-10.0.1.1", "10.0.2.255"], "avoidBuggyIPs": true,
    }));
    assert_eq!(
        permitted(&pool, "10.0.0.254-10.0.1.1"),
        ["10.0.0.254", "10.0.1.1"]
    );
    assert_eq!(pool.permits(ip("10.0.2.255")), Err(Withheld::Buggy));
}

#[test]
fn avoid_edge_addresses_is_about_cidrs_that_have_edges() {
    let pool = pool(json!({
        "addresses": ["10.0.0.0/30", "10.0.1.0/31", "10.0.2.0-10.0.2.3", "10.0.3.0"],
        "avoidEdgeAddresses": true,
    }));
    assert_eq!(permitted(&pool, "10.0.0.0/30"), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(pool.permits(ip("10.0.0.3")), Err(Withheld::Edge));
    assert_eq!(permitted(&pool, "10.0.1.0/31").len(), 2);
    assert_eq!(permitted(&pool, "10.0.2.0-10.0.2.3").len(), 4);
    assert_eq!(permitted(&pool, "10.0.3.0").len(), 1);
}

#[test]
fn excluded_and_outside_are_told_apart() {
    let pool = pool(json!({
        "addresses": ["10.0.0.0/29"], "excludeAddresses": ["10.0.0.2-10.0.0.3"],
    }));
    assert_eq!(pool.permits(ip("10.0.0.2")), Err(Withheld::Excluded));
    assert_eq!(pool.permits(ip("10.0.1.2")), Err(Withheld::Outside));
    assert_eq!(pool.permits(ip("10.0.0.4")), Ok(()));
    assert!(pool.contains(ip("10.0.0.2")));
}

#[test]
fn subnet_router_anycast_is_permitted_but_chosen_only_if_listed_singly() {
    let pool = pool(json!({"addresses": ["2001:db8::/63", "2001:db8:1::"]}));
    for (address, chosen) in [
        ("2001:db8::", false),
        ("2001:db8:0:1::", false),
        ("2001:db8::1", true),
        ("2001:db8:1::", true),
    ] {
        assert_eq!(pool.permits(ip(address)), Ok(()), "{address}");
        assert_eq!(pool.is_chosen_freely(ip(address)), chosen, "{address}");
    }
}

#[test]
fn namespaces_or_their_selectors_and_service_selectors_admit() {
    let pool = pool(json!({"addresses": ["10.0.0.0/24"], "serviceAllocation": {
        "namespaces": ["one"],
        "namespaceSelectors": [{"matchLabels": {"team": "net"}}],
        "serviceSelectors": [{"matchLabels": {"tier": "front"}}],
    }}));
    let front = Labels::from([("tier".into(), "front".into())]);
    let net = Labels::from([("team".into(), "net".into())]);
    let none = Labels::new();
    assert!(pool.allocation.is_pinned());
    assert!(pool.allocation.admits("one", &none, &front));
    assert!(pool.allocation.admits("two", &net, &front));
    assert!(!pool.allocation.admits("two", &none, &front));
    assert!(!pool.allocation.admits("one", &net, &none));
    assert!(ServiceFilter::default().admits("any", &none, &none));
    assert!(!ServiceFilter::default().is_pinned());
}

#[test]
fn limits_apply_by_name_or_by_label_or_to_each_namespace() {
    let pool = pool(json!({"addresses": ["10.0.0.0/24"], "limits": [
        {"namespaces": ["one"], "maxAddressesPerNamespace": 1},
        {"namespaceSelectors": [{"matchLabels": {"team": "net"}}], "maxAddressesPerNamespace": 2},
        {"maxAddressesPerNamespace": 3},
    ]}));
    let net = Labels::from([("team".into(), "net".into())]);
    let applying = |namespace: &str, labels: &Labels| -> Vec<u32> {
        let limits = pool
            .limits
            .iter()
            .filter(|limit| limit.applies(namespace, labels));
        limits.map(|limit| limit.max_addresses).collect()
    };
    assert_eq!(applying("one", &Labels::new()), [1, 3]);
    assert_eq!(applying("two", &net), [2, 3]);
    assert_eq!(applying("two", &Labels::new()), [3]);
}

fn pool(spec: serde_json::Value) -> Pool {
    let mut snapshot = Snapshot::default();
    let value = json!({"metadata": {"name": "p"}, "spec": spec});
    snapshot.apply(decode(Kind::IPAddressPool, value).unwrap());
    let config: Config = resolve(&snapshot).unwrap();
    Pool::clone(config.pools.values().next().unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Addresses of a range that the pool hands out.
fn permitted(pool: &Pool, range: &str) -> Vec<String> {
    let Span::V4 { first, last } = range.parse::<AddressRange>().unwrap().span else {
        panic!("an IPv4 range")
    };
    let all = (first..=last).map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)));
    all.filter(|ip| pool.permits(*ip).is_ok())
        .map(|ip| ip.to_string())
        .collect()
}
