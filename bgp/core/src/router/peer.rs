//! A peer inside the Router: its session, its routes, and the traffic between the two.
//!
//! Sessions know no routes and tables know no sessions; they meet here, where the effects of the
//! one become operations on the other, and outputs for the driver.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;

use crate::per_family::PerFamily;
use crate::policy::{NextHops, Withheld};
use crate::rib::adj_in::{AdjRibIn, Own, TooMany};
use crate::sabotage::Sabotage;
use crate::session::connection::Farewell;
use crate::session::{Afterwards, DownReason, Effect, Env, Negotiated, PeerConfig, Session, State};
use crate::types::{ConnId, Family, PeerId};
use crate::wire::{Cease, Notification, Reaction, RefreshKind, RouteRefresh, Update, header};

use super::departure::Departing;
use super::stats::Counters;
use super::{DialTarget, Event, Flush, Output, Router, Ttl};

/// A configured peer and everything that hangs on it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) session: Session,
    pub(super) adj_in: AdjRibIn,
    pub(super) departing: Departing,
    /// What each of its connections can offer.
    next_hops: BTreeMap<ConnId, NextHops>,
    pub(super) counters: Counters,
    pub(super) end_of_rib_in: PerFamily<EndOfRib>,
    withheld: PerFamily<Option<Withheld>>,
    first_fault: FirstFault,
}

/// Whether the peer has said that its table is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EndOfRib {
    #[default]
    Awaited,
    Received,
}

/// Whether this session's first faulty UPDATE has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstFault {
    Awaited,
    Told,
}

impl Peer {
    fn new(session: Session, departing: Departing) -> Self {
        Self {
            session,
            adj_in: AdjRibIn::new(),
            departing,
            next_hops: BTreeMap::new(),
            counters: Counters::default(),
            end_of_rib_in: PerFamily::default(),
            withheld: PerFamily::default(),
            first_fault: FirstFault::Awaited,
        }
    }

    fn forget_session(&mut self) {
        self.adj_in = AdjRibIn::new();
        self.end_of_rib_in = PerFamily::default();
        self.withheld = PerFamily::default();
        self.first_fault = FirstFault::Awaited;
    }
}

impl Router {
    // Configuration.

    pub(super) fn set_peer(&mut self, config: PeerConfig) {
        let id = config.id.clone();
        match self.peers.get(&id) {
            Some(peer) if peer.session.config().needs_reset(&config) => {
                let cease = Notification::cease(Cease::ConfigurationChange);
                let us = self.us;
                self.with_session(&id, |session, env| {
                    session.stop(
                        &cease,
                        &DownReason::ConfigurationChanged,
                        Afterwards::Rest,
                        env,
                    );
                    session.reconfigure(config, us);
                });
                self.start_peer(&id);
            }
            Some(_) => self.with_session(&id, |session, env| session.adopt(config, env)),
            None => {
                // A peer that comes when everything has been said never knew the process before.
                let back_since = self.back_since.filter(|_| !self.export.is_complete());
                let session = Session::new(config, self.us, back_since, self.now);
                self.peers.insert(
                    id.clone(),
                    Peer::new(session, self.departure.of_new_peers()),
                );
                self.start_peer(&id);
            }
        }
    }

    fn start_peer(&mut self, id: &PeerId) {
        if !self.departure.is_shutting_down() {
            self.with_session(id, |session, env| session.start(env));
        }
    }

    pub(super) fn remove_peer(&mut self, id: &PeerId) {
        let cease = Notification::cease(Cease::PeerDeconfigured);
        self.with_session(id, |session, env| {
            session.stop(&cease, &DownReason::Deconfigured, Afterwards::Rest, env);
        });
        self.peers.remove(id);
    }

    pub(super) fn reset_peer(&mut self, id: &PeerId, reason: &str) {
        let cease = Notification::reset(reason);
        self.with_session(id, |session, env| {
            if session.state() != State::Idle {
                session.stop(&cease, &DownReason::OperatorReset, Afterwards::BackOff, env);
            }
        });
    }

    pub(super) fn refresh_peer(&mut self, id: &PeerId) {
        self.with_session(id, |session, _| session.request_refresh());
    }

    // Connections.

    pub(super) fn dialled(
        &mut self,
        conn: ConnId,
        ends: (SocketAddr, SocketAddr),
        next_hops: NextHops,
    ) {
        let Some(id) = self.conns.get(&conn).cloned() else {
            // Cancelled meanwhile; the Close has been given out.
            return;
        };
        self.offer_next_hops(&id, conn, ends.0.ip(), next_hops);
        self.with_session(&id, |session, env| session.dialled(conn, ends, env));
    }

    pub(super) fn dial_failed(&mut self, conn: ConnId) {
        if let Some(id) = self.conns.remove(&conn) {
            self.with_session(&id, |session, env| session.dial_failed(conn, env));
        }
    }

