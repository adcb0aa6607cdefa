//! Writes to the API server: patches under the version that was read, creates and preconditioned
//! deletes. Never a whole Service, Node or Lease: fields that are not known here would be lost.
//!
//! Decides nothing: what to write comes from the callers, whether it may be written from the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use ringbolt_config::api::{IPAllocation, Speaker};
use ringbolt_config::node::DRAIN;
use ringbolt_config::{
    Kind, NodeName, Object, ObjectRef, ResourceVersion, SecretView, ServiceKey, ServiceView, Uid,
    object,
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::call::{Call, CallError, JSON, Payload};
use super::patch::{difference, of_service};
use super::resource::collection;
use super::{Kubernetes, events};
use crate::calls::{CallOutcome, Verb};
use crate::source::Role;
use crate::writer::{
    Drain, Event, FinalizerChange, InvalidReason, SPEAKER_KEY_SECRET, ServiceStatusPatch,
    UnavailableCause, WriteError, version_of_update,
};

/// RFC 7396.
const MERGE: &str = "application/merge-patch+json";
/// Merges lists of Kubernetes' own kinds by their keys: what others have in them stays.
const STRATEGIC: &str = "application/strategic-merge-patch+json";
/// Fields that this process writes are recorded under this name.
const MANAGER: &str = ringbolt_config::service::FIELD_MANAGER;
/// How often a Speaker object is tried to be written before its speaker is told of a conflict.
const SPEAKER_TRIES: u32 = 3;
/// The longest that writing a Speaker object may take, all tries together.
const SPEAKER_DEADLINE: Duration = Duration::from_secs(15);
/// Octets of a speaker's key.
const KEY: usize = 32;

/// Which part of an object is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subresource {
    None,
    Status,
}

impl Kubernetes {
    pub(crate) async fn create_allocation(
        &self,
        claim: &IPAllocation,
    ) -> Result<IPAllocation, WriteError> {
        let object = claim_ref(claim.metadata.name.as_deref().unwrap_or_default())?;
        let value = encode(&object, claim)?;
        decode_as(&object, self.create(&object, &value).await?)
    }

    pub(crate) async fn update_allocation(
        &self,
        claim: &IPAllocation,
    ) -> Result<IPAllocation, WriteError> {
        let object = claim_ref(claim.metadata.name.as_deref().unwrap_or_default())?;
        let version = version_of_update(&object, claim)?;
        // A claim has no field that is not known here, and no writer beside us but its maker. What is
        // absent has to be taken away, so absent parts are nulls of a merge patch.
        let mut value = encode(&object, claim)?;
        let fields = ["holders", "pool", "sharingKey", "releasedAt", "reservedFor"];
        if let Some(spec) = value["spec"].as_object_mut() {
            for field in fields {
                spec.entry(field).or_insert(Value::Null);
            }
        }
        let patch = json!({
            "metadata": {
                "resourceVersion": version,
                "uid": claim.metadata.uid,
            },
            "spec": value["spec"],
        });
        let written = self
            .patch(&object, MERGE, Subresource::None, &patch)
            .await?;
        decode_as(&object, written)
    }

