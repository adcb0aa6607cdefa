//! Services get addresses.

use super::*;

#[test]
fn a_service_gets_the_lowest_address_by_claim_then_status() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.8/30"]))]);
    world.service("web", json!({}));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.8"]);
    assert_eq!(world.holders("192.0.2.8"), ["web"]);
    assert_eq!(world.condition("web"), ("True".into(), "Allocated".into()));
    let view = world.view("web").unwrap();
    assert!(view.has_finalizer);
    assert_eq!(view.allocated_from.as_deref(), Some("a"));
    let told: Vec<_> = world.events.iter().map(|event| event.reason).collect();
    assert_eq!(told, ["IPAllocated", "EnsuredLoadBalancer"]);
}

#[test]
fn a_service_costs_two_writes_and_then_none() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.settle();
    let before = world.writes;
    for name in ["a", "b", "c"] {
        world.service(name, json!({}));
    }
    world.flow();
    assert_eq!(world.writes - before, 6);
    world.settle();
    let steady = (world.writes, world.status_writes);
    world.run_for(Duration::from_secs(3600));
    assert_eq!(
        (world.writes, world.status_writes),
        steady,
        "an idle controller writes nothing"
    );
    world.restart(0);
    world.settle();
    assert_eq!(
        (world.writes, world.status_writes),
        steady,
        "a restart writes nothing"
    );
}

#[test]
fn services_of_other_types_and_classes_are_left_alone() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    world.service("plain", json!({ "spec": { "type": "ClusterIP" } }));
    world.service(
        "other",
        json!({ "spec": { "loadBalancerClass": "example.org/other" } }),
    );
    world.service(
        "ours",
        json!({ "spec": { "loadBalancerClass": "ringbolt.io/ringbolt" } }),
    );
    world.settle();
    assert!(world.addresses("plain").is_empty());
    assert!(world.addresses("other").is_empty());
    assert_eq!(world.condition("other"), Default::default());
    assert_eq!(world.addresses("ours"), ["192.0.2.0"]);
}

#[test]
fn services_wait_in_the_order_of_their_creation() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    for name in ["first", "zz-second", "aa-third"] {
        world.service(name, json!({}));
        world.flow();
    }
    assert_eq!(world.addresses("first"), ["192.0.2.1"]);
    assert_eq!(world.reason("zz-second"), "PoolExhausted");
    world.delete("first");
    world.settle();
    assert_eq!(world.addresses("zz-second"), ["192.0.2.1"]);
    assert!(world.addresses("aa-third").is_empty());
}

#[test]
fn a_request_for_an_address_is_met_or_named() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    world.service("one", asks("192.0.2.2"));
    world.service("two", asks("192.0.2.2"));
    world.service("outside", asks("198.51.100.1"));
    world.service("unreadable", asks("not-an-ip"));
    world.service("both", asks("192.0.2.0,192.0.2.1"));
    world.service("otherfamily", asks("2001:db8::1"));
    world.settle();
    assert_eq!(world.addresses("one"), ["192.0.2.2"]);
    assert_eq!(world.reason("two"), "AddressTaken");
    assert_eq!(world.reason("outside"), "AddressOutsidePools");
    assert_eq!(world.reason("unreadable"), "RequestInvalid");
    assert_eq!(world.reason("both"), "RequestInvalid");
    assert_eq!(world.reason("otherfamily"), "AddressOutsidePools");
    world.delete("one");
    world.settle();
    assert_eq!(world.addresses("two"), ["192.0.2.2"]);
}

#[test]
fn both_families_come_from_one_pool_that_has_both() {
    let mut world = World::with_pools(&[
        ("a", ranges(&["192.0.2.0/24"])),
        ("b", ranges(&["198.51.100.0/24", "2001:db8:1::/64"])),
    ]);
    let families = ["IPv6", "IPv4"];
    world.service(
        "web",
        json!({ "spec": { "ipFamilyPolicy": "RequireDualStack", "ipFamilies": families } }),
    );
    world.settle();
    assert_eq!(world.addresses("web"), ["2001:db8:1::1", "198.51.100.0"]);
}

