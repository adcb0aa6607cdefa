//! What we announce, to whom, and with which attributes, as data; `export` is the evaluator.
//!
//! The module owns the vocabulary of originations. It knows no session, no table and no bytes: given
//! a route and what a session negotiated it says what that peer is told, or why it is told nothing.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::types::{PeerName, Prefix};
use crate::wire::{Community, ExtendedCommunity, LargeCommunity};

pub(crate) mod export;

/// Names one origination: a prefix may be announced several times, each time to other peers or
/// with other attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginationKey {
    /// The destination; host bits are cleared on the way in.
    pub prefix: Prefix,
    /// Which of the originations of this prefix; zero where there is one.
    pub slot: u16,
}

/// A prefix we inject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origination {
    /// Identity: a later origination with the same key replaces this one.
    pub key: OriginationKey,
    /// What the route carries; share one value between the prefixes that agree.
    pub attributes: Arc<RouteAttributes>,
    /// Who is told.
    pub peers: PeerSet,
}

/// The peers an origination is meant for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerSet {
    /// Every peer there is and will be.
    All,
    /// Sessions of these peer objects.
    Only(Arc<BTreeSet<PeerName>>),
}

impl PeerSet {
    /// Whether sessions of `peer` are told.
    #[must_use]
    pub fn contains(&self, peer: &PeerName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(peer),
        }
    }

    /// Whether both are visibly one value; cheaper than equality, and may miss it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::Only(names), Self::Only(others)) => Arc::ptr_eq(names, others),
            (Self::All, Self::Only(_)) | (Self::Only(_), Self::All) => false,
        }
    }
}

/// What a route stands for, which decides its fate while a node is drained or leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteClass {
    /// An address that other nodes serve as well: asked to move away before it is withdrawn.
    #[default]
    Service,
    /// Bound to this node (pod CIDR, node address, static): stays while the node is drained.
    Standing,
}

/// The attributes asked for by configuration; what a peer gets is decided by `export`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteAttributes {
    /// What becomes of the route on drain and leave.
    pub class: RouteClass,
    /// LOCAL_PREF towards iBGP peers; 100 where unset (RFC 4271 §5.1.5).
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC; not sent where unset.
    pub med: Option<u32>,
    /// How often our AS number is put in front of the one eBGP always carries.
    pub prepend: u8,
    /// RFC 1997.
    pub communities: BTreeSet<Community>,
    /// RFC 8092.
    pub large_communities: BTreeSet<LargeCommunity>,
    /// RFC 4360.
    pub extended_communities: BTreeSet<ExtendedCommunity>,
    /// Overrides the session's own next hops.
    pub next_hop: NextHops,
}

/// Next hops by family: those a session can offer, or those an origination insists on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHops {
    /// For IPv4 routes.
    pub ipv4: Option<Ipv4Addr>,
    /// For IPv6 routes, and for IPv4 routes where RFC 8950 is negotiated.
    pub ipv6: Option<Ipv6Addr>,
    /// Link-local companion of `ipv6`, set only on a session whose peer is on-link (RFC 2545 §3).
    pub ipv6_link_local: Option<Ipv6Addr>,
}

/// Why a peer is not told about a route or a whole family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Withheld {
    /// The session has no usable next hop of the family, and the route names none.
    NoNextHop,
    /// The attributes leave no room for a prefix in a message.
    AttributesTooLarge,
    /// The origination is for other peers.
    NotForPeer,
    /// The node is drained or leaves.
    Draining,
}

impl Withheld {
    /// The word used in conditions, events and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoNextHop => "NoNextHop",
            Self::AttributesTooLarge => "AttributesTooLarge",
            Self::NotForPeer => "NotForPeer",
            Self::Draining => "Draining",
        }
    }
}