    pub(crate) async fn delete_allocation(
        &self,
        name: &str,
        uid: &Uid,
        resource_version: &ResourceVersion,
    ) -> Result<(), WriteError> {
        let object = claim_ref(name)?;
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid.as_str(), "resourceVersion": resource_version.as_str()},
        });
        let call = call(Verb::Delete, &object, path_of(&object), JSON, &options);
        self.write(&object, &call).await.map(drop)
    }

    pub(crate) async fn get_allocation(&self, name: &str) -> Result<IPAllocation, WriteError> {
        let object = claim_ref(name)?;
        decode_as(&object, self.get(&object).await?)
    }

    pub(crate) async fn get_service(
        &self,
        key: &ServiceKey,
    ) -> Result<Arc<ServiceView>, WriteError> {
        let object = ObjectRef::from(key);
        service(&object, self.get(&object).await?)
    }

    pub(crate) async fn patch_service_status(
        &self,
        patch: ServiceStatusPatch,
    ) -> Result<Option<Arc<ServiceView>>, WriteError> {
        let object = ObjectRef::from(&patch.key);
        let body = of_service(&patch);
        let written = self
            .patch(&object, STRATEGIC, Subresource::Status, &body)
            .await?;
        let metadata = &written["metadata"];
        let finalizers = metadata["finalizers"].as_array();
        if metadata["deletionTimestamp"].is_string() && finalizers.is_none_or(Vec::is_empty) {
            return Ok(None);
        }
        service(&object, written).map(Some)
    }

    pub(crate) async fn patch_status(
        &self,
        object: &ObjectRef,
        resource_version: &ResourceVersion,
        status: Value,
    ) -> Result<ResourceVersion, WriteError> {
        let patch = json!({
            "metadata": {"resourceVersion": resource_version.as_str()},
            "status": status,
        });
        let written = self
            .patch(object, MERGE, Subresource::Status, &patch)
            .await?;
        version(object, &written)
    }

    pub(crate) async fn patch_finalizer(
        &self,
        object: &ObjectRef,
        resource_version: &ResourceVersion,
        change: FinalizerChange,
    ) -> Result<Option<ResourceVersion>, WriteError> {
        // Custom resources have no strategic merge: the list is read, changed and written under its version.
        let read = self.get(object).await?;
        let metadata = &read["metadata"];
        if metadata["resourceVersion"].as_str() != Some(resource_version.as_str()) {
            return Err(WriteError::Conflict {
                object: object.clone(),
            });
        }
        let mut finalizers: Vec<Value> = metadata["finalizers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ours = Value::from(ringbolt_config::api::pool::FINALIZER);
        finalizers.retain(|finalizer| *finalizer != ours);
        match change {
            FinalizerChange::Keep => return Ok(Some(resource_version.clone())),
            FinalizerChange::Add => finalizers.push(ours),
            FinalizerChange::Remove => {}
        }
        let patch = json!({
            "metadata": {
                "resourceVersion": resource_version.as_str(),
                "finalizers": finalizers,
            },
        });
        let written = self.patch(object, MERGE, Subresource::None, &patch).await?;
        let metadata = &written["metadata"];
        let left = metadata["finalizers"].as_array();
        if metadata["deletionTimestamp"].is_string() && left.is_none_or(Vec::is_empty) {
            return Ok(None);
        }
        version(object, &written).map(Some)
    }

    pub(crate) async fn apply_speaker(&self, speaker: &Speaker) -> Result<(), WriteError> {
        let name = speaker.metadata.name.as_deref().unwrap_or_default();
        let object = reference(Kind::Speaker, None, name)?;
        let wanted = encode(&object, speaker)?;
        let tries = async {
            for _ in 1..SPEAKER_TRIES {
                match self.make_speaker(&object, &wanted).await {
                    // An earlier process of this node, or who removes managed fields, came between, or the
                    // answer to our own write was lost. Reading tells.
                    Err(WriteError::Conflict { .. } | WriteError::AlreadyExists { .. }) => {}
                    made => return made,
                }
            }
            self.make_speaker(&object, &wanted).await
        };
        let made = timeout(SPEAKER_DEADLINE, tries).await;
        made.unwrap_or(Err(WriteError::Unavailable {
            object: object.clone(),
            cause: UnavailableCause::Unreachable,
        }))
    }

    /// Creates the object where there is none, and writes what differs under the version that was read.
    async fn make_speaker(&self, object: &ObjectRef, wanted: &Value) -> Result<(), WriteError> {
        let read = match self.get(object).await {
            Err(WriteError::NotFound { .. }) => self.create(object, wanted).await?,
            read => read?,
        };
        let Some(status) = difference(&read["status"], &wanted["status"]) else {
            return Ok(());
        };
        let version = &read["metadata"]["resourceVersion"];
        let patch = json!({"metadata": {"resourceVersion": version}, "status": status});
        let written = self.patch(object, MERGE, Subresource::Status, &patch).await;
        written.map(drop)
    }

    pub(crate) async fn ensure_speaker_key(&self) -> Result<Arc<SecretView>, WriteError> {
        let namespace = self.api.namespace();
        let object = reference(Kind::Secret, Some(&namespace), SPEAKER_KEY_SECRET)?;
        let value = match self.get(&object).await {
            Err(WriteError::NotFound { .. }) => {
                let secret = new_key(&object, &namespace)?;
                match self.create(&object, &secret).await {
                    Err(WriteError::AlreadyExists { .. }) => self.get(&object).await?,
                    created => created?,
                }
            }
            read => read?,
        };
        match object::decode(Kind::Secret, value) {
            Ok(Object::Secret(view)) => Ok(view),
            _ => Err(not_understood(&object)),
        }
    }

    pub(crate) async fn set_drain(&self, node: &NodeName, drain: Drain) -> Result<(), WriteError> {
        let object = ObjectRef::from(node);
        let mark = match drain {
            Drain::Begin => Value::from("true"),
            Drain::End => Value::Null,
        };
        let patch = json!({"metadata": {"annotations": {DRAIN: mark}}});
        let written = self.patch(&object, MERGE, Subresource::None, &patch).await;
        written.map(drop)
    }

    pub(crate) async fn event(&self, event: Event) -> Result<(), WriteError> {
        let object = event.regarding.clone();
        let namespace = object.namespace.as_deref().unwrap_or("default");
        let events = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let call = |verb, path, media, document: &Value| Call {
            verb,
            plural: "events",
            path,
            body: Some(Payload {
                media,
                bytes: document.to_string().into(),
            }),
        };
        let again = self.api.series().again(&event, Instant::now());
        if let Some((name, count)) = again {
            let path = format!("{events}/{name}?fieldManager={MANAGER}");
            let call = call(Verb::Patch, path, MERGE, &events::counted(count));
            match self.write(&object, &call).await {
                Err(WriteError::NotFound { .. }) => self.api.series().forget(&event),
                written => return written.map(drop),
            }
        }
        let name = events::name(&event);
        let document = events::document(&event, &name, namespace, &self.api);
        let path = format!("{events}?fieldManager={MANAGER}");
        let call = call(Verb::Create, path, JSON, &document);
        match self.write(&object, &call).await {
            // No other event has this name: the answer to an earlier try was lost. It is not read back,
            // because who tells events need not be allowed to read them.
            Err(WriteError::AlreadyExists { .. }) => {}
            written => drop(written?),
        }
        self.api.series().first(event, name, Instant::now());
        Ok(())
    }

    async fn get(&self, object: &ObjectRef) -> Result<Value, WriteError> {
        let call = Call::new(Verb::Get, object.kind.plural(), path_of(object));
        self.write(object, &call).await
    }

    async fn create(&self, object: &ObjectRef, value: &Value) -> Result<Value, WriteError> {
        let path = format!(
            "{}?fieldManager={MANAGER}",
            collection(object.kind, object.namespace.as_deref())
        );
        let call = call(Verb::Create, object, path, JSON, value);
        self.write(object, &call).await
    }

    async fn patch(
        &self,
        object: &ObjectRef,
        media: &'static str,
        part: Subresource,
        patch: &Value,
    ) -> Result<Value, WriteError> {
        let part = match part {
            Subresource::None => "",
            Subresource::Status => "/status",
        };
        let path = format!("{}{part}?fieldManager={MANAGER}", path_of(object));
        let call = call(Verb::Patch, object, path, media, patch);
        self.write(object, &call).await
    }

    /// Makes a call about an object and reads the object that is the answer.
    async fn write(&self, object: &ObjectRef, call: &Call) -> Result<Value, WriteError> {
        let by_name = object.kind == Kind::Node && call.verb == Verb::Patch;
        if call.verb.writes() && self.api.settings.role == Role::Reader && !by_name {
            return Err(WriteError::Invalid {
                object: object.clone(),
                field: "metadata",
                reason: InvalidReason::ReadOnly,
            });
        }
        let bytes = self.api.bytes(call).await;
        let bytes = bytes.map_err(|error| refused(object, &error))?;
        serde_json::from_slice(&bytes).map_err(|_| not_understood(object))
    }
}

