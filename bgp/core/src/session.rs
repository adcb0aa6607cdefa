//! One configured peer: who dials when, which of two connections stays, when to give up.
//!
//! A `Session` holds at most two `Connection`s (one dialled, one accepted) and, while it has
//! none, a position in the dialling half of the state machine. Events go through the one table in
//! [`mod@transition`]; this module carries out what the table says and decides nothing the table could.
//! It never sees routes: an UPDATE leaves as an `Effect` for the Router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::sabotage::Sabotage;
use crate::types::{ConnId, FamilySet};
use crate::wire::{Cease, Message, Notification};

pub(crate) mod collision;
mod conduct;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod dialler;
pub(crate) mod event;
pub(crate) mod negotiate;
pub(crate) mod report;
pub(crate) mod timers;
pub mod transition;

pub(crate) use event::{Afterwards, Effect, Env, SessionWake};

pub use config::{GracefulRestart, Hops, Mode, PeerConfig, RemoteAsn};
pub use negotiate::{Negotiated, Refresh, Restart};
pub use report::{Direction, DownReason, NotificationRecord};
pub use timers::Timer;
pub use transition::State;

use collision::{Contender, Rival, Verdict};
use connection::{Connection, Origin};
use dialler::{Dialler, Position};
use event::Event;
use negotiate::Identity;
use transition::{Action, EventKind, Step, transition};

/// A configured peer's session.
#[derive(Debug)]
pub(crate) struct Session {
    config: PeerConfig,
    us: Identity,
    /// When the process came back, while its peers may still hold routes of the one before.
    back_since: Option<Instant>,
    dialler: Dialler,
    connections: Vec<Connection>,
    since: (State, Instant),
    flaps: u64,
    collisions: u64,
    last_down: Option<DownReason>,
    last_notification: Option<NotificationRecord>,
}

impl Session {
    /// A session at rest; [`Session::start`] sets it going.
    pub(crate) fn new(
        config: PeerConfig,
        us: Identity,
        back_since: Option<Instant>,
        now: Instant,
    ) -> Self {
        let us = us.towards(&config);
        Self {
            config,
            us,
            back_since,
            dialler: Dialler::new(),
            connections: Vec::new(),
            since: (State::Idle, now),
            flaps: 0,
            collisions: 0,
            last_down: None,
            last_notification: None,
        }
    }

    // What the Router tells.

    /// Begins: dials, or waits for the peer to.
    pub(crate) fn start(&mut self, env: &mut Env<'_>) {
        let event = match self.config.mode {
            Mode::Active => EventKind::Start,
            Mode::Passive => EventKind::StartPassive,
        };
        self.drive(event, env);
        self.note_state(env.now);
    }

    /// Takes over everything, at rest.
    pub(crate) fn reconfigure(&mut self, config: PeerConfig, us: Identity) {
        // What failed was another configuration.
        self.dialler.forgive();
        if self.config.address != config.address {
            // What was said elsewhere says nothing about here.
            self.last_down = None;
            self.last_notification = None;
        }
        self.us = us.towards(&config);
        self.config = config;
    }

    /// Takes over what does not concern OPEN or sockets.
    pub(crate) fn adopt(&mut self, config: PeerConfig, env: &mut Env<'_>) {
        let mode_changed = self.config.mode != config.mode;
        for conn in &mut self.connections {
            conn.limit_keepalive(config.keepalive, env.now, env.jitter);
        }
        self.config = config;
        if mode_changed && self.connections.is_empty() && self.dialler.state() != State::Idle {
            self.start(env);
        }
    }

    /// Ends whatever goes on with `cease`.
    pub(crate) fn stop(
        &mut self,
        cease: &Notification,
        reason: &DownReason,
        then: Afterwards,
        env: &mut Env<'_>,
    ) {
        self.drive(EventKind::Stop, env);
        let had_connections = !self.connections.is_empty();
        while let Some(conn) = self.connections.first() {
            self.apply(conn.id(), Event::Stop(cease.clone(), reason.clone()), env);
        }
        match then {
            Afterwards::Rest => self.dialler.rest(),
            // The end of the last connection has begun one.
            Afterwards::BackOff if had_connections => {}
            Afterwards::BackOff => self.back_off(State::Idle, env),
        }
        self.note_state(env.now);
    }

