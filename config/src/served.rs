//! Which field of which kind is read in this version, and which is refused by name.
//!
//! One table decides both: the resolver refuses what stands in it, and the pages for people are
//! rendered from it. A field that is neither read nor in the table fails a test.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;

use crate::api::validate;
use crate::names::Kind;

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// It is read.
    Read,
    /// Only these values are read, any other is refused.
    Only(&'static [&'static str]),
    /// Its presence is refused.
    Refused,
}

/// A field below `spec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedField {
    /// Kind of the object.
    pub kind: Kind,
    /// Path below `spec`, `[]` for the items of a list.
    pub path: Box<str>,
    /// What becomes of it.
    pub served: Served,
}

/// Kinds that are refused as a whole.
const REFUSED_KINDS: &[Kind] = &[Kind::BFDProfile, Kind::RouteImport];

const PEER_KINDS: &[Kind] = &[Kind::BGPPeer, Kind::BGPPeerTemplate];
const L2: &[Kind] = &[Kind::L2Advertisement];
const BGP: &[Kind] = &[Kind::BGPAdvertisement];

/// Fields that are understood and not served in this version; everything else is read.
const NOT_SERVED: &[(&[Kind], &str, Served)] = &[
    (L2, "profile", Served::Only(&["Default"])),
    (L2, "weightLabel", Served::Refused),
    (
        BGP,
        "source",
        Served::Only(&["LoadBalancer", "PodCIDR", "Static"]),
    ),
    (BGP, "attributesByNode", Served::Refused),
    (BGP, "linkBandwidth", Served::Only(&["Never"])),
    (BGP, "allowedCIDRs", Served::Refused),
    (PEER_KINDS, "interface", Served::Refused),
    (PEER_KINDS, "peerPrefix", Served::Refused),
    (PEER_KINDS, "peerNodeSelector", Served::Refused),
    (PEER_KINDS, "peerGateway", Served::Refused),
    (PEER_KINDS, "bfdProfile", Served::Refused),
    (PEER_KINDS, "strictBFD", Served::Only(&["false"])),
    (
        PEER_KINDS,
        "gracefulRestart.longLivedStaleTimeSeconds",
        Served::Refused,
    ),
    (PEER_KINDS, "vrf", Served::Refused),
    (PEER_KINDS, "maxPrefixesOut", Served::Refused),
    (PEER_KINDS, "allowASIn", Served::Only(&["0"])),
    (PEER_KINDS, "replaceAS", Served::Only(&["false"])),
    (PEER_KINDS, "removePrivateAS", Served::Only(&["false"])),
    (PEER_KINDS, "routeReflectorClient", Served::Only(&["false"])),
    (PEER_KINDS, "clusterID", Served::Refused),
    (PEER_KINDS, "addPaths", Served::Only(&["None"])),
    (PEER_KINDS, "role", Served::Refused),
];

/// What becomes of a field, given its path below `spec`.
fn served(kind: Kind, path: &str) -> Served {
    if REFUSED_KINDS.contains(&kind) {
        return Served::Refused;
    }
    row(kind, path).map_or(Served::Read, |(_, served)| served)
}

/// The row of the table that a path below `spec` falls under, with its name: one of the field, or of what holds it.
fn row(kind: Kind, path: &str) -> Option<(&'static str, Served)> {
    let holds = |name: &str| {
        path.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let row = NOT_SERVED
        .iter()
        .find(|(kinds, name, _)| kinds.contains(&kind) && holds(name));
    row.map(|(_, name, served)| (*name, *served))
}

/// The value at a path below `spec`, unless it is null.
fn value_at<'a>(spec: &'a Value, path: &str) -> Option<&'a Value> {
    let found = path
        .split('.')
        .try_fold(spec, |value, name| value.get(name));
    found.filter(|value| !value.is_null())
}

/// Fields of a spec that are refused as they stand; `None` stands for the kind as a whole.
pub(crate) fn refusals(kind: Kind, spec: &Value) -> Vec<Option<&'static str>> {
    if REFUSED_KINDS.contains(&kind) {
        return vec![None];
    }
    let rows = NOT_SERVED
        .iter()
        .filter(|(kinds, ..)| kinds.contains(&kind));
    let refused = rows.filter(|(_, field, served)| match (value_at(spec, field), served) {
        (None, _) | (_, Served::Read) => false,
        (Some(_), Served::Refused) => true,
        (Some(Value::String(text)), Served::Only(allowed)) => !allowed.contains(&text.as_str()),
        (Some(value), Served::Only(allowed)) => !allowed.contains(&value.to_string().as_str()),
    });
    refused.map(|(_, field, _)| Some(*field)).collect()
}

/// Every field below `spec` of every kind that is configuration or state, and what becomes of it.
/// A label selector is one field.
pub fn served_fields() -> Vec<ServedField> {
    let mut fields = Vec::new();
    for &kind in Kind::ALL.iter().filter(|kind| kind.is_ours()) {
        let root = validate::schema(kind).and_then(|schema| schema.properties.as_ref());
        if let Some(spec) = root.and_then(|members| members.get("spec")) {
            collect(kind, spec, "", &mut fields);
        }
    }
    fields
}

fn collect(kind: Kind, schema: &JSONSchemaProps, path: &str, fields: &mut Vec<ServedField>) {
    let inner = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => item,
        _ => schema,
    };
    let members = inner
        .properties
        .as_ref()
        .filter(|members| !members.contains_key("matchLabels"));
    let Some(members) = members else {
        if !path.is_empty() {
            fields.push(ServedField {
                kind,
                path: path.into(),
                served: served(kind, path),
            });
        }
        return;
    };
    let suffix = if schema.items.is_some() { "[]" } else { "" };
    for (name, member) in members {
        let dot = if path.is_empty() { "" } else { "." };
        collect(kind, member, &format!("{path}{suffix}{dot}{name}"), fields);
    }
}

/// The table for people: one row per kind.
pub fn render_markdown() -> String {
    let mut text = String::from("| kind | fields | not served in this version |\n|---|---|---|\n");
    let fields = served_fields();
    for &kind in Kind::ALL
        .iter()
        .filter(|kind| kind.is_ours() && **kind != Kind::Speaker)
    {
        let of_kind: Vec<_> = fields.iter().filter(|field| field.kind == kind).collect();
        let mut refused: Vec<String> = Vec::new();
        for field in &of_kind {
            let name = row(kind, &field.path).map_or("", |(name, _)| name);
            let entry = match field.served {
                Served::Read => continue,
                Served::Refused => format!("`{name}`"),
                Served::Only(values) => format!("`{name}` other than {}", values.join(", ")),
            };
            if refused.last() != Some(&entry) {
                refused.push(entry);
            }
        }
        let refused = match (REFUSED_KINDS.contains(&kind), refused.is_empty()) {
            (true, _) => "the kind as a whole".to_owned(),
            (false, true) => "–".to_owned(),
            (false, false) => refused.join(", "),
        };
        writeln!(text, "| {kind} | {} | {refused} |", of_kind.len())
            .expect("a String takes all that is written to it");
    }
    text
}

#[cfg(test)]
mod tests;
