//! Every drawn plan is one that can be built.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Plan;

fn addresses(plan: &Plan) -> Vec<IpAddr> {
    let hosts = [plan.router, plan.gateway, plan.client, plan.desk];
    let nodes = plan.nodes.iter().flat_map(|node| {
        let pods = node.pods.iter().flat_map(|pod| pod.addresses);
        node.rack.into_iter().chain(node.segment).chain(pods)
    });
    hosts.into_iter().flatten().chain(nodes).collect()
}

#[test]
fn no_seed_gives_one_address_or_name_twice() {
    for seed in (0..500).map(Some).chain([None]) {
        let plan = Plan::draw(seed);
        let all = addresses(&plan);
        assert_eq!(
            all.iter().collect::<BTreeSet<_>>().len(),
            all.len(),
            "seed {seed:?}"
        );
        let names: BTreeSet<&str> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names.len(), plan.nodes.len(), "seed {seed:?}");
        assert!((2..=6).contains(&plan.nodes.len()), "seed {seed:?}");
        assert_ne!(plan.router_asn, plan.node_asn, "seed {seed:?}");
    }
}

#[test]
fn equal_seeds_draw_equal_plans_and_others_differ() {
    assert_eq!(Plan::draw(Some(7)), Plan::draw(Some(7)));
    assert_ne!(Plan::draw(Some(7)).namespace, Plan::draw(Some(8)).namespace);
}

#[test]
fn a_pod_is_found_on_its_node() {
    let plan = Plan::draw(None);
    assert_eq!(
        plan.node_of("node-2-pod-b").map(|node| node.name.as_str()),
        Some("node-2")
    );
    assert_eq!(plan.node_of("node-2"), None);
}
