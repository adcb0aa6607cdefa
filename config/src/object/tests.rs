//! Decoding: our kinds strictly, Kubernetes' kinds leniently, nothing by panic.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn an_unknown_field_of_our_kind_is_named() {
    let problem = decode(
        Kind::IPAddressPool,
        json!({
            "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
            "metadata": {"name": "p", "annotations": {"x": "y"}},
            "spec": {
                "addresses": ["192.0.2.0/24"],
                "adresses": [],
                "serviceAllocation": {"serviceSelectors": [{}, {"matchLables": {}}]},
            },
        }),
    )
    .unwrap_err();
    let mut paths: Vec<_> = problem.faults.iter().map(|fault| &*fault.path).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "spec.adresses",
            "spec.serviceAllocation.serviceSelectors[1].matchLables"
        ]
    );
    assert!(
        problem.to_string().starts_with("IPAddressPool p: spec."),
        "{problem}"
    );
    assert!(
        problem
            .faults
            .iter()
            .all(|fault| fault.reason.reason() == "UnknownField")
    );
}

#[test]
fn unknown_fields_of_kubernetes_kinds_are_somebody_elses() {
    let value = json!({
        "metadata": {"name": "web", "namespace": "shop", "novelty": 1},
        "spec": {"type": "LoadBalancer", "novelty": {"deep": true}},
    });
    let object = decode(Kind::Service, value).unwrap();
    assert_eq!(object.object_ref().to_string(), "Service shop/web");
}

#[test]
fn a_wrong_type_in_a_kubernetes_kind_is_named_by_its_path() {
    let value = json!({
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}, {"port": "eighty"}]},
    });
    let problem = decode(Kind::Service, value).unwrap_err();
    assert_eq!(&*problem.faults[0].path, "spec.ports[1].port");
    assert_eq!(problem.object.unwrap().to_string(), "Service default/web");
}

#[test]
fn names_are_checked_before_anything_else() {
    for (metadata, path) in [
        (json!({}), "metadata.name"),
        (json!({"name": "../x"}), "metadata.name"),
        (json!({"name": 5}), "metadata.name"),
        (
            json!({"name": "x", "namespace": "../y"}),
            "metadata.namespace",
        ),
    ] {
        let problem = decode(Kind::Service, json!({"metadata": metadata})).unwrap_err();
        assert_eq!(&*problem.faults[0].path, path);
        assert_eq!(problem.object, None);
    }
    for value in [json!(null), json!([]), json!("x"), json!({"metadata": []})] {
        assert!(decode(Kind::Node, value).is_err());
    }
}

#[test]
fn a_null_is_as_good_as_nothing() {
    let value = json!({
        "metadata": {"name": "p"},
        "spec": {"addresses": ["192.0.2.0/24"], "autoAssign": null, "unheardOf": null},
    });
    assert!(decode(Kind::IPAddressPool, value).is_ok());
    let value = json!({"metadata": {"name": "p"}, "spec": {"addresses": null}});
    let problem = decode(Kind::IPAddressPool, value).unwrap_err();
    assert_eq!(problem.faults[0].to_string(), "spec.addresses: is required");
}

#[test]
fn every_object_knows_its_kind_and_name() {
    for &kind in Kind::ALL {
        let namespace = kind.namespaced().then_some("ns");
        let value = json!({"metadata": {"name": "n", "namespace": namespace}, "spec": least(kind),
            "addressType": "IPv4", "endpoints": []});
        let mut value = value;
        if kind.is_ours() {
            value
                .as_object_mut()
                .unwrap()
                .retain(|key, _| key == "metadata" || key == "spec");
        }
        let object = decode(kind, value).unwrap();
        assert_eq!(
            object.object_ref(),
            ObjectRef::new(kind, namespace, "n").unwrap()
        );
    }
}

proptest! {
    #[test]
    fn any_json_is_decoded_or_refused(kind in any_kind(), value in any_json()) {
        let _ = decode(kind, value.clone());
        let named = json!({"metadata": {"name": "n"}, "spec": value, "status": value});
        if let Ok(object) = decode(kind, named) {
            prop_assert_eq!(object.kind(), kind);
        }
    }
}

fn least(kind: Kind) -> Value {
    match kind {
        Kind::IPAddressPool => json!({"addresses": ["192.0.2.0/24"]}),
        Kind::IPAllocation => json!({"address": "192.0.2.1"}),
        Kind::BGPPeer => json!({"myASN": 1, "peerASN": 2, "peerAddress": "192.0.2.1"}),
        _ => json!({}),
    }
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL)
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "metadata",
        "name",
        "spec",
        "status",
        "addresses",
        "peerAddress",
        "ports",
        "port",
        "ipFamilies",
        "annotations",
        "labels",
        "conditions",
        "endpoints",
        "data",
        "type",
        "matchLabels",
        "matchExpressions",
        "key",
        "operator",
        "values",
        "nodeSelectors",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4).prop_map(|map| {
                map.into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect::<Value>()
            }),
        ]
    })
}

#[test]
fn unknown_fields_of_kubernetes_kinds_are_passed_over_and_named() {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "label": {"a": "b"}, "managedFields": [{"newer": 1}]},
        "spec": {
            "type": "LoadBalancer", "externalTraficPolicy": "Local",
            "ports": [{"port": 80}, {"port": 81, "protocoll": "UDP"}],
        },
        "status": {"newer": true},
    });
    let (object, unknown) = decode_noting(Kind::Service, service.clone()).unwrap();
    assert_eq!(
        unknown.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        [
            "metadata.label",
            "spec.externalTraficPolicy",
            "spec.ports[1].protocoll"
        ]
        .into()
    );
    assert_eq!(object, decode(Kind::Service, service).unwrap());
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "spec": {"podCIDRs": ["10.0.0.0/24"]}});
    assert!(decode_noting(Kind::Node, node).unwrap().1.is_empty());
}

#[test]
fn a_condition_of_others_without_a_time_does_not_hide_a_service() {
    let theirs = json!({
        "type": "example.org/Theirs", "status": "True", "reason": "", "message": "",
        "lastTransitionTime": null,
    });
    let mut ours = theirs.clone();
    ours["type"] = "ringbolt.io/Ready".into();
    ours["lastTransitionTime"] = "2024-01-01T00:00:00Z".into();
    let service = json!({
        "metadata": {"namespace": "default", "name": "web"},
        "status": {"conditions": [theirs, ours]},
    });
    let Object::Service(view) = decode(Kind::Service, service).unwrap() else {
        panic!("a Service is decoded as one");
    };
    let types: Vec<_> = view.conditions.iter().map(|c| &*c.type_).collect();
    assert_eq!(types, ["ringbolt.io/Ready"]);
}
