//! Prefixes that belong to the node: pod networks and listed ones.

use ringbolt_bgp::policy::RouteClass;
use ringbolt_config::names::Kind;
use serde_json::json;

use super::world::{HERE, World, bgp_advertisement, node, with};

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
    world.remove(Kind::Node, HERE);
    assert_eq!(
        (reason(&world, "pods"), reason(&world, "listed")),
        (Some("NodeUnknown"), Some("NodeUnknown"))
    );
    assert!(world.routes().is_empty());
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
