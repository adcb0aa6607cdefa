//! What becomes of an object before it is stored: what a writer cannot change is put back, what he left
//! open is filled in, what must not be is refused. Pure.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Key;
use crate::fake::refusal::Refusal;
use crate::fake::request::{Part, Resource};

/// Refuses what cannot be created under this key.
pub(super) fn may_be_created(object: &Value, key: &Key) -> Result<(), Refusal> {
    let metadata = &object["metadata"];
    if key.2.is_empty() {
        return Err(Refusal::invalid(
            "metadata.name: Required value: name or generateName is required",
        ));
    }
    if metadata["resourceVersion"].is_string() {
        return Err(Refusal::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let namespace = metadata["namespace"].as_str();
    if namespace.is_some_and(|namespace| namespace != key.1) {
        return Err(Refusal::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// What an API server fills in.
pub(super) fn fill_defaults(resource: Resource, object: &mut Value) {
    if resource.plural != "services" {
        return;
    }
    let spec = &mut object["spec"];
    for (field, value) in [
        ("type", json!("ClusterIP")),
        ("ipFamilies", json!(["IPv4"])),
        ("ipFamilyPolicy", json!("SingleStack")),
        ("sessionAffinity", json!("None")),
        ("internalTrafficPolicy", json!("Cluster")),
    ] {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
    let reachable = matches!(spec["type"].as_str(), Some("LoadBalancer" | "NodePort"));
    if reachable && spec["externalTrafficPolicy"].is_null() {
        spec["externalTrafficPolicy"] = "Cluster".into();
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        if port["protocol"].is_null() {
            port["protocol"] = "TCP".into();
        }
        if port["targetPort"].is_null() {
            port["targetPort"] = port["port"].clone();
        }
    }
    if !object["status"].is_object() {
        object["status"] = json!({});
    }
    let status = &mut object["status"];
    if !status["loadBalancer"].is_object() {
        status["loadBalancer"] = json!({});
    }
    let entries = status["loadBalancer"]["ingress"].as_array_mut();
    for entry in entries.into_iter().flatten() {
        if entry["ip"].is_string() && entry["ipMode"].is_null() {
            entry["ipMode"] = "VIP".into();
        }
    }
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        let Some(condition) = condition.as_object_mut() else {
            continue;
        };
        for (field, unset) in [
            ("reason", json!("")),
            ("message", json!("")),
            ("lastTransitionTime", Value::Null),
        ] {
            condition.entry(field).or_insert(unset);
        }
    }
    // Looking at a field makes it.
    if status["loadBalancer"]["ingress"].is_null()
        && let Some(balancer) = status["loadBalancer"].as_object_mut()
    {
        balancer.remove("ingress");
    }
}

/// Makes of what a writer wants what is stored, or refuses it.
pub(super) fn settle(
    resource: Resource,
    part: Part,
    before: &Arc<Value>,
    object: &mut Value,
    manager: &str,
) -> Result<(), Refusal> {
    let old = &before["metadata"];
    let name = old["name"].as_str().unwrap_or_default();
    let wanted = object["metadata"].clone();
    if wanted["resourceVersion"].is_string() && wanted["resourceVersion"] != old["resourceVersion"]
    {
        return Err(Refusal::conflict(name));
    }
    if wanted["uid"].is_string() && wanted["uid"] != old["uid"] {
        let message = format!(
            "metadata.uid: Invalid value: {}: field is immutable",
            wanted["uid"]
        );
        return Err(Refusal::invalid(message));
    }
    if part == Part::Status && resource.is_custom() {
        let status = object["status"].take();
        object.clone_from(before);
        put(object, "status", status);
        return Ok(());
    }
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "managedFields",
    ] {
        put(&mut object["metadata"], field, old[field].clone());
    }
    for field in ["apiVersion", "kind"] {
        put(object, field, before[field].clone());
    }
    if old["deletionTimestamp"].is_string() && adds_finalizer(old, &object["metadata"]) {
        let words = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(Refusal::invalid(words));
    }
    match part {
        Part::Status => put(object, "spec", before["spec"].clone()),
        Part::Main if resource.has_status() => put(object, "status", before["status"].clone()),
        Part::Main => {}
    }
    if resource.plural == "services" {
        if object["spec"]["type"] != "LoadBalancer" {
            put(&mut object["status"], "loadBalancer", json!({}));
        }
        fill_defaults(resource, object);
        if part == Part::Status {
            record(before, object, manager);
        }
    }
    if resource.is_custom() && object["spec"] != before["spec"] {
        let generation = old["generation"].as_u64().unwrap_or_default() + 1;
        object["metadata"]["generation"] = generation.into();
    }
    Ok(())
}

/// Whether nothing holds an object that is being deleted.
pub(super) fn is_over(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let held = metadata["finalizers"].as_array();
    metadata["deletionTimestamp"].is_string() && held.is_none_or(Vec::is_empty)
}

fn adds_finalizer(old: &Value, new: &Value) -> bool {
    let list = |metadata: &Value| {
        metadata["finalizers"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let had = list(old);
    list(new).iter().any(|finalizer| !had.contains(finalizer))
}

/// Keeps on record who wrote the addresses of a Service last.
fn record(before: &Value, object: &mut Value, manager: &str) {
    if object["status"]["loadBalancer"] == before["status"]["loadBalancer"] {
        return;
    }
    let mut entries = before["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    entries.retain(|entry| entry["subresource"] != "status");
    if object["status"]["loadBalancer"]["ingress"].is_array() {
        entries.push(json!({
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "fieldsType": "FieldsV1",
            "subresource": "status",
            "fieldsV1": {"f:status": {"f:loadBalancer": {"f:ingress": {}}}},
        }));
    }
    let entries = if entries.is_empty() {
        Value::Null
    } else {
        Value::Array(entries)
    };
    put(&mut object["metadata"], "managedFields", entries);
}

/// Sets a field; null takes it away.
fn put(object: &mut Value, field: &str, value: Value) {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(object) = object.as_object_mut() else {
        return;
    };
    if value.is_null() {
        object.remove(field);
    } else {
        object.insert(field.to_owned(), value);
    }
}
