//! BGPPeer and BGPPeerTemplate: the other side of BGP sessions. Both carry [`PeerFields`]; a peer's
//! own field wins over its template's, which is why none of them has a default in the schema.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::selector::LabelSelector;

/// The other side of BGP sessions.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "BGPPeer",
    plural = "bgppeers",
    shortname = "rbpeer",
    category = "ringbolt",
    status = "BGPPeerStatus",
    derive = "PartialEq",
    doc = "The other side of BGP sessions.",
    printcolumn(name = "ASN", type_ = "string", json_path = ".spec.peerASN"),
    printcolumn(name = "ADDRESS", type_ = "string", json_path = ".spec.peerAddress"),
    printcolumn(name = "NODES", type_ = "integer", json_path = ".status.nodesSelected"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
#[x_kube(
    validation = Rule::new(
        "(has(self.peerAddress) ? 1 : 0) + (has(self.interface) ? 1 : 0) + \
         (has(self.peerPrefix) ? 1 : 0) + (has(self.peerNodeSelector) ? 1 : 0) + \
         (has(self.peerGateway) ? 1 : 0) <= 1"
    ).message("name the other side in one way only"),
    validation = Rule::new(
        "has(self.templateRef) || has(self.peerAddress) || has(self.interface) || \
         has(self.peerPrefix) || has(self.peerNodeSelector) || has(self.peerGateway)"
    ).message("one of peerAddress, interface, peerPrefix, peerNodeSelector, peerGateway is needed"),
    validation = Rule::new("!has(self.peerASN) || !has(self.dynamicASN)")
        .message("peerASN and dynamicASN exclude each other"),
    validation = Rule::new("has(self.templateRef) || has(self.peerASN) || has(self.dynamicASN)")
        .message("one of peerASN and dynamicASN is needed"),
    validation = Rule::new("has(self.templateRef) || has(self.myASN)")
        .message("myASN is needed"),
    validation = Rule::new("!has(self.password) || !has(self.passwordSecret)")
        .message("password and passwordSecret exclude each other"),
    validation = Rule::new(
        "!has(self.families) || !has(self.disableMP) || !self.disableMP || \
         size(self.families) == 1"
    ).message("disableMP leaves one family"),
    validation = Rule::new(
        "!has(self.families) || !has(self.dualStackAddressFamily) || \
         self.dualStackAddressFamily == (size(self.families) == 2)"
    ).message("families and dualStackAddressFamily disagree"),
    validation = Rule::new(
        "!has(self.disableMP) || !self.disableMP || \
         !has(self.dualStackAddressFamily) || !self.dualStackAddressFamily"
    ).message("disableMP and dualStackAddressFamily exclude each other"),
    validation = Rule::new("!has(self.ebgpMultiHop) || !self.ebgpMultiHop || !has(self.ttlSecurityHops)")
        .message("ebgpMultiHop and ttlSecurityHops exclude each other")
)]
#[serde(rename_all = "camelCase")]
pub struct BGPPeerSpec {
    /// BGPPeerTemplate whose fields fill what is absent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub template_ref: Option<String>,
    /// Fields of the session.
    #[serde(flatten)]
    pub fields: PeerFields,
}

