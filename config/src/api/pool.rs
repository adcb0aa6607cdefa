//! IPAddressPool: addresses that Services may be given.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::selector::LabelSelector;

/// Addresses that Services may be given, and who may have them.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "IPAddressPool",
    plural = "ipaddresspools",
    shortname = "rbpool",
    category = "ringbolt",
    status = "IPAddressPoolStatus",
    derive = "PartialEq",
    doc = "Addresses that Services may be given, and who may have them.",
    printcolumn(
        name = "ASSIGNED4",
        type_ = "integer",
        json_path = ".status.assignedIPv4"
    ),
    printcolumn(name = "FREE4", type_ = "integer", json_path = ".status.availableIPv4"),
    printcolumn(
        name = "ASSIGNED6",
        type_ = "integer",
        json_path = ".status.assignedIPv6"
    ),
    printcolumn(name = "FREE6", type_ = "integer", json_path = ".status.availableIPv6"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressPoolSpec {
    /// CIDRs, ranges `from-to` and single addresses, of both families.
    #[schemars(length(min = 1, max = 1000), inner(length(min = 2, max = 87)))]
    pub addresses: Vec<String>,
    /// Addresses that are never handed out; the same forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), inner(length(min = 2, max = 87)))]
    pub exclude_addresses: Option<Vec<String>>,
    /// Whether a Service that names no pool may be given an address of this one; default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_assign: Option<bool>,
    /// Whether IPv4 addresses that end in .0 or .255 are left out; default false.
    #[serde(
        default,
        rename = "avoidBuggyIPs",
        skip_serializing_if = "Option::is_none"
    )]
    pub avoid_buggy_ips: Option<bool>,
    /// Whether the first and the last address of each listed IPv4 CIDR are left out; default
    /// false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoid_edge_addresses: Option<bool>,
    /// Which Services may use the pool, and which of several pools they use first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_allocation: Option<ServiceAllocation>,
    /// Whether new allocations wait; addresses in use stay. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// How many addresses one namespace may hold from this pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub limits: Option<Vec<PoolLimit>>,
    /// How far a sharing key reaches; default Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<PoolSharing>,
    /// What happens to holders when the pool is deleted; default Reallocate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_removal: Option<OnRemoval>,
    /// Seconds for which a freed address is not given to anyone else; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub reuse_delay_seconds: Option<u32>,
}

/// Which Services may use a pool: (namespaces or namespaceSelectors) and serviceSelectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAllocation {
    /// Lower is tried first; 0 or absent is tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub priority: Option<u32>,
    /// Namespaces by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 63)))]
    pub namespaces: Option<Vec<String>>,
    /// Namespaces by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub namespace_selectors: Option<Vec<LabelSelector>>,
    /// Services by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub service_selectors: Option<Vec<LabelSelector>>,
}

/// A bound on what one namespace may hold; without namespaces and selectors it applies to each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolLimit {
    /// Namespaces by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 63)))]
    pub namespaces: Option<Vec<String>>,
    /// Namespaces by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub namespace_selectors: Option<Vec<LabelSelector>>,
    /// Addresses that one namespace may hold from this pool.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub max_addresses_per_namespace: u32,
}

/// How far a sharing key reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum PoolSharing {
    /// Services of one namespace may share an address.
    #[default]
    Namespace,
    /// Services of any namespace may share an address.
    Cluster,
    /// No address is shared.
    Never,
}

/// Finalizer on pools that are kept until nobody holds an address of them (contracts 1.11).
pub const FINALIZER: &str = "ringbolt.io/in-use";

/// What happens to holders when their pool is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum OnRemoval {
    /// They are given addresses of other pools.
    #[default]
    Reallocate,
    /// The pool stays, without new allocations, until nobody holds an address of it.
    Keep,
}

/// What the controller knows about a pool. Counts saturate at 2^63 - 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressPoolStatus {
    /// Generation the status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// IPv4 addresses that can be handed out at all.
    #[serde(
        default,
        rename = "capacityIPv4",
        skip_serializing_if = "Option::is_none"
    )]
    pub capacity_ipv4: Option<i64>,
    /// IPv6 addresses that can be handed out at all.
    #[serde(
        default,
        rename = "capacityIPv6",
        skip_serializing_if = "Option::is_none"
    )]
    pub capacity_ipv6: Option<i64>,
    /// IPv4 addresses in use, a shared one counted once.
    #[serde(
        default,
        rename = "assignedIPv4",
        skip_serializing_if = "Option::is_none"
    )]
    pub assigned_ipv4: Option<i64>,
    /// IPv6 addresses in use, a shared one counted once.
    #[serde(
        default,
        rename = "assignedIPv6",
        skip_serializing_if = "Option::is_none"
    )]
    pub assigned_ipv6: Option<i64>,
    /// IPv4 addresses that are free.
    #[serde(
        default,
        rename = "availableIPv4",
        skip_serializing_if = "Option::is_none"
    )]
    pub available_ipv4: Option<i64>,
    /// IPv6 addresses that are free.
    #[serde(
        default,
        rename = "availableIPv6",
        skip_serializing_if = "Option::is_none"
    )]
    pub available_ipv6: Option<i64>,
    /// Conditions by type: Ready, Conflicting, Exhausted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::condition::conditions")]
    pub conditions: Vec<Condition>,
}
