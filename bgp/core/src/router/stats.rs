//! A snapshot of a [`Router`](super::Router) for people, conditions and metrics.
//!
//! Plain values, detached from the Router: readers get them over a channel and hold no lock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::per_family::PerFamily;
use crate::policy::Withheld;
use crate::session::connection::Connection;
use crate::session::dialler::Position;
use crate::session::{DownReason, Negotiated, NotificationRecord, State};
use crate::types::{Asn, PeerId, RouterId};

use super::Router;
use super::peer::{EndOfRib, Peer};

/// Everything there is to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterStats {
    /// Who we are.
    pub router_id: RouterId,
    /// The AS we are in.
    pub asn: Asn,
    /// When the snapshot was taken.
    pub taken_at: Instant,
    /// Prefixes originated, by family.
    pub originated: PerFamily<usize>,
    /// Whether `OriginationsComplete` was given.
    pub complete: bool,
    /// By peer.
    pub peers: BTreeMap<PeerId, PeerStats>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStats {
    /// State of the connection that is furthest.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// When another attempt is due, where none is under way.
    pub retry_at: Option<Instant>,
    /// The ends of the connection that is furthest.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// How often an Established session was lost.
    pub flaps: u64,
    /// Why the last session or attempt ended.
    pub last_down: Option<DownReason>,
    /// The last NOTIFICATION in either direction.
    pub last_notification: Option<NotificationRecord>,
    /// What the present session agreed on.
    pub negotiated: Option<Arc<Negotiated>>,
    /// Prefixes the peer has told us (none is imported).
    pub prefixes_in: PerFamily<usize>,
    /// Prefixes the peer told us beyond what the Adj-RIB-In keeps, counted per announcement.
    pub prefixes_not_kept: u64,
    /// Announcements dropped because our AS or router id was in them.
    pub loops_in: u64,
    /// Prefixes the peer has been told.
    pub prefixes_out: PerFamily<usize>,
    /// Families of the session that are not announced, and why.
    pub withheld: PerFamily<Option<Withheld>>,
    /// End-of-RIB sent on this session.
    pub end_of_rib_sent: PerFamily<bool>,
    /// End-of-RIB received on this session.
    pub end_of_rib_received: PerFamily<bool>,
    /// For how long something has waited to be told to this peer; `None` when it is up to date.
    pub oldest_unsent: Option<Duration>,
    /// For how long the kernel has taken no byte although there are some.
    pub send_stalled: Option<Duration>,
    /// Messages and reactions since the peer was configured.
    pub counters: Counters,
}

/// Counts since the peer was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Complete messages received.
    pub messages_in: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// UPDATEs received.
    pub updates_in: u64,
    /// UPDATEs sent, End-of-RIB included.
    pub updates_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes given to the driver.
    pub bytes_out: u64,
    /// RFC 7606: attributes dropped.
    pub attributes_discarded: u64,
    /// RFC 7606: UPDATEs turned into withdrawals.
    pub treated_as_withdraw: u64,
    /// Sessions ended by a NOTIFICATION of ours because of what the peer sent.
    pub resets: u64,
    /// Connections that lost a collision (RFC 4271 §6.8).
    pub collisions: u64,
}

impl Router {
    /// A snapshot of everything, as of the last input: ages grow with `Input::Tick`.
    #[must_use]
    pub fn stats(&self) -> RouterStats {
        RouterStats {
            router_id: self.us.router_id,
            asn: self.us.asn,
            taken_at: self.now,
            originated: PerFamily::from_fn(|family| self.export.table(family).len()),
            complete: self.export.is_complete(),
            peers: self
                .peers
                .iter()
                .map(|(id, peer)| (id.clone(), self.peer_stats(id, peer)))
                .collect(),
        }
    }

    fn peer_stats(&self, id: &PeerId, peer: &Peer) -> PeerStats {
        let session = &peer.session;
        let export = &self.export;
        let stalled = session
            .connections()
            .iter()
            .filter_map(|conn| conn.stalled(self.now));
        PeerStats {
            state: session.state(),
            since: session.since(),
            retry_at: match session.position() {
                Position::Idle { until } | Position::Active { until } => *until,
                Position::Connect { .. } => None,
            },
            ends: session.foremost().map(Connection::ends),
            flaps: session.flaps(),
            last_down: session.last_down().cloned(),
            last_notification: session.last_notification().cloned(),
            negotiated: session
                .established()
                .and_then(Connection::negotiated)
                .cloned(),
            prefixes_in: PerFamily::from_fn(|family| peer.adj_in.len(family)),
            prefixes_not_kept: peer.adj_in.not_kept(),
            loops_in: peer.adj_in.loops(),
            prefixes_out: PerFamily::from_fn(|family| export.told(id, family)),
            withheld: PerFamily::from_fn(|family| export.withheld(id, family)),
            end_of_rib_sent: PerFamily::from_fn(|family| export.end_of_rib_sent(id, family)),
            end_of_rib_received: PerFamily::from_fn(|family| {
                *peer.end_of_rib_in.get(family) == EndOfRib::Received
            }),
            oldest_unsent: export
                .behind_since(id)
                .map(|since| self.now.saturating_duration_since(since)),
            send_stalled: stalled.max(),
            counters: Counters {
                collisions: session.collisions(),
                ..peer.counters
            },
        }
    }
}
