//! What the announcer is told of advertisements, interfaces and clusters.

use std::collections::BTreeSet;
use std::time::Duration;

use ringbolt_l2::announcer::{Advertisement, Failback, InterfaceChoice};
use ringbolt_l2::types::InterfaceName;
use serde_json::{Value, json};

use super::{advertisements, cluster_id};
use crate::desired::tests::world::{HERE, World, l2_advertisement, node, with};

#[test]
fn patterns_stand_for_interfaces_that_are_there_and_names_for_themselves() {
    let found = told(json!({"interfaces": ["bond0"], "interfacePatterns": ["eth*"]}));
    assert_eq!(
        found.interfaces,
        InterfaceChoice::Named(names(&["bond0", "eth0", "eth1"]))
    );
    assert_eq!(told(json!({})).interfaces, InterfaceChoice::Any);
}

#[test]
fn a_node_that_is_not_selected_has_no_standing_and_preferences_add_up() {
    let zone = json!({"matchLabels": {"zone": "a"}});
    let host = json!({"matchLabels": {"kubernetes.io/hostname": HERE}});
    let standing = |spec| told(spec).standing.map(|standing| standing.preference);
    assert_eq!(standing(json!({})), Some(0));
    assert_eq!(
        standing(json!({"nodeSelectors": [{"matchLabels": {"zone": "b"}}]})),
        None
    );
    let preferred = json!({"preferredNodeSelectors": [
        {"weight": 10, "preference": zone}, {"weight": 5, "preference": host},
    ]});
    assert_eq!(standing(preferred), Some(15));
}

#[test]
fn failback_and_refresh_are_passed_on() {
    let found = told(json!({"failback": "Never", "refreshSeconds": 5}));
    assert_eq!(
        (found.failback, found.refresh),
        (Failback::Never, Duration::from_secs(5))
    );
    assert!(told(json!({"refreshSeconds": 0})).refresh > Duration::from_secs(86_400));
}

#[test]
fn identities_of_clusters_are_told_apart() {
    assert_eq!(cluster_id("a"), cluster_id("a"));
    assert_ne!(cluster_id("a"), cluster_id("b"));
}

/// How an L2Advertisement of this spec is told, on a node with interfaces eth0, eth1 and lan0.
fn told(spec: Value) -> Advertisement {
    let mut world = World::bare();
    world.apply(with(
        node(HERE),
        json!({"metadata": {"labels": {"zone": "a"}}}),
    ));
    world.apply(l2_advertisement("one", spec));
    let planner = &world.planner;
    let labels = planner.index().node().map(|node| &node.labels);
    let interfaces = names(&["eth0", "eth1", "lan0"]);
    let [one] = <[_; 1]>::try_from(advertisements(planner.local(), labels, &interfaces)).unwrap();
    one
}

fn names(names: &[&str]) -> BTreeSet<InterfaceName> {
    names
        .iter()
        .map(|name| InterfaceName::new(name).unwrap())
        .collect()
}
