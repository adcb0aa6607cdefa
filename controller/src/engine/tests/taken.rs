//! Services lose addresses, or get others.

use super::world::Selection;
use super::*;

const BOUND: Duration = Duration::from_secs(2);

#[test]
fn a_deleted_service_is_off_the_network_before_its_address_is_free() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.service("old", json!({}));
    world.service("new", json!({}));
    world.settle();
    world.delete("old");
    world.run_for(BOUND - Duration::from_millis(1));
    assert!(world.exists("old"), "nothing happens within the bound");
    assert_eq!(world.holders("192.0.2.1"), ["old"]);
    world.run_for(Duration::from_millis(1));
    assert!(!world.exists("old"));
    assert_eq!(world.addresses("new"), ["192.0.2.1"]);
}

#[test]
fn a_service_of_another_type_gives_everything_back_and_lives_on() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("web", json!({}));
    world.settle();
    world.edit("web", json!({ "spec": { "type": "ClusterIP" } }));
    world.settle();
    let view = world.view("web").unwrap();
    assert!(view.ingress.is_empty() && !view.has_finalizer && view.allocated_from.is_none());
    assert!(world.holders("192.0.2.0").is_empty());
    assert_eq!(world.reason("web"), "Released");
    world.edit("web", json!({ "spec": { "type": "LoadBalancer" } }));
    world.settle();
    assert_eq!(
        world.addresses("web"),
        ["192.0.2.1"],
        "the old address rests"
    );
}

#[test]
fn a_changed_request_is_taken_first_published_and_then_the_old_one_released() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("web", json!({}));
    world.settle();
    world.edit("web", asks("192.0.2.9"));
    world.flow();
    assert_eq!(
        world.addresses("web"),
        ["192.0.2.9"],
        "no moment without an address"
    );
    assert_eq!(
        world.holders("192.0.2.0"),
        ["web"],
        "speakers may not have seen it"
    );
    world.run_for(BOUND);
    assert!(world.holders("192.0.2.0").is_empty());
}

#[test]
fn a_changed_request_that_cannot_be_had_keeps_the_old_address_and_says_why() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("other", asks("192.0.2.9"));
    world.service("web", json!({}));
    world.settle();
    world.edit("web", asks("192.0.2.9"));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    assert_eq!(
        world.condition("web"),
        ("False".into(), "AddressTaken".into())
    );
    world.edit(
        "web",
        annotated(json!({ "ringbolt.io/loadBalancerIPs": "nonsense" })),
    );
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    assert_eq!(world.reason("web"), "RequestInvalid");
    world.edit("web", asks("192.0.2.9"));
    world.delete("other");
    world.settle();
    assert_eq!(
        world.addresses("web"),
        ["192.0.2.9"],
        "it is tried when it becomes free"
    );
}

#[test]
fn another_pool_is_taken_from_before_the_first_is_left() {
    let mut world = World::with_pools(&[
        ("a", ranges(&["192.0.2.0/24"])),
        ("b", ranges(&["198.51.100.0/24"])),
    ]);
    world.service("web", json!({}));
    world.settle();
    world.edit("web", annotated(json!({ "ringbolt.io/address-pool": "b" })));
    world.flow();
    assert_eq!(world.addresses("web"), ["198.51.100.0"]);
    world.edit(
        "web",
        annotated(json!({ "ringbolt.io/address-pool": "nowhere" })),
    );
    world.settle();
    assert_eq!(world.addresses("web"), ["198.51.100.0"]);
    assert_eq!(world.reason("web"), "UnknownPool");
}

#[test]
fn a_family_that_is_dropped_goes_alone_and_one_that_is_added_comes_alone() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24", "2001:db8::/64"]))]);
    let dual = json!({ "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"] });
    world.service("web", json!({ "spec": dual }));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0", "2001:db8::1"]);
    let single = json!({ "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"] });
    world.edit("web", json!({ "spec": single }));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    assert!(world.holders("2001:db8::1").is_empty());
    world.edit("web", json!({ "spec": dual }));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0", "2001:db8::2"]);
}

#[test]
fn holders_of_a_removed_pool_move_or_are_cleared() {
    let mut world = World::with_pools(&[
        ("a", ranges(&["192.0.2.1"])),
        ("b", ranges(&["198.51.100.1"])),
    ]);
    world.service("one", asks("192.0.2.1"));
    world.service("two", json!({}));
    world.settle();
    assert_eq!(world.addresses("two"), ["198.51.100.1"]);
    world.remove_pool("b");
    world.settle();
    assert!(world.addresses("two").is_empty());
    assert_eq!(world.reason("two"), "PoolExhausted");
    assert!(
        !world.view("two").unwrap().has_finalizer,
        "the finalizer goes with the last address"
    );
    world.pool("c", ranges(&["203.0.113.0/24"]));
    world.settle();
    assert_eq!(world.addresses("two"), ["203.0.113.0"]);
}

