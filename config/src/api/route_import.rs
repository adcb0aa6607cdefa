//! RouteImport: which routes of peers enter the node's kernel. Nothing does without one.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selector::LabelSelector;

/// Which routes of peers enter the node's kernel.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "RouteImport",
    plural = "routeimports",
    shortname = "rimport",
    category = "ringbolt",
    status = "super::condition::ConfigStatus",
    derive = "PartialEq",
    doc = "Which routes of peers enter the node's kernel.",
    printcolumn(name = "PEERS", type_ = "string", json_path = ".spec.peers"),
    printcolumn(name = "TABLE", type_ = "integer", json_path = ".spec.table"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RouteImportSpec {
    /// Peers by name; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)))]
    pub peers: Option<Vec<String>>,
    /// Nodes that import; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// Prefixes that may enter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub prefixes: Option<Vec<ImportPrefix>>,
    /// Communities, one of which a route must carry; none given: no condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub communities: Option<Vec<String>>,
    /// Kernel table; default 254.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub table: Option<u32>,
    /// Kernel metric; default 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub metric: Option<u32>,
    /// Routes that enter at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub max_routes: Option<u32>,
    /// Routes to other nodes' pods when BGP is down; default None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ImportFallback>,
}

/// A prefix, and how long its more-specifics may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportPrefix {
    /// The prefix.
    #[schemars(length(min = 2, max = 49))]
    pub cidr: String,
    /// Least length; default the prefix's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub ge: Option<u8>,
    /// Greatest length; default the prefix's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub le: Option<u8>,
}

/// Routes to other nodes' pods when BGP is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum ImportFallback {
    /// None.
    #[default]
    None,
    /// From the API, for nodes of the same subnet.
    SameSubnet,
}
