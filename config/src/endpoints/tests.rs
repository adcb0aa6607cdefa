//! EndpointSlices: defaults of absent conditions, families, and slices of nobody.

use serde_json::{Value, json};

use super::*;

#[test]
fn rule_18_absent_conditions_mean_ready_serving_and_not_terminating() {
    let view = slice(json!({
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1"]},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
            {"addresses": ["10.0.0.3"],
             "conditions": {"ready": false, "serving": true, "terminating": true}},
        ],
    }));
    let seen: Vec<_> = view
        .endpoints
        .iter()
        .map(|e| (e.ready, e.serving, e.terminating))
        .collect();
    assert_eq!(
        seen,
        [
            (true, true, false),
            (false, false, false),
            (false, true, true)
        ]
    );
    let last: Vec<_> = view
        .endpoints
        .iter()
        .map(Endpoint::is_last_resort)
        .collect();
    assert_eq!(last, [false, false, true]);
}

#[test]
fn rule_17_an_endpoint_without_a_node_is_local_nowhere() {
    let view = slice(json!({
        "addressType": "IPv6",
        "endpoints": [
            {"addresses": ["2001:db8::1"], "nodeName": "n1"},
            {"addresses": ["2001:db8::2"]},
            {"addresses": ["2001:db8::3"], "nodeName": "../n"},
        ],
    }));
    let nodes: Vec<_> = view.endpoints.iter().map(|e| e.node.clone()).collect();
    assert_eq!(nodes, [Some("n1".parse().unwrap()), None, None]);
}

#[test]
fn rule_20_slices_without_the_label_or_with_names_count_for_nobody() {
    let named = slice(json!({"addressType": "FQDN", "endpoints": [{"addresses": ["a.b"]}]}));
    assert_eq!(named.address_type, AddressType::Other);
    assert!(named.endpoints[0].addresses.is_empty());
    let mut stray = json!({"addressType": "IPv4", "endpoints": null});
    stray["metadata"] = json!({"name": "x"});
    let stray = EndpointSliceView::new("ns".into(), "x".into(), parse(stray));
    assert_eq!(stray.service, None);
    assert!(stray.endpoints.is_empty());
}

#[test]
fn addresses_of_the_other_family_are_left_out() {
    let view = slice(json!({
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["2001:db8::1", "10.0.0.1", "nonsense"]}],
    }));
    assert_eq!(
        view.endpoints[0].addresses,
        ["10.0.0.1".parse::<IpAddr>().unwrap()]
    );
    assert_eq!(view.service.unwrap().to_string(), "ns/web");
    assert_eq!(view.generation, 7);
}

fn slice(mut object: Value) -> EndpointSliceView {
    object["metadata"] = json!({"name": "web-1", "generation": 7, "labels": {SERVICE_NAME: "web"}});
    EndpointSliceView::new("ns".into(), "web-1".into(), parse(object))
}

fn parse(object: Value) -> EndpointSlice {
    serde_json::from_value(object).unwrap()
}
