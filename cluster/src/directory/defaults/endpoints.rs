//! The rows of an EndpointSlice.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::{Fault, fault, items, set_absent, text};

pub(super) fn fill_protocol(object: &mut Value) {
    let ports = object.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        set_absent(port, "protocol", "TCP");
    }
}

pub(super) fn check_address_type(object: &Value, faults: &mut Vec<Fault>) {
    match text(object, &["addressType"]) {
        Some("IPv4" | "IPv6" | "FQDN") => {}
        Some(_) => fault(faults, "addressType", "must be IPv4, IPv6 or FQDN"),
        None => fault(faults, "addressType", "is required"),
    }
}

pub(super) fn check_addresses(object: &Value, faults: &mut Vec<Fault>) {
    let endpoints = items(object, &["endpoints"]);
    if endpoints.len() > 1_000 {
        fault(faults, "endpoints", "must be at most 1,000");
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let addresses = items(endpoint, &["addresses"]);
        if addresses.is_empty() || addresses.len() > 100 {
            fault(
                faults,
                format!("endpoints[{index}].addresses"),
                "must be 1 to 100 addresses",
            );
        }
        for (place, address) in addresses.iter().enumerate() {
            let address = address.as_str().unwrap_or_default();
            let (accepted, expected) = match text(object, &["addressType"]) {
                Some("IPv4") => (
                    address.parse::<Ipv4Addr>().is_ok(),
                    "must be an IPv4 address",
                ),
                Some("IPv6") => (
                    address.parse::<Ipv6Addr>().is_ok(),
                    "must be an IPv6 address",
                ),
                _ => (!address.is_empty(), "must be a name"),
            };
            if !accepted {
                fault(
                    faults,
                    format!("endpoints[{index}].addresses[{place}]"),
                    expected,
                );
            }
        }
    }
}
