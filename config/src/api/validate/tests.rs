//! Faults that an API server finds, found without one.

use serde_json::json;

use super::*;

#[test]
fn each_sort_of_fault_is_found_and_named() {
    for (kind, spec, fault) in [
        (
            Kind::IPAddressPool,
            json!({}),
            "spec.addresses: is required",
        ),
        (
            Kind::IPAddressPool,
            json!({"addresses": []}),
            "spec.addresses: its length must be between 1 and 1000",
        ),
        (
            Kind::IPAddressPool,
            json!({"addresses": "192.0.2.0/24"}),
            "spec.addresses: must be of type array",
        ),
        (
            Kind::IPAddressPool,
            json!({"addresses": ["a"]}),
            "spec.addresses[0]: its length must be between 2 and 87",
        ),
        (
            Kind::IPAddressPool,
            json!({"addresses": ["::1"], "sharing": "namespace"}),
            "spec.sharing: must be one of Namespace, Cluster, Never",
        ),
        (
            Kind::IPAddressPool,
            json!({"addresses": ["::1"], "paused": "yes"}),
            "spec.paused: must be of type boolean",
        ),
        (
            Kind::BGPPeer,
            json!({"peerPort": 0}),
            "spec.peerPort: must be between 1 and 65535",
        ),
        (
            Kind::BGPPeer,
            json!({"peerPort": 1.5}),
            "spec.peerPort: must be of type integer",
        ),
        (
            Kind::BGPPeer,
            json!({"myASN": -1}),
            "spec.myASN: must be between 1 and 4294967294",
        ),
        (
            Kind::BGPPeer,
            json!({"families": ["IPv4", "IPv4"]}),
            "spec.families[1]: is listed twice",
        ),
        (
            Kind::BGPPeer,
            json!({"peerAdress": "::1"}),
            "spec.peerAdress: unknown field",
        ),
        (Kind::BGPPeer, json!([]), "spec: must be of type object"),
        (
            Kind::L2Advertisement,
            json!({"nodeSelectors": [{"matchLabels": {"a": 1}}]}),
            "spec.nodeSelectors[0].matchLabels.a: must be of type string",
        ),
        (
            Kind::IPAllocation,
            json!({"address": "::1", "holders": [
                {"uid": "u", "namespace": "n", "name": "a"}, {"uid": "u", "namespace": "n", "name": "b"},
            ]}),
            "spec.holders[1]: is listed twice",
        ),
    ] {
        let faults = against_schema(kind, &json!({"metadata": {"name": "x"}, "spec": spec}));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [fault], "{spec}");
    }
}

#[test]
fn a_document_of_faults_ends_somewhere() {
    let many: Vec<_> = (0..5_000).map(|_| json!(7)).collect();
    let faults = against_schema(Kind::IPAddressPool, &json!({"spec": {"addresses": many}}));
    assert!(
        (MAX_FAULTS..=MAX_FAULTS + 1).contains(&faults.len()),
        "{}",
        faults.len()
    );
}

#[test]
fn what_belongs_to_the_api_server_is_not_looked_at() {
    let value = json!({
        "apiVersion": 1, "kind": [], "metadata": {"anything": true},
        "spec": {"addresses": ["192.0.2.0/24"]}, "status": {"capacityIPv4": 256},
    });
    assert_eq!(against_schema(Kind::IPAddressPool, &value), []);
}
