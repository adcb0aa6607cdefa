//! What Ringbolt keeps beside an object of people: its identity, its status, its finalizers. The
//! file looks like the object itself, so that whoever knows the API can read it.

use jiff::Timestamp;
use ringbolt_config::ObjectRef;
use ringbolt_config::service::FIELD_MANAGER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// Ringbolt's finalizer on pools that are kept until nobody holds an address.
pub(super) const POOL_FINALIZER: &str = ringbolt_config::api::pool::FINALIZER;
/// The version of an object beside which nothing is kept; a write with it is a creation.
pub(super) const UNWRITTEN: &str = "unassigned";

/// The kept part of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Kept,
    /// Which form of the document the generation counts; hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fingerprint: Option<String>,
    /// The document itself, for objects that outlive it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) document: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Value>,
}

/// The kept part of the metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) creation_timestamp: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion_timestamp: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) resource_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) finalizers: Vec<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) annotations: Map<String, Value>,
}

impl Record {
    /// An empty record of an object.
    pub(super) fn new(object: &ObjectRef) -> Self {
        Self {
            api_version: object.kind.api_version().to_owned(),
            kind: object.kind.as_str().to_owned(),
            metadata: Kept {
                name: object.name.to_string(),
                namespace: object.namespace.as_deref().map(str::to_owned),
                ..Kept::default()
            },
            fingerprint: None,
            document: None,
            status: None,
        }
    }

    /// A record as it is stored; `None` when the file is not one.
    pub(super) fn from_value(value: Value) -> Option<Self> {
        serde_json::from_value(value).ok()
    }

    /// The form in which it is stored.
    pub(super) fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a record has text keys and finite numbers")
    }

    /// Whether the object must not vanish yet.
    pub(super) fn holds(&self) -> bool {
        !self.metadata.finalizers.is_empty()
    }

    /// The version that a writer must have read.
    pub(super) fn version(record: Option<&Self>) -> &str {
        record
            .and_then(|record| record.metadata.resource_version.as_deref())
            .unwrap_or(UNWRITTEN)
    }
}

/// How much of a record a reader wants to see in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlay {
    /// Everything.
    Whole,
    /// Uid and age alone: what never changes while the object lives.
    Identity,
    /// The generation alone, where the record counts this form of the document.
    Generation,
    /// The annotations alone.
    Annotations,
}

/// Puts what is kept over a document. The result is the object as an API server would show it.
pub(super) fn lay_over(document: &mut Value, record: Option<&Record>, overlay: Overlay) {
    let Some(object) = document.as_object_mut() else {
        return;
    };
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    if overlay == Overlay::Whole {
        metadata.insert("resourceVersion".to_owned(), Record::version(record).into());
    }
    let Some(record) = record else { return };
    let kept = &record.metadata;
    if matches!(overlay, Overlay::Whole | Overlay::Identity) {
        put(metadata, "uid", &kept.uid);
        put(metadata, "creationTimestamp", &kept.creation_timestamp);
    }
    if matches!(overlay, Overlay::Whole | Overlay::Generation) {
        put(metadata, "generation", &kept.generation);
    }
    if matches!(overlay, Overlay::Whole | Overlay::Annotations) && !kept.annotations.is_empty() {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.extend(kept.annotations.clone());
        }
    }
    if overlay == Overlay::Whole {
        put(metadata, "deletionTimestamp", &kept.deletion_timestamp);
        if record.holds() {
            put(metadata, "finalizers", &Some(&kept.finalizers));
        }
        if let Some(status) = &record.status {
            // Nobody but Ringbolt writes below its state folder, so whoever asks who wrote the
            // status finds it on record, as an API server would have noted it.
            metadata.insert("managedFields".to_owned(), managed_fields());
            object.insert("status".to_owned(), status.clone());
        }
    }
}

fn managed_fields() -> Value {
    json!([{
        "manager": FIELD_MANAGER,
        "operation": "Update",
        "subresource": "status",
        "fieldsV1": {"f:status": {"f:loadBalancer": {}}},
    }])
}

fn put(metadata: &mut Map<String, Value>, key: &str, value: &Option<impl Serialize>) {
    if let Some(value) = value {
        let value = serde_json::to_value(value).expect("texts, numbers and times have a form");
        metadata.insert(key.to_owned(), value);
    }
}

/// RFC 7396: `null` removes, objects merge, all else replaces.
pub(super) fn merge_patch(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge_patch(target.entry(key).or_insert(Value::Null), value);
        }
    }
}
