//! Services: every field that is read, defaults, and garbage.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_full_service_is_read_field_by_field() {
    let view = service(json!({
        "metadata": {
            "uid": "u-1", "resourceVersion": "42", "labels": {"app": "web"},
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "deletionTimestamp": "2026-01-02T03:04:06Z",
            "finalizers": ["other", FINALIZER],
            "annotations": {"ringbolt.io/ip-allocated-from-pool": "p"},
        },
        "spec": {
            "type": "LoadBalancer", "loadBalancerClass": DEFAULT_CLASS,
            "ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack",
            "externalTrafficPolicy": "Local", "selector": {"app": "web"},
            "externalIPs": ["198.51.100.1"], "clusterIPs": ["fd00::1", "10.0.0.1"],
            "ports": [
                {"name": "dns", "protocol": "UDP", "port": 53},
                {"name": "dns-tcp", "port": 53},
            ],
        },
    }));
    assert_eq!(view.problems, []);
    assert_eq!(
        (view.uid.as_str(), view.resource_version.as_str()),
        ("u-1", "42")
    );
    assert_eq!(view.created.to_string(), "2026-01-02T03:04:05Z");
    assert!(view.deleting && view.has_finalizer && view.is_load_balancer());
    assert_eq!(view.class.as_deref(), Some(DEFAULT_CLASS));
    assert_eq!(view.families, [IpFamily::IPv6, IpFamily::IPv4]);
    assert_eq!(view.family_policy, FamilyPolicy::RequireDualStack);
    assert_eq!(view.traffic_policy, TrafficPolicy::Local);
    assert_eq!(view.backend_key(), Some(&view.selector));
    let ports: Vec<_> = view
        .ports
        .iter()
        .map(|p| (p.protocol.as_str(), p.port))
        .collect();
    assert_eq!(ports, [("TCP", 53), ("UDP", 53)]);
    assert!(view.external_ips.contains(&"198.51.100.1".parse().unwrap()));
    assert_eq!(view.cluster_ips.len(), 2);
    assert_eq!(view.allocated_from.as_deref(), Some("p"));
}

#[test]
fn an_empty_service_has_the_defaults_of_the_api_server() {
    let view = service(json!({}));
    assert_eq!(view.service_type, ServiceType::ClusterIP);
    assert_eq!(view.family_policy, FamilyPolicy::SingleStack);
    assert_eq!(view.traffic_policy, TrafficPolicy::Cluster);
    assert_eq!(view.backend_key(), None);
    assert!(view.families.is_empty() && view.ports.is_empty() && view.ingress.is_empty());
    assert_eq!(view.uid, Uid::unassigned());
    assert_eq!(view.problems, []);
    let request = view.request().unwrap();
    assert!(request.addresses.is_empty() && request.pool.is_none());
}

#[test]
fn values_that_no_api_server_lets_through_are_named_and_stop_the_request() {
    for (spec, field) in [
        (json!({"type": "Loadbalancer"}), "spec.type"),
        (json!({"ipFamilies": ["IPv5"]}), "spec.ipFamilies"),
        (json!({"ipFamilies": ["IPv4", "IPv4"]}), "spec.ipFamilies"),
        (json!({"ipFamilyPolicy": "Both"}), "spec.ipFamilyPolicy"),
        (
            json!({"externalTrafficPolicy": "Near"}),
            "spec.externalTrafficPolicy",
        ),
        (json!({"ports": [{"port": 0}]}), "spec.ports.port"),
        (json!({"ports": [{"port": 65_536}]}), "spec.ports.port"),
        (
            json!({"ports": [{"port": 1, "protocol": "ICMP"}]}),
            "spec.ports.protocol",
        ),
    ] {
        let view = service(json!({"spec": spec}));
        let problem = view.request().unwrap_err();
        assert_eq!(problem.field().to_string(), field);
        assert_eq!(problem.reason(), "InvalidValue");
    }
}

#[test]
fn what_is_wished_in_vain_is_a_remark_and_stops_nothing() {
    let view = service(json!({"metadata": {"annotations": {
        "ringbolt.io/med": "high", "ringbolt.io/link-bandwidth": "1", "ringbolt.io/shiny": "yes",
    }}}));
    assert!(view.request().is_ok());
    let remarks = view.remarks();
    let told: Vec<_> = remarks.iter().map(|r| (r.reason, &*r.field)).collect();
    assert_eq!(
        told,
        [
            (
                "NotImplemented",
                "metadata.annotations[ringbolt.io/link-bandwidth]"
            ),
            ("InvalidAttribute", "metadata.annotations[ringbolt.io/med]"),
            ("NotRead", "metadata.annotations[ringbolt.io/shiny]"),
        ]
    );
    let broken = service(json!({"spec": {"type": "Loadbalancer"}}));
    assert_eq!(
        broken.remarks(),
        [],
        "what stops the request is its refusal"
    );
}

#[test]
fn conditions_are_found_by_type() {
    let condition = json!({
        "type": "x", "status": "True", "reason": "y", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let view = service(json!({"status": {"conditions": [condition]}}));
    assert_eq!(view.condition("x").unwrap().reason, "y");
    assert!(view.condition("y").is_none());
}

#[test]
fn rule_12_old_spellings_of_addresses_are_read() {
    for (text, canonical) in [
        ("192.0.2.1", Some("192.0.2.1")),
        ("192.000.002.010", Some("192.0.2.10")),
        ("::ffff:192.0.2.1", Some("192.0.2.1")),
        ("2001:DB8:0:0::1", Some("2001:db8::1")),
        ("192.0.2", None),
        ("192.0.2.256", None),
        ("192.0.2.0001", None),
        ("192.0.2.1/24", None),
        ("+1.2.3.4", None),
        ("", None),
    ] {
        let expected = canonical.map(|c| c.parse::<IpAddr>().unwrap());
        assert_eq!(parse_ip(text), expected, "{text:?}");
    }
}

fn service(object: Value) -> ServiceView {
    let key = "default/web".parse().unwrap();
    ServiceView::new(key, serde_json::from_value(object).unwrap())
}
