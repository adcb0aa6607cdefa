//! The outbound face: [`Writer`] and the values it takes.
//!
//! Every write of a claim or status carries the `resourceVersion` its author has read and is
//! refused with [`WriteError::Conflict`] when the object has moved on. There is no unconditional
//! write except where one process alone may write an object ([`Writer::apply_speaker`]).

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use ringbolt_config::api::{Condition, IPAllocation, Speaker};
use ringbolt_config::{
    NodeName, ObjectRef, PoolName, ResourceVersion, SecretView, ServiceKey, ServiceView, Uid,
};
use thiserror::Error;

use crate::directory::Directory;
use crate::kubernetes::Kubernetes;

/// The name of the Secret that holds the speakers' keys.
pub const SPEAKER_KEY_SECRET: &str = "ringbolt-speaker-key";
/// The namespace it is in where nothing else is said: that of Ringbolt's own manifests.
pub const SPEAKER_KEY_NAMESPACE: &str = "ringbolt-system";

/// Why a write (or the read before it) did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// Create: an object of this name exists. Read it and decide.
    #[error("{object} exists already")]
    AlreadyExists {
        /// The name that is taken.
        object: ObjectRef,
    },
    /// The object is not the one that was read: another version, or another uid.
    #[error("{object} has changed since it was read")]
    Conflict {
        /// The object that moved on.
        object: ObjectRef,
    },
    /// There is no such object.
    #[error("{object} does not exist")]
    NotFound {
        /// The name nobody has.
        object: ObjectRef,
    },
    /// The object would be refused by anybody who keeps objects; trying again is of no use.
    #[error("{object}: {field}: {reason}")]
    Invalid {
        /// The object that was offered.
        object: ObjectRef,
        /// The path of the field at fault.
        field: &'static str,
        /// What is wrong with it.
        reason: InvalidReason,
    },
    /// The back end cannot write at this time; trying again later may be of use.
    #[error("{object} cannot be written: {cause}")]
    Unavailable {
        /// The object that was to be written.
        object: ObjectRef,
        /// What stood in the way.
        cause: UnavailableCause,
    },
}

/// What makes an object unacceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidReason {
    /// A write by version needs `metadata.resourceVersion`.
    #[error("is required")]
    Required,
    /// Not a name an object can have.
    #[error("is not a DNS name")]
    NotADnsName,
    /// The object has no form that can be stored.
    #[error("cannot be encoded")]
    Unencodable,
    /// This process reads only.
    #[error("this process must not write")]
    ReadOnly,
    /// The API server found it unacceptable; the log has its words.
    #[error("is refused by the API server")]
    Refused,
}

/// The version that the update of a claim rests on; without one it would be a write past every other.
pub(crate) fn version_of_update<'a>(
    object: &ObjectRef,
    claim: &'a IPAllocation,
) -> Result<&'a str, WriteError> {
    let version = claim.metadata.resource_version.as_deref();
    version.ok_or_else(|| WriteError::Invalid {
        object: object.clone(),
        field: "metadata.resourceVersion",
        reason: InvalidReason::Required,
    })
}

/// What stands in the way of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnavailableCause {
    /// The system refused an operation on a file.
    #[error("{0}")]
    Io(std::io::ErrorKind),
    /// What is stored cannot be understood, and is not overwritten for that reason.
    #[error("what is stored is not readable")]
    Corrupt,
    /// The back end has ended.
    #[error("the cluster is closed")]
    Closed,
    /// The API server did not answer in time, or could not be reached.
    #[error("the API server is not to be had")]
    Unreachable,
    /// The API server asked to come again later.
    #[error("the API server asks to come again later")]
    Throttled,
    /// The API server does not know us, or does not let us.
    #[error("the API server does not allow it")]
    Forbidden,
    /// The API server answered what the API does not promise.
    #[error("the answer of the API server is not understood")]
    NotUnderstood,
}

/// What a patch does with one part of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Make it this.
    Set(T),
}

/// What a patch does with Ringbolt's finalizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinalizerChange {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Put it there, so that the Service cannot vanish before its address is released.
    Add,
    /// Take it away, so that a deleted Service can vanish.
    Remove,
}

/// One write to a Service: address, finalizer, annotation and conditions together or not at all.
#[derive(Clone, Debug)]
pub struct ServiceStatusPatch {
    /// Which Service.
    pub key: ServiceKey,
    /// The incarnation that is meant.
    pub uid: Uid,
    /// The version the decision rests on.
    pub resource_version: ResourceVersion,
    /// The complete list of `status.loadBalancer.ingress`, each written with `ipMode: VIP`.
    pub ingress: Part<Vec<IpAddr>>,
    /// Ringbolt's finalizer.
    pub finalizer: FinalizerChange,
    /// The annotation `ringbolt.io/ip-allocated-from-pool`; `None` removes it.
    pub allocated_from: Part<Option<PoolName>>,
    /// Conditions to add or to replace, by type.
    pub conditions: Vec<Condition>,
}

/// Whether people will see an event as news or as a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Something went as it should.
    Normal,
    /// Somebody should look.
    Warning,
}

impl EventType {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Something to tell people about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The object it is about.
    pub regarding: ObjectRef,
    /// News or warning.
    pub event_type: EventType,
    /// A CamelCase word from one of the closed enums.
    pub reason: &'static str,
    /// One sentence for people.
    pub note: String,
}

