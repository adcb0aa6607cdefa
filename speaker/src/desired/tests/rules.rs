//! Services: the rules of docs/reference/semantics.md by number, and those of contracts.md by section.

use serde_json::{Value, json};

use super::world::{
    ELSEWHERE, HERE, World, bgp_advertisement, key, l2_advertisement, node, peer, pool, ready_on,
    service, slice, with,
};
use crate::desired::{BgpVerdict, L2Verdict, Remark};
use ringbolt_bgp::router::Drain;
use ringbolt_bgp::types::PeerName;
use ringbolt_config::names::Kind;
use ringbolt_l2::announcer::EligibleNodes;
use ringbolt_l2::types::View;

const ADDRESS: &str = "192.0.2.10";
const ADDRESS_6: &str = "2001:db8::10";
const ANNOUNCED: [&str; 2] = ["-", "-"];

fn both(reason: &'static str) -> [&'static str; 2] {
    [reason, reason]
}

/// The usual world with Service `web` on [`ADDRESS`] and a ready endpoint here.
fn served() -> World {
    let mut world = World::usual();
    world.apply(service("web", &[ADDRESS]));
    world.apply(ready_on("web", HERE));
    world
}

#[test]
fn rule_1_only_load_balancers_of_our_class_are_announced() {
    for (spec, ours) in [
        (json!({}), true),
        (json!({"loadBalancerClass": "ringbolt.io/ringbolt"}), true),
        (json!({"loadBalancerClass": "example.com/other"}), false),
        (json!({"type": "ClusterIP"}), false),
        (json!({"type": "NodePort"}), false),
    ] {
        let mut world = served();
        world.apply(with(service("web", &[ADDRESS]), json!({"spec": spec})));
        let announced = !world.announcements("web").addresses.is_empty();
        assert_eq!(
            (announced, world.routes().len()),
            (ours, usize::from(ours)),
            "{spec}"
        );
    }
}

#[test]
fn rule_16_policy_cluster_needs_one_usable_endpoint_anywhere() {
    for (endpoints, reasons) in [
        (json!([{"nodeName": HERE}]), ANNOUNCED),
        (json!([{"nodeName": ELSEWHERE}]), ANNOUNCED),
        (json!([{}]), ANNOUNCED),
        (json!([]), both("NoEndpoints")),
        (
            json!([{"nodeName": HERE, "conditions": {"ready": false}}]),
            both("NoEndpoints"),
        ),
    ] {
        let mut world = served();
        world.apply(slice("web-4", "web", "IPv4", endpoints.clone()));
        assert_eq!(world.reasons("web", ADDRESS), reasons, "{endpoints}");
    }
}

#[test]
fn rule_17_policy_local_needs_a_ready_endpoint_on_this_node() {
    for (endpoints, reasons) in [
        (
            json!([{"nodeName": HERE, "conditions": {"ready": true}}]),
            ANNOUNCED,
        ),
        (json!([{"nodeName": HERE}]), ANNOUNCED),
        (json!([{"nodeName": ELSEWHERE}]), both("NoLocalEndpoint")),
        (json!([{}]), both("NoLocalEndpoint")),
        (json!([]), both("NoEndpoints")),
        (
            json!([{"nodeName": HERE, "conditions": {"ready": false}}, {"nodeName": ELSEWHERE}]),
            both("NoLocalEndpoint"),
        ),
    ] {
        let mut world = served();
        world.apply(local("web", &[ADDRESS]));
        world.apply(slice("web-4", "web", "IPv4", endpoints.clone()));
        assert_eq!(world.reasons("web", ADDRESS), reasons, "{endpoints}");
    }
}

#[test]
fn rule_17_endpoints_of_the_other_family_do_not_count() {
    let mut world = World::usual();
    world.apply(service("web", &[ADDRESS, ADDRESS_6]));
    world.apply(slice("web-6", "web", "IPv6", json!([{"nodeName": HERE}])));
    assert_eq!(world.reasons("web", ADDRESS), both("NoEndpoints"));
    assert_eq!(world.reasons("web", ADDRESS_6), ANNOUNCED);
    assert_eq!(world.routes(), ["2001:db8::10/128"]);
}

