//! Everything a session must be told about its peer, with no default left open.
//!
//! Owns the difference between changes that a running session takes in its stride and changes
//! that need a new OPEN ([`PeerConfig::needs_reset`]).

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use crate::types::{Asn, FamilySet, HoldTime, PeerId, Peering, RouterId, Secret};

/// A configured peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// Identity; a later configuration with the same id replaces this one.
    pub id: PeerId,
    /// Free text for people.
    pub description: Option<Arc<str>>,
    /// The AS number we show this peer; the router's own where unset (`localASN`).
    pub local_asn: Option<Asn>,
    /// The BGP identifier we show this peer; the router's own where unset (`routerID`).
    pub router_id: Option<RouterId>,
    /// Which AS the peer may be in.
    pub remote_asn: RemoteAsn,
    /// Where the peer is.
    pub address: IpAddr,
    /// TCP port we dial.
    pub port: u16,
    /// The address we dial from; the kernel's choice where unset.
    pub source: Option<IpAddr>,
    /// Who dials.
    pub mode: Mode,
    /// What we offer in OPEN.
    pub hold_time: HoldTime,
    /// Upper bound of the keepalive interval; a third of the hold time where unset.
    pub keepalive: Option<Duration>,
    /// First delay before dialling again; doubles up to 30 s.
    pub connect_retry: Duration,
    /// TCP-MD5 key (RFC 2385).
    pub password: Option<Secret<Arc<[u8]>>>,
    /// Families we offer.
    pub families: FamilySet,
    /// How far away the peer may be.
    pub hops: Hops,
    /// Whether we offer graceful restart, and with what.
    pub graceful_restart: Option<GracefulRestart>,
    /// More prefixes than this in one family end the session with Cease/1 (RFC 4486 §4).
    pub max_prefixes_in: Option<u32>,
    /// How long routes carry GRACEFUL_SHUTDOWN before they are withdrawn (RFC 8326).
    pub drain_wait: Duration,
}

impl PeerConfig {
    /// The first delay before another attempt unless the peer asks for one of its own.
    pub const CONNECT_RETRY: Duration = Duration::from_secs(1);
    /// The default of `drain.waitSeconds`.
    pub const DRAIN_WAIT: Duration = Duration::from_secs(3);
    /// The port BGP listens on (RFC 4271 §8.2.1).
    pub const PORT: u16 = 179;

    /// An active eBGP or iBGP peer with every default: hold time 90 s, both families, no limits.
    #[must_use]
    pub fn new(id: PeerId, remote_asn: RemoteAsn, address: IpAddr) -> Self {
        Self {
            id,
            description: None,
            local_asn: None,
            router_id: None,
            remote_asn,
            address,
            port: Self::PORT,
            source: None,
            mode: Mode::Active,
            hold_time: HoldTime::from_secs(90).expect("90 s is a hold time"),
            keepalive: None,
            connect_retry: Self::CONNECT_RETRY,
            password: None,
            families: FamilySet::ALL,
            hops: Hops::Default,
            graceful_restart: None,
            max_prefixes_in: None,
            drain_wait: Self::DRAIN_WAIT,
        }
    }

    /// Whether going from `self` to `next` needs new TCP connections: what is in OPEN or belongs
    /// to the socket does, everything else is taken over in place.
    #[must_use]
    pub fn needs_reset(&self, next: &Self) -> bool {
        let Self {
            id,
            description: _,
            local_asn,
            router_id,
            remote_asn,
            address,
            port,
            source,
            mode: _,
            hold_time,
            keepalive: _,
            connect_retry: _,
            password,
            families,
            hops,
            graceful_restart,
            max_prefixes_in: _,
            drain_wait: _,
        } = self;
        *id != next.id
            || *local_asn != next.local_asn
            || *router_id != next.router_id
            || *remote_asn != next.remote_asn
            || *address != next.address
            || *port != next.port
            || *source != next.source
            || *hold_time != next.hold_time
            || *password != next.password
            || *families != next.families
            || *hops != next.hops
            || *graceful_restart != next.graceful_restart
    }
}

/// Which AS a peer may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteAsn {
    /// This one.
    Exactly(Asn),
    /// Ours or any but ours (`dynamicASN`).
    Any(Peering),
}

impl RemoteAsn {
    /// Whether a peer in `remote` is welcome to a session on which we are `local`.
    #[must_use]
    pub fn admits(self, remote: Asn, local: Asn) -> bool {
        match self {
            Self::Exactly(asn) => remote == asn,
            Self::Any(Peering::Internal) => remote == local,
            Self::Any(Peering::External) => remote != local,
        }
    }

    /// Whether the peer is in our AS, given which number it is shown.
    #[must_use]
    pub fn peering(self, local: Asn) -> Peering {
        match self {
            Self::Exactly(asn) if asn == local => Peering::Internal,
            Self::Exactly(_) => Peering::External,
            Self::Any(peering) => peering,
        }
    }
}

/// Who opens the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// We dial, and accept as well.
    Active,
    /// The peer dials.
    Passive,
}

/// How far away the peer may be, which decides the TTL of what we send and accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hops {
    /// eBGP: one hop. iBGP: any distance.
    Default,
    /// Any distance (`ebgpMultiHop`).
    Multihop,
    /// At most this many hops, enforced by the kernel on both ends (RFC 5082).
    Security(NonZeroU8),
}

/// What we offer in the graceful restart capability (RFC 4724 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracefulRestart {
    /// How long the peer should wait for us, in seconds; twelve bits on the wire.
    pub restart_time_s: u16,
}

impl GracefulRestart {
    pub(super) fn wait(self) -> Duration {
        Duration::from_secs(self.restart_time_s.into())
    }
}