    pub(super) fn accepted(
        &mut self,
        conn: ConnId,
        id: PeerId,
        ends: (SocketAddr, SocketAddr),
        next_hops: NextHops,
    ) {
        if self.conns.contains_key(&conn) {
            return;
        }
        if !self.peers.contains_key(&id) || self.departure.is_shutting_down() {
            let flush = Flush::Discard;
            self.outputs.push_back(Output::Close { conn, flush });
            return;
        }
        self.conns.insert(conn, id.clone());
        self.offer_next_hops(&id, conn, ends.0.ip(), next_hops);
        self.with_session(&id, |session, env| session.accepted(conn, ends, env));
    }

    /// The address of the session's own family is the one it runs on.
    fn offer_next_hops(&mut self, id: &PeerId, conn: ConnId, local: IpAddr, mut hops: NextHops) {
        match local {
            IpAddr::V4(local) => hops.ipv4 = hops.ipv4.or(Some(local)),
            IpAddr::V6(local) if local.is_unicast_link_local() => {
                hops.ipv6_link_local = hops.ipv6_link_local.or(Some(local));
            }
            IpAddr::V6(local) => hops.ipv6 = hops.ipv6.or(Some(local)),
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.next_hops.insert(conn, hops);
        }
    }

    pub(super) fn set_next_hops(&mut self, conn: ConnId, next_hops: NextHops) {
        let Some(id) = self.conns.get(&conn).cloned() else {
            return;
        };
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let Some(ends) = peer.session.connection(conn).map(|conn| conn.ends()) else {
            return;
        };
        let before = peer.next_hops.get(&conn).copied();
        let established = peer
            .session
            .established()
            .is_some_and(|live| live.id() == conn);
        self.offer_next_hops(&id, conn, ends.0.ip(), next_hops);
        let after = self
            .peers
            .get(&id)
            .and_then(|peer| peer.next_hops.get(&conn))
            .copied();
        if let Some(hops) = after
            && established
            && before != after
        {
            self.export.set_next_hops(&id, hops, self.now);
            self.tell_withheld(&id);
        }
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        self.farewells.remove(&conn);
        if let Some(id) = self.conns.remove(&conn) {
            self.with_session(&id, |session, env| session.closed(conn, env));
        }
    }

