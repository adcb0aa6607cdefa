//! What the cluster of memory does with a write: it happens at once, in the version that was read,
//! or not at all.

use std::net::IpAddr;
use std::sync::Arc;

use ringbolt_cluster::{FinalizerChange, Part, ServiceStatusPatch, WriteError};
use ringbolt_config::api::IPAllocation;
use ringbolt_config::names::allocation_name;
use ringbolt_config::service::FINALIZER;
use ringbolt_config::{Kind, Object, ObjectRef, ResourceVersion, ServiceKey, ServiceView};
use serde_json::{Value, json};

use super::{World, decoded, has_finalizer, managed, merge, object_ref, text};
use crate::engine::{Answer, Write};

impl World {
    pub(in crate::engine::tests) fn answer(&mut self, write: Write) -> Answer {
        match write {
            Write::CreateClaim(claim) => Answer::Claim(self.create_claim(&claim)),
            Write::UpdateClaim(claim) => Answer::Claim(self.update_claim(&claim)),
            Write::DeleteClaim {
                name,
                uid,
                resource_version,
            } => {
                let target = object_ref(Kind::IPAllocation, None, &name);
                Answer::Deleted(
                    self.fenced(&target, uid.as_str(), resource_version.as_str())
                        .map(|()| {
                            self.writes += 1;
                            self.take(&target);
                        }),
                )
            }
            Write::ReadClaim(address) => {
                let target = object_ref(Kind::IPAllocation, None, &allocation_name(address));
                Answer::Claim(self.read_claim(&target))
            }
            Write::PatchService(patch) => Answer::Service(self.patch_service(&patch)),
            Write::ReadService(key) => {
                let target = ObjectRef::from(&key);
                let read = self.objects.get(&target).map(|_| self.read_service(&key));
                Answer::Service(read.ok_or(WriteError::NotFound { object: target }))
            }
            Write::PatchStatus {
                object,
                resource_version,
                status,
            } => {
                let uid = self
                    .objects
                    .get(&object)
                    .map(|v| text(&v["metadata"]["uid"]));
                let fenced =
                    self.fenced(&object, &uid.unwrap_or_default(), resource_version.as_str());
                Answer::Status(fenced.map(|()| {
                    self.status_writes += 1;
                    let mut value = self.objects[&object].clone();
                    merge(&mut value["status"], &status);
                    self.put(object.clone(), value);
                    text(&self.objects[&object]["metadata"]["resourceVersion"])
                        .parse()
                        .expect("a version")
                }))
            }
            Write::PatchFinalizer {
                object,
                resource_version,
                change,
            } => Answer::Finalizer(self.patch_finalizer(&object, &resource_version, change)),
        }
    }

    fn patch_finalizer(
        &mut self,
        pool: &ObjectRef,
        version: &ResourceVersion,
        change: FinalizerChange,
    ) -> Result<Option<ResourceVersion>, WriteError> {
        let uid = self.objects.get(pool).map(|v| text(&v["metadata"]["uid"]));
        self.fenced(pool, &uid.unwrap_or_default(), version.as_str())?;
        let mut value = self.objects[pool].clone();
        let metadata = &mut value["metadata"];
        metadata["finalizers"] = match change {
            FinalizerChange::Add => {
                assert!(
                    metadata["deletionTimestamp"].is_null(),
                    "refused by API servers"
                );
                json!([ringbolt_config::api::pool::FINALIZER])
            }
            FinalizerChange::Remove => json!([]),
            FinalizerChange::Keep => panic!("a write that changes nothing"),
        };
        if change == FinalizerChange::Remove && !metadata["deletionTimestamp"].is_null() {
            self.take(pool);
            return Ok(None);
        }
        self.put(pool.clone(), value);
        let version = text(&self.objects[pool]["metadata"]["resourceVersion"]);
        Ok(Some(version.parse().expect("a version")))
    }

    fn fenced(&self, target: &ObjectRef, uid: &str, version: &str) -> Result<(), WriteError> {
        let object = target.clone();
        let Some(value) = self.objects.get(target) else {
            return Err(WriteError::NotFound { object });
        };
        let metadata = &value["metadata"];
        let same = text(&metadata["resourceVersion"]) == version && text(&metadata["uid"]) == uid;
        if same {
            Ok(())
        } else {
            Err(WriteError::Conflict { object })
        }
    }

