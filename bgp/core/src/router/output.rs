//! Everything a [`Router`](super::Router) asks of its driver, and what it tells about itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::policy::Withheld;
use crate::session::{DownReason, Hops, NotificationRecord};
use crate::types::{Asn, ConnId, Family, PeerId, Peering, RouterId, Secret};
use crate::wire::AttrFault;

/// What the driver must do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Dial, and answer with `Dialled` or `DialFailed`. A `Close` for the same connection cancels.
    Connect {
        /// The number of the connection to come.
        conn: ConnId,
        /// For whom.
        peer: PeerId,
        /// Where to and how.
        target: DialTarget,
    },
    /// Close the connection; answer with `Closed` when it is.
    Close {
        /// Which.
        conn: ConnId,
        /// What becomes of bytes not yet written.
        flush: Flush,
    },
    /// Something worth a log line and a counter.
    Event(Event),
}

/// How to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialTarget {
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// The address to bind, where the configuration names one.
    pub source: Option<IpAddr>,
    /// TCP-MD5 key (RFC 2385).
    pub password: Option<Secret<Arc<[u8]>>>,
    /// TTL of what we send and accept.
    pub ttl: Ttl,
}

/// The TTL rules of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Whatever the kernel uses: the peer may be anywhere.
    Any,
    /// Send with a TTL of one: the peer is on the link.
    One,
    /// Send with 255 and drop what arrives with less than this (RFC 5082 §3).
    AtLeast(u8),
}

impl Ttl {
    /// The rules for a peer this far away. iBGP peers are at any distance unless GTSM says more.
    #[must_use]
    pub const fn of(hops: Hops, peering: Peering) -> Self {
        match (hops, peering) {
            (Hops::Security(hops), _) => Self::AtLeast(u8::MAX - (hops.get() - 1)),
            (Hops::Multihop, _) | (Hops::Default, Peering::Internal) => Self::Any,
            (Hops::Default, Peering::External) => Self::One,
        }
    }
}

/// What becomes of bytes not yet written when a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Call `poll_transmit` until it returns false, write what there is if the socket takes it
    /// within a second or so, then close: the last message is a NOTIFICATION.
    Drain,
    /// Close at once.
    Discard,
}

/// Something worth a log line and a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session reached Established.
    Up {
        /// Whose.
        peer: PeerId,
        /// On which connection.
        conn: ConnId,
        /// The AS the peer is in.
        asn: Asn,
        /// Who the peer says it is.
        router_id: RouterId,
    },
    /// An Established session ended.
    Down {
        /// Whose.
        peer: PeerId,
        /// Why.
        reason: DownReason,
    },
    /// An attempt ended before Established.
    AttemptFailed {
        /// Whose.
        peer: PeerId,
        /// Why.
        reason: DownReason,
    },
    /// A NOTIFICATION was sent or received.
    Notification {
        /// Whose.
        peer: PeerId,
        /// Code, subcode, text, direction.
        record: NotificationRecord,
    },
    /// An UPDATE had a fault that cost less than the session (RFC 7606). Told for the first fault
    /// of a session; the counters in the stats hold the rest.
    FaultyUpdate {
        /// Whose.
        peer: PeerId,
        /// The worst of the message's faults.
        fault: AttrFault,
    },
    /// A family of a session is not announced, or is again. Void when the session ends.
    Withheld {
        /// Whose.
        peer: PeerId,
        /// Which.
        family: Family,
        /// Why; `None` when it is announced again.
        reason: Option<Withheld>,
    },
    /// All sessions have ended after `Input::Shutdown`, and what they had to say is with the
    /// driver.
    ShutdownComplete,
}