#[test]
fn rule_18_terminating_endpoints_count_only_while_nobody_is_ready() {
    let leaving = json!({"ready": false, "serving": true, "terminating": true});
    let here = json!({"nodeName": HERE, "conditions": leaving});
    let ready_elsewhere = json!({"nodeName": ELSEWHERE});
    for (policy, endpoints, reasons) in [
        ("Cluster", json!([here]), ANNOUNCED),
        ("Local", json!([here]), ANNOUNCED),
        ("Cluster", json!([here, ready_elsewhere]), ANNOUNCED),
        (
            "Local",
            json!([here, ready_elsewhere]),
            both("OnlyTerminatingHere"),
        ),
        (
            "Cluster",
            json!([{"conditions": {"ready": false, "serving": false, "terminating": true}}]),
            both("NoEndpoints"),
        ),
    ] {
        let mut world = served();
        let policy = json!({"spec": {"externalTrafficPolicy": policy}});
        world.apply(with(service("web", &[ADDRESS]), policy.clone()));
        world.apply(slice("web-4", "web", "IPv4", endpoints.clone()));
        assert_eq!(
            world.reasons("web", ADDRESS),
            reasons,
            "{policy} {endpoints}"
        );
    }
}

#[test]
fn rule_20_slices_unite_and_only_labelled_address_slices_count() {
    let mut world = served();
    world.apply(local("web", &[ADDRESS]));
    world.apply(slice(
        "web-4",
        "web",
        "IPv4",
        json!([{"nodeName": HERE, "conditions": {"ready": false}}]),
    ));
    assert_eq!(world.reasons("web", ADDRESS), both("NoEndpoints"));
    world.apply(slice("web-4b", "web", "IPv4", json!([{"nodeName": HERE}])));
    assert_eq!(world.reasons("web", ADDRESS), ANNOUNCED);
    let unlabelled = with(
        slice("web-4b", "web", "IPv4", json!([{"nodeName": HERE}])),
        json!({"metadata": {"labels": null}}),
    );
    world.apply(unlabelled);
    assert_eq!(world.reasons("web", ADDRESS), both("NoEndpoints"));
    world.apply(slice(
        "web-4b",
        "other",
        "IPv4",
        json!([{"nodeName": HERE}]),
    ));
    assert_eq!(world.reasons("web", ADDRESS), both("NoEndpoints"));
    let names = with(
        slice("web-n", "web", "IPv4", json!([{"nodeName": HERE}])),
        json!({"addressType": "FQDN"}),
    );
    world.apply(names);
    assert_eq!(world.reasons("web", ADDRESS), both("NoEndpoints"));
}