    fn read_claim(&self, target: &ObjectRef) -> Result<Arc<IPAllocation>, WriteError> {
        let value = self.objects.get(target);
        let value = value.ok_or_else(|| WriteError::NotFound {
            object: target.clone(),
        })?;
        Ok(Arc::new(
            serde_json::from_value(value.clone()).expect("it was written so"),
        ))
    }

    fn create_claim(&mut self, claim: &IPAllocation) -> Result<Arc<IPAllocation>, WriteError> {
        let name = claim.metadata.name.as_deref().expect("claims are named");
        let target = object_ref(Kind::IPAllocation, None, name);
        if self.objects.contains_key(&target) {
            return Err(WriteError::AlreadyExists { object: target });
        }
        self.writes += 1;
        let mut value = serde_json::to_value(claim).expect("it can be written");
        value["metadata"]["uid"] = json!(format!("claim-{}", self.next_version));
        value["metadata"]["creationTimestamp"] = json!(self.now.wall);
        self.put(target.clone(), value);
        self.read_claim(&target)
    }

    fn update_claim(&mut self, claim: &IPAllocation) -> Result<Arc<IPAllocation>, WriteError> {
        let metadata = &claim.metadata;
        let name = metadata.name.as_deref().expect("claims are named");
        let target = object_ref(Kind::IPAllocation, None, name);
        let version = metadata.resource_version.as_deref().unwrap_or_default();
        self.fenced(
            &target,
            metadata.uid.as_deref().unwrap_or_default(),
            version,
        )?;
        self.writes += 1;
        self.put(
            target.clone(),
            serde_json::to_value(claim).expect("it can be written"),
        );
        self.read_claim(&target)
    }

    fn read_service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>> {
        let value = self.objects.get(&ObjectRef::from(key))?;
        match decoded(Kind::Service, value) {
            Object::Service(view) => Some(view),
            other => panic!("{other:?} is no Service"),
        }
    }

    fn patch_service(
        &mut self,
        patch: &ServiceStatusPatch,
    ) -> Result<Option<Arc<ServiceView>>, WriteError> {
        let target = ObjectRef::from(&patch.key);
        self.fenced(&target, patch.uid.as_str(), patch.resource_version.as_str())?;
        self.writes += 1;
        let mut value = self.objects[&target].clone();
        if let Part::Set(addresses) = &patch.ingress {
            let entry = |ip: &IpAddr| json!({ "ip": ip.to_string(), "ipMode": "VIP" });
            let entries: Vec<Value> = addresses.iter().map(entry).collect();
            value["status"]["loadBalancer"] = json!({ "ingress": entries });
            value["metadata"]["managedFields"] = managed(ringbolt_config::service::FIELD_MANAGER);
        }
        match patch.finalizer {
            FinalizerChange::Keep => {}
            FinalizerChange::Add => value["metadata"]["finalizers"] = json!([FINALIZER]),
            FinalizerChange::Remove => value["metadata"]["finalizers"] = json!([]),
        }
        if let Part::Set(pool) = &patch.allocated_from {
            let name = ringbolt_config::service::annotations::ALLOCATED_FROM;
            let annotations = value["metadata"]["annotations"].take();
            let mut annotations = if annotations.is_null() {
                json!({})
            } else {
                annotations
            };
            match pool {
                Some(pool) => annotations[name] = json!(pool),
                None => {
                    annotations.as_object_mut().expect("a map").remove(name);
                }
            }
            value["metadata"]["annotations"] = annotations;
        }
        for condition in &patch.conditions {
            let old = value["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let others = old
                .into_iter()
                .filter(|c| c["type"] != json!(condition.type_));
            let condition = serde_json::to_value(condition).expect("it can be written");
            let list: Vec<Value> = others.chain([condition]).collect();
            value["status"]["conditions"] = json!(list);
        }
        let deleted = !value["metadata"]["deletionTimestamp"].is_null();
        if deleted && !has_finalizer(&value) {
            self.take(&target);
            return Ok(None);
        }
        self.put(target, value);
        Ok(self.read_service(&patch.key))
    }
}
