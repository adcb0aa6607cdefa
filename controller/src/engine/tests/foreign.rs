//! Services whose status somebody else writes, and Services of others.

use super::world::managed;
use super::*;

/// A status that another provider wrote.
fn foreign(address: &str) -> Value {
    json!({
        "metadata": { "managedFields": managed("cloud") },
        "status": { "loadBalancer": { "ingress": [{ "ip": address, "ipMode": "VIP" }] } },
    })
}

#[test]
fn a_status_that_another_manager_wrote_is_left_alone() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("theirs", foreign("192.0.2.7"));
    world.service("reserved", foreign("192.0.2.8"));
    let reservation = json!({ "reservedFor": { "namespace": "default", "name": "reserved" } });
    world.claim("192.0.2.8", reservation);
    let mut classed = foreign("192.0.2.9");
    classed["spec"]["loadBalancerClass"] = json!("ringbolt.io/ringbolt");
    world.service("classed", classed.clone());
    classed["status"]["loadBalancer"]["ingress"][0]["ip"] = json!("203.0.113.9");
    world.service("outside", classed);
    world.settle();
    assert_eq!(world.addresses("theirs"), ["192.0.2.7"]);
    assert_eq!(world.reason("theirs"), "ForeignStatus");
    assert!(world.holders("192.0.2.7").is_empty());
    assert_eq!(world.holders("192.0.2.8"), ["reserved"]);
    assert_eq!(world.holders("192.0.2.9"), ["classed"]);
    assert_eq!(
        world.addresses("outside"),
        ["192.0.2.0"],
        "replaced, for the class is ours"
    );
    world.delete("theirs");
    world.settle();
    assert!(!world.exists("theirs"));
}

#[test]
fn rule_4_a_status_that_is_overwritten_again_and_again_is_not_fought_for() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.service("web", json!({}));
    world.settle();
    world.edit("web", foreign("203.0.113.1"));
    world.flow();
    assert_eq!(world.addresses("web"), ["192.0.2.1"], "once is a mistake");
    world.edit("web", foreign("203.0.113.1"));
    world.flow();
    assert_eq!(world.addresses("web"), ["203.0.113.1"], "twice is a rival");
    assert_eq!(world.reason("web"), "StatusContested");
    assert_eq!(world.holders("192.0.2.1"), ["web"], "the claim stays");
    let writes = world.writes;
    for _ in 0..50 {
        world.edit("web", foreign("203.0.113.2"));
        world.run_for(Duration::from_millis(100));
    }
    assert_eq!(world.writes, writes, "nobody fights");
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.addresses("web"), ["192.0.2.1"], "it is tried later");
    assert_eq!(world.reason("web"), "Allocated");
}

#[test]
fn a19_services_of_another_class_are_untouched_whatever_others_write_there() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    let theirs = json!({
        "metadata": {
            // Copied from a Service of ours.
            "annotations": { "ringbolt.io/ip-allocated-from-pool": "a" },
            "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
        },
        "spec": { "loadBalancerClass": "example.org/other" },
    });
    world.service("theirs", theirs);
    let writes = world.writes;
    world.settle();
    for last in 0..20 {
        world.edit("theirs", foreign(&format!("192.0.2.{last}")));
        world.settle();
    }
    world.delete("theirs");
    world.settle();
    assert_eq!(world.writes, writes);
    assert!(world.claims().is_empty());
    let about_it = world
        .events
        .iter()
        .filter(|e| &*e.regarding.name == "theirs");
    assert_eq!(about_it.count(), 0);
}

#[test]
fn what_the_provider_of_another_class_wrote_is_not_cleared_with_our_claim() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.service("web", json!({}));
    world.settle();
    // Through another type to another class, all while the controller is away.
    let mut displaced = foreign("203.0.113.1");
    displaced["spec"]["loadBalancerClass"] = json!("example.org/other");
    world.edit("web", displaced);
    world.settle();
    let view = world.view("web").expect("it lives on");
    assert_eq!(world.addresses("web"), ["203.0.113.1"]);
    assert!(view.has_finalizer, "it is its provider's");
    assert_eq!(view.allocated_from, None);
    assert!(world.holders("192.0.2.1").is_empty());
}

#[test]
fn rule_3_who_writes_a_status_before_our_first_patch_keeps_it() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.settle();
    world.service("web", json!({}));
    world.deliver(0);
    assert!(world.carry_out(0, 0) && world.reply(0, 0), "it is claimed");
    assert_eq!(world.holders("192.0.2.1"), ["web"]);
    world.edit("web", foreign("203.0.113.1"));
    world.settle();
    assert_eq!(world.addresses("web"), ["203.0.113.1"]);
    assert_eq!(world.reason("web"), "ForeignStatus");
    assert!(world.holders("192.0.2.1").is_empty(), "the claim is let go");
    assert!(!world.view("web").expect("it lives").has_finalizer);
}

#[test]
fn a_service_that_is_deleted_before_our_first_patch_is_left_to_who_wrote_its_status() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.settle();
    world.service("web", json!({}));
    world.deliver(0);
    assert!(world.carry_out(0, 0) && world.reply(0, 0), "it is claimed");
    let mut theirs = foreign("203.0.113.1");
    theirs["metadata"]["finalizers"] = json!(["service.kubernetes.io/load-balancer-cleanup"]);
    world.edit("web", theirs);
    world.delete("web");
    world.settle();
    assert!(
        world
            .view("web")
            .expect("its provider is not done")
            .has_finalizer
    );
    assert!(world.holders("192.0.2.1").is_empty());
}