#[test]
fn rule_24_a_deletion_mark_withdraws_at_once() {
    let mut world = served();
    let marked = json!({"metadata": {"deletionTimestamp": "2026-02-01T00:00:00Z"}});
    let orders = world.apply(with(service("web", &[ADDRESS]), marked));
    assert_eq!(orders.routes.withdraw.len(), 1);
    assert_eq!(
        orders.shares.removed,
        [ADDRESS.parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(world.reasons("web", ADDRESS), both("Deleting"));
}

#[test]
fn rule_24_an_address_that_leaves_the_status_is_withdrawn_alone() {
    let mut world = World::usual();
    world.apply(service("web", &[ADDRESS, ADDRESS_6]));
    world.apply(ready_on("web", HERE));
    world.apply(slice("web-6", "web", "IPv6", json!([{"nodeName": HERE}])));
    assert_eq!(world.routes(), ["192.0.2.10/32", "2001:db8::10/128"]);
    let orders = world.apply(service("web", &[ADDRESS_6]));
    assert_eq!(world.routes(), ["2001:db8::10/128"]);
    assert_eq!(
        (orders.routes.withdraw.len(), orders.routes.originate.len()),
        (1, 0)
    );
}

#[test]
fn rule_34_the_exclusion_label_excludes_unless_it_says_false() {
    let labelled = |value: &str| {
        let label = json!({"metadata": {"labels": {
            "node.kubernetes.io/exclude-from-external-load-balancers": value,
        }}});
        with(node(HERE), label)
    };
    for (value, reasons) in [
        ("", both("NodeExcluded")),
        ("true", both("NodeExcluded")),
        ("false", ANNOUNCED),
    ] {
        let mut world = served();
        world.apply(labelled(value));
        assert_eq!(world.reasons("web", ADDRESS), reasons, "{value:?}");
    }
}

#[test]
fn rule_35_network_and_deletion_exclude_while_readiness_and_cordon_do_not() {
    let condition = |kind: &str, status: &str| json!({"status": {"conditions": [{"type": kind, "status": status}]}});
    for (patch, reasons) in [
        (
            condition("NetworkUnavailable", "True"),
            both("NodeNetworkUnavailable"),
        ),
        (condition("NetworkUnavailable", "False"), ANNOUNCED),
        (condition("Ready", "False"), ANNOUNCED),
        (json!({"spec": {"unschedulable": true}}), ANNOUNCED),
        (
            json!({"spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}}),
            both("NodeDeleting"),
        ),
        (
            json!({"metadata": {"annotations": {"ringbolt.io/drain": "true"}}}),
            both("NodeDrained"),
        ),
        (
            json!({"metadata": {"annotations": {"ringbolt.io/drain": "false"}}}),
            ANNOUNCED,
        ),
    ] {
        let mut world = served();
        world.apply(with(node(HERE), patch.clone()));
        assert_eq!(world.reasons("web", ADDRESS), reasons, "{patch}");
    }
}

#[test]
fn contract_4_2_a_drained_node_orders_the_drain_and_keeps_its_wants() {
    let mut world = served();
    let drained = with(
        node(HERE),
        json!({"metadata": {"annotations": {"ringbolt.io/drain": "true"}}}),
    );
    let orders = world.apply(drained);
    assert_eq!(orders.drain, Some(Drain::Drained));
    assert!(
        orders.routes.is_empty(),
        "the Router lets go of them, peer by peer"
    );
    let orders = world.apply(node(HERE));
    assert_eq!(orders.drain, Some(Drain::Serving));
    assert_eq!(world.reasons("web", ADDRESS), ANNOUNCED);
}

#[test]
fn contract_1_9_an_address_outside_all_pools_is_not_announced() {
    let mut world = served();
    world.apply(service("web", &["203.0.113.1"]));
    assert_eq!(world.reasons("web", "203.0.113.1"), both("OutsidePools"));
    world.apply(pool("more", &["203.0.113.0/24"]));
    assert_eq!(world.reasons("web", "203.0.113.1"), ANNOUNCED);
    world.remove(Kind::IPAddressPool, "more");
    assert_eq!(world.reasons("web", "203.0.113.1"), both("OutsidePools"));
}

#[test]
fn contract_1_9_of_two_services_with_one_address_the_older_is_announced() {
    let shared =
        |key: &str| json!({"metadata": {"annotations": {"ringbolt.io/allow-shared-ip": key}}});
    for (first, second, younger) in [
        (json!({}), json!({}), both("DuplicateAddress")),
        (shared("k"), shared("k"), ANNOUNCED),
        (shared("k"), shared("other"), both("DuplicateAddress")),
        (shared("k"), json!({}), both("DuplicateAddress")),
    ] {
        let mut world = World::usual();
        let later = json!({"metadata": {"creationTimestamp": "2026-01-02T00:00:00Z"}});
        world.apply(with(
            with(service("api", &[ADDRESS]), later),
            second.clone(),
        ));
        world.apply(ready_on("api", HERE));
        world.apply(ready_on("web", HERE));
        assert_eq!(world.reasons("api", ADDRESS), ANNOUNCED, "it was alone");
        world.apply(with(service("web", &[ADDRESS]), first.clone()));
        assert_eq!(world.reasons("web", ADDRESS), ANNOUNCED);
        assert_eq!(world.reasons("api", ADDRESS), younger, "{first} {second}");
        assert_eq!(world.routes(), ["192.0.2.10/32"]);
        world.apply(with(
            service("web", &[ADDRESS]),
            json!({"metadata": {"deletionTimestamp": "2026-02-01T00:00:00Z"}}),
        ));
        assert_eq!(
            world.reasons("api", ADDRESS),
            ANNOUNCED,
            "the older one goes"
        );
    }
}

#[test]
fn contract_1_10_without_endpoints_is_the_advertisements_choice() {
    let announce = json!({"withoutEndpoints": "Announce"});
    for policy in ["Cluster", "Local"] {
        let mut world = World::usual();
        world.apply(bgp_advertisement("all", announce.clone()));
        let policy = json!({"spec": {"externalTrafficPolicy": policy}});
        world.apply(with(service("web", &[ADDRESS]), policy.clone()));
        assert_eq!(
            world.reasons("web", ADDRESS),
            ["-", "NoEndpoints"],
            "{policy}"
        );
        world.apply(l2_advertisement("all", announce.clone()));
        assert_eq!(world.reasons("web", ADDRESS), ANNOUNCED, "{policy}");
        let shares = world.announcements("web").shares;
        assert_eq!(shares.values().next().unwrap().nodes, EligibleNodes::Any);
        world.apply(ready_on("web", ELSEWHERE));
        let elsewhere = match policy["spec"]["externalTrafficPolicy"].as_str() {
            Some("Local") => both("NoLocalEndpoint"),
            _ => ANNOUNCED,
        };
        assert_eq!(world.reasons("web", ADDRESS), elsewhere, "{policy}");
    }
}

#[test]
fn contract_3_5_a_local_share_names_the_nodes_and_the_view_it_rests_on() {
    let mut world = served();
    world.apply(local("web", &[ADDRESS]));
    let endpoints = json!([{"nodeName": HERE}, {"nodeName": ELSEWHERE}]);
    world.apply(slice("web-4", "web", "IPv4", endpoints));
    world.apply(slice("web-4b", "web", "IPv4", json!([])));
    let shares = world.announcements("web").shares;
    let EligibleNodes::Only { nodes, view } = &shares.values().next().unwrap().nodes else {
        panic!("Local names nodes: {shares:?}");
    };
    assert_eq!(
        nodes.iter().map(|node| node.as_str()).collect::<Vec<_>>(),
        [HERE, ELSEWHERE]
    );
    assert_eq!(*view, Some(View(6)));
}

#[test]
fn selectors_of_an_advertisement_each_have_a_reason_of_their_own() {
    let other = json!({"matchLabels": {"x": "y"}});
    for (bgp, reason) in [
        (json!({"ipAddressPools": ["private"]}), "NoAdvertisement"),
        (json!({"serviceSelectors": [other]}), "NoAdvertisement"),
        (
            json!({"serviceSelectors": [other, {"matchLabels": {"app": "web"}}]}),
            "-",
        ),
        (json!({"namespaceSelectors": [other]}), "NoAdvertisement"),
        (
            json!({"namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": "default"}}]}),
            "-",
        ),
        (json!({"nodeSelectors": [other]}), "NodeNotSelected"),
        (
            json!({"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": HERE}}]}),
            "-",
        ),
        (json!({"peers": ["spare"]}), "NoPeer"),
        (json!({"peers": ["tor"]}), "-"),
    ] {
        let mut world = served();
        world.apply(pool("private", &["10.9.0.0/24"]));
        world.apply(with(
            peer("spare"),
            json!({"spec": {
                "peerAddress": "198.51.100.2", "nodeSelectors": [{"matchLabels": {"x": "y"}}],
            }}),
        ));
        world.apply(bgp_advertisement("all", bgp.clone()));
        assert_eq!(world.reasons("web", ADDRESS), [reason, "-"], "{bgp}");
    }
}