    /// Closes whatever is open without a word.
    pub(crate) fn vanish(&mut self, env: &mut Env<'_>) {
        while let Some(id) = self.connections.first().map(Connection::id) {
            self.end(id, State::Idle, DownReason::Shutdown, None, env);
        }
        self.drive(EventKind::Stop, env);
        self.dialler.rest();
        self.note_state(env.now);
    }

    /// The process has said everything once: later OPENs do not claim a restart.
    pub(crate) const fn settle(&mut self) {
        self.back_since = None;
    }

    /// Asks the peer for its routes.
    pub(crate) fn request_refresh(&mut self) {
        for conn in &mut self.connections {
            let wanted = match conn.negotiated() {
                Some(agreed) if agreed.refresh != Refresh::Unsupported => agreed.families,
                _ => FamilySet::EMPTY,
            };
            wanted
                .iter()
                .for_each(|family| conn.request_refresh(family));
        }
    }

    /// A dial succeeded.
    pub(crate) fn dialled(
        &mut self,
        conn: ConnId,
        ends: (SocketAddr, SocketAddr),
        env: &mut Env<'_>,
    ) {
        if self.dialler.dialling() != Some(conn) {
            return;
        }
        self.drive(EventKind::TransportUp, env);
        self.connected(conn, Origin::Dialled, ends, env);
    }

    /// A dial failed.
    pub(crate) fn dial_failed(&mut self, conn: ConnId, env: &mut Env<'_>) {
        if self.dialler.dialling() != Some(conn) {
            return;
        }
        self.fail_dial(DownReason::DialFailed, EventKind::TransportLost, env);
        self.note_state(env.now);
    }

    /// The peer dialled; a connection that is not wanted is closed.
    pub(crate) fn accepted(
        &mut self,
        conn: ConnId,
        ends: (SocketAddr, SocketAddr),
        env: &mut Env<'_>,
    ) {
        if self.dialler.state() == State::Idle && self.connections.is_empty() {
            env.emit(Effect::Close {
                conn,
                farewell: None,
            });
            return;
        }
        if let Some(standing) = self
            .connections
            .iter_mut()
            .find(|other| other.state() == State::Established)
        {
            // RFC 4271 §6.8 keeps the session. Yet a peer that dials may have lost it, by a crash
            // say: then its kernel answers whatever we send with a reset, which ends the session
            // long before the hold timer would.
            standing.probe(env.now, env.jitter);
            self.collisions += 1;
            let farewell = Some(Notification::cease(Cease::CollisionResolution));
            env.emit(Effect::Close { conn, farewell });
            return;
        }
        // The peer would not dial again had it not given up on what it dialled before.
        let stale = self
            .connections
            .iter()
            .find(|other| other.origin() == Origin::Accepted);
        if let Some(stale) = stale.map(Connection::id) {
            self.apply(stale, Event::CollisionLost, env);
        }
        self.connected(conn, Origin::Accepted, ends, env);
    }

    fn connected(
        &mut self,
        conn: ConnId,
        origin: Origin,
        ends: (SocketAddr, SocketAddr),
        env: &mut Env<'_>,
    ) {
        let open = negotiate::our_open(&self.config, self.us, ends.0.ip(), self.restart(env.now));
        if self.dialler.dialling().is_none() {
            self.dialler.pause();
        }
        self.connections
            .push(Connection::new(conn, origin, ends, open, env.now));
        self.note_state(env.now);
    }

