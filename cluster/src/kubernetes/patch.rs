//! The documents of patches, from what is wanted. Pure.

use ringbolt_config::service::FINALIZER;
use ringbolt_config::service::annotations::ALLOCATED_FROM;
use serde_json::{Map, Value, json};

use crate::writer::{FinalizerChange, Part, ServiceStatusPatch};

#[cfg(test)]
mod tests;

/// One strategic merge patch of a Service's `/status`: lists of others (finalizers, conditions) stay as they are.
pub(super) fn of_service(patch: &ServiceStatusPatch) -> Value {
    let mut metadata = Map::new();
    // A patch that names another uid than the object has is a conflict, like one with an old version.
    metadata.insert("uid".to_owned(), patch.uid.as_str().into());
    let version = patch.resource_version.as_str();
    metadata.insert("resourceVersion".to_owned(), version.into());
    match patch.finalizer {
        FinalizerChange::Keep => {}
        FinalizerChange::Add => {
            metadata.insert("finalizers".to_owned(), json!([FINALIZER]));
        }
        FinalizerChange::Remove => {
            let directive = "$deleteFromPrimitiveList/finalizers".to_owned();
            metadata.insert(directive, json!([FINALIZER]));
        }
    }
    if let Part::Set(pool) = &patch.allocated_from {
        let pool = pool.as_ref().map(ToString::to_string);
        metadata.insert("annotations".to_owned(), json!({ALLOCATED_FROM: pool}));
    }
    let mut status = Map::new();
    if let Part::Set(addresses) = &patch.ingress {
        let entries: Vec<Value> = addresses
            .iter()
            .map(|address| json!({"ip": address.to_string(), "ipMode": "VIP"}))
            .collect();
        let balancer = if entries.is_empty() {
            Value::Null
        } else {
            json!({"ingress": entries})
        };
        status.insert("loadBalancer".to_owned(), balancer);
    }
    if !patch.conditions.is_empty() {
        status.insert("conditions".to_owned(), json!(patch.conditions));
    }
    let mut whole = Map::new();
    whole.insert("metadata".to_owned(), Value::Object(metadata));
    if !status.is_empty() {
        whole.insert("status".to_owned(), Value::Object(status));
    }
    Value::Object(whole)
}

/// The merge patch that makes `old` into `new`, or `None` where there is nothing to do.
pub(super) fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (field, value) in after {
        match before.get(field) {
            Some(previous) => {
                if let Some(change) = difference(previous, value) {
                    patch.insert(field.clone(), change);
                }
            }
            None if value.is_null() => {}
            None => {
                patch.insert(field.clone(), value.clone());
            }
        }
    }
    for field in before.keys().filter(|field| !after.contains_key(*field)) {
        patch.insert(field.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}
