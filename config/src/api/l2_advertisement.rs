//! L2Advertisement: which addresses are answered for by ARP and NDP, by whom, on which interfaces.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bgp_advertisement::WithoutEndpoints;
use super::condition::Condition;
use super::selector::LabelSelector;

/// Answers ARP and NDP for addresses of pools.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "L2Advertisement",
    plural = "l2advertisements",
    shortname = "l2adv",
    category = "ringbolt",
    status = "L2AdvertisementStatus",
    derive = "PartialEq",
    doc = "Answers ARP and NDP for addresses of pools.",
    printcolumn(name = "POOLS", type_ = "string", json_path = ".spec.ipAddressPools"),
    printcolumn(name = "INTERFACES", type_ = "string", json_path = ".spec.interfaces"),
    printcolumn(
        name = "SPEAKERS",
        type_ = "integer",
        json_path = ".status.expectedSpeakers"
    ),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct L2AdvertisementSpec {
    /// Pools by name. Without names and selectors: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)))]
    pub ip_address_pools: Option<Vec<String>>,
    /// Pools by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ip_address_pool_selectors: Option<Vec<LabelSelector>>,
    /// Services by label; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub service_selectors: Option<Vec<LabelSelector>>,
    /// Namespaces by label; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub namespace_selectors: Option<Vec<LabelSelector>>,
    /// Nodes that may announce; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// Interfaces by name. Without names and patterns: all that are suitable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 15)))]
    pub interfaces: Option<Vec<String>>,
    /// Interfaces by glob: `*`, `?` and everything else as itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub interface_patterns: Option<Vec<String>>,
    /// Nodes that are preferred: the sum of the weights of what matches decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub preferred_node_selectors: Option<Vec<PreferredNode>>,
    /// Node label that holds a weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317))]
    pub weight_label: Option<String>,
    /// Whether a returning better node takes addresses back; default Auto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<Failback>,
    /// Seconds between unasked repetitions of an announcement, 0 for none; default 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub refresh_seconds: Option<u32>,
    /// How quickly silence is taken for death; default Default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<L2Profile>,
    /// What happens to a Service without a usable endpoint; default Withdraw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_endpoints: Option<WithoutEndpoints>,
}

/// What the controller says of an L2Advertisement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct L2AdvertisementStatus {
    /// Generation the conditions speak about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Nodes that the advertisement selects: so many speakers should hear each other where all of
    /// them are on one segment. A speaker sees its own Node only and learns it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_speakers: Option<u32>,
    /// Conditions by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), schema_with = "super::condition::conditions")]
    pub conditions: Vec<Condition>,
}

/// A preference for nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PreferredNode {
    /// Weight of a match.
    #[schemars(range(min = 1, max = 100))]
    pub weight: u8,
    /// Nodes it applies to.
    pub preference: LabelSelector,
}

/// Whether a returning better node takes addresses back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum Failback {
    /// It does.
    #[default]
    Auto,
    /// Addresses stay where they are until that node leaves.
    Never,
}

/// How quickly silence is taken for death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum L2Profile {
    /// Balanced.
    #[default]
    Default,
    /// More packets, faster.
    Fast,
    /// Fewer packets, slower.
    Quiet,
}
