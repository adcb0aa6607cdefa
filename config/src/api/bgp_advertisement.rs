//! BGPAdvertisement: what is announced to which BGP peers, with which attributes.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selector::LabelSelector;

/// Announces prefixes to BGP peers.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "BGPAdvertisement",
    plural = "bgpadvertisements",
    shortname = "bgpadv",
    category = "ringbolt",
    status = "super::condition::ConfigStatus",
    derive = "PartialEq",
    doc = "Announces prefixes to BGP peers.",
    printcolumn(name = "SOURCE", type_ = "string", json_path = ".spec.source"),
    printcolumn(name = "POOLS", type_ = "string", json_path = ".spec.ipAddressPools"),
    printcolumn(name = "PEERS", type_ = "string", json_path = ".spec.peers"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
#[x_kube(
    validation = Rule::new(
        "(has(self.source) ? self.source : 'LoadBalancer') == \
         (has(oldSelf.source) ? oldSelf.source : 'LoadBalancer')"
    ).message("source never changes: create another advertisement"),
    validation = Rule::new(
        "!has(self.source) || self.source == 'LoadBalancer' || \
         (!has(self.ipAddressPools) && !has(self.ipAddressPoolSelectors))"
    ).message("pools belong to source LoadBalancer"),
    validation = Rule::new(
        "(has(self.source) && self.source == 'Static') == has(self.prefixes)"
    ).message("source Static needs prefixes, and no other source has them"),
    validation = Rule::new(
        "!has(self.source) || self.source in ['LoadBalancer', 'ClusterIP', 'ExternalIP'] || \
         (!has(self.serviceSelectors) && !has(self.namespaceSelectors) && \
          !has(self.withoutEndpoints) && !has(self.allowServiceAttributes) && \
          !has(self.linkBandwidth))"
    ).message("Service fields belong to the sources LoadBalancer, ClusterIP and ExternalIP"),
    validation = Rule::new(
        "(has(self.source) && self.source == 'ExternalIP') == has(self.allowedCIDRs)"
    ).message("source ExternalIP needs allowedCIDRs, and no other source has them")
)]
#[serde(rename_all = "camelCase")]
pub struct BGPAdvertisementSpec {
    /// What is announced; default LoadBalancer; never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<AdvertisementSource>,
    /// Source LoadBalancer: pools by name. Without names and selectors: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)))]
    pub ip_address_pools: Option<Vec<String>>,
    /// Source LoadBalancer: pools by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ip_address_pool_selectors: Option<Vec<LabelSelector>>,
    /// Services by label; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub service_selectors: Option<Vec<LabelSelector>>,
    /// Namespaces of the Services by label; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub namespace_selectors: Option<Vec<LabelSelector>>,
    /// Nodes that announce; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// Peers by name. Without names and selectors: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)))]
    pub peers: Option<Vec<String>>,
    /// Peers by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub peer_selectors: Option<Vec<LabelSelector>>,
    /// Source Static: the prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), inner(length(min = 2, max = 49)))]
    pub prefixes: Option<Vec<String>>,
    /// Length to which IPv4 addresses are aggregated; default 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32))]
    pub aggregation_length: Option<u8>,
    /// Length to which IPv6 addresses are aggregated; default 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 128))]
    pub aggregation_length_v6: Option<u8>,
    /// LOCAL_PREF towards internal peers; absent means 100 on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub local_pref: Option<u32>,
    /// Communities: aliases, `a:b`, `large:a:b:c`, `ext:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub communities: Option<Vec<String>>,
    /// MULTI_EXIT_DISC; absent means none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub med: Option<u32>,
    /// How many more times the local ASN stands in AS_PATH towards external peers; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32))]
    pub as_path_prepend: Option<u8>,
    /// Next hop for prefixes of its family, in place of the session's own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 45))]
    #[x_kube(validation = Rule::new("isIP(self)").message("must be an IP address"))]
    pub next_hop: Option<String>,
    /// Attributes by node; two entries that disagree on one node are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub attributes_by_node: Option<Vec<NodeAttributes>>,
    /// Whether the link bandwidth community carries this node's share of endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_bandwidth: Option<LinkBandwidth>,
    /// What happens to a Service without a usable endpoint; default Withdraw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_endpoints: Option<WithoutEndpoints>,
    /// Whether annotations of a Service may set attributes; default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_service_attributes: Option<bool>,
    /// Source ExternalIP: addresses that users may announce by typing them.
    #[serde(
        default,
        rename = "allowedCIDRs",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(min = 1, max = 256), inner(length(min = 2, max = 49)))]
    pub allowed_cidrs: Option<Vec<String>>,
}

/// Attributes on the nodes that a selector matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeAttributes {
    /// Nodes it applies to.
    pub node_selector: LabelSelector,
    /// LOCAL_PREF on these nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC on these nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub med: Option<u32>,
    /// Prepending on these nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32))]
    pub as_path_prepend: Option<u8>,
    /// Communities on these nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub communities: Option<Vec<String>>,
}

/// What an advertisement announces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum AdvertisementSource {
    /// Addresses of LoadBalancer Services.
    #[default]
    LoadBalancer,
    /// Pod networks of the node.
    PodCIDR,
    /// Cluster addresses of Services.
    ClusterIP,
    /// `spec.externalIPs` of Services.
    ExternalIP,
    /// Addresses of the node.
    NodeAddress,
    /// Listed prefixes.
    Static,
}

/// Whether weights follow endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum LinkBandwidth {
    /// No link bandwidth is sent.
    #[default]
    Never,
    /// This node's share of ready endpoints.
    ReadyEndpoints,
}

/// What happens to a Service without a usable endpoint.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[schemars(transform = crate::api::undescribed)]
pub enum WithoutEndpoints {
    /// Nobody announces it.
    #[default]
    Withdraw,
    /// It is announced all the same; clients are told by the nodes that nothing listens.
    Announce,
}