/// Fields that peers have in common.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ringbolt.io",
    version = "v1beta1",
    kind = "BGPPeerTemplate",
    plural = "bgppeertemplates",
    shortname = "rbpeertmpl",
    category = "ringbolt",
    status = "super::condition::ConfigStatus",
    derive = "PartialEq",
    doc = "Fields that peers have in common.",
    printcolumn(name = "ASN", type_ = "string", json_path = ".spec.peerASN"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct BGPPeerTemplateSpec {
    /// Fields of the sessions.
    #[serde(flatten)]
    pub fields: PeerFields,
}

/// What describes a session, in a peer or in a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerFields {
    /// Our AS number.
    #[serde(default, rename = "myASN", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294_u32))]
    pub my_asn: Option<u32>,
    /// AS number of the other side.
    #[serde(default, rename = "peerASN", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294_u32))]
    pub peer_asn: Option<u32>,
    /// In place of peerASN: `internal` is ours, `external` any other.
    #[serde(
        default,
        rename = "dynamicASN",
        skip_serializing_if = "Option::is_none"
    )]
    pub dynamic_asn: Option<DynamicAsn>,
    /// Address of the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 45))]
    #[x_kube(validation = Rule::new("isIP(self)").message("must be an IP address"))]
    pub peer_address: Option<String>,
    /// Interface behind which the other side is found by its link-local address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub interface: Option<String>,
    /// Prefix from which sessions are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 49))]
    #[x_kube(validation = Rule::new("isCIDR(self)").message("must be a CIDR"))]
    pub peer_prefix: Option<String>,
    /// Nodes that are peers of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_node_selector: Option<LabelSelector>,
    /// The node's default gateway of this family is the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_gateway: Option<IpFamily>,
    /// TCP port of the other side; default 179.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub peer_port: Option<u16>,
    /// Address we connect from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 45))]
    #[x_kube(validation = Rule::new("isIP(self)").message("must be an IP address"))]
    pub source_address: Option<String>,
    /// BGP identifier, as an IPv4 address; default derived from the node.
    #[serde(default, rename = "routerID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 7, max = 15))]
    #[x_kube(validation = Rule::new("isIP(self) && ip(self).family() == 4")
        .message("must be an IPv4 address"))]
    pub router_id: Option<String>,
    /// Hold time such as `90s`: 0 or 3 s to 65,535 s; default 90s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(
        "duration(self) == duration('0s') || \
         (duration(self) >= duration('3s') && duration(self) <= duration('65535s'))"
    ).message("must be 0s or between 3s and 65535s"))]
    pub hold_time: Option<String>,
    /// Time between keepalives; default a third of the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub keepalive_time: Option<String>,
    /// Time between attempts to connect, 1s to 65535s; default 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(
        "duration(self) >= duration('1s') && duration(self) <= duration('65535s')"
    ).message("must be between 1s and 65535s"))]
    pub connect_time: Option<String>,
    /// TCP-MD5 password; passwordSecret keeps it out of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80))]
    pub password: Option<String>,
    /// Secret that holds the TCP-MD5 password under the key `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<SecretReference>,
    /// BFDProfile for the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub bfd_profile: Option<String>,
    /// Whether to restart gracefully with default times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_graceful_restart: Option<bool>,
    /// Times of graceful restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graceful_restart: Option<GracefulRestart>,
    /// Whether an external peer may be several hops away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebgp_multi_hop: Option<bool>,
    /// Only packets that crossed at most this many hops are accepted (RFC 5082).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 254))]
    pub ttl_security_hops: Option<u8>,
    /// AS number shown to this peer in place of myASN.
    #[serde(default, rename = "localASN", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294_u32))]
    pub local_asn: Option<u32>,
    /// Whether to wait for the other side to connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passive: Option<bool>,
    /// Address families of the session; default the family of the peer's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub families: Option<Vec<IpFamily>>,
    /// MetalLB: only the family of the peer's address.
    #[serde(default, rename = "disableMP", skip_serializing_if = "Option::is_none")]
    pub disable_mp: Option<bool>,
    /// MetalLB: both families on one session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dual_stack_address_family: Option<bool>,
    /// Nodes that have this session; none given: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// Routing table of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub vrf: Option<String>,
    /// Prefixes accepted from the other side before the session is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub max_prefixes: Option<u32>,
    /// Prefixes announced to the other side at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub max_prefixes_out: Option<u32>,
    /// How often our own AS number may stand in a received AS_PATH.
    #[serde(default, rename = "allowASIn", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub allow_as_in: Option<u8>,
    /// Whether the peer's AS number in AS_PATH is replaced by ours.
    #[serde(default, rename = "replaceAS", skip_serializing_if = "Option::is_none")]
    pub replace_as: Option<bool>,
    /// Whether private AS numbers are removed from AS_PATH.
    #[serde(
        default,
        rename = "removePrivateAS",
        skip_serializing_if = "Option::is_none"
    )]
    pub remove_private_as: Option<bool>,
    /// Whether the peer is a client of this route reflector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_reflector_client: Option<bool>,
    /// CLUSTER_ID of the route reflector, as an IPv4 address.
    #[serde(default, rename = "clusterID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 7, max = 15))]
    pub cluster_id: Option<String>,
    /// Several paths for one prefix (RFC 7911).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_paths: Option<AddPaths>,
    /// Our role towards this peer (RFC 9234).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<BgpRole>,
    /// How a leaving node says goodbye.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// Whether the session waits for BFD to come up.
    #[serde(default, rename = "strictBFD", skip_serializing_if = "Option::is_none")]
    pub strict_bfd: Option<bool>,
}

/// Which AS numbers are accepted where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::api::undescribed)]
pub enum DynamicAsn {
    /// Ours.
    Internal,
    /// Any but ours.
    External,
}

/// An address family.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(transform = crate::api::undescribed)]
pub enum IpFamily {
    /// IPv4.
    IPv4,
    /// IPv6.
    IPv6,
}

/// A Secret by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretReference {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the Secret; default the namespace of Ringbolt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Times of graceful restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GracefulRestart {
    /// Seconds for which the other side keeps routes while we restart; default 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4095))]
    pub restart_time_seconds: Option<u16>,
    /// Seconds for which stale routes live on at least preference (RFC 9494).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16_777_215))]
    pub long_lived_stale_time_seconds: Option<u32>,
}

/// Several paths for one prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum AddPaths {
    /// Neither way.
    #[default]
    None,
    /// We send several.
    Send,
    /// We accept several.
    Receive,
    /// Both.
    Both,
}

/// Our role towards a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::api::undescribed)]
pub enum BgpRole {
    /// We sell transit.
    Provider,
    /// We buy transit.
    Customer,
    /// Neither.
    Peer,
    /// We are the route server.
    RouteServer,
    /// The other side is the route server.
    RouteServerClient,
}

/// How a leaving node says goodbye.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// Seconds between lowering the preference of routes and withdrawing them; default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 300))]
    pub wait_seconds: Option<u32>,
}

/// A peer over all nodes; the sessions themselves are in Speaker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BGPPeerStatus {
    /// Generation the status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Nodes that should have the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes_selected: Option<u32>,
    /// Conditions by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::condition::conditions")]
    pub conditions: Vec<Condition>,
}