    /// Whether an OPEN sent now claims a restart. A peer has waited for no longer than we asked it to, so after that
    /// there is nothing left to claim.
    fn restart(&self, now: Instant) -> Restart {
        let wait = self.config.graceful_restart.map(GracefulRestart::wait);
        match (self.back_since, wait) {
            (Some(back), Some(wait)) if now.saturating_duration_since(back) < wait => {
                Restart::Recovering
            }
            _ => Restart::Settled,
        }
    }

    /// The connection is gone, without our doing.
    pub(crate) fn closed(&mut self, conn: ConnId, env: &mut Env<'_>) {
        if self.dialler.dialling() == Some(conn) {
            return self.dial_failed(conn, env);
        }
        self.apply(conn, Event::TransportLost, env);
        self.note_state(env.now);
    }

    /// Bytes arrived; [`Session::advance`] looks at them.
    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(conn) = self.connection_mut(conn) {
            conn.receive(bytes);
        }
    }

    /// Handles one message of what arrived. `false` when there is no complete one.
    pub(crate) fn advance(&mut self, conn: ConnId, env: &mut Env<'_>) -> bool {
        let Some(message) = self.connection_mut(conn).and_then(Connection::next_message) else {
            self.await_more(conn, env);
            return false;
        };
        let event = match message {
            Err(error) => Event::Malformed(error.notification(), error.to_string().into()),
            Ok(Message::Open(open)) => self.judge_open(conn, &open),
            Ok(Message::Keepalive) => Event::Keepalive,
            Ok(Message::Update(update)) => Event::Update(Box::new(update)),
            Ok(Message::RouteRefresh(refresh)) => Event::Refresh(refresh),
            Ok(Message::Notification(notification)) => Event::Notification(notification),
        };
        if let Event::Open(agreed) = &event
            && self.collides(conn, agreed, env) == Verdict::KeepRival
        {
            self.apply(conn, Event::CollisionLost, env);
        } else {
            self.apply(conn, event, env);
        }
        self.note_state(env.now);
        true
    }

    fn judge_open(&self, conn: ConnId, open: &crate::wire::Open) -> Event {
        let Some(conn) = self
            .connection(conn)
            .filter(|conn| conn.state() == State::OpenSent)
        else {
            return Event::AnotherOpen;
        };
        match negotiate::negotiate(&self.config, self.us, conn.ends().0.ip(), open) {
            Ok(agreed) => Event::Open(Arc::new(agreed)),
            Err(refusal) => {
                let words = refusal.to_string().into();
                Event::Malformed(refusal.notification(), words)
            }
        }
    }

    /// RFC 4271 §6.8, when an OPEN has arrived on `conn`. A rival that loses is closed here.
    fn collides(&mut self, conn: ConnId, agreed: &Negotiated, env: &mut Env<'_>) -> Verdict {
        let Some(this) = self.connection(conn).map(Connection::origin) else {
            return Verdict::Undecided;
        };
        let Some(other) = self.connections.iter().find(|other| other.id() != conn) else {
            return Verdict::Undecided;
        };
        let other_id = other.id();
        let rival = match other.state() {
            State::Established => Rival::Established,
            State::OpenConfirm => Rival::OpenConfirm,
            State::Idle | State::Connect | State::Active | State::OpenSent => Rival::OpenSent,
        };
        let us = Contender {
            router_id: self.us.router_id,
            asn: self.us.asn,
        };
        let peer = Contender {
            router_id: agreed.peer_router_id,
            asn: agreed.peer_asn,
        };
        let verdict = collision::decide(this, rival, us, peer);
        if verdict == Verdict::KeepThis {
            self.apply(other_id, Event::CollisionLost, env);
        }
        verdict
    }

    /// Everything whose time has come.
    pub(crate) fn tick(&mut self, env: &mut Env<'_>) {
        let ids: Vec<ConnId> = self.connections.iter().map(Connection::id).collect();
        for id in ids {
            while let Some(timer) = self
                .connection_mut(id)
                .and_then(|conn| conn.take_due(env.now))
            {
                let event = match timer {
                    Timer::Handshake | Timer::Hold => Event::HoldExpired,
                    Timer::SendHold => Event::SendHoldExpired,
                    Timer::Keepalive if env.saboteur.breaks(Sabotage::ForgetKeepalive) => continue,
                    Timer::Keepalive => Event::KeepaliveDue,
                };
                self.apply(id, event, env);
            }
        }
        if self.dialler.take_due(env.now) {
            match self.dialler.state() {
                State::Connect => {
                    self.fail_dial(DownReason::DialTimedOut, EventKind::RetryDue, env);
                }
                State::Idle => self.start(env),
                State::Active | State::OpenSent | State::OpenConfirm | State::Established => {
                    self.drive(EventKind::RetryDue, env);
                }
            }
        }
        self.note_state(env.now);
    }

    /// The next time [`Session::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<(Instant, SessionWake)> {
        let timers = self
            .connections
            .iter()
            .filter_map(Connection::next_deadline);
        let timers = timers.map(|(at, timer)| (at, SessionWake::Timer(timer)));
        timers
            .chain(self.dialler.deadline().map(|at| (at, SessionWake::Retry)))
            .min()
    }

    // The two halves of the machine.

    /// An event of the dialling half: Idle, Connect and Active.
    fn drive(&mut self, event: EventKind, env: &mut Env<'_>) {
        let Step { next, action } = transition(self.dialler.state(), event);
        let dialling = self.dialler.dialling();
        match (action, dialling) {
            (Action::Dial, _) => {
                *env.last_conn += 1;
                let conn = ConnId(*env.last_conn);
                self.dialler.dial(conn, env.now);
                env.emit(Effect::Connect { conn });
                return;
            }
            (Action::Close, Some(conn)) => env.emit(Effect::Close {
                conn,
                farewell: None,
            }),
            _ => {}
        }
        match next {
            State::Idle => self.dialler.rest(),
            State::Active | State::OpenSent => self.dialler.pause(),
            State::Connect | State::OpenConfirm | State::Established => {}
        }
    }

    fn fail_dial(&mut self, reason: DownReason, event: EventKind, env: &mut Env<'_>) {
        self.drive(event, env);
        self.last_down = Some(reason.clone());
        env.emit(Effect::AttemptFailed { reason });
        if self.connections.is_empty() {
            self.back_off(State::Active, env);
        }
    }

    fn note_state(&mut self, now: Instant) {
        let state = self.state();
        if self.since.0 != state {
            self.since = (state, now);
        }
    }

    // Getters.

    pub(crate) const fn config(&self) -> &PeerConfig {
        &self.config
    }

    /// Who we are towards this peer.
    pub(crate) const fn identity(&self) -> Identity {
        self.us
    }

    pub(crate) fn connection(&self, id: ConnId) -> Option<&Connection> {
        self.connections.iter().find(|conn| conn.id() == id)
    }

    pub(crate) fn connection_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|conn| conn.id() == id)
    }

    pub(crate) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    pub(crate) fn established(&self) -> Option<&Connection> {
        self.connections
            .iter()
            .find(|conn| conn.state() == State::Established)
    }

    /// The connection that is furthest.
    pub(crate) fn foremost(&self) -> Option<&Connection> {
        self.connections.iter().max_by_key(|conn| conn.state())
    }

    /// The state of the session as a whole.
    pub(crate) fn state(&self) -> State {
        self.foremost()
            .map_or(self.dialler.state(), Connection::state)
    }

    /// When that state was entered.
    pub(crate) const fn since(&self) -> Instant {
        self.since.1
    }

    pub(crate) const fn position(&self) -> &Position {
        self.dialler.position()
    }

    pub(crate) const fn flaps(&self) -> u64 {
        self.flaps
    }

    pub(crate) const fn collisions(&self) -> u64 {
        self.collisions
    }

    pub(crate) const fn last_down(&self) -> Option<&DownReason> {
        self.last_down.as_ref()
    }

    pub(crate) const fn last_notification(&self) -> Option<&NotificationRecord> {
        self.last_notification.as_ref()
    }
}
