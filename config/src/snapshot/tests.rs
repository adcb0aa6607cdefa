//! What counts as a change of configuration.

use serde_json::{Value, json};

use super::*;
use crate::object::decode;

#[test]
fn status_versions_and_annotations_are_no_change() {
    let mut snapshot = Snapshot::default();
    let pool = |metadata: Value, status: Value| {
        let spec = json!({"addresses": ["192.0.2.0/24"]});
        let value = json!({"metadata": metadata, "spec": spec, "status": status});
        decode(Kind::IPAddressPool, value).unwrap()
    };
    assert!(snapshot.apply(pool(json!({"name": "p"}), json!({}))));
    let first = snapshot.pools["p"].clone();
    let metadata = json!({"name": "p", "resourceVersion": "9", "annotations": {"a": "b"}});
    assert!(!snapshot.apply(pool(metadata, json!({"capacityIPv4": 256}))));
    assert!(Arc::ptr_eq(&first, &snapshot.pools["p"]));
    assert!(snapshot.apply(pool(json!({"name": "p", "labels": {"a": "b"}}), json!({}))));
    let marked = json!({"name": "p", "labels": {"a": "b"},
        "deletionTimestamp": "2026-01-01T00:00:00Z"});
    assert!(snapshot.apply(pool(marked, json!({}))));
}

#[test]
fn every_configuration_kind_can_be_applied_and_removed() {
    let mut snapshot = Snapshot::default();
    for &kind in Kind::ALL {
        let spec = match kind {
            Kind::IPAddressPool => json!({"addresses": ["192.0.2.0/24"]}),
            Kind::IPAllocation => json!({"address": "192.0.2.1"}),
            _ => json!({}),
        };
        let mut value = json!({"metadata": {"name": "n", "namespace": "ns"}, "spec": spec});
        if kind == Kind::EndpointSlice {
            value["addressType"] = json!("IPv4");
            value["endpoints"] = json!([]);
        }
        let object = decode(kind, value).unwrap();
        let state = [
            Kind::Service,
            Kind::EndpointSlice,
            Kind::IPAllocation,
            Kind::Speaker,
        ];
        let configures = !state.contains(&kind);
        assert_eq!(snapshot.apply(object.clone()), configures, "{kind}");
        assert!(!snapshot.apply(object.clone()), "{kind} twice");
        assert_eq!(snapshot.remove(&object.object_ref()), configures, "{kind}");
        assert!(!snapshot.remove(&object.object_ref()), "{kind} twice");
    }
    assert_eq!(snapshot, Snapshot::default());
}

#[test]
fn an_unknown_namespace_still_has_its_name() {
    let mut snapshot = Snapshot::default();
    let name = |labels: BTreeMap<String, String>| labels["kubernetes.io/metadata.name"].clone();
    assert_eq!(name(snapshot.namespace_labels("shop")), "shop");
    let value = json!({"metadata": {"name": "shop", "labels": {"team": "net"}}});
    assert!(snapshot.apply(decode(Kind::Namespace, value).unwrap()));
    assert_eq!(snapshot.namespace_labels("shop")["team"], "net");
    assert_eq!(name(snapshot.namespace_labels("shop")), "shop");
}
