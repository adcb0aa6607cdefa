//! The rows of a Service.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Fault, at, entry, fault, is_label, items, set_absent, text};

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

fn service_type(object: &Value) -> &str {
    text(object, &["spec", "type"]).unwrap_or("ClusterIP")
}

fn ports(object: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let ports = object
        .pointer_mut("/spec/ports")
        .and_then(Value::as_array_mut);
    ports.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn families(object: &Value) -> Vec<&str> {
    items(object, &["spec", "ipFamilies"])
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

pub(super) fn check_name(object: &Value, faults: &mut Vec<Fault>) {
    let name = text(object, &["metadata", "name"]).unwrap_or_default();
    if !is_label(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        fault(
            faults,
            "metadata.name",
            "must be a DNS label that begins with a letter",
        );
    }
}

pub(super) fn fill_type(object: &mut Value) {
    if let Some(spec) = entry(object, &["spec"]) {
        set_absent(spec, "type", "ClusterIP");
    }
}

pub(super) fn check_type(object: &Value, faults: &mut Vec<Fault>) {
    if !matches!(
        text(object, &["spec", "type"]),
        Some("ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName")
    ) {
        fault(
            faults,
            "spec.type",
            "must be ClusterIP, NodePort, LoadBalancer or ExternalName",
        );
    }
}

pub(super) fn fill_protocol(object: &mut Value) {
    ports(object).for_each(|port| set_absent(port, "protocol", "TCP"));
}

pub(super) fn fill_target_port(object: &mut Value) {
    for port in ports(object) {
        if let Some(number) = port.get("port").cloned() {
            set_absent(port, "targetPort", number);
        }
    }
}

pub(super) fn fill_traffic_policy(object: &mut Value) {
    if matches!(service_type(object), "NodePort" | "LoadBalancer")
        && let Some(spec) = entry(object, &["spec"])
    {
        set_absent(spec, "externalTrafficPolicy", "Cluster");
    }
}

pub(super) fn fill_family_policy(object: &mut Value) {
    let policy = if families(object).len() == 2 {
        "RequireDualStack"
    } else {
        "SingleStack"
    };
    if service_type(object) != "ExternalName"
        && let Some(spec) = entry(object, &["spec"])
    {
        set_absent(spec, "ipFamilyPolicy", policy);
    }
}

pub(super) fn fill_families(object: &mut Value) {
    let policy = text(object, &["spec", "ipFamilyPolicy"]);
    if !matches!(policy, Some("PreferDualStack" | "RequireDualStack")) {
        return;
    }
    let listed = match families(object).as_slice() {
        [] => FAMILIES,
        ["IPv4"] => FAMILIES,
        ["IPv6"] => ["IPv6", "IPv4"],
        _ => return,
    };
    if let Some(spec) = entry(object, &["spec"]) {
        spec.insert("ipFamilies".to_owned(), Value::from(listed.to_vec()));
    }
}

pub(super) fn check_ports(object: &Value, faults: &mut Vec<Fault>) {
    let headless = text(object, &["spec", "clusterIP"]) == Some("None");
    match items(object, &["spec", "ports"]).len() {
        0 if service_type(object) != "ExternalName" && !headless => {
            fault(faults, "spec.ports", "is required");
        }
        0..=1_000 => {}
        _ => fault(faults, "spec.ports", "must be at most 1,000"),
    }
}

fn is_port(value: Option<&Value>) -> bool {
    value
        .and_then(Value::as_u64)
        .is_some_and(|port| (1..=65_535).contains(&port))
}

pub(super) fn check_port_number(object: &Value, faults: &mut Vec<Fault>) {
    for (index, port) in items(object, &["spec", "ports"]).iter().enumerate() {
        if !is_port(port.get("port")) {
            let field = format!("spec.ports[{index}].port");
            fault(faults, field, "must be an integer from 1 to 65535");
        }
    }
}

pub(super) fn check_protocol(object: &Value, faults: &mut Vec<Fault>) {
    for (index, port) in items(object, &["spec", "ports"]).iter().enumerate() {
        if !matches!(text(port, &["protocol"]), Some("TCP" | "UDP" | "SCTP")) {
            fault(
                faults,
                format!("spec.ports[{index}].protocol"),
                "must be TCP, UDP or SCTP",
            );
        }
    }
}

pub(super) fn check_target_port(object: &Value, faults: &mut Vec<Fault>) {
    for (index, port) in items(object, &["spec", "ports"]).iter().enumerate() {
        let target = at(port, &["targetPort"]);
        let named = target
            .and_then(Value::as_str)
            .is_some_and(|name| is_label(name) && name.len() <= 15);
        if target.is_some() && !named && !is_port(target) && is_port(port.get("port")) {
            let field = format!("spec.ports[{index}].targetPort");
            fault(
                faults,
                field,
                "must be an integer from 1 to 65535 or a port name",
            );
        }
    }
}

pub(super) fn check_port_names(object: &Value, faults: &mut Vec<Fault>) {
    let ports = items(object, &["spec", "ports"]);
    let mut seen = BTreeMap::new();
    for (index, port) in ports.iter().enumerate() {
        let field = || format!("spec.ports[{index}].name");
        match text(port, &["name"]).unwrap_or_default() {
            "" if ports.len() > 1 => fault(faults, field(), "is required with several ports"),
            "" => {}
            name if !is_label(name) => fault(faults, field(), "must be a DNS label"),
            name => {
                if let Some(first) = seen.insert(name, index) {
                    fault(
                        faults,
                        field(),
                        format!("is the name of spec.ports[{first}] too"),
                    );
                }
            }
        }
    }
}

pub(super) fn check_duplicate_ports(object: &Value, faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for (index, port) in items(object, &["spec", "ports"]).iter().enumerate() {
        let number = port.get("port").and_then(Value::as_u64);
        if let Some(first) = seen.insert((number, text(port, &["protocol"])), index) {
            let message = format!("has port and protocol of spec.ports[{first}]");
            fault(faults, format!("spec.ports[{index}]"), message);
        }
    }
}

pub(super) fn check_traffic_policy(object: &Value, faults: &mut Vec<Fault>) {
    let external = matches!(service_type(object), "NodePort" | "LoadBalancer")
        || !items(object, &["spec", "externalIPs"]).is_empty();
    match text(object, &["spec", "externalTrafficPolicy"]) {
        None | Some("") => {}
        Some("Cluster" | "Local") if external => {}
        Some("Cluster" | "Local") => fault(
            faults,
            "spec.externalTrafficPolicy",
            "may only be set on a Service that is reached from outside",
        ),
        Some(_) => fault(
            faults,
            "spec.externalTrafficPolicy",
            "must be Cluster or Local",
        ),
    }
}

pub(super) fn check_family_policy(object: &Value, faults: &mut Vec<Fault>) {
    match text(object, &["spec", "ipFamilyPolicy"]) {
        None | Some("PreferDualStack" | "RequireDualStack") => {}
        Some("SingleStack") if families(object).len() < 2 => {}
        Some("SingleStack") => {
            fault(
                faults,
                "spec.ipFamilyPolicy",
                "must be a dual-stack policy with two ipFamilies",
            );
        }
        Some(_) => fault(
            faults,
            "spec.ipFamilyPolicy",
            "must be SingleStack, PreferDualStack or RequireDualStack",
        ),
    }
}

pub(super) fn check_families(object: &Value, faults: &mut Vec<Fault>) {
    let listed = items(object, &["spec", "ipFamilies"]);
    for (index, family) in listed.iter().enumerate() {
        if !family
            .as_str()
            .is_some_and(|family| FAMILIES.contains(&family))
        {
            fault(
                faults,
                format!("spec.ipFamilies[{index}]"),
                "must be IPv4 or IPv6",
            );
        } else if listed.iter().take(index).any(|before| before == family) {
            fault(
                faults,
                format!("spec.ipFamilies[{index}]"),
                "is listed twice",
            );
        }
    }
}

pub(super) fn check_class(object: &Value, faults: &mut Vec<Fault>) {
    let Some(class) = at(object, &["spec", "loadBalancerClass"]) else {
        return;
    };
    if service_type(object) != "LoadBalancer" {
        let message = "may only be set on a Service of type LoadBalancer";
        fault(faults, "spec.loadBalancerClass", message);
    }
    if !class.as_str().is_some_and(is_label_key) {
        fault(faults, "spec.loadBalancerClass", "must be a label name");
    }
}

/// A label name: `[dns-name/]name`, the name of letters, digits and inner `-_.`, at most 63.
fn is_label_key(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let name_ok = bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| edge(Some(b)) || b"-_.".contains(b));
    name_ok && prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_label))
}
