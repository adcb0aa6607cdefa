//! What is written beside people's objects, and the objects that one process alone writes.

use std::sync::Arc;

use jiff::Timestamp;
use ringbolt_config::api::Speaker;
use ringbolt_config::node::DRAIN;
use ringbolt_config::service::FINALIZER;
use ringbolt_config::service::annotations::ALLOCATED_FROM;
use ringbolt_config::{
    Kind, NodeName, Object, ObjectRef, ResourceVersion, ServiceKey, ServiceView,
};
use serde_json::{Map, Value, json};

use super::Directory;
use super::journal;
use super::mirror::is_whole;
use super::record::{POOL_FINALIZER, Record, merge_patch};
use super::store::{Verdict, random_uuid, unavailable};
use crate::writer::{
    Drain, Event, FinalizerChange, InvalidReason, Part, ServiceStatusPatch, UnavailableCause,
    WriteError,
};

impl Directory {
    pub(crate) async fn get_service(
        &self,
        key: &ServiceKey,
    ) -> Result<Arc<ServiceView>, WriteError> {
        let object = ObjectRef::from(key);
        match self.ask(&object).await? {
            Some(Object::Service(view)) => Ok(view),
            _ => Err(WriteError::NotFound { object }),
        }
    }

    pub(crate) async fn patch_service_status(
        &self,
        patch: ServiceStatusPatch,
    ) -> Result<Option<Arc<ServiceView>>, WriteError> {
        let object = ObjectRef::from(&patch.key);
        self.may_write(&object)?;
        let key = patch.key.clone();
        let name = object.clone();
        let stored = self
            .transact(&object, move |current| {
                let mut record = read_record(&name, current, patch.resource_version.as_str())?;
                if record.metadata.uid.as_deref() != Some(patch.uid.as_str()) {
                    return Err(WriteError::Conflict { object: name });
                }
                patch_service(&mut record, patch);
                Ok(put_or_let_go(&record))
            })
            .await?;
        match stored {
            Some(_) => self.get_service(&key).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn patch_status(
        &self,
        object: &ObjectRef,
        resource_version: &ResourceVersion,
        status: Value,
    ) -> Result<ResourceVersion, WriteError> {
        self.may_write(object)?;
        let (name, version) = (object.clone(), resource_version.clone());
        let stored = self
            .transact(object, move |current| {
                if is_whole(name.kind) {
                    let mut current = current.ok_or(WriteError::NotFound {
                        object: name.clone(),
                    })?;
                    if current["metadata"]["resourceVersion"] != version.as_str() {
                        return Err(WriteError::Conflict { object: name });
                    }
                    merge_patch(&mut current["status"], status);
                    return Ok(Verdict::Put(current));
                }
                let mut record = read_record(&name, current, version.as_str())?;
                merge_patch(record.status.get_or_insert_default(), status);
                Ok(Verdict::Put(record.to_value()))
            })
            .await?;
        version_of(object, stored.as_ref())
    }

    pub(crate) async fn patch_finalizer(
        &self,
        object: &ObjectRef,
        resource_version: &ResourceVersion,
        change: FinalizerChange,
    ) -> Result<Option<ResourceVersion>, WriteError> {
        self.may_write(object)?;
        let (name, version) = (object.clone(), resource_version.clone());
        let stored = self
            .transact(object, move |current| {
                let mut record = read_record(&name, current, version.as_str())?;
                change_finalizer(&mut record, POOL_FINALIZER, change);
                Ok(put_or_let_go(&record))
            })
            .await?;
        stored
            .as_ref()
            .map(|stored| version_of(object, Some(stored)))
            .transpose()
    }

    pub(crate) async fn apply_speaker(&self, speaker: &Speaker) -> Result<(), WriteError> {
        let name = speaker.metadata.name.clone().unwrap_or_default();
        let object =
            ObjectRef::new(Kind::Speaker, None, &name).map_err(|_| WriteError::Invalid {
                object: ObjectRef {
                    kind: Kind::Speaker,
                    namespace: None,
                    name: name.into(),
                },
                field: "metadata.name",
                reason: InvalidReason::NotADnsName,
            })?;
        self.may_write(&object)?;
        let unencodable = |_| WriteError::Invalid {
            object: object.clone(),
            field: "status",
            reason: InvalidReason::Unencodable,
        };
        let mut value = serde_json::to_value(speaker).map_err(unencodable)?;
        self.transact(&object, move |current| {
            let before = current.unwrap_or_default();
            let given = &before["metadata"];
            let now = || json!(Timestamp::now());
            for (key, first) in [
                ("uid", &(|| random_uuid().into()) as &dyn Fn() -> Value),
                ("creationTimestamp", &now),
                ("resourceVersion", &|| Value::Null),
            ] {
                let kept = given.get(key).cloned();
                value["metadata"][key] = kept.unwrap_or_else(first);
            }
            Ok(if value == before {
                Verdict::Leave
            } else {
                Verdict::Put(value)
            })
        })
        .await
        .map(drop)
    }

    pub(crate) async fn set_drain(&self, node: &NodeName, drain: Drain) -> Result<(), WriteError> {
        let object = ObjectRef::from(node);
        if self.ask(&object).await?.is_none() {
            return Err(WriteError::NotFound { object });
        }
        let name = object.clone();
        self.transact(&object, move |current| {
            let record = current.and_then(Record::from_value);
            let mut record = record.unwrap_or_else(|| Record::new(&name));
            match drain {
                Drain::Begin => {
                    record
                        .metadata
                        .annotations
                        .insert(DRAIN.to_owned(), "true".into());
                    Ok(Verdict::Put(record.to_value()))
                }
                Drain::End => Ok(Verdict::Remove),
            }
        })
        .await
        .map(drop)
    }

    pub(crate) async fn event(&self, event: Event) -> Result<(), WriteError> {
        let object = event.regarding.clone();
        self.may_write(&object)?;
        let regarding = object.clone();
        self.work(&object, move |store| {
            journal::append(store.root(), &event, Timestamp::now())
                .map_err(|error| unavailable(&regarding, &error))
        })
        .await?
    }
}

/// The record that a writer has read under `version`. Where nothing is kept yet, the record is a
/// new one.
fn read_record(
    object: &ObjectRef,
    current: Option<Value>,
    version: &str,
) -> Result<Record, WriteError> {
    let corrupt = || WriteError::Unavailable {
        object: object.clone(),
        cause: UnavailableCause::Corrupt,
    };
    let found = match current {
        Some(value) => Some(Record::from_value(value).ok_or_else(corrupt)?),
        None => None,
    };
    if Record::version(found.as_ref()) != version {
        let gone = found.is_none();
        return Err(match gone {
            true => WriteError::NotFound {
                object: object.clone(),
            },
            false => WriteError::Conflict {
                object: object.clone(),
            },
        });
    }
    Ok(found.unwrap_or_else(|| Record::new(object)))
}

/// An object that is deleted and held by nothing goes.
fn put_or_let_go(record: &Record) -> Verdict {
    if record.metadata.deletion_timestamp.is_some() && !record.holds() {
        Verdict::Remove
    } else {
        Verdict::Put(record.to_value())
    }
}

fn change_finalizer(record: &mut Record, finalizer: &str, change: FinalizerChange) {
    let finalizers = &mut record.metadata.finalizers;
    match change {
        FinalizerChange::Keep => {}
        FinalizerChange::Add if finalizers.iter().any(|present| present == finalizer) => {}
        FinalizerChange::Add => finalizers.push(finalizer.to_owned()),
        FinalizerChange::Remove => finalizers.retain(|present| present != finalizer),
    }
}

fn patch_service(record: &mut Record, patch: ServiceStatusPatch) {
    change_finalizer(record, FINALIZER, patch.finalizer);
    match patch.allocated_from {
        Part::Keep => {}
        Part::Set(None) => {
            record.metadata.annotations.remove(ALLOCATED_FROM);
        }
        Part::Set(Some(pool)) => {
            record
                .metadata
                .annotations
                .insert(ALLOCATED_FROM.to_owned(), pool.as_str().into());
        }
    }
    let status = record.status.get_or_insert_default();
    if !status.is_object() {
        *status = Value::Object(Map::new());
    }
    if let Part::Set(addresses) = patch.ingress {
        let entry = |address| json!({"ip": address, "ipMode": "VIP"});
        let ingress: Vec<Value> = addresses.iter().map(entry).collect();
        status["loadBalancer"] = match ingress.is_empty() {
            true => json!({}),
            false => json!({"ingress": ingress}),
        };
    }
    for condition in patch.conditions {
        let conditions = &mut status["conditions"];
        if !conditions.is_array() {
            *conditions = json!([]);
        }
        let Some(conditions) = conditions.as_array_mut() else {
            continue;
        };
        conditions.retain(|present| present["type"] != condition.type_.as_str());
        conditions.push(json!(condition));
        conditions.sort_by(|a, b| a["type"].as_str().cmp(&b["type"].as_str()));
    }
}

fn version_of(object: &ObjectRef, stored: Option<&Value>) -> Result<ResourceVersion, WriteError> {
    stored
        .and_then(|stored| stored.pointer("/metadata/resourceVersion"))
        .and_then(Value::as_str)
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| WriteError::NotFound {
            object: object.clone(),
        })
}
