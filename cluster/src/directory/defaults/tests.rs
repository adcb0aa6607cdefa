//! One case per row of the table, and the page that shows it.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

/// A row by its field, the `spec` of a Service in YAML, and what comes of it: `pointer = value`, or
/// the field that is refused.
const SERVICES: &[(&str, &str, &str)] = &[
    (
        "spec.type",
        "{ports: [{port: 80}]}",
        "/spec/type = ClusterIP",
    ),
    (
        "spec.type",
        "{type: Balancer, ports: [{port: 80}]}",
        "spec.type",
    ),
    (
        "spec.ports[].protocol",
        "{ports: [{port: 80}]}",
        "/spec/ports/0/protocol = TCP",
    ),
    (
        "spec.ports[].protocol",
        "{ports: [{port: 80, protocol: tcp}]}",
        "spec.ports[0].protocol",
    ),
    (
        "spec.ports[].targetPort",
        "{ports: [{port: 80}]}",
        "/spec/ports/0/targetPort = 80",
    ),
    (
        "spec.ports[].targetPort",
        "{ports: [{port: 80, targetPort: 70000}]}",
        "spec.ports[0].targetPort",
    ),
    (
        "spec.ports[].targetPort",
        "{ports: [{port: 80, targetPort: A}]}",
        "spec.ports[0].targetPort",
    ),
    (
        "spec.externalTrafficPolicy",
        "{type: LoadBalancer, ports: [{port: 80}]}",
        "/spec/externalTrafficPolicy = Cluster",
    ),
    (
        "spec.externalTrafficPolicy",
        "{ports: [{port: 80}]}",
        "/spec/externalTrafficPolicy = null",
    ),
    (
        "spec.externalTrafficPolicy",
        "{type: NodePort, externalTrafficPolicy: local, ports: [{port: 80}]}",
        "spec.externalTrafficPolicy",
    ),
    (
        "spec.externalTrafficPolicy",
        "{externalTrafficPolicy: Local, ports: [{port: 80}]}",
        "spec.externalTrafficPolicy",
    ),
    (
        "spec.ipFamilyPolicy",
        "{ports: [{port: 80}]}",
        "/spec/ipFamilyPolicy = SingleStack",
    ),
    (
        "spec.ipFamilyPolicy",
        "{ipFamilies: [IPv6, IPv4], ports: [{port: 80}]}",
        "/spec/ipFamilyPolicy = RequireDualStack",
    ),
    (
        "spec.ipFamilyPolicy",
        "{ipFamilyPolicy: SingleStack, ipFamilies: [IPv6, IPv4], ports: [{port: 80}]}",
        "spec.ipFamilyPolicy",
    ),
    (
        "spec.ipFamilyPolicy",
        "{ipFamilyPolicy: Both, ports: [{port: 80}]}",
        "spec.ipFamilyPolicy",
    ),
    (
        "spec.ipFamilies",
        "{ports: [{port: 80}]}",
        "/spec/ipFamilies = null",
    ),
    (
        "spec.ipFamilies",
        "{ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}",
        "/spec/ipFamilies = [IPv4, IPv6]",
    ),
    (
        "spec.ipFamilies",
        "{ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6], ports: [{port: 80}]}",
        "/spec/ipFamilies = [IPv6, IPv4]",
    ),
    (
        "spec.ipFamilies",
        "{ipFamilies: [IPv5], ports: [{port: 80}]}",
        "spec.ipFamilies[0]",
    ),
    (
        "spec.ipFamilies",
        "{ipFamilies: [IPv4, IPv4], ports: [{port: 80}]}",
        "spec.ipFamilies[1]",
    ),
    ("spec.ports", "{type: LoadBalancer}", "spec.ports"),
    ("spec.ports", "{clusterIP: None}", "/spec/type = ClusterIP"),
    (
        "spec.ports[].port",
        "{ports: [{port: 0}]}",
        "spec.ports[0].port",
    ),
    (
        "spec.ports[].port",
        "{ports: [{port: 65536}]}",
        "spec.ports[0].port",
    ),
    (
        "spec.ports[].port",
        "{ports: [{port: '80'}]}",
        "spec.ports[0].port",
    ),
    ("spec.ports[].port", "{ports: [{}]}", "spec.ports[0].port"),
    (
        "spec.ports[].name",
        "{ports: [{name: a, port: 80}, {port: 81}]}",
        "spec.ports[1].name",
    ),
    (
        "spec.ports[].name",
        "{ports: [{name: a, port: 80}, {name: a, port: 81}]}",
        "spec.ports[1].name",
    ),
    (
        "spec.ports[].name",
        "{ports: [{name: a, port: 80}, {name: B, port: 81}]}",
        "spec.ports[1].name",
    ),
    (
        "spec.ports[]",
        "{ports: [{name: a, port: 80}, {name: b, port: 80, protocol: TCP}]}",
        "spec.ports[1]",
    ),
    (
        "spec.ports[]",
        "{ports: [{name: a, port: 80}, {name: b, port: 80, protocol: UDP}]}",
        "/spec/ports/1/targetPort = 80",
    ),
    (
        "spec.loadBalancerClass",
        "{loadBalancerClass: a/b, ports: [{port: 80}]}",
        "spec.loadBalancerClass",
    ),
    (
        "spec.loadBalancerClass",
        "{type: LoadBalancer, loadBalancerClass: a b, ports: [{port: 80}]}",
        "spec.loadBalancerClass",
    ),
    (
        "spec.loadBalancerClass",
        "{type: LoadBalancer, loadBalancerClass: a/b, ports: [{port: 80}]}",
        "/spec/loadBalancerClass = a/b",
    ),
];