#[test]
fn a_verdict_names_route_advertisement_and_peers() {
    let mut world = served();
    world.apply(bgp_advertisement("all", json!({"aggregationLength": 24})));
    let BgpVerdict::Announced(routes) = world.verdicts("web", ADDRESS).bgp else {
        panic!("announced");
    };
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].prefix.to_string(), "192.0.2.0/24");
    assert_eq!(routes[0].advertisement.as_str(), "all");
    assert!(routes[0].peers.contains(&PeerName::new("tor")));
    let L2Verdict::Claimable(advertisements) = world.verdicts("web", ADDRESS).l2 else {
        panic!("claimable");
    };
    assert_eq!(advertisements.len(), 1);
}

#[test]
fn an_aggregate_stays_while_one_address_contributes_to_it() {
    let mut world = World::usual();
    let lengths = json!({"aggregationLength": 24, "aggregationLengthV6": 64});
    world.apply(bgp_advertisement("all", lengths));
    for (name, addresses) in [
        ("a", [ADDRESS, ADDRESS_6]),
        ("b", ["192.0.2.11", "2001:db8::11"]),
    ] {
        world.apply(service(name, &addresses));
        world.apply(ready_on(name, HERE));
        world.apply(slice(
            &format!("{name}-6"),
            name,
            "IPv6",
            json!([{"nodeName": HERE}]),
        ));
    }
    let aggregates = ["192.0.2.0/24", "2001:db8::/64"];
    assert_eq!(world.routes(), aggregates);
    assert!(world.apply(service("a", &[])).routes.is_empty());
    assert_eq!(world.routes(), aggregates);
    assert_eq!(world.apply(service("b", &[])).routes.withdraw.len(), 2);
    assert!(world.routes().is_empty());
}