#[test]
fn both_families_come_from_two_pools_where_none_has_both() {
    let mut world = World::with_pools(&[
        ("a", ranges(&["192.0.2.0/24"])),
        ("b", ranges(&["2001:db8:1::/64"])),
    ]);
    let dual = json!({ "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"] });
    world.service("web", json!({ "spec": dual }));
    let mut of_one_pool = annotated(json!({ "ringbolt.io/address-pool": "a" }));
    of_one_pool["spec"] = dual;
    world.service("pinned", of_one_pool);
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0", "2001:db8:1::1"]);
    assert!(
        world.addresses("pinned").is_empty(),
        "half of what is required is nothing"
    );
    assert_eq!(world.reason("pinned"), "NoEligiblePool");
    assert!(world.claims().len() == 2);
}

#[test]
fn who_prefers_two_families_is_content_with_one_and_gets_the_other_later() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    let dual = json!({ "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"] });
    world.service("web", json!({ "spec": dual }));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    assert_eq!(
        world.condition("web"),
        ("True".into(), "NoEligiblePool".into())
    );
    world.pool("b", ranges(&["2001:db8:1::/64"]));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0", "2001:db8:1::1"]);
    assert_eq!(world.reason("web"), "Allocated");
}

#[test]
fn a_service_without_families_gets_ipv4_if_a_pool_that_it_may_use_has_it() {
    let only_for_shop = json!({
        "addresses": ["192.0.2.0/24"],
        "serviceAllocation": { "namespaces": ["shop"] },
    });
    let mut world = World::with_pools(&[("a", only_for_shop), ("b", ranges(&["2001:db8:1::/64"]))]);
    world.service("web", json!({}));
    world.settle();
    assert_eq!(world.addresses("web"), ["2001:db8:1::1"]);
    world.pool("c", ranges(&["198.51.100.0/24"]));
    world.settle();
    assert_eq!(
        world.addresses("web"),
        ["2001:db8:1::1"],
        "a choice made stays"
    );
}

#[test]
fn two_services_with_one_key_share_and_a_third_with_the_same_port_does_not() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/31"]))]);
    let shared = |port: u16| {
        let mut value = annotated(json!({ "ringbolt.io/allow-shared-ip": "k" }));
        value["spec"]["ports"] = json!([{ "port": port, "protocol": "TCP" }]);
        value
    };
    world.service("one", shared(80));
    world.service("two", shared(443));
    world.service("three", shared(80));
    world.settle();
    assert_eq!(world.addresses("one"), ["192.0.2.0"]);
    assert_eq!(world.addresses("two"), ["192.0.2.0"]);
    assert_eq!(world.addresses("three"), ["192.0.2.1"]);
    assert_eq!(world.holders("192.0.2.0"), ["one", "two"]);
    assert_eq!(world.pool_status("a")["assignedIPv4"], 2);
    world.delete("one");
    world.settle();
    assert_eq!(world.holders("192.0.2.0"), ["two"]);
}

