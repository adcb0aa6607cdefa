//! What an API server does with a manifest on its way in: defaults filled in, nonsense refused.
//! A directory has no API server, so it is done here, by one table that is also the reference page
//! `docs/reference/standalone-defaults.md`.
//!
//! Only fields that Ringbolt reads are in the table, and the schema rules of Ringbolt's own kinds
//! are in `ringbolt-config`. The family of a Service that names none is left open here
//! on purpose: it is IPv4 where an *eligible pool* has IPv4 addresses, and which pools are eligible is
//! known to the allocator alone.

use ringbolt_config::Kind;
use serde_json::{Map, Value};

mod endpoints;
mod page;
mod service;
#[cfg(test)]
mod tests;

pub use page::standalone_defaults;

/// One row of the table.
pub(super) struct Row {
    /// The kind it is about; `None` is every kind.
    pub(super) kind: Option<Kind>,
    /// The field, as the page shows it.
    pub(super) field: &'static str,
    /// The rule, as the page shows it.
    pub(super) rule: &'static str,
    act: Act,
}

enum Act {
    /// Fills in what is absent.
    Fill(fn(&mut Value)),
    /// Looks for what cannot be accepted.
    Check(fn(&Value, &mut Vec<Fault>)),
    /// Stated here for the page; done where the word says.
    Elsewhere,
}

/// A field without an acceptable value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: String,
    pub(super) message: String,
}

const fn fill(kind: Kind, field: &'static str, rule: &'static str, act: fn(&mut Value)) -> Row {
    Row {
        kind: Some(kind),
        field,
        rule,
        act: Act::Fill(act),
    }
}

const fn check(
    kind: Kind,
    field: &'static str,
    rule: &'static str,
    act: fn(&Value, &mut Vec<Fault>),
) -> Row {
    Row {
        kind: Some(kind),
        field,
        rule,
        act: Act::Check(act),
    }
}

const fn elsewhere(kind: Option<Kind>, field: &'static str, rule: &'static str) -> Row {
    Row {
        kind,
        field,
        rule,
        act: Act::Elsewhere,
    }
}

