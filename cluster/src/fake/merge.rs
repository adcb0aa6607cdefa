//! Patches: RFC 7396, and as much of the strategic merge of Kubernetes' own kinds as Ringbolt relies on.

use serde_json::{Map, Value};

/// RFC 7396.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    let target = object(target);
    for (field, value) in patch {
        if value.is_null() {
            target.remove(field);
        } else {
            merge(target.entry(field.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The prefix of a field that takes entries from a list of plain values.
const TAKE: &str = "$deleteFromPrimitiveList/";

/// Lists that are merged: by this field of their entries, or as sets. All others are replaced.
const LISTS: [(&str, Option<&str>); 3] = [
    ("/metadata/finalizers", None),
    ("/status/conditions", Some("type")),
    ("/spec/ports", Some("port")),
];

/// The strategic merge of a Service, Node or the like.
pub(super) fn strategic(target: &mut Value, patch: &Value) {
    strategic_at(target, patch, "");
}

fn strategic_at(target: &mut Value, patch: &Value, path: &str) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    let target = object(target);
    for (field, value) in patch {
        if let Some(list) = field.strip_prefix(TAKE) {
            take(target, list, value);
            continue;
        }
        if value.is_null() {
            target.remove(field);
            continue;
        }
        let path = format!("{path}/{field}");
        let rule = LISTS.iter().find(|(list, _)| *list == path);
        let place = target.entry(field.clone()).or_insert(Value::Null);
        match (rule, value.as_array()) {
            (Some((_, key)), Some(entries)) => {
                let list = list(place);
                entries.iter().for_each(|entry| enter(list, entry, *key));
            }
            _ => strategic_at(place, value, &path),
        }
    }
}

/// Takes plain values out of a list; an empty list is none.
fn take(target: &mut Map<String, Value>, field: &str, values: &Value) {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(list) = target.get_mut(field).and_then(Value::as_array_mut) else {
        return;
    };
    list.retain(|entry| !values.contains(entry));
    if list.is_empty() {
        target.remove(field);
    }
}

fn enter(list: &mut Vec<Value>, entry: &Value, key: Option<&str>) {
    let same = |other: &&mut Value| match key {
        Some(key) => other[key] == entry[key],
        None => **other == *entry,
    };
    match list.iter_mut().find(same) {
        Some(found) => merge(found, entry),
        None => list.push(entry.clone()),
    }
}

/// The value as a list; anything else is replaced by an empty one.
fn list(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut().expect("it was made one")
}

/// The value as an object; anything else is replaced by an empty one.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made one")
}