#[test]
fn attributes_come_from_the_advertisement_and_from_the_service_where_it_may() {
    let asked = json!({"metadata": {"annotations": {
        "ringbolt.io/med": "7", "ringbolt.io/communities": "64512:2,nonsense",
    }}});
    let spec = |allow: bool| {
        json!({
            "localPref": 200, "med": 5, "asPathPrepend": 2,
            "communities": ["64512:1", "large:64512:1:2"], "allowServiceAttributes": allow,
        })
    };
    for (allow, med, communities) in [(false, 5, 1), (true, 7, 2)] {
        let mut world = served();
        world.apply(bgp_advertisement("all", spec(allow)));
        world.apply(with(service("web", &[ADDRESS]), asked.clone()));
        let routes = world.planner.routes().all();
        let [route] = routes.as_slice() else {
            panic!("one route: {routes:?}")
        };
        let attributes = &route.attributes;
        assert_eq!((attributes.local_pref, attributes.prepend), (Some(200), 2));
        assert_eq!(
            (attributes.med, attributes.communities.len()),
            (Some(med), communities)
        );
        assert_eq!(attributes.large_communities.len(), 1);
        let remarks: Vec<_> = world
            .announcements("web")
            .remarks
            .iter()
            .map(Remark::reason)
            .collect();
        let expected = if allow {
            "UnknownCommunity"
        } else {
            "ServiceAttributesNotAllowed"
        };
        assert_eq!(remarks, [expected]);
    }
}

#[test]
fn a_service_that_is_not_there_asks_nothing() {
    let world = served();
    assert!(world.announcements("none").addresses.is_empty());
    assert!(world.planner.index().service(&key("none")).is_none());
}

/// A Service of policy `Local`.
fn local(name: &str, addresses: &[&str]) -> Value {
    with(
        service(name, addresses),
        json!({"spec": {"externalTrafficPolicy": "Local"}}),
    )
}