#[test]
fn addresses_of_nodes_and_pods_and_external_addresses_are_never_handed_out() {
    let mut world = World::new(Default::default());
    world.node("n1", &["192.0.2.0"], &["192.0.2.4/30"]);
    world.service(
        "plain",
        json!({ "spec": { "type": "ClusterIP", "externalIPs": ["192.0.2.1"] } }),
    );
    world.pool("a", ranges(&["192.0.2.0/29"]));
    world.start_controller();
    world.service("node", asks("192.0.2.0"));
    world.service("external", asks("192.0.2.1"));
    world.service("pod", asks("192.0.2.5"));
    for name in ["s1", "s2", "s3"] {
        world.service(name, json!({}));
    }
    world.settle();
    for name in ["node", "external", "pod"] {
        assert_eq!(world.reason(name), "AddressUnusable");
    }
    assert_eq!(world.addresses("s1"), ["192.0.2.2"]);
    assert_eq!(world.addresses("s2"), ["192.0.2.3"]);
    assert_eq!(world.reason("s3"), "PoolExhausted");
    let status = world.pool_status("a");
    assert_eq!(status["capacityIPv4"], 8);
    assert_eq!(status["availableIPv4"], 0);
    let conditions = status["conditions"].as_array().unwrap().clone();
    let holds = |kind: &str| {
        conditions
            .iter()
            .any(|c| c["type"] == kind && c["status"] == "True")
    };
    assert!(
        holds("Ready") && holds("Conflicting") && holds("Exhausted"),
        "{conditions:?}"
    );
    world.node("n1", &["203.0.113.1"], &[]);
    world.settle();
    assert_eq!(
        world.addresses("s3"),
        ["192.0.2.4"],
        "what a node leaves can be had"
    );
}

#[test]
fn a_reservation_is_for_one_name_and_comes_first() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    let reservation = json!({ "reservedFor": { "namespace": "default", "name": "web" } });
    world.claim("192.0.2.3", reservation);
    world.service("thief", asks("192.0.2.3"));
    world.service("web", json!({}));
    world.settle();
    assert_eq!(world.reason("thief"), "AddressReserved");
    assert_eq!(world.addresses("web"), ["192.0.2.3"]);
    world.delete("web");
    world.settle();
    assert!(!world.exists("web"));
    assert!(
        world.addresses("thief").is_empty(),
        "the reservation outlives the Service"
    );
    world.service("web", json!({}));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.3"]);
}

#[test]
fn a_quota_counts_the_addresses_of_a_namespace() {
    let pool = json!({
        "addresses": ["192.0.2.0/29"],
        "limits": [{ "namespaces": ["default"], "maxAddressesPerNamespace": 1 }],
    });
    let mut world = World::with_pools(&[("a", pool)]);
    world.service("one", json!({}));
    world.service("two", json!({}));
    world.service_in("other", "free", json!({}));
    world.settle();
    assert_eq!(world.addresses("one"), ["192.0.2.0"]);
    assert_eq!(world.reason("two"), "QuotaExceeded");
    world.delete("one");
    world.settle();
    assert_eq!(world.addresses("two"), ["192.0.2.2"], "192.0.2.0 rests");
}

#[test]
fn a_paused_pool_keeps_its_holders_and_takes_nobody() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/29"]))]);
    world.service("old", json!({}));
    world.settle();
    world.pool(
        "a",
        json!({ "addresses": ["192.0.2.0/29"], "paused": true }),
    );
    world.service("new", json!({}));
    world.settle();
    assert_eq!(world.addresses("old"), ["192.0.2.0"]);
    assert_eq!(world.reason("new"), "PoolPaused");
    world.pool("a", ranges(&["192.0.2.0/29"]));
    world.settle();
    assert_eq!(world.addresses("new"), ["192.0.2.1"]);
}

#[test]
fn a_namespace_that_gets_a_label_may_use_the_pool_for_it() {
    let pool = json!({
        "addresses": ["192.0.2.0/29"],
        "serviceAllocation": { "namespaceSelectors": [{ "matchLabels": { "tier": "front" } }] },
    });
    let mut world = World::with_pools(&[("a", pool)]);
    world.service("web", json!({}));
    world.settle();
    assert_eq!(world.reason("web"), "NoEligiblePool");
    world.namespace("default", json!({ "tier": "front" }));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
}

#[test]
fn a_claim_that_cannot_be_read_keeps_its_address_from_everybody() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/31"]))]);
    world.claim("192.0.2.0", json!({ "pool": "Not A Name" }));
    world.service("web", json!({}));
    world.service("asks", asks("192.0.2.0"));
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.1"]);
    assert_eq!(world.reason("asks"), "ClaimUnreadable");
}