/// An event as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The object it is about.
    pub regarding: ObjectRef,
    /// News or warning.
    pub event_type: EventType,
    /// The CamelCase word.
    pub reason: String,
    /// The sentence.
    pub note: String,
    /// When it was last reported.
    pub time: Timestamp,
    /// How often it was reported in a row.
    pub count: u32,
}

/// Whether a node is to be left or to be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Move everything away from the node.
    Begin,
    /// Use the node again.
    End,
}

/// Writes what Ringbolt owns. Cheap to clone. Every method is complete when it returns `Ok`:
/// the write is durable and later reads see it. A caller that is cancelled does not know whether
/// its write happened.
#[derive(Clone, Debug)]
pub struct Writer {
    back_end: BackEnd,
}

#[derive(Clone, Debug)]
enum BackEnd {
    Directory(Arc<Directory>),
    Kubernetes(Arc<Kubernetes>),
}

impl Writer {
    pub(crate) fn directory(directory: Arc<Directory>) -> Self {
        Self {
            back_end: BackEnd::Directory(directory),
        }
    }

    pub(crate) fn kubernetes(kubernetes: Arc<Kubernetes>) -> Self {
        Self {
            back_end: BackEnd::Kubernetes(kubernetes),
        }
    }

    /// Creates a claim; at most one caller ever succeeds for a name that does not exist.
    pub async fn create_allocation(
        &self,
        claim: &IPAllocation,
    ) -> Result<IPAllocation, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.create_allocation(claim).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.create_allocation(claim).await,
        }
    }

    /// Replaces a claim whose `metadata.resourceVersion` is still the one it carries.
    pub async fn update_allocation(
        &self,
        claim: &IPAllocation,
    ) -> Result<IPAllocation, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.update_allocation(claim).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.update_allocation(claim).await,
        }
    }

    /// Deletes a claim if it is still this one in this version.
    pub async fn delete_allocation(
        &self,
        name: &str,
        uid: &Uid,
        resource_version: &ResourceVersion,
    ) -> Result<(), WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => {
                directory
                    .delete_allocation(name, uid, resource_version)
                    .await
            }
            BackEnd::Kubernetes(kubernetes) => {
                kubernetes
                    .delete_allocation(name, uid, resource_version)
                    .await
            }
        }
    }

    /// Reads a claim past every cache.
    pub async fn get_allocation(&self, name: &str) -> Result<IPAllocation, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.get_allocation(name).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.get_allocation(name).await,
        }
    }

    /// Reads a Service past every cache.
    pub async fn get_service(&self, key: &ServiceKey) -> Result<Arc<ServiceView>, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.get_service(key).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.get_service(key).await,
        }
    }

    /// Writes address, finalizer and conditions of a Service in one step. `None` means that the
    /// patch took the last finalizer from a deleted Service, which is gone by that.
    pub async fn patch_service_status(
        &self,
        patch: ServiceStatusPatch,
    ) -> Result<Option<Arc<ServiceView>>, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.patch_service_status(patch).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.patch_service_status(patch).await,
        }
    }

    /// Merges `status` (RFC 7396) into the status of an object of our own kinds and returns the
    /// version that makes.
    pub async fn patch_status(
        &self,
        object: &ObjectRef,
        resource_version: &ResourceVersion,
        status: serde_json::Value,
    ) -> Result<ResourceVersion, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => {
                directory
                    .patch_status(object, resource_version, status)
                    .await
            }
            BackEnd::Kubernetes(kubernetes) => {
                kubernetes
                    .patch_status(object, resource_version, status)
                    .await
            }
        }
    }

    /// Puts Ringbolt's finalizer on an object of our own kinds, or takes it away; returns the version
    /// that makes, or `None` when the last finalizer of a deleted object went, and it with that.
    pub async fn patch_finalizer(
        &self,
        object: &ObjectRef,
        resource_version: &ResourceVersion,
        change: FinalizerChange,
    ) -> Result<Option<ResourceVersion>, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => {
                directory
                    .patch_finalizer(object, resource_version, change)
                    .await
            }
            BackEnd::Kubernetes(kubernetes) => {
                kubernetes
                    .patch_finalizer(object, resource_version, change)
                    .await
            }
        }
    }

    /// Makes the Speaker object of a node this one. Without a version: its speaker alone writes it.
    pub async fn apply_speaker(&self, speaker: &Speaker) -> Result<(), WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.apply_speaker(speaker).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.apply_speaker(speaker).await,
        }
    }

    /// Returns the Secret with the speakers' keys, and creates it with one random key of 32 bytes
    /// where there is none.
    pub async fn ensure_speaker_key(&self) -> Result<Arc<SecretView>, WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.ensure_speaker_key().await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.ensure_speaker_key().await,
        }
    }

    /// Marks a node as one to be left, or takes the mark away.
    pub async fn set_drain(&self, node: &NodeName, drain: Drain) -> Result<(), WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.set_drain(node, drain).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.set_drain(node, drain).await,
        }
    }

    /// Tells people something about an object. Bounded: old events make room for new ones.
    pub async fn event(&self, event: Event) -> Result<(), WriteError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.event(event).await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.event(event).await,
        }
    }
}
