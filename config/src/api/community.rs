//! Community: names for BGP communities, as MetalLB has them.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names for BGP communities.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "Community",
    plural = "communities",
    shortname = "rbcomm",
    category = "ringbolt",
    status = "super::condition::ConfigStatus",
    derive = "PartialEq",
    doc = "Names for BGP communities.",
    printcolumn(
        name = "ALIASES",
        type_ = "string",
        json_path = ".spec.communities[*].name"
    ),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
pub struct CommunitySpec {
    /// The names and what they stand for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub communities: Option<Vec<CommunityAlias>>,
}

/// One name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommunityAlias {
    /// The name that advertisements use.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The community: `a:b`, `large:a:b:c`, `ext:…`.
    #[schemars(length(min = 1, max = 64))]
    pub value: String,
}