    pub(super) fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(id) = self.conns.get(&conn).cloned() else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&id) {
            let octets = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            peer.counters.bytes_in = peer.counters.bytes_in.saturating_add(octets);
            peer.session.receive(conn, bytes);
        }
        // The connection may end with any message; what came after it is not looked at.
        while self.conns.contains_key(&conn) {
            let mut more = false;
            self.with_session(&id, |session, env| more = session.advance(conn, env));
            if !more {
                break;
            }
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.counters.messages_in += 1;
            }
        }
    }

    pub(super) fn sent(&mut self, conn: ConnId, bytes: usize) {
        let peer = self.conns.get(&conn).and_then(|id| self.peers.get_mut(id));
        if let Some(conn) = peer.and_then(|peer| peer.session.connection_mut(conn)) {
            conn.sent(bytes, self.now);
        }
    }

    pub(super) fn transmit(&mut self, conn: ConnId, buf: &mut BytesMut) -> bool {
        let before = buf.len();
        if let Some(mut farewell) = self.farewells.remove(&conn) {
            farewell.transmit(buf);
            if self.saboteur.breaks(Sabotage::SpeakAfterNotification) {
                header::encode_keepalive(buf);
            }
            return buf.len() > before;
        }
        let Some(id) = self.conns.get(&conn) else {
            return false;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return false;
        };
        let Some(live) = peer.session.connection_mut(conn) else {
            return false;
        };
        let mut messages = live.transmit(buf);
        if live.state() == State::Established {
            let written = self.export.transmit(id, buf);
            messages += written.updates + written.refreshes;
            peer.counters.updates_out += written.updates;
        }
        let octets = buf.len() - before;
        live.handed_over(octets, self.now, &mut self.jitter);
        peer.counters.messages_out += messages;
        peer.counters.bytes_out += u64::try_from(octets).unwrap_or(u64::MAX);
        if self.export.is_settled(id) {
            peer.session.settle();
        }
        octets > 0
    }

    // What sessions ask for.

    /// Runs `act` on a session and carries out what follows from it.
    pub(super) fn with_session(
        &mut self,
        id: &PeerId,
        act: impl FnOnce(&mut Session, &mut Env<'_>),
    ) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let mut effects = Vec::new();
        let mut env = Env {
            now: self.now,
            jitter: &mut self.jitter,
            last_conn: &mut self.last_conn,
            effects: &mut effects,
            saboteur: self.saboteur,
        };
        act(&mut peer.session, &mut env);
        for effect in effects {
            self.carry_out(id, effect);
        }
    }

    fn carry_out(&mut self, id: &PeerId, effect: Effect) {
        if let Effect::Down { reason } | Effect::AttemptFailed { reason } = &effect
            && let DownReason::NotificationSent(_) = reason
            && let Some(peer) = self.peers.get_mut(id)
        {
            peer.counters.resets += 1;
        }
        match effect {
            Effect::Connect { conn } => self.connect(id, conn),
            Effect::Close { conn, farewell } => self.close(id, conn, farewell),
            Effect::Up { conn, negotiated } => self.up(id, conn, &negotiated),
            Effect::Down { reason } => self.down(id, reason),
            Effect::AttemptFailed { reason } => {
                self.tell(Event::AttemptFailed {
                    peer: id.clone(),
                    reason,
                });
            }
            Effect::Notification(record) => {
                self.tell(Event::Notification {
                    peer: id.clone(),
                    record,
                });
            }
            Effect::Learn(update) => self.learn(id, *update),
            Effect::Refresh(refresh) => self.refresh(id, refresh),
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn connect(&mut self, id: &PeerId, conn: ConnId) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        let config = peer.session.config();
        let peering = config.remote_asn.peering(peer.session.identity().asn);
        let target = DialTarget {
            remote: SocketAddr::new(config.address, config.port),
            source: config.source,
            password: config.password.clone(),
            ttl: Ttl::of(config.hops, peering),
        };
        self.conns.insert(conn, id.clone());
        self.outputs.push_back(Output::Connect {
            conn,
            peer: id.clone(),
            target,
        });
    }

    fn close(&mut self, id: &PeerId, conn: ConnId, farewell: Option<Notification>) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.next_hops.remove(&conn);
            peer.counters.messages_out += u64::from(farewell.is_some());
        }
        // One that the driver has closed already needs no closing.
        if self.conns.remove(&conn).is_none() {
            return;
        }
        let flush = if farewell.is_some() {
            Flush::Drain
        } else {
            Flush::Discard
        };
        if farewell.is_some() {
            self.farewells.insert(conn, Farewell(farewell));
        }
        self.outputs.push_back(Output::Close { conn, flush });
    }

    fn up(&mut self, id: &PeerId, conn: ConnId, negotiated: &Negotiated) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.forget_session();
        let next_hops = peer.next_hops.get(&conn).copied().unwrap_or_default();
        let parting = peer.departing.parting();
        self.export
            .attach(id.clone(), negotiated, next_hops, parting, self.now);
        self.tell(Event::Up {
            peer: id.clone(),
            conn,
            asn: negotiated.peer_asn,
            router_id: negotiated.peer_router_id,
        });
        self.tell_withheld(id);
    }

    fn down(&mut self, id: &PeerId, reason: DownReason) {
        self.export.detach(id);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.forget_session();
        }
        self.tell(Event::Down {
            peer: id.clone(),
            reason,
        });
        self.session_lost(id);
    }

    fn tell_withheld(&mut self, id: &PeerId) {
        for family in Family::ALL {
            let reason = self.export.withheld(id, family);
            let Some(peer) = self.peers.get_mut(id) else {
                return;
            };
            let told = peer.withheld.get_mut(family);
            if *told != reason {
                *told = reason;
                self.tell(Event::Withheld {
                    peer: id.clone(),
                    family,
                    reason,
                });
            }
        }
    }

    fn learn(&mut self, id: &PeerId, update: Update) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let Some(live) = peer.session.established() else {
            return;
        };
        let us = peer.session.identity();
        let own = Own {
            asn: us.asn,
            router_id: us.router_id,
            address: live.ends().0.ip(),
            saboteur: self.saboteur,
        };
        peer.counters.updates_in += 1;
        if let Some(family) = update.end_of_rib {
            *peer.end_of_rib_in.get_mut(family) = EndOfRib::Received;
        }
        let worst = update
            .faults
            .iter()
            .max_by_key(|fault| fault.reaction)
            .copied();
        for fault in &update.faults {
            match fault.reaction {
                Reaction::Discard => peer.counters.attributes_discarded += 1,
                Reaction::Accept | Reaction::Withdraw | Reaction::Reset => {}
            }
        }
        peer.counters.treated_as_withdraw += u64::from(update.reaction() == Reaction::Withdraw);
        let tell = worst.filter(|_| peer.first_fault == FirstFault::Awaited);
        let limit = peer.session.config().max_prefixes_in;
        let applied = peer.adj_in.apply(update, own, limit);
        if let Some(fault) = tell {
            peer.first_fault = FirstFault::Told;
            self.tell(Event::FaultyUpdate {
                peer: id.clone(),
                fault,
            });
        }
        if let Err(TooMany { limit }) = applied {
            let cease = Notification::cease(Cease::MaxPrefixes);
            let reason = DownReason::TooManyPrefixes { limit };
            self.with_session(id, |session, env| {
                session.stop(&cease, &reason, Afterwards::BackOff, env);
            });
        }
    }

    fn refresh(&mut self, id: &PeerId, refresh: RouteRefresh) {
        let family = Family::from_afi_safi(refresh.family);
        if let (Some(family), RefreshKind::Request) = (family, refresh.kind) {
            self.export.repeat(id, family, self.now);
        }
    }
}
