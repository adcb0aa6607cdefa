//! From objects to configuration: what is in force, and what is said about the rest.

mod advertisements;
mod peers;
mod pools;
mod properties;

use serde_json::{Value, json};

use super::*;
use crate::object::decode;

/// Objects given as (kind, name, spec).
fn snapshot(objects: &[(Kind, &str, Value)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (kind, name, spec) in objects {
        put(&mut snapshot, *kind, json!({"name": name}), spec.clone());
    }
    snapshot
}

fn put(snapshot: &mut Snapshot, kind: Kind, metadata: Value, spec: Value) {
    let value = match kind {
        Kind::Secret => json!({"metadata": metadata, "stringData": spec}),
        _ => json!({"metadata": metadata, "spec": spec}),
    };
    snapshot.apply(decode(kind, value).unwrap());
}

fn remove(snapshot: &mut Snapshot, kind: Kind, name: &str) {
    assert!(snapshot.remove(&crate::names::ObjectRef::new(kind, None, name).unwrap()));
}

/// Problems as `Kind name: field: Reason`.
fn said(problems: &[Problem]) -> Vec<String> {
    let line = |p: &Problem| format!("{}: {}: {}", p.object, p.field, p.reason.reason());
    problems.iter().map(line).collect()
}

fn pool(addresses: &[&str]) -> Value {
    json!({"addresses": addresses})
}

fn peer() -> Value {
    json!({"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"})
}
