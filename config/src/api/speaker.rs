//! Speaker: what one node's speaker does; status only, written by that speaker alone.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bgp_peer::IpFamily;
use super::condition::Condition;

/// What one node's speaker does.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "Speaker",
    plural = "speakers",
    shortname = "spk",
    category = "ringbolt",
    status = "SpeakerStatus",
    derive = "PartialEq",
    doc = "What one node's speaker does.",
    printcolumn(name = "PEERS", type_ = "string", json_path = ".status.peers"),
    printcolumn(
        name = "ADDRESSES",
        type_ = "integer",
        json_path = ".status.ownedAddresses"
    ),
    printcolumn(
        name = "ROUTES",
        type_ = "integer",
        json_path = ".status.routesAnnounced"
    ),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
pub struct SpeakerSpec {}

/// What one node's speaker does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerStatus {
    /// Established sessions and all of them, as `up/all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub peers: Option<String>,
    /// BGP sessions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub sessions: Vec<SessionStatus>,
    /// Addresses this node answers for on layer 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_addresses: Option<u32>,
    /// The first 200 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), inner(length(max = 45)))]
    pub addresses: Vec<String>,
    /// Interfaces on which addresses are answered for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub interfaces: Vec<InterfaceStatus>,
    /// Prefixes announced over BGP, each counted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes_announced: Option<u32>,
    /// Routes in the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes_installed: Option<u32>,
    /// Routes that were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes_refused: Option<u32>,
    /// Ids of the keys this speaker can read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub key_ids: Vec<u32>,
    /// Hash of the configuration in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub config: Option<String>,
    /// Program version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// When the speaker last wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    pub updated_at: Option<Timestamp>,
    /// Conditions by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::condition::conditions")]
    pub conditions: Vec<Condition>,
}

/// One BGP session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// BGPPeer the session belongs to.
    #[schemars(length(max = 253))]
    pub peer: String,
    /// Address of the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub address: Option<String>,
    /// State by RFC 4271 §8.2.2: Idle, Connect, Active, OpenSent, OpenConfirm, Established.
    #[schemars(length(max = 16))]
    pub state: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    pub since: Option<Timestamp>,
    /// What ended the last session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<SessionError>,
    /// Families in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub families: Vec<IpFamily>,
    /// Prefixes received.
    #[serde(default)]
    pub prefixes_in: u32,
    /// Prefixes announced.
    #[serde(default)]
    pub prefixes_out: u32,
    /// Capabilities both sides have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    pub capabilities: Vec<String>,
    /// How often the session was lost.
    #[serde(default)]
    pub flaps: u32,
}

/// A NOTIFICATION, or what else ended a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionError {
    /// Error code by RFC 4271 §4.5, 0 if none was sent or received.
    #[serde(default)]
    pub code: u8,
    /// Error subcode.
    #[serde(default)]
    pub subcode: u8,
    /// What it means.
    #[schemars(length(max = 256))]
    pub text: String,
}

/// An interface on which addresses are answered for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceStatus {
    /// Name.
    #[schemars(length(max = 15))]
    pub name: String,
    /// MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 17))]
    pub mac: Option<String>,
    /// Addresses with prefix lengths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 49)))]
    pub addresses: Vec<String>,
}
