//! Pools: defaults, overlap, the last good version.

use super::*;
use crate::model::pool::{Admission, LAST_PRIORITY};

#[test]
fn a_pool_with_nothing_but_addresses_has_all_defaults() {
    let config = resolve(&snapshot(&[(
        Kind::IPAddressPool,
        "p",
        pool(&["192.0.2.0/24"]),
    )]))
    .unwrap();
    let pool = &config.pools[&"p".parse().unwrap()];
    assert!(pool.auto_assign && !pool.avoid_buggy_ips && !pool.avoid_edge_addresses);
    assert_eq!(
        (pool.priority, pool.admission),
        (LAST_PRIORITY, Admission::Open)
    );
    assert!(!pool.allocation.is_pinned() && pool.limits.is_empty());
    assert!(pool.reuse_delay.is_zero());
    assert!(config.pool_of("192.0.2.255".parse().unwrap()).is_some());
    assert!(config.pool_of("192.0.3.0".parse().unwrap()).is_none());
}

#[test]
fn every_bad_range_of_a_pool_is_named() {
    let list = [
        "192.0.2.0/24",
        "nonsense",
        "192.0.3.9-192.0.3.1",
        "192.0.2.7",
        "192.0.2.0/25",
    ];
    let mut spec = pool(&list);
    spec["excludeAddresses"] = json!(["192.0.2.1", "x-y"]);
    let problems = resolve(&snapshot(&[(Kind::IPAddressPool, "p", spec)])).unwrap_err();
    assert_eq!(
        said(&problems),
        [
            "IPAddressPool p: spec.addresses[1]: InvalidRange",
            "IPAddressPool p: spec.addresses[2]: InvalidRange",
            "IPAddressPool p: spec.addresses[4]: Overlap",
            "IPAddressPool p: spec.addresses[3]: Overlap",
            "IPAddressPool p: spec.excludeAddresses[1]: InvalidRange",
        ]
    );
}

#[test]
fn the_older_of_two_overlapping_pools_is_in_force() {
    let mut snapshot = Snapshot::default();
    let created = |name: &str, day: u8| json!({"name": name, "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z")});
    let kind = Kind::IPAddressPool;
    put(
        &mut snapshot,
        kind,
        created("a", 2),
        pool(&["192.0.2.128-192.0.3.1"]),
    );
    put(
        &mut snapshot,
        kind,
        created("b", 1),
        pool(&["192.0.2.0/24"]),
    );
    put(
        &mut snapshot,
        kind,
        created("c", 3),
        pool(&["192.0.3.0/24"]),
    );
    let mut memory = LastGood::default();
    let (config, problems) = memory.update(&snapshot);
    assert_eq!(
        said(&problems),
        ["IPAddressPool a: spec.addresses[0]: Overlap"]
    );
    assert_eq!(names(&config), ["b", "c"]);
    remove(&mut snapshot, kind, "b");
    let (config, problems) = memory.update(&snapshot);
    assert_eq!(
        said(&problems),
        ["IPAddressPool c: spec.addresses[0]: Overlap"]
    );
    assert_eq!(names(&config), ["a"]);
}

#[test]
fn without_a_creation_time_what_was_in_force_first_stays() {
    let mut snapshot = snapshot(&[(Kind::IPAddressPool, "z", pool(&["192.0.2.0/24"]))]);
    let mut memory = LastGood::default();
    memory.update(&snapshot);
    put(
        &mut snapshot,
        Kind::IPAddressPool,
        json!({"name": "a"}),
        pool(&["192.0.2.7"]),
    );
    let (config, problems) = memory.update(&snapshot);
    assert_eq!(
        said(&problems),
        ["IPAddressPool a: spec.addresses[0]: Overlap"]
    );
    assert_eq!(names(&config), ["z"]);
}

#[test]
fn a_bad_edit_leaves_the_last_good_pool_in_force_and_the_others_alone() {
    let kind = Kind::IPAddressPool;
    let mut snapshot = snapshot(&[
        (kind, "p", pool(&["192.0.2.0/24"])),
        (kind, "q", pool(&["192.0.3.0/24"])),
    ]);
    let mut memory = LastGood::default();
    let (before, _) = memory.update(&snapshot);
    put(
        &mut snapshot,
        kind,
        json!({"name": "p"}),
        pool(&["nonsense"]),
    );
    put(
        &mut snapshot,
        kind,
        json!({"name": "r"}),
        pool(&["nonsense"]),
    );
    let (after, problems) = memory.update(&snapshot);
    assert_eq!(problems.len(), 2);
    assert_eq!(after, before);
    for (name, pool) in &before.pools {
        assert!(Arc::ptr_eq(pool, &after.pools[name]));
    }
    assert!(resolve(&snapshot).is_err());
    remove(&mut snapshot, kind, "p");
    assert_eq!(names(&memory.update(&snapshot).0), ["q"]);
}

#[test]
fn an_edit_that_runs_into_an_older_pool_leaves_the_last_good_one() {
    let kind = Kind::IPAddressPool;
    let mut snapshot = snapshot(&[
        (kind, "a", pool(&["192.0.2.0/24"])),
        (kind, "b", pool(&["192.0.3.0/24"])),
    ]);
    let mut memory = LastGood::default();
    let (before, _) = memory.update(&snapshot);
    put(
        &mut snapshot,
        kind,
        json!({"name": "b"}),
        pool(&["192.0.2.9", "192.0.3.0/24"]),
    );
    let (after, problems) = memory.update(&snapshot);
    assert_eq!(
        said(&problems),
        ["IPAddressPool b: spec.addresses[0]: Overlap"]
    );
    assert_eq!(after, before);
}

#[test]
fn a_deleted_pool_goes_at_once_or_closes() {
    let marked = json!({"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"});
    for (on_removal, left) in [("Reallocate", None), ("Keep", Some(Admission::Closing))] {
        let mut snapshot = Snapshot::default();
        let mut spec = pool(&["192.0.2.0/24"]);
        spec["onRemoval"] = json!(on_removal);
        put(&mut snapshot, Kind::IPAddressPool, marked.clone(), spec);
        let config = resolve(&snapshot).unwrap();
        assert_eq!(
            config.pools.values().next().map(|pool| pool.admission),
            left
        );
    }
}

#[test]
fn addresses_of_nodes_in_a_pool_are_noticed_and_do_not_refuse_it() {
    let mut snapshot = snapshot(&[(
        Kind::IPAddressPool,
        "p",
        pool(&["192.0.2.0/24", "10.1.0.0/25"]),
    )]);
    let node = |name: &str, address: &str, pods: &str| {
        let addresses = json!([{"type": "InternalIP", "address": address}]);
        let value = json!({"metadata": {"name": name}, "spec": {"podCIDRs": [pods]},
            "status": {"addresses": addresses}});
        decode(Kind::Node, value).unwrap()
    };
    snapshot.apply(node("n1", "192.0.2.77", "10.2.0.0/24"));
    snapshot.apply(node("n2", "192.0.3.1", "10.1.0.0/16"));
    snapshot.apply(node("n3", "192.0.3.2", "10.3.0.0/16"));
    let (config, problems) = LastGood::default().update(&snapshot);
    assert_eq!(names(&config), ["p"]);
    let nodes: Vec<_> = problems
        .iter()
        .map(|problem| problem.reason.to_string())
        .collect();
    assert_eq!(nodes.len(), 2);
    assert!(nodes[0].contains("node n1") && nodes[1].contains("node n2"));
    assert!(resolve(&snapshot).is_ok());
}

fn names(config: &Config) -> Vec<&str> {
    config.pools.keys().map(|name| name.as_str()).collect()
}