/// The same for whole objects of any kind.
const OBJECTS: &[(Kind, &str, &str, &str)] = &[
    (
        Kind::Service,
        "metadata.name",
        "{metadata: {name: 1web}, spec: {ports: [{port: 80}]}}",
        "metadata.name",
    ),
    (
        Kind::EndpointSlice,
        "ports[].protocol",
        "{addressType: IPv4, ports: [{port: 80}]}",
        "/ports/0/protocol = TCP",
    ),
    (
        Kind::EndpointSlice,
        "addressType",
        "{addressType: IP, endpoints: []}",
        "addressType",
    ),
    (
        Kind::EndpointSlice,
        "addressType",
        "{endpoints: []}",
        "addressType",
    ),
    (
        Kind::EndpointSlice,
        "endpoints[].addresses",
        "{addressType: IPv4, endpoints: [{addresses: [192.0.2.1]}, {addresses: ['2001:db8::1']}]}",
        "endpoints[1].addresses[0]",
    ),
    (
        Kind::EndpointSlice,
        "endpoints[].addresses",
        "{addressType: IPv6, endpoints: [{addresses: [192.0.2.1]}]}",
        "endpoints[0].addresses[0]",
    ),
    (
        Kind::EndpointSlice,
        "endpoints[].addresses",
        "{addressType: IPv4, endpoints: [{addresses: []}]}",
        "endpoints[0].addresses",
    ),
    (
        Kind::Namespace,
        "metadata.labels",
        "{metadata: {name: shop}}",
        "/metadata/labels = {kubernetes.io/metadata.name: shop}",
    ),
];

fn cases() -> Vec<(Kind, &'static str, Value, &'static str)> {
    let services = SERVICES.iter().map(|(row, spec, outcome)| {
        let object = json!({"metadata": {"name": "web"}, "spec": yaml(spec)});
        (Kind::Service, *row, object, *outcome)
    });
    let objects = OBJECTS
        .iter()
        .map(|(kind, row, object, outcome)| (*kind, *row, yaml(object), *outcome));
    services.chain(objects).collect()
}

fn yaml(text: &str) -> Value {
    crate::directory::yaml::parse(text)
        .unwrap()
        .pop()
        .unwrap_or_default()
}

#[test]
fn every_row_does_what_it_says() {
    for (kind, row, object, outcome) in cases() {
        let mut admitted = object.clone();
        let faults = admit(kind, &mut admitted);
        let fields: Vec<_> = faults.iter().map(|fault| &*fault.field).collect();
        match outcome.split_once(" = ") {
            Some((pointer, expected)) => {
                let found = admitted.pointer(pointer).cloned().unwrap_or_default();
                assert_eq!(found, yaml(expected), "{kind} {row}: {object}");
                assert_eq!(fields, [""; 0], "{kind} {row}: {object}");
            }
            None => assert_eq!(fields, [outcome], "{kind} {row}: {object}"),
        }
    }
}

#[test]
fn every_row_that_acts_has_a_case() {
    let cases = cases();
    for row in TABLE {
        let fills = match row.act {
            Act::Fill(_) => true,
            Act::Check(_) => false,
            Act::Elsewhere => continue,
        };
        let tried = cases.iter().any(|(kind, field, _, outcome)| {
            Some(*kind) == row.kind && *field == row.field && outcome.contains(" = ") == fills
        });
        assert!(tried, "{:?} {} has no case", row.kind, row.field);
    }
}

#[test]
fn a_usual_service_passes_unchanged_but_for_its_defaults() {
    let mut object = json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "ringbolt.io/ringbolt",
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "dns", "port": 53, "protocol": "UDP"}],
        },
    });
    assert_eq!(admit(Kind::Service, &mut object), []);
    assert_eq!(object["spec"]["ports"][0]["targetPort"], "http");
    assert_eq!(object["spec"]["externalTrafficPolicy"], "Cluster");
}

#[test]
fn a_service_of_any_shape_is_admitted_or_refused_without_panic() {
    for object in [
        json!(null),
        json!([]),
        json!({"spec": 1}),
        json!({"spec": {"ports": {}}}),
        json!({"metadata": [], "spec": {"ports": [1, null, {}], "ipFamilies": "IPv4", "type": 7}}),
        json!({"metadata": {"labels": 3}, "endpoints": [5, {"addresses": 1}], "ports": [[]]}),
    ] {
        for kind in Kind::ALL {
            let _faults = admit(*kind, &mut object.clone());
        }
    }
}

/// `RINGBOLT_BLESS=1 cargo test` writes the page.
#[test]
fn the_reference_page_shows_this_table() {
    let page =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/standalone-defaults.md");
    let expected = standalone_defaults();
    if std::env::var_os("RINGBOLT_BLESS").is_some() {
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, &expected).unwrap();
    }
    let found = fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(found, expected, "write it with RINGBOLT_BLESS=1");
}
