//! One node of the world: a Router that lives or does not, and what its operator wants of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use ringbolt_bgp::policy::{NextHops, Origination, OriginationKey};
use ringbolt_bgp::router::{Drain, Router};
use ringbolt_bgp::session::PeerConfig;
use ringbolt_bgp::types::{Asn, ConnId, Family, PeerId, RouterId};

use crate::link::{LinkId, Side};

/// Index of a node.
pub(crate) type NodeIx = usize;

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) asn: Asn,
    pub(crate) router_id: RouterId,
    /// Where sessions of this node run.
    pub(crate) address: IpAddr,
    /// What it has to offer as next hops.
    pub(crate) next_hops: NextHops,
    pub(crate) router: Option<Router>,
    /// Counts its lives; what belongs to an earlier one is void.
    pub(crate) life: u32,
    pub(crate) peers: BTreeMap<NodeIx, PeerConfig>,
    pub(crate) originations: BTreeMap<OriginationKey, Origination>,
    pub(crate) complete: bool,
    pub(crate) drain: Drain,
    /// When drain or next hops were last changed by the operator.
    pub(crate) policy_changed: Instant,
    /// Does not read from its sockets before this.
    pub(crate) deaf_until: Instant,
    pub(crate) conns: BTreeMap<ConnId, (LinkId, Side)>,
    /// Dials that the Router has taken back.
    pub(crate) cancelled: Vec<ConnId>,
    pub(crate) accepted: u64,
}

impl Node {
    pub(crate) fn new(
        ix: NodeIx,
        asn: Asn,
        router_id: RouterId,
        transport: Family,
        now: Instant,
    ) -> Self {
        let octet = u8::try_from(ix + 1).expect("few nodes");
        let ipv4 = Ipv4Addr::new(10, 0, 0, octet);
        let ipv6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(octet));
        let address = match transport {
            Family::Ipv4Unicast => IpAddr::V4(ipv4),
            Family::Ipv6Unicast => IpAddr::V6(ipv6),
        };
        Self {
            asn,
            router_id,
            address,
            next_hops: NextHops {
                ipv4: Some(ipv4),
                ipv6: Some(ipv6),
                ipv6_link_local: None,
            },
            router: None,
            life: 0,
            peers: BTreeMap::new(),
            originations: BTreeMap::new(),
            complete: false,
            drain: Drain::Serving,
            policy_changed: now,
            deaf_until: now,
            conns: BTreeMap::new(),
            cancelled: Vec::new(),
            accepted: 0,
        }
    }
}

/// What every node calls node `ix`.
pub(crate) fn peer_id(ix: NodeIx) -> PeerId {
    PeerId::new(format!("node-{ix}"))
}
