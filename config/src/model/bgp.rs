//! BGP peers and BGPAdvertisements in force. Numbers are plain here: this crate does not know the
//! types of the BGP engine; the speaker turns one into the other in one function.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::PoolScope;
use super::community::Community;
use super::selector::Selectors;
use crate::api::bgp_advertisement::WithoutEndpoints;
use crate::api::bgp_peer::IpFamily;
use crate::names::{AdvertisementName, PeerName};
use crate::secret::SecretBytes;

/// TCP-MD5 password (RFC 2385), 1 to 80 bytes; never printed.
pub type Password = SecretBytes;

/// Longest TCP-MD5 key that Linux takes (`TCP_MD5SIG_MAXKEYLEN`), bytes.
pub const MAX_PASSWORD: usize = 80;

/// AS number the other side may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteAsn {
    /// This one.
    Exact(u32),
    /// Ours.
    Internal,
    /// Any but ours.
    External,
}

/// A peer in force: own fields, those of its template, and defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    /// Name of the BGPPeer.
    pub name: PeerName,
    /// Our AS number.
    pub my_asn: u32,
    /// AS number shown to this peer in place of ours.
    pub local_asn: Option<u32>,
    /// Theirs.
    pub remote_asn: RemoteAsn,
    /// Their address.
    pub address: IpAddr,
    /// Their TCP port.
    pub port: u16,
    /// Address we connect from.
    pub source: Option<IpAddr>,
    /// BGP identifier; without one the speaker chooses.
    pub router_id: Option<Ipv4Addr>,
    /// Hold time we propose: zero, or 3 s to 65,535 s, whole seconds.
    pub hold_time: Duration,
    /// Time between keepalives; whole seconds, at most a third of the hold time.
    pub keepalive_time: Duration,
    /// Time between attempts to connect.
    pub connect_time: Duration,
    /// TCP-MD5 password.
    pub password: Option<Password>,
    /// How far away they are.
    pub distance: Distance,
    /// Whether we wait for them to connect.
    pub passive: bool,
    /// Families of the session; at least one.
    pub families: BTreeSet<IpFamily>,
    /// Nodes that have the session.
    pub nodes: Selectors,
    /// Whether the peer is asked to keep our routes while we restart.
    pub graceful_restart: Option<GracefulRestart>,
    /// Prefixes accepted before the session is closed.
    pub max_prefixes: Option<u32>,
    /// Time between lowering the preference of routes and withdrawing them.
    pub drain_wait: Duration,
}

impl Peer {
    /// AS number this peer sees us with.
    pub fn shown_asn(&self) -> u32 {
        self.local_asn.unwrap_or(self.my_asn)
    }
}

/// What a peer is offered in the graceful restart capability (RFC 4724).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestart {
    /// For how long it should wait for us, 1 s to 4,095 s.
    pub restart_time_s: u16,
}

/// How far away a peer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// External peers on the link, internal ones anywhere.
    Usual,
    /// Anywhere.
    MultiHop,
    /// Packets that crossed more hops than this are dropped (RFC 5082).
    TtlSecurity {
        /// 1 to 254.
        hops: u8,
    },
}

/// Peers that an advertisement is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerScope {
    /// All peers.
    All,
    /// These peers, be it none.
    Only(Arc<BTreeSet<PeerName>>),
}

impl PeerScope {
    /// Whether a peer is among them.
    pub fn covers(&self, peer: &PeerName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(peer),
        }
    }
}

/// A BGPAdvertisement in force.
#[derive(Debug, Clone, PartialEq)]
pub struct BgpAdvertisement {
    /// Name of the BGPAdvertisement.
    pub name: AdvertisementName,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// What is announced.
    pub origin: Origin,
    /// Nodes that announce.
    pub nodes: Selectors,
    /// To whom.
    pub peers: PeerScope,
    /// Length to which IPv4 is aggregated, 1 to 32.
    pub aggregation_v4: u8,
    /// Length to which IPv6 is aggregated, 1 to 128.
    pub aggregation_v6: u8,
    /// With what.
    pub attributes: Arc<BgpAttributes>,
}

/// What is announced.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// Addresses of LoadBalancer Services.
    LoadBalancer(ServiceScope),
    /// Pod networks of the node.
    PodCidr,
    /// Listed prefixes, canonical, each once.
    Static(Arc<[IpNet]>),
}

/// Which Services an advertisement covers.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceScope {
    /// Pools their addresses come from.
    pub pools: PoolScope,
    /// Services by label.
    pub services: Selectors,
    /// Namespaces of the Services by label.
    pub namespaces: Selectors,
    /// What happens to a Service without a usable endpoint.
    pub without_endpoints: WithoutEndpoints,
    /// Whether annotations of a Service may set attributes.
    pub allow_service_attributes: bool,
}

/// Attributes of an announcement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BgpAttributes {
    /// LOCAL_PREF towards internal peers.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// How many more times the local ASN stands in AS_PATH towards external peers.
    pub as_path_prepend: u8,
    /// Communities of all sorts.
    pub communities: BTreeSet<Community>,
    /// Next hop for prefixes of its own family.
    pub next_hop: Option<IpAddr>,
}
