//! BFDProfile: times of BFD sessions, field for field as MetalLB has them.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Times of BFD sessions.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "BFDProfile",
    plural = "bfdprofiles",
    shortname = "rbbfd",
    category = "ringbolt",
    status = "super::condition::ConfigStatus",
    derive = "PartialEq",
    doc = "Times of BFD sessions.",
    printcolumn(
        name = "TRANSMIT",
        type_ = "integer",
        json_path = ".spec.transmitInterval"
    ),
    printcolumn(
        name = "RECEIVE",
        type_ = "integer",
        json_path = ".spec.receiveInterval"
    ),
    printcolumn(
        name = "MULTIPLIER",
        type_ = "integer",
        json_path = ".spec.detectMultiplier"
    ),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct BFDProfileSpec {
    /// Shortest interval we accept, in milliseconds; default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 60_000))]
    pub receive_interval: Option<u32>,
    /// Interval at which we send, in milliseconds; default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 60_000))]
    pub transmit_interval: Option<u32>,
    /// Lost packets that mean failure; default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 255))]
    pub detect_multiplier: Option<u32>,
    /// Interval of echo packets, in milliseconds; default 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 60_000))]
    pub echo_interval: Option<u32>,
    /// Whether echo packets are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_mode: Option<bool>,
    /// Whether to wait for the other side to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passive_mode: Option<bool>,
    /// Least TTL accepted on multi-hop sessions; default 254.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 254))]
    pub minimum_ttl: Option<u32>,
}
