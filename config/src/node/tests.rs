//! Nodes: pod networks, exclusion, and what does not make two views differ.

use serde_json::{Value, json};

use super::*;

#[test]
fn rule_34_only_the_value_false_includes_an_excluded_node() {
    for (value, excluded) in [
        ("", true),
        ("true", true),
        ("False", true),
        ("garbage", true),
        ("false", false),
    ] {
        let view = node(json!({"metadata": {"labels": {EXCLUDE: value}}}));
        assert_eq!(view.excluded, excluded, "{value:?}");
    }
    assert!(!node(json!({})).excluded);
}

#[test]
fn the_annotation_beats_the_pod_networks_of_the_spec() {
    let spec = json!({"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24", "fd00:1::/64"]});
    assert_eq!(
        cidrs(&node(json!({"spec": spec}))),
        ["10.1.0.0/24", "fd00:1::/64"]
    );
    let annotated =
        |list: &str| node(json!({"metadata": {"annotations": {POD_CIDRS: list}}, "spec": spec}));
    assert_eq!(
        cidrs(&annotated("10.9.0.7/24, fd00:9::/64")),
        ["10.9.0.0/24", "fd00:9::/64"]
    );
    assert!(annotated("").pod_cidrs.is_empty());
    let bad = annotated("10.9.0.0/24,nonsense");
    assert_eq!(cidrs(&bad), ["10.1.0.0/24", "fd00:1::/64"]);
    assert_eq!(
        bad.problems,
        [NodeProblem::PodCidrAnnotation {
            text: "nonsense".into()
        }]
    );
    assert_eq!(
        cidrs(&node(json!({"spec": {"podCIDR": "10.1.0.0/24"}}))),
        ["10.1.0.0/24"]
    );
}

#[test]
fn rule_35_readiness_and_cordon_do_not_exclude_but_a_deletion_mark_does() {
    let cordoned = node(json!({"spec": {"unschedulable": true}}));
    assert!(!cordoned.leaving && !cordoned.excluded && cordoned.ready);
    let tainted =
        node(json!({"spec": {"taints": [{"key": TO_BE_DELETED, "effect": "NoSchedule"}]}}));
    assert!(tainted.leaving);
    let marked = node(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    assert!(marked.leaving);
    let status = |kind: &str, value: &str| {
        node(json!({"status": {"conditions": [{"type": kind, "status": value}]}}))
    };
    assert!(status("NetworkUnavailable", "True").network_unavailable);
    assert!(!status("NetworkUnavailable", "False").network_unavailable);
    assert!(!status("Ready", "Unknown").ready);
}

#[test]
fn a_heartbeat_does_not_change_the_view() {
    let beat = |time: &str| {
        let ready = json!({"type": "Ready", "status": "True", "lastHeartbeatTime": time});
        node(json!({"metadata": {"resourceVersion": time}, "status": {"conditions": [ready]}}))
    };
    assert_eq!(beat("2026-01-01T00:00:00Z"), beat("2026-01-01T00:00:10Z"));
}

#[test]
fn addresses_are_typed_and_names_left_out() {
    let view = node(json!({"status": {"addresses": [
        {"type": "Hostname", "address": "n1"},
        {"type": "ExternalIP", "address": "198.51.100.1"},
        {"type": "InternalIP", "address": "192.0.2.1"},
        {"type": "InternalIP", "address": "2001:db8::1"},
    ]}}));
    assert_eq!(view.addresses.len(), 3);
    let like = |text: &str| {
        view.internal_address(text.parse().unwrap())
            .unwrap()
            .to_string()
    };
    assert_eq!(
        (like("0.0.0.0"), like("::")),
        ("192.0.2.1".into(), "2001:db8::1".into())
    );
}

#[test]
fn the_drain_mark_is_the_word_true() {
    let drain = |value: &str| node(json!({"metadata": {"annotations": {DRAIN: value}}})).draining;
    assert!(drain("true"));
    assert!(!drain("false") && !drain(""));
}

fn node(object: Value) -> NodeView {
    NodeView::new(
        "n1".parse().unwrap(),
        serde_json::from_value(object).unwrap(),
    )
}

fn cidrs(view: &NodeView) -> Vec<String> {
    view.pod_cidrs.iter().map(ToString::to_string).collect()
}