#[test]
fn the_status_page_names_pools_services_reasons_and_who_waits() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1"]))]);
    world.service("one", json!({}));
    world.service("two", json!({}));
    world.pool("b", ranges(&["nonsense"]));
    world.settle();
    let page = serde_json::to_value(world.controller(0).engine.report()).unwrap();
    assert_eq!(page["pools"][0]["ipv4"]["assigned"], 1);
    assert_eq!(page["services"][0]["addresses"], json!(["192.0.2.1"]));
    assert_eq!(page["services"][1]["reason"], "PoolExhausted");
    assert_eq!(page["waiting"], json!(["default/two"]));
    assert_eq!(page["problems"][0]["object"], "IPAddressPool b");
    let ready = &world.pool_status("b")["conditions"];
    assert!(
        ready
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "False")
    );
}

#[test]
fn a_quota_does_not_let_a_namespace_into_the_addresses_of_another() {
    let pool = json!({
        "addresses": ["192.0.2.0/29"],
        "sharing": "Cluster",
        "limits": [{ "namespaces": ["default"], "maxAddressesPerNamespace": 1 }],
    });
    let mut world = World::with_pools(&[("a", pool)]);
    let shared = |port: u16| {
        let mut value = annotated(json!({ "ringbolt.io/allow-shared-ip": "k" }));
        value["spec"]["ports"] = json!([{ "port": port, "protocol": "TCP" }]);
        value
    };
    world.service_in("other", "theirs", shared(80));
    world.service("one", json!({}));
    world.service("two", shared(443));
    world.settle();
    assert_eq!(world.addresses("one"), ["192.0.2.1"]);
    assert_eq!(world.reason("two"), "QuotaExceeded");
}

#[test]
fn a_release_costs_as_many_decisions_as_it_serves_services_however_many_wait() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1-192.0.2.2"]))]);
    for number in 0..150 {
        world.service(&format!("s{number:03}"), json!({}));
        world.flow();
    }
    world.settle();
    let before = world.controller(0).engine.counts().decisions;
    world.delete("s000");
    world.delete("s001");
    world.settle();
    assert_eq!(world.addresses("s002").len(), 1);
    assert_eq!(world.addresses("s003").len(), 1);
    assert!(world.addresses("s004").is_empty());
    let decisions = world.controller(0).engine.counts().decisions - before;
    assert!(decisions < 40, "{decisions} decisions for two releases");
}

#[test]
fn who_waits_for_another_thing_does_not_keep_the_next_one_waiting() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.1-192.0.2.2"]))]);
    world.service("one", json!({}));
    world.service("two", json!({}));
    world.flow();
    // The head of the line wants both families, of which the pool has one.
    let dual = json!({ "spec": {
        "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"],
    } });
    world.service("dual", dual);
    world.service("exact", asks("192.0.2.2"));
    world.service("any", json!({}));
    world.settle();
    world.delete("one");
    world.settle();
    assert_eq!(world.addresses("any"), ["192.0.2.1"]);
    assert!(world.addresses("exact").is_empty());
    world.delete("two");
    world.settle();
    assert_eq!(world.addresses("exact"), ["192.0.2.2"]);
}

#[test]
fn an_advertisement_says_how_many_nodes_it_selects() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/24"]))]);
    for name in ["one", "two", "three"] {
        world.node(name, &[], &[]);
    }
    world.l2_advertisement("all", json!({}));
    let none = json!({ "nodeSelectors": [{ "matchLabels": { "rack": "r1" } }] });
    world.l2_advertisement("rack", none);
    world.settle();
    let counts = |world: &World| {
        ["all", "rack"].map(|name| world.l2_status(name)["expectedSpeakers"].as_u64())
    };
    assert_eq!(counts(&world), [Some(3), Some(0)]);
    world.node("four", &[], &[]);
    world.settle();
    assert_eq!(counts(&world), [Some(4), Some(0)]);
    let writes = world.status_writes;
    world.node("four", &["198.51.100.4"], &[]);
    world.settle();
    assert_eq!(world.status_writes, writes, "written on change only");
}
