//! One BGP speaker: all its sessions and its tables behind one door.
//!
//! [`Router`] is the crate's public face. See its documentation for the contract.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use crate::rib::export::Export;
use crate::sabotage::{Sabotage, Saboteur};
use crate::session::connection::Farewell;
use crate::session::negotiate::Identity;
use crate::session::timers::Jitter;
use crate::session::{Restart, SessionWake, Timer};
use crate::types::{Asn, ConnId, PeerId, RouterId};

mod departure;
mod input;
mod output;
mod peer;
mod stats;

#[cfg(test)]
mod tests;

pub use crate::per_family::PerFamily;
pub use input::{Drain, Input, ShutdownMode, accepted_conn};
pub use output::{DialTarget, Event, Flush, Output, Ttl};
pub use stats::{Counters, PeerStats, RouterStats};

use departure::Departure;
use peer::Peer;

/// What a Router is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterConfig {
    /// Who we are; the same after a restart.
    pub router_id: RouterId,
    /// The AS we are in, for peers that do not name another.
    pub asn: Asn,
    /// Whether peers may still hold routes of an earlier process (RFC 4724 §3).
    pub restart: Restart,
    /// Seeds the jitter of timers: equal seeds and inputs give equal outputs.
    pub seed: u64,
}

/// Why a Router wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A batch of changes is released.
    Batch,
    /// A peer has had the time to move its traffic elsewhere.
    Departure,
    /// A timer of a connection.
    Session(Timer),
    /// Another attempt to connect, or the end of one.
    Retry,
}

/// A BGP speaker without sockets and without a clock.
///
/// # Contract
/// - [`handle`](Self::handle) is the one way in. It never fails, whatever the order or content of
///   inputs; its work is bounded by its input. `now` must not go backwards.
/// - After each call, and in either order: take [`poll_output`](Self::poll_output) until it is
///   `None`, and for each connection with room call [`poll_transmit`](Self::poll_transmit).
///   Writing bytes is reported by [`Input::Sent`].
/// - Send [`Input::Tick`] at [`next_deadline`](Self::next_deadline), asked anew after each call.
/// - Every connection named in [`Output::Connect`] gets `Dialled` or `DialFailed`, and every
///   connection that stood gets `Closed`, once, by whichever side it ended.
#[derive(Debug)]
pub struct Router {
    us: Identity,
    /// When the process came back, if peers may hold routes of the one before.
    back_since: Option<Instant>,
    now: Instant,
    jitter: Jitter,
    last_conn: u64,
    peers: BTreeMap<PeerId, Peer>,
    conns: BTreeMap<ConnId, PeerId>,
    farewells: BTreeMap<ConnId, Farewell>,
    export: Export,
    departure: Departure,
    outputs: VecDeque<Output>,
    saboteur: Saboteur,
}

impl Router {
    /// A Router without peers and routes.
    #[must_use]
    pub fn new(config: &RouterConfig, now: Instant) -> Self {
        Self::build(config, Saboteur::default(), now)
    }

    /// A Router with a fault, for the simulator to find.
    #[doc(hidden)]
    #[must_use]
    pub fn sabotaged(config: &RouterConfig, sabotage: Sabotage, now: Instant) -> Self {
        Self::build(config, Saboteur::new(sabotage), now)
    }

    fn build(config: &RouterConfig, saboteur: Saboteur, now: Instant) -> Self {
        Self {
            us: Identity {
                router_id: config.router_id,
                asn: config.asn,
            },
            back_since: (config.restart == Restart::Recovering).then_some(now),
            now,
            jitter: Jitter::new(config.seed),
            last_conn: 0,
            peers: BTreeMap::new(),
            conns: BTreeMap::new(),
            farewells: BTreeMap::new(),
            export: Export::new(saboteur),
            departure: Departure::default(),
            outputs: VecDeque::new(),
            saboteur,
        }
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.now = self.now.max(now);
        self.dispatch(input);
        self.advance_departures();
    }

    fn dispatch(&mut self, input: Input<'_>) {
        match input {
            Input::SetPeer(config) => self.set_peer(*config),
            Input::RemovePeer { peer } => self.remove_peer(&peer),
            Input::ResetPeer { peer, reason } => self.reset_peer(&peer, &reason),
            Input::RefreshPeer { peer } => self.refresh_peer(&peer),
            Input::Dialled {
                conn,
                local,
                remote,
                next_hops,
            } => {
                self.dialled(conn, (local, remote), next_hops);
            }
            Input::DialFailed { conn } => self.dial_failed(conn),
            Input::Accepted {
                conn,
                peer,
                local,
                remote,
                next_hops,
            } => {
                self.accepted(conn, peer, (local, remote), next_hops);
            }
            Input::Bytes { conn, bytes } => self.received(conn, bytes),
            Input::Sent { conn, bytes } => self.sent(conn, bytes),
            Input::Closed { conn } => self.closed(conn),
            Input::SetNextHops { conn, next_hops } => self.set_next_hops(conn, next_hops),
            Input::Originate(routes) => self.export.originate(routes, self.now),
            Input::Withdraw(keys) => self.export.withdraw(keys, self.now),
            Input::OriginationsComplete => self.export.complete(self.now),
            Input::Drain(drain) => self.drain(drain),
            Input::Shutdown { mode, reason } => self.shut_down(mode, Arc::clone(&reason)),
            Input::Tick => self.tick(),
        }
    }

    fn tick(&mut self) {
        self.export.tick(self.now);
        let due: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| {
                peer.session
                    .next_deadline()
                    .is_some_and(|(at, _)| at <= self.now)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.with_session(&id, |session, env| session.tick(env));
        }
    }

    /// What the driver must do next, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Appends whole messages to `buf`, about 64 KiB at most, and says whether it did. `false`
    /// means that there is nothing more to send on this connection until the next input.
    pub fn poll_transmit(&mut self, conn: ConnId, buf: &mut BytesMut) -> bool {
        self.transmit(conn, buf)
    }

    /// When `Input::Tick` is due, and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        let sessions = self
            .peers
            .values()
            .filter_map(|peer| peer.session.next_deadline());
        let sessions = sessions.map(|(at, wake)| match wake {
            SessionWake::Timer(timer) => (at, Wake::Session(timer)),
            SessionWake::Retry => (at, Wake::Retry),
        });
        let departures = self
            .peers
            .values()
            .filter_map(|peer| peer.departing.deadline());
        sessions
            .chain(departures.map(|at| (at, Wake::Departure)))
            .chain(self.export.next_deadline().map(|at| (at, Wake::Batch)))
            .min()
    }
}
