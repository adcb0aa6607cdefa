//! Everything that can happen to a [`Router`](super::Router): the one door in.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::policy::{NextHops, Origination, OriginationKey};
use crate::session::PeerConfig;
use crate::types::{ConnId, PeerId};

/// Something happened outside. Inputs may come in any order and with any content: what makes no
/// sense in the present state is ignored, or answered by closing the connection it names.
#[derive(Debug)]
pub enum Input<'a> {
    /// A peer is wanted, or wanted differently. A running session survives changes that are not
    /// part of OPEN or of the socket ([`PeerConfig::needs_reset`]).
    SetPeer(Box<PeerConfig>),
    /// A peer is not wanted: its connections end with Cease/3 and it is forgotten.
    RemovePeer {
        /// Which.
        peer: PeerId,
    },
    /// Ends the session with Cease/4 (an operator asked); it starts again by itself.
    ResetPeer {
        /// Which.
        peer: PeerId,
        /// Told to the peer (RFC 9003).
        reason: Arc<str>,
    },
    /// Asks the peer to send its routes again (RFC 2918); ignored where it cannot.
    RefreshPeer {
        /// Which.
        peer: PeerId,
    },
    /// The connection asked for by [`Output::Connect`](super::Output::Connect) stands.
    Dialled {
        /// As in the request.
        conn: ConnId,
        /// Our end, read back from the socket.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
        /// What this session can offer as next hops.
        next_hops: NextHops,
    },
    /// It does not stand and never will.
    DialFailed {
        /// As in the request.
        conn: ConnId,
    },
    /// Somebody with the address of `peer` connected to us.
    Accepted {
        /// A number the driver chose with [`accepted_conn`].
        conn: ConnId,
        /// Whose address and TTL rules it satisfies.
        peer: PeerId,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
        /// What this session can offer as next hops.
        next_hops: NextHops,
    },
    /// Bytes arrived, in order, cut anywhere.
    Bytes {
        /// Where.
        conn: ConnId,
        /// At most a socket buffer's worth: work done is bounded by it.
        bytes: &'a [u8],
    },
    /// The kernel took this many of the bytes that `poll_transmit` gave; drives the send hold
    /// timer (RFC 9687).
    Sent {
        /// Where.
        conn: ConnId,
        /// How many.
        bytes: usize,
    },
    /// The connection is gone: closed by the peer, reset, or closed by us as asked.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// The next hops a session can offer have changed (an interface gained or lost an address).
    SetNextHops {
        /// Which connection.
        conn: ConnId,
        /// What it can offer from here on.
        next_hops: NextHops,
    },
    /// Routes appear or change. Larger batches are cheaper; an equal origination is no change.
    Originate(Vec<Origination>),
    /// Routes disappear; unknown keys are ignored.
    Withdraw(Vec<OriginationKey>),
    /// Everything known at start has been originated: End-of-RIB may follow what was said so far.
    OriginationsComplete,
    /// The node is drained, or serves again. Routes of class Service carry GRACEFUL_SHUTDOWN,
    /// then go; sessions and all other routes stay.
    Drain(Drain),
    /// Stop for good, in the given manner; ends with
    /// [`Event::ShutdownComplete`](super::Event::ShutdownComplete).
    Shutdown {
        /// How to take leave.
        mode: ShutdownMode,
        /// Told to the peers (RFC 9003).
        reason: Arc<str>,
    },
    /// The deadline of [`Router::next_deadline`](super::Router::next_deadline) has come. Harmless
    /// at any other time.
    Tick,
}

/// Whether this node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// It does.
    Serving,
    /// It hands its work to others.
    Drained,
}

/// How a Router takes leave of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownMode {
    /// Come back soon: sessions with graceful restart negotiated are closed without a word, so
    /// that the peer keeps the routes (RFC 4724 §4); all others as under `Leave`.
    Restart,
    /// GRACEFUL_SHUTDOWN on Service routes, wait, withdraw, Cease/2 (RFC 8326 §3).
    Leave,
    /// Close every connection at once without a NOTIFICATION.
    Plain,
}

/// The id of the `n`th connection a driver accepts. Dialled ones are numbered by the Router in the
/// lower half, so that the two never meet.
#[must_use]
pub const fn accepted_conn(n: u64) -> ConnId {
    ConnId(n | 1 << 63)
}
