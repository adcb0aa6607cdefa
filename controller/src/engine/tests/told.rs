//! What people are told, and that they are told it once.

use super::*;

/// Notes of the events of a reason, in order.
fn notes(world: &World, reason: &str) -> Vec<String> {
    let events = world.events.iter().filter(|event| event.reason == reason);
    events.map(|event| event.note.clone()).collect()
}

#[test]
fn who_loses_an_address_with_its_pool_is_told_which_and_why() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    world.service("web", json!({}));
    world.settle();
    world.delete_pool("a");
    world.run_for(Duration::from_secs(30));
    assert_eq!(
        notes(&world, "IPReleased"),
        ["192.0.2.0 of pool a is taken away: 192.0.2.0 lies in no pool in force"]
    );
    assert_eq!(world.reason("web"), "NoPools");
}

#[test]
fn who_moves_is_told_what_it_leaves() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    world.service("web", json!({}));
    world.settle();
    world.edit("web", json!({ "spec": { "loadBalancerIP": "192.0.2.2" } }));
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.addresses("web"), ["192.0.2.2"]);
    assert_eq!(
        notes(&world, "IPReleased"),
        ["192.0.2.0 of pool a is taken away: the Service asks for another"]
    );
}

#[test]
fn who_is_deleted_is_told_in_both_vocabularies() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    world.service("web", json!({}));
    world.settle();
    world.delete("web");
    world.run_for(Duration::from_secs(30));
    for reason in ["IPReleased", "DeletedLoadBalancer"] {
        assert_eq!(
            notes(&world, reason),
            ["192.0.2.0 of pool a is taken away: the Service is deleted"]
        );
    }
}

#[test]
fn wishes_that_nothing_follows_are_told_once_and_again_when_there_are_others() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    world.service("web", json!({}));
    world.edit(
        "web",
        annotated(json!({ "ringbolt.io/shiny": "yes", "ringbolt.io/med": "high" })),
    );
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    let shiny = "metadata.annotations[ringbolt.io/shiny]: nothing here reads this annotation";
    assert_eq!(notes(&world, "NotRead"), [shiny]);
    assert_eq!(
        notes(&world, "InvalidAttribute"),
        ["metadata.annotations[ringbolt.io/med]: \"high\" is not a value of this attribute"]
    );
    world.edit("web", annotated(json!({ "metallb.io/speakers": "all" })));
    world.run_for(Duration::from_secs(30));
    let speakers = "metadata.annotations[metallb.io/speakers]: nothing here reads this annotation";
    assert_eq!(notes(&world, "NotRead"), [shiny, speakers]);
}

#[test]
fn a_pool_that_is_refused_is_told_once_for_each_reason() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    world.run_for(Duration::from_secs(5));
    assert!(world.refused.is_empty(), "{:?}", world.refused);
    world.pool("b", ranges(&["192.0.2.0/31"]));
    world.run_for(Duration::from_secs(5));
    world.service("web", json!({}));
    world.run_for(Duration::from_secs(5));
    world.pool("b", ranges(&["nonsense"]));
    world.run_for(Duration::from_secs(5));
    world.pool("b", ranges(&["192.0.2.4/30"]));
    world.run_for(Duration::from_secs(5));
    assert_eq!(
        world.refused,
        [
            "IPAddressPool b: Overlap",
            "IPAddressPool b: InvalidRange",
            "IPAddressPool b: in force"
        ]
    );
}
