//! IPAllocation: the claim on one address, the truth about who holds it. Named after the address
//! ([`crate::names::allocation_name`]), so that creating it is the atomic act of taking it.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The claim on one address.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "IPAllocation",
    plural = "ipallocations",
    shortname = "ipalloc",
    category = "ringbolt",
    status = "super::condition::ConfigStatus",
    derive = "PartialEq",
    doc = "The claim on one address: who holds it, for whom it is reserved, since when it rests.",
    printcolumn(name = "ADDRESS", type_ = "string", json_path = ".spec.address"),
    printcolumn(name = "POOL", type_ = "string", json_path = ".spec.pool"),
    printcolumn(
        name = "SERVICE",
        type_ = "string",
        json_path = ".spec.holders[*].name"
    ),
    printcolumn(
        name = "RESERVED",
        type_ = "string",
        json_path = ".spec.reservedFor.name"
    ),
    printcolumn(name = "RELEASED", type_ = "date", json_path = ".spec.releasedAt")
)]
#[serde(rename_all = "camelCase")]
pub struct IPAllocationSpec {
    /// The address; canonical text; never changes.
    #[schemars(length(min = 2, max = 39))]
    #[x_kube(
        validation = Rule::new("self == oldSelf").message("the address of a claim never changes"),
        validation = Rule::new("isIP(self)").message("must be an IP address")
    )]
    pub address: String,
    /// Pool the address was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub pool: Option<String>,
    /// Services that hold the address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["uid"]
    ))]
    pub holders: Vec<Holder>,
    /// Sharing key of the holders; absent when the address is not shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub sharing_key: Option<String>,
    /// When the last holder let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    pub released_at: Option<Timestamp>,
    /// The Service for which the address is kept, whoever else asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_for: Option<ReservedFor>,
}

/// One Service that holds an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// `metadata.uid` of the Service.
    #[schemars(length(min = 1, max = 128))]
    pub uid: String,
    /// Namespace of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Name of the Service.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Ports the Service occupies on the address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub ports: Vec<HeldPort>,
}

/// A port that is taken on an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct HeldPort {
    /// TCP, UDP or SCTP.
    #[schemars(length(min = 1, max = 8))]
    pub protocol: String,
    /// Port number.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: u16,
}

/// A Service by name, whatever its UID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReservedFor {
    /// Namespace of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Name of the Service.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
