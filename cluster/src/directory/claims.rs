//! Claims (IPAllocation) in the state folder, by the rules of the API server: created once by name,
//! changed and deleted only by whoever has read the present version.
//!
//! A document of people about a claim is a reservation. It makes the claim exist without a holder,
//! and it is laid over whatever is stored, so `reservedFor` itself is never stored.

use jiff::Timestamp;
use ringbolt_config::api::IPAllocation;
use ringbolt_config::{Kind, Object, ObjectRef, ResourceVersion, Uid, decode};
use serde_json::{Value, json};

use super::Directory;
use super::compose::merge_reservation;
use super::record::UNWRITTEN;
use super::store::{Verdict, random_uuid};
use crate::writer::{InvalidReason, UnavailableCause, WriteError, version_of_update};

impl Directory {
    pub(crate) async fn create_allocation(
        &self,
        claim: &IPAllocation,
    ) -> Result<IPAllocation, WriteError> {
        let object = name_of(claim)?;
        self.may_write(&object)?;
        if self.reservation(&object).is_some() {
            return Err(WriteError::AlreadyExists { object });
        }
        let mut value = encode(&object, claim)?;
        let taken = object.clone();
        let stored = self
            .transact(&object, move |current| match current {
                Some(_) => Err(WriteError::AlreadyExists { object: taken }),
                None => {
                    value["metadata"]["uid"] = random_uuid().into();
                    value["metadata"]["creationTimestamp"] = json!(Timestamp::now());
                    value["metadata"]["generation"] = 1.into();
                    Ok(Verdict::Put(value))
                }
            })
            .await?;
        self.as_claim(&object, stored)
    }

    pub(crate) async fn update_allocation(
        &self,
        claim: &IPAllocation,
    ) -> Result<IPAllocation, WriteError> {
        let object = name_of(claim)?;
        self.may_write(&object)?;
        let version = version_of_update(&object, claim)?.to_owned();
        let uid = claim.metadata.uid.clone();
        let mut value = encode(&object, claim)?;
        let reserved = self.reservation(&object).is_some();
        let name = object.clone();
        let stored = self
            .transact(&object, move |current| {
                let metadata = match &current {
                    Some(current) => {
                        same(&name, current, uid.as_deref(), &version)?;
                        given(current)
                    }
                    // A reservation that nobody has held yet is stored with its first holder.
                    None if reserved && version == UNWRITTEN => json!({
                        "uid": random_uuid(),
                        "creationTimestamp": Timestamp::now(),
                        "generation": 0,
                    }),
                    None => {
                        return Err(WriteError::NotFound {
                            object: name.clone(),
                        });
                    }
                };
                let generation = metadata["generation"].as_i64().unwrap_or(0) + 1;
                for key in ["uid", "creationTimestamp"] {
                    value["metadata"][key] = metadata[key].clone();
                }
                value["metadata"]["generation"] = generation.into();
                Ok(Verdict::Put(value))
            })
            .await?;
        self.as_claim(&object, stored)
    }

    pub(crate) async fn delete_allocation(
        &self,
        name: &str,
        uid: &Uid,
        resource_version: &ResourceVersion,
    ) -> Result<(), WriteError> {
        let object = reference(name)?;
        self.may_write(&object)?;
        let (uid, version) = (uid.clone(), resource_version.clone());
        let name = object.clone();
        self.transact(&object, move |current| {
            let current = current.ok_or(WriteError::NotFound {
                object: name.clone(),
            })?;
            same(&name, &current, Some(uid.as_str()), version.as_str())?;
            Ok(Verdict::Remove)
        })
        .await
        .map(drop)
    }

    pub(crate) async fn get_allocation(&self, name: &str) -> Result<IPAllocation, WriteError> {
        let object = reference(name)?;
        let read = object.clone();
        let stored = self.work(&object, move |store| store.read(&read)).await??;
        self.as_claim(&object, stored)
    }

    /// The document of people about a claim, as the observer last saw it: a claim in the hub that
    /// is not stored, or its reservation.
    fn reservation(&self, object: &ObjectRef) -> Option<Value> {
        let Some(Object::IPAllocation(claim)) = self.hub.get(object) else {
            return None;
        };
        let reserved = claim.spec.reserved_for.as_ref()?;
        Some(json!({
            "apiVersion": object.kind.api_version(),
            "kind": object.kind.as_str(),
            "metadata": {"name": &*object.name},
            "spec": {"address": claim.spec.address, "pool": claim.spec.pool, "reservedFor": reserved},
        }))
    }

    fn as_claim(
        &self,
        object: &ObjectRef,
        stored: Option<Value>,
    ) -> Result<IPAllocation, WriteError> {
        let document = self
            .reservation(object)
            .map(|document| document.to_string());
        let value =
            merge_reservation(stored, document.as_deref().map(str::as_bytes)).ok_or_else(|| {
                WriteError::NotFound {
                    object: object.clone(),
                }
            })?;
        match decode(Kind::IPAllocation, value) {
            Ok(Object::IPAllocation(claim)) => Ok((*claim).clone()),
            _ => Err(WriteError::Unavailable {
                object: object.clone(),
                cause: UnavailableCause::Corrupt,
            }),
        }
    }
}

fn reference(name: &str) -> Result<ObjectRef, WriteError> {
    ObjectRef::new(Kind::IPAllocation, None, name).map_err(|_| WriteError::Invalid {
        object: ObjectRef {
            kind: Kind::IPAllocation,
            namespace: None,
            name: name.into(),
        },
        field: "metadata.name",
        reason: InvalidReason::NotADnsName,
    })
}

fn name_of(claim: &IPAllocation) -> Result<ObjectRef, WriteError> {
    reference(claim.metadata.name.as_deref().unwrap_or_default())
}

/// The form in which a claim is stored: what its author decides, and nothing that is given to it.
fn encode(object: &ObjectRef, claim: &IPAllocation) -> Result<Value, WriteError> {
    let unencodable = |_| WriteError::Invalid {
        object: object.clone(),
        field: "spec",
        reason: InvalidReason::Unencodable,
    };
    let mut spec = serde_json::to_value(&claim.spec).map_err(unencodable)?;
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("reservedFor");
    }
    let mut value = json!({
        "apiVersion": object.kind.api_version(),
        "kind": object.kind.as_str(),
        "metadata": {"name": &*object.name},
        "spec": spec,
    });
    if let Some(labels) = &claim.metadata.labels {
        value["metadata"]["labels"] = json!(labels);
    }
    if let Some(status) = &claim.status {
        value["status"] = serde_json::to_value(status).map_err(unencodable)?;
    }
    Ok(value)
}

fn given(current: &Value) -> Value {
    current.get("metadata").cloned().unwrap_or_default()
}

/// Whether what is stored is what the author has read.
fn same(
    object: &ObjectRef,
    current: &Value,
    uid: Option<&str>,
    version: &str,
) -> Result<(), WriteError> {
    let metadata = &current["metadata"];
    let same_uid = uid.is_none_or(|uid| metadata["uid"] == uid);
    if same_uid && metadata["resourceVersion"] == version {
        Ok(())
    } else {
        Err(WriteError::Conflict {
            object: object.clone(),
        })
    }
}