fn new_key(object: &ObjectRef, namespace: &str) -> Result<Value, WriteError> {
    use k8s_openapi::ByteString;
    let mut key = vec![0; KEY];
    let filled = SystemRandom::new().fill(&mut key);
    filled.map_err(|_| WriteError::Unavailable {
        object: object.clone(),
        cause: UnavailableCause::Io(std::io::ErrorKind::Other),
    })?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": SPEAKER_KEY_SECRET},
        "type": "Opaque",
        "data": {"1": ByteString(key)},
    }))
}

fn call(verb: Verb, object: &ObjectRef, path: String, media: &'static str, body: &Value) -> Call {
    Call {
        verb,
        plural: object.kind.plural(),
        path,
        body: Some(Payload {
            media,
            bytes: Bytes::from(body.to_string()),
        }),
    }
}

fn path_of(object: &ObjectRef) -> String {
    let collection = collection(object.kind, object.namespace.as_deref());
    format!("{collection}/{}", object.name)
}

fn reference(kind: Kind, namespace: Option<&str>, name: &str) -> Result<ObjectRef, WriteError> {
    ObjectRef::new(kind, namespace, name).map_err(|_| WriteError::Invalid {
        object: ObjectRef {
            kind,
            namespace: namespace.map(Into::into),
            name: name.into(),
        },
        field: "metadata.name",
        reason: InvalidReason::NotADnsName,
    })
}