/// All rows, in the order in which they are applied.
pub(super) static TABLE: &[Row] = &[
    elsewhere(
        None,
        "metadata.namespace",
        "absent: `default`; dropped from kinds without namespace",
    ),
    elsewhere(
        None,
        "metadata.name",
        "required; a lowercase DNS name (RFC 1123)",
    ),
    elsewhere(
        None,
        "metadata.uid, creationTimestamp, resourceVersion, generation, deletionTimestamp, finalizers",
        "not read from manifests; given and kept by Ringbolt",
    ),
    elsewhere(
        None,
        "status",
        "not read from manifests and named as a problem, except that of a Node",
    ),
    check(
        Kind::Service,
        "metadata.name",
        "a DNS label that begins with a letter (RFC 1035), at most 63 characters",
        service::check_name,
    ),
    fill(
        Kind::Service,
        "spec.type",
        "absent: `ClusterIP`",
        service::fill_type,
    ),
    check(
        Kind::Service,
        "spec.type",
        "`ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`",
        service::check_type,
    ),
    fill(
        Kind::Service,
        "spec.ports[].protocol",
        "absent: `TCP`",
        service::fill_protocol,
    ),
    fill(
        Kind::Service,
        "spec.ports[].targetPort",
        "absent: the value of `port`",
        service::fill_target_port,
    ),
    fill(
        Kind::Service,
        "spec.externalTrafficPolicy",
        "absent: `Cluster`, for `NodePort` and `LoadBalancer`",
        service::fill_traffic_policy,
    ),
    fill(
        Kind::Service,
        "spec.ipFamilyPolicy",
        "absent: `SingleStack`; `RequireDualStack` where two `ipFamilies` are listed",
        service::fill_family_policy,
    ),
    fill(
        Kind::Service,
        "spec.ipFamilies",
        "a dual-stack policy with none listed: IPv4, IPv6; with one listed: the other is added",
        service::fill_families,
    ),
    elsewhere(
        Some(Kind::Service),
        "spec.ipFamilies",
        "`SingleStack` with none listed: IPv4 if an eligible pool has IPv4 addresses, else IPv6; \
         left open in the object, decided with the first address, and kept with it",
    ),
    elsewhere(
        Some(Kind::Service),
        "spec.clusterIP",
        "not needed, not given",
    ),
    check(
        Kind::Service,
        "spec.ports",
        "required except for `ExternalName` and headless Services; at most 1,000",
        service::check_ports,
    ),
    check(
        Kind::Service,
        "spec.ports[].port",
        "required; an integer from 1 to 65535",
        service::check_port_number,
    ),
    check(
        Kind::Service,
        "spec.ports[].protocol",
        "`TCP`, `UDP` or `SCTP`",
        service::check_protocol,
    ),
    check(
        Kind::Service,
        "spec.ports[].targetPort",
        "an integer from 1 to 65535 or a port name",
        service::check_target_port,
    ),
    check(
        Kind::Service,
        "spec.ports[].name",
        "required where there are several ports; a DNS label; no two alike",
        service::check_port_names,
    ),
    check(
        Kind::Service,
        "spec.ports[]",
        "no two with the same port and protocol",
        service::check_duplicate_ports,
    ),
    check(
        Kind::Service,
        "spec.externalTrafficPolicy",
        "`Cluster` or `Local`; only for `NodePort`, `LoadBalancer` and Services with externalIPs",
        service::check_traffic_policy,
    ),
    check(
        Kind::Service,
        "spec.ipFamilyPolicy",
        "`SingleStack`, `PreferDualStack` or `RequireDualStack`; not `SingleStack` with two families",
        service::check_family_policy,
    ),
    check(
        Kind::Service,
        "spec.ipFamilies",
        "`IPv4` and `IPv6`, each at most once",
        service::check_families,
    ),
    check(
        Kind::Service,
        "spec.loadBalancerClass",
        "only for `LoadBalancer`; a label name, with or without a DNS prefix",
        service::check_class,
    ),
    fill(
        Kind::EndpointSlice,
        "ports[].protocol",
        "absent: `TCP`",
        endpoints::fill_protocol,
    ),
    check(
        Kind::EndpointSlice,
        "addressType",
        "required; `IPv4`, `IPv6` or `FQDN`",
        endpoints::check_address_type,
    ),
    check(
        Kind::EndpointSlice,
        "endpoints[].addresses",
        "1 to 100, each of the slice's `addressType`; at most 1,000 endpoints",
        endpoints::check_addresses,
    ),
    elsewhere(
        Some(Kind::EndpointSlice),
        "endpoints[].conditions",
        "absent: `ready` and `serving` true, `terminating` false",
    ),
    elsewhere(
        Some(Kind::Node),
        "spec.podCIDRs",
        "absent: the one `spec.podCIDR`",
    ),
    fill(
        Kind::Namespace,
        "metadata.labels",
        "`kubernetes.io/metadata.name` is the name",
        fill_namespace_label,
    ),
    elsewhere(
        Some(Kind::Namespace),
        "(object)",
        "a namespace that objects are in needs no document of its own",
    ),
    elsewhere(
        Some(Kind::Secret),
        "stringData",
        "wins over `data`, key by key",
    ),
    elsewhere(
        Some(Kind::IPAllocation),
        "spec.holders, releasedAt",
        "not read from manifests and named as a problem; a document is a reservation",
    ),
    elsewhere(
        Some(Kind::Speaker),
        "(object)",
        "not read from manifests and named as a problem",
    ),
];

/// Fills in and checks one object by every row of its kind.
pub(super) fn admit(kind: Kind, object: &mut Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    for row in TABLE.iter().filter(|row| row.kind == Some(kind)) {
        match row.act {
            Act::Fill(fill) => fill(object),
            Act::Check(check) => check(object, &mut faults),
            Act::Elsewhere => {}
        }
    }
    faults
}

fn fill_namespace_label(object: &mut Value) {
    let Some(name) = text(object, &["metadata", "name"]).map(str::to_owned) else {
        return;
    };
    if let Some(labels) = entry(object, &["metadata", "labels"]) {
        labels.insert(
            "kubernetes.io/metadata.name".to_owned(),
            Value::String(name),
        );
    }
}

/// The value at a path of keys.
fn at<'v>(object: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter()
        .try_fold(object, |value, key| value.get(key))
        .filter(|value| !value.is_null())
}

/// The text at a path of keys.
fn text<'v>(object: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(object, path).and_then(Value::as_str)
}

/// The items of the list at a path of keys; none where there is no list.
fn items<'v>(object: &'v Value, path: &[&str]) -> &'v [Value] {
    at(object, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The mapping at a path of keys, made where it is absent; `None` where something else stands there.
fn entry<'v>(object: &'v mut Value, path: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let mut here = object.as_object_mut()?;
    for key in path {
        let next = here.entry(*key).or_insert(Value::Null);
        if next.is_null() {
            *next = Value::Object(Map::new());
        }
        here = next.as_object_mut()?;
    }
    Some(here)
}

/// Sets a key where it is absent or null.
fn set_absent(object: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let slot = object.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value.into();
    }
}

fn fault(faults: &mut Vec<Fault>, field: impl Into<String>, message: impl Into<String>) {
    faults.push(Fault {
        field: field.into(),
        message: message.into(),
    });
}

/// A DNS label: lowercase letters, digits and inner dashes, at most 63.
fn is_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| edge(Some(b)) || *b == b'-')
}
