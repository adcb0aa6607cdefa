//! Who gets which rules.

use super::{Frontend, ruleset};
use crate::manifests::Policy;

fn frontend(policy: Policy) -> Frontend {
    let endpoint =
        |address: &str, node: &str| (address.parse().expect("an address"), node.to_owned());
    Frontend {
        addresses: vec!["192.0.2.1".parse().expect("an address")],
        ports: vec![("tcp".to_owned(), 80, 8080)],
        policy,
        endpoints: vec![
            endpoint("10.1.0.2", "a"),
            endpoint("10.2.0.2", "b"),
            endpoint("fd00::2", "b"),
        ],
    }
}

#[test]
fn a_cluster_service_goes_to_every_endpoint_of_its_family_and_is_masqueraded() {
    let rules = ruleset("a", &[frontend(Policy::Cluster)]);
    assert!(
        rules.contains("numgen random mod 2 0 dnat ip to 10.1.0.2:8080"),
        "{rules}"
    );
    assert!(
        rules.contains("dport 80 dnat ip to 10.2.0.2:8080"),
        "{rules}"
    );
    assert!(rules.contains("dport 80 meta mark set 0x1"), "{rules}");
    assert!(!rules.contains("fd00::2"), "{rules}");
}

#[test]
fn a_local_service_stays_on_its_node_and_keeps_the_client() {
    let rules = ruleset("a", &[frontend(Policy::Local)]);
    assert!(
        rules.contains("10.1.0.2:8080") && !rules.contains("10.2.0.2"),
        "{rules}"
    );
    assert!(!rules.contains("mark set"), "{rules}");
}

#[test]
fn a_node_without_endpoints_drops_instead_of_sending_back() {
    let rules = ruleset("c", &[frontend(Policy::Local)]);
    assert!(!rules.contains("dnat ip"), "{rules}");
    assert!(rules.contains("forward ip daddr 192.0.2.1 drop"), "{rules}");
}