fn claim_ref(name: &str) -> Result<ObjectRef, WriteError> {
    reference(Kind::IPAllocation, None, name)
}

fn encode(object: &ObjectRef, value: &impl serde::Serialize) -> Result<Value, WriteError> {
    serde_json::to_value(value).map_err(|_| WriteError::Invalid {
        object: object.clone(),
        field: "",
        reason: InvalidReason::Unencodable,
    })
}

fn decode_as<T: serde::de::DeserializeOwned>(
    object: &ObjectRef,
    mut value: Value,
) -> Result<T, WriteError> {
    if let Some(metadata) = value["metadata"].as_object_mut() {
        // Who wrote which field is of no interest here, and is larger than all the rest.
        metadata.remove("managedFields");
    }
    serde_json::from_value(value).map_err(|_| not_understood(object))
}

fn service(object: &ObjectRef, value: Value) -> Result<Arc<ServiceView>, WriteError> {
    match object::decode(Kind::Service, value) {
        Ok(Object::Service(view)) => Ok(view),
        _ => Err(not_understood(object)),
    }
}

fn version(object: &ObjectRef, written: &Value) -> Result<ResourceVersion, WriteError> {
    let version = written["metadata"]["resourceVersion"].as_str();
    let version = version.and_then(|version| version.parse().ok());
    version.ok_or_else(|| not_understood(object))
}

fn not_understood(object: &ObjectRef) -> WriteError {
    WriteError::Unavailable {
        object: object.clone(),
        cause: UnavailableCause::NotUnderstood,
    }
}

fn refused(object: &ObjectRef, error: &CallError) -> WriteError {
    debug!(%object, %error, "a call was refused");
    let object = object.clone();
    let unavailable = |object, cause| WriteError::Unavailable { object, cause };
    match error.outcome() {
        CallOutcome::AlreadyExists => WriteError::AlreadyExists { object },
        CallOutcome::Conflict => WriteError::Conflict { object },
        CallOutcome::NotFound => WriteError::NotFound { object },
        CallOutcome::Invalid => {
            tracing::warn!(%object, %error, "the API server refuses an object");
            WriteError::Invalid {
                object,
                field: "",
                reason: InvalidReason::Refused,
            }
        }
        CallOutcome::Forbidden => unavailable(object, UnavailableCause::Forbidden),
        CallOutcome::Throttled => unavailable(object, UnavailableCause::Throttled),
        CallOutcome::Ok | CallOutcome::Gone | CallOutcome::Unavailable | CallOutcome::Timeout => {
            unavailable(object, UnavailableCause::Unreachable)
        }
    }
}
