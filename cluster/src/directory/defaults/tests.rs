//! One case per row of the table, and the page that shows it.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

/// A row by kind and field, objects that it changes or refuses, and what comes out.
type Case = (Kind, &'static str, Value, Outcome);

enum Outcome {
    /// The field at this JSON pointer has this value afterwards.
    Filled(&'static str, Value),
    /// The field at this path is refused.
    Refused(&'static str),
}

use Outcome::{Filled, Refused};

fn cases() -> Vec<Case> {
    let service = |spec: Value| json!({"metadata": {"name": "web"}, "spec": spec});
    let ports = json!([{"port": 80}]);
    let two = |second: Value| service(json!({"ports": [{"name": "a", "port": 80}, second]}));
    let slice = |address_type: &str, addresses: Value| {
        json!({
            "metadata": {"name": "web-1"},
            "addressType": address_type,
            "endpoints": [{"addresses": ["192.0.2.1"]}, {"addresses": addresses}],
            "ports": [{"port": 80}],
        })
    };
    use Kind::{EndpointSlice, Namespace, Service};
    vec![
        (
            Service,
            "metadata.name",
            json!({"metadata": {"name": "1web"}, "spec": {"ports": ports}}),
            Refused("metadata.name"),
        ),
        (
            Service,
            "spec.type",
            service(json!({"ports": ports})),
            Filled("/spec/type", json!("ClusterIP")),
        ),
        (
            Service,
            "spec.type",
            service(json!({"type": "Balancer", "ports": ports})),
            Refused("spec.type"),
        ),
        (
            Service,
            "spec.ports[].protocol",
            service(json!({"ports": ports})),
            Filled("/spec/ports/0/protocol", json!("TCP")),
        ),
        (
            Service,
            "spec.ports[].protocol",
            service(json!({"ports": [{"port": 80, "protocol": "tcp"}]})),
            Refused("spec.ports[0].protocol"),
        ),
        (
            Service,
            "spec.ports[].targetPort",
            service(json!({"ports": ports})),
            Filled("/spec/ports/0/targetPort", json!(80)),
        ),
        (
            Service,
            "spec.ports[].targetPort",
            service(json!({"ports": [{"port": 80, "targetPort": 70000}]})),
            Refused("spec.ports[0].targetPort"),
        ),
        (
            Service,
            "spec.externalTrafficPolicy",
            service(json!({"type": "LoadBalancer", "ports": ports})),
            Filled("/spec/externalTrafficPolicy", json!("Cluster")),
        ),
        (
            Service,
            "spec.externalTrafficPolicy",
            service(json!({"ports": ports})),
            Filled("/spec/externalTrafficPolicy", Value::Null),
        ),
        (
            Service,
            "spec.externalTrafficPolicy",
            service(
                json!({"type": "LoadBalancer", "externalTrafficPolicy": "local", "ports": ports}),
            ),
            Refused("spec.externalTrafficPolicy"),
        ),
        (
            Service,
            "spec.externalTrafficPolicy",
            service(json!({"externalTrafficPolicy": "Local", "ports": ports})),
            Refused("spec.externalTrafficPolicy"),
        ),
        (
            Service,
            "spec.ipFamilyPolicy",
            service(json!({"ports": ports})),
            Filled("/spec/ipFamilyPolicy", json!("SingleStack")),
        ),
        (
            Service,
            "spec.ipFamilyPolicy",
            service(json!({"ipFamilies": ["IPv6", "IPv4"], "ports": ports})),
            Filled("/spec/ipFamilyPolicy", json!("RequireDualStack")),
        ),
        (
            Service,
            "spec.ipFamilyPolicy",
            service(
                json!({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6", "IPv4"], "ports": ports}),
            ),
            Refused("spec.ipFamilyPolicy"),
        ),
        (
            Service,
            "spec.ipFamilyPolicy",
            service(json!({"ipFamilyPolicy": "Both", "ports": ports})),
            Refused("spec.ipFamilyPolicy"),
        ),
        (
            Service,
            "spec.ipFamilies",
            service(json!({"ports": ports})),
            Filled("/spec/ipFamilies", Value::Null),
        ),
        (
            Service,
            "spec.ipFamilies",
            service(json!({"ipFamilyPolicy": "PreferDualStack", "ports": ports})),
            Filled("/spec/ipFamilies", json!(["IPv4", "IPv6"])),
        ),
        (
            Service,
            "spec.ipFamilies",
            service(
                json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"], "ports": ports}),
            ),
            Filled("/spec/ipFamilies", json!(["IPv6", "IPv4"])),
        ),
        (
            Service,
            "spec.ipFamilies",
            service(json!({"ipFamilies": ["IPv5"], "ports": ports})),
            Refused("spec.ipFamilies[0]"),
        ),
        (
            Service,
            "spec.ipFamilies",
            service(json!({"ipFamilies": ["IPv4", "IPv4"], "ports": ports})),
            Refused("spec.ipFamilies[1]"),
        ),
        (
            Service,
            "spec.ports",
            service(json!({"type": "LoadBalancer"})),
            Refused("spec.ports"),
        ),
        (
            Service,
            "spec.ports[].port",
            service(json!({"ports": [{"port": 0}]})),
            Refused("spec.ports[0].port"),
        ),
        (
            Service,
            "spec.ports[].port",
            service(json!({"ports": [{"port": 65536}]})),
            Refused("spec.ports[0].port"),
        ),
        (
            Service,
            "spec.ports[].port",
            service(json!({"ports": [{"port": "80"}]})),
            Refused("spec.ports[0].port"),
        ),
        (
            Service,
            "spec.ports[].name",
            two(json!({"port": 81})),
            Refused("spec.ports[1].name"),
        ),
        (
            Service,
            "spec.ports[].name",
            two(json!({"name": "a", "port": 81})),
            Refused("spec.ports[1].name"),
        ),
        (
            Service,
            "spec.ports[].name",
            two(json!({"name": "B", "port": 81})),
            Refused("spec.ports[1].name"),
        ),
        (
            Service,
            "spec.ports[]",
            two(json!({"name": "b", "port": 80, "protocol": "TCP"})),
            Refused("spec.ports[1]"),
        ),
        (
            Service,
            "spec.ports[]",
            two(json!({"name": "b", "port": 80, "protocol": "UDP"})),
            Filled("/spec/ports/1/targetPort", json!(80)),
        ),
        (
            Service,
            "spec.loadBalancerClass",
            service(json!({"loadBalancerClass": "a/b", "ports": ports})),
            Refused("spec.loadBalancerClass"),
        ),
        (
            Service,
            "spec.loadBalancerClass",
            service(json!({"type": "LoadBalancer", "loadBalancerClass": "a b", "ports": ports})),
            Refused("spec.loadBalancerClass"),
        ),
        (
            EndpointSlice,
            "ports[].protocol",
            slice("IPv4", json!(["192.0.2.2"])),
            Filled("/ports/0/protocol", json!("TCP")),
        ),
        (
            EndpointSlice,
            "addressType",
            slice("IP", json!(["192.0.2.2"])),
            Refused("addressType"),
        ),
        (
            EndpointSlice,
            "addressType",
            json!({"metadata": {"name": "a"}, "endpoints": []}),
            Refused("addressType"),
        ),
        (
            EndpointSlice,
            "endpoints[].addresses",
            slice("IPv4", json!(["2001:db8::1"])),
            Refused("endpoints[1].addresses[0]"),
        ),
        (
            EndpointSlice,
            "endpoints[].addresses",
            slice("IPv4", json!([])),
            Refused("endpoints[1].addresses"),
        ),
        (
            Namespace,
            "metadata.labels",
            json!({"metadata": {"name": "shop"}}),
            Filled(
                "/metadata/labels",
                json!({"kubernetes.io/metadata.name": "shop"}),
            ),
        ),
    ]
}

#[test]
fn every_row_does_what_it_says() {
    for (kind, row, object, outcome) in cases() {
        let mut admitted = object.clone();
        let faults = admit(kind, &mut admitted);
        match outcome {
            Filled(pointer, expected) => {
                let found = admitted.pointer(pointer).cloned().unwrap_or_default();
                assert_eq!(found, expected, "{kind} {row}: {object}");
                assert_eq!(faults, [], "{kind} {row}: {object}");
            }
            Refused(field) => {
                let fields: Vec<_> = faults.iter().map(|fault| &*fault.field).collect();
                assert_eq!(fields, [field], "{kind} {row}: {object}");
            }
        }
    }
}

#[test]
fn every_row_that_acts_has_a_case() {
    let cases = cases();
    for row in TABLE {
        let (filled, refused) = match row.act {
            Act::Fill(_) => (true, false),
            Act::Check(_) => (false, true),
            Act::Elsewhere => continue,
        };
        let tried = cases.iter().any(|(kind, field, _, outcome)| {
            Some(*kind) == row.kind
                && *field == row.field
                && match outcome {
                    Filled(..) => filled,
                    Refused(_) => refused,
                }
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