#[test]
fn a_pool_that_is_renamed_split_or_widened_moves_nobody() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("one", asks("192.0.2.1"));
    world.service("two", asks("192.0.2.200"));
    world.settle();
    world.remove_pool("a");
    world.pool("b", ranges(&["192.0.2.0/25"]));
    world.pool("c", ranges(&["192.0.2.128/25", "198.51.100.0/24"]));
    world.settle();
    assert_eq!(world.addresses("one"), ["192.0.2.1"]);
    assert_eq!(world.addresses("two"), ["192.0.2.200"]);
    assert_eq!(
        world.claims().values().next().unwrap().spec.pool.as_deref(),
        Some("b")
    );
}

#[test]
fn an_address_that_an_edit_leaves_outside_moves() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("one", asks("192.0.2.200"));
    world.service("two", json!({}));
    world.settle();
    world.edit("one", json!({ "metadata": { "annotations": null } }));
    world.settle();
    world.pool(
        "a",
        json!({ "addresses": ["192.0.2.0/25"], "avoidBuggyIPs": true }),
    );
    world.settle();
    assert_eq!(
        world.addresses("one"),
        ["192.0.2.1"],
        "192.0.2.0 is left out since the edit"
    );
    assert_eq!(world.addresses("two"), ["192.0.2.2"]);
}

#[test]
fn a_deleted_and_recreated_service_is_another_one() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("web", json!({}));
    world.settle();
    world.force_delete("web");
    world.service("web", json!({}));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.1"]);
    assert!(
        world.holders("192.0.2.0").is_empty(),
        "the claim of the first one is released"
    );
}

#[test]
fn a_claim_deleted_by_hand_is_made_again() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("web", json!({}));
    world.settle();
    world.delete_claim("192.0.2.0");
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    assert_eq!(world.holders("192.0.2.0"), ["web"]);
}

#[test]
fn a_claim_that_has_rested_is_deleted() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("web", json!({}));
    world.settle();
    world.delete("web");
    world.settle();
    assert_eq!(world.claims().len(), 1);
    world.run_for(Duration::from_secs(600));
    assert!(world.claims().is_empty());
}

#[test]
fn an_address_rests_for_the_delay_of_its_pool_and_goes_to_who_waits_then() {
    let pool = json!({ "addresses": ["192.0.2.1"], "reuseDelaySeconds": 900 });
    let mut world = World::with_pools(&[("a", pool)]);
    world.service("web", json!({}));
    world.settle();
    world.delete("web");
    world.service("next", json!({}));
    world.service("asks", asks("192.0.2.1"));
    world.settle();
    assert_eq!(world.reason("next"), "PoolExhausted");
    assert_eq!(world.reason("asks"), "AddressResting");
    world.run_for(Duration::from_secs(830));
    assert!(world.addresses("next").is_empty());
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.addresses("next"), ["192.0.2.1"]);
}

#[test]
fn a_sharer_whose_ports_come_to_collide_is_the_one_that_leaves() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/31"]))]);
    let shared = |port: u16| {
        let mut value = annotated(json!({ "ringbolt.io/allow-shared-ip": "k" }));
        value["spec"]["ports"] = json!([{ "port": port, "protocol": "TCP" }]);
        value
    };
    world.service("one", shared(80));
    world.service("two", shared(443));
    world.settle();
    world.edit("one", shared(443));
    world.settle();
    assert_eq!(world.addresses("two"), ["192.0.2.0"]);
    assert_eq!(world.addresses("one"), ["192.0.2.1"]);
    world.edit("two", shared(8443));
    world.settle();
    let ports: BTreeSet<u16> = world
        .claims()
        .values()
        .flat_map(|c| &c.spec.holders)
        .flat_map(|h| &h.ports)
        .map(|p| p.port)
        .collect();
    assert_eq!(
        ports,
        BTreeSet::from([443, 8443]),
        "claims record what is occupied"
    );
}

#[test]
fn rule_15_and_25_a_service_that_leaves_the_type_unseen_is_read_and_cleaned() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.selection = Selection::LoadBalancers;
    world.service("web", json!({}));
    world.settle();
    world.edit("web", json!({ "spec": { "type": "ClusterIP" } }));
    world.flow();
    world.run_for(world.settings.taking_bound - Duration::from_millis(1));
    assert_eq!(world.holders("192.0.2.1"), ["web"], "not before the bound");
    world.run_for(Duration::from_millis(1));
    let view = world.view("web").expect("it lives on");
    assert!(!view.has_finalizer);
    assert_eq!(view.allocated_from, None);
    assert!(world.holders("192.0.2.1").is_empty());
    let writes = world.writes;
    world.edit("web", json!({ "metadata": { "labels": { "a": "b" } } }));
    world.settle();
    assert_eq!(world.writes, writes, "it is nobody's any more");
    world.edit("web", json!({ "spec": { "type": "LoadBalancer" } }));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.1"]);
}

#[test]
fn rule_25_a_type_change_while_no_controller_runs_is_found_by_the_claim() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.selection = Selection::LoadBalancers;
    world.service("web", json!({}));
    world.settle();
    world.edit("web", json!({ "spec": { "type": "ClusterIP" } }));
    world.restart(0);
    world.settle();
    assert!(!world.view("web").expect("it lives on").has_finalizer);
    assert!(world.holders("192.0.2.1").is_empty());
}
