//! Prefixes that belong to the node, pod networks and listed ones; and what becomes of a node without Node object.

use ringbolt_bgp::policy::RouteClass;
use ringbolt_bgp::router::Drain;
use ringbolt_config::names::Kind;
use serde_json::json;

use super::world::{
    HERE, World, bgp_advertisement, l2_advertisement, node, ready_on, service, with,
};
use crate::desired::{BgpVerdict, L2Verdict};
use crate::planner::Touched;

#[test]
fn pod_networks_of_both_families_are_announced_as_standing_routes() {
    let mut world = World::usual();
    world.apply(bgp_advertisement("pods", json!({"source": "PodCIDR"})));
    assert_eq!(world.routes(), ["10.244.1.0/24", "fd00:10:244:1::/64"]);
    let routes = world.planner.routes().all();
    assert!(
        routes
            .iter()
            .all(|route| route.attributes.class == RouteClass::Standing)
    );
}

#[test]
fn the_annotation_beats_the_spec_and_a_change_is_told_alone() {
    let mut world = World::usual();
    world.apply(bgp_advertisement("pods", json!({"source": "PodCIDR"})));
    let annotation = json!({"metadata": {"annotations": {
        "ringbolt.io/pod-cidrs": "10.99.0.0/24,fd00:10:244:1::/64",
    }}});
    let orders = world.apply(with(node(HERE), annotation));
    assert_eq!(world.routes(), ["10.99.0.0/24", "fd00:10:244:1::/64"]);
    assert_eq!(
        (orders.routes.originate.len(), orders.routes.withdraw.len()),
        (1, 1)
    );
}

#[test]
fn standing_routes_stay_while_the_node_is_drained() {
    let mut world = World::usual();
    world.apply(bgp_advertisement("pods", json!({"source": "PodCIDR"})));
    let drained = json!({"metadata": {"annotations": {"ringbolt.io/drain": "true"}}});
    let orders = world.apply(with(node(HERE), drained));
    assert!(orders.routes.is_empty());
    assert_eq!(world.routes().len(), 2);
}

#[test]
fn what_a_node_does_not_announce_has_a_reason() {
    let mut world = World::usual();
    let other = json!({"matchLabels": {"x": "y"}});
    world.apply(bgp_advertisement("pods", json!({"source": "PodCIDR"})));
    world.apply(bgp_advertisement(
        "listed",
        json!({"source": "Static", "prefixes": ["10.0.0.0/8"], "nodeSelectors": [other]}),
    ));
    let reason = |world: &World, name: &str| {
        let withheld = world.planner.standing_withheld(&name.parse().unwrap());
        withheld.map(|withheld| withheld.reason())
    };
    assert_eq!(
        (reason(&world, "pods"), reason(&world, "listed")),
        (None, Some("NodeNotSelected"))
    );
    world.apply(with(node(HERE), json!({"spec": {"podCIDRs": null}})));
    assert_eq!(reason(&world, "pods"), Some("NoPodNetworks"));
    assert!(world.routes().is_empty());
}

#[test]
fn a_node_without_node_object_serves_what_needs_none() {
    let mut world = World::nodeless().announcing();
    world.apply(service("web", &["192.0.2.7"]));
    world.apply(ready_on("web", HERE));
    assert_eq!(world.reasons("web", "192.0.2.7"), ["-", "-"]);
    let here = json!({"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": HERE}}]});
    world.apply(bgp_advertisement("all", here.clone()));
    world.apply(l2_advertisement("all", here));
    assert_eq!(
        world.reasons("web", "192.0.2.7"),
        ["NodeUnknown", "NodeUnknown"]
    );
    world.apply(bgp_advertisement("pods", json!({"source": "PodCIDR"})));
    let pods = world.planner.standing_withheld(&"pods".parse().unwrap());
    assert_eq!(pods.map(|why| why.reason()), Some("NodeUnknown"));
    assert!(!world.planner.has_left());
}

#[test]
fn a_node_whose_object_is_deleted_is_what_it_was_and_leaves() {
    let mut world = World::usual();
    let here = json!({"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": HERE}}]});
    world.apply(l2_advertisement("all", here));
    world.apply(service("web", &["192.0.2.7"]));
    world.apply(ready_on("web", HERE));
    let identity = world.planner.identity();
    let orders = world.remove(Kind::Node, HERE);
    assert_eq!(orders.drain, Some(Drain::Drained));
    // Whoever is to hand over must still take part.
    assert_eq!(orders.l2_advertisements, Touched::No);
    assert_eq!(
        world.reasons("web", "192.0.2.7"),
        ["NodeDeleting", "NodeDeleting"]
    );
    assert!(world.planner.has_left());
    assert_eq!(world.planner.identity(), identity);
    let orders = world.apply(node(HERE));
    assert_eq!(orders.drain, Some(Drain::Serving));
    assert!(!world.planner.has_left());
}

#[test]
fn a_changed_list_is_told_as_its_difference() {
    let mut world = World::usual();
    let list = |prefixes: &[&str]| {
        bgp_advertisement("listed", json!({"source": "Static", "prefixes": prefixes}))
    };
    let orders = world.apply(list(&["10.2.0.0/16", "10.1.0.0/16", "2001:db8:1::/48"]));
    assert_eq!(orders.routes.originate.len(), 3);
    let orders = world.apply(list(&["10.1.0.0/16", "2001:db8:1::/48", "10.3.0.0/16"]));
    assert_eq!(
        (orders.routes.originate.len(), orders.routes.withdraw.len()),
        (1, 1)
    );
    assert_eq!(
        world.routes(),
        ["10.1.0.0/16", "10.3.0.0/16", "2001:db8:1::/48"]
    );
    world.remove(Kind::BGPAdvertisement, "listed");
    assert!(world.routes().is_empty());
}

/// Of the reasons of two channels the greater one is told: a channel that nobody asked for explains nothing.
#[test]
fn what_holds_the_node_back_is_told_before_a_channel_without_advertisement() {
    let mut world = World::usual();
    world.remove(Kind::BGPAdvertisement, "all");
    world.apply(service("web", &["192.0.2.10"]));
    world.apply(ready_on("web", HERE));
    assert_eq!(world.reasons("web", "192.0.2.10"), ["NoAdvertisement", "-"]);
    let drained = json!({"metadata": {"annotations": {"ringbolt.io/drain": "true"}}});
    world.apply(with(node(HERE), drained));
    let verdicts = world.verdicts("web", "192.0.2.10");
    let (BgpVerdict::Withheld(bgp), L2Verdict::Withheld(l2)) = (verdicts.bgp, verdicts.l2) else {
        panic!("a drained node announces nothing");
    };
    assert_eq!(
        (bgp.reason(), l2.reason()),
        ("NoAdvertisement", "NodeDrained")
    );
    assert_eq!(bgp.max(l2).reason(), "NodeDrained");
}
