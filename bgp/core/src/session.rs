//! One configured peer: who dials when, which of two connections stays, when to give up.
//!
//! A [`Session`] holds at most two [`Connection`]s (one dialled, one accepted) and, while it has
//! none, a position in the dialling half of the state machine. Events go through the one table in
//! [`transition`]; this module carries out what the table says and decides nothing the table could.
//! It never sees routes: an UPDATE leaves as an [`Effect`] for the Router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::sabotage::{Sabotage, Saboteur};
use crate::types::{ConnId, FamilySet};
use crate::wire::{Cease, ErrorCode, Message, Notification, RouteRefresh, Update};

pub(crate) mod collision;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod dialler;
pub(crate) mod negotiate;
pub(crate) mod report;
pub(crate) mod timers;
pub mod transition;

#[cfg(test)]
mod tests;

pub use config::{GracefulRestart, Hops, Mode, PeerConfig, RemoteAsn};
pub use negotiate::{Negotiated, Refresh, Restart};
pub use report::{Direction, DownReason, NotificationRecord};
pub use timers::Timer;
pub use transition::State;

use collision::{Contender, Rival, Verdict};
use connection::{Connection, Origin};
use dialler::{Dialler, Position};
use negotiate::Identity;
use timers::Jitter;
use transition::{Action, EventKind, Step, transition};

/// What a session needs from its Router while it handles something.
#[derive(Debug)]
pub(crate) struct Env<'a> {
    pub(crate) now: Instant,
    pub(crate) jitter: &'a mut Jitter,
    /// The last number given to a dialled connection.
    pub(crate) last_conn: &'a mut u64,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) saboteur: Saboteur,
}

impl Env<'_> {
    fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

/// What a session asks of its Router.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Dial the peer.
    Connect { conn: ConnId },
    /// Close a connection, after the NOTIFICATION if there is one.
    Close {
        conn: ConnId,
        farewell: Option<Notification>,
    },
    /// Established.
    Up {
        conn: ConnId,
        negotiated: Arc<Negotiated>,
    },
    /// Not Established any longer.
    Down { reason: DownReason },
    /// An attempt ended before Established.
    AttemptFailed { reason: DownReason },
    /// A NOTIFICATION went either way.
    Notification(NotificationRecord),
    /// The peer told us something.
    Learn(Update),
    /// The peer wants to be told again, or brackets what it tells.
    Refresh(RouteRefresh),
}

/// An event with what it brings along.
#[derive(Debug)]
enum Event {
    Stop(Notification, DownReason),
    TransportLost,
    HoldExpired,
    KeepaliveDue,
    SendHoldExpired,
    CollisionLost,
    Open(Arc<Negotiated>),
    /// An OPEN after the first: nobody looks into it.
    AnotherOpen,
    Keepalive,
    Update(Update),
    Refresh(RouteRefresh),
    Notification(Notification),
    Malformed(Notification),
}

impl Event {
    const fn kind(&self) -> EventKind {
        match self {
            Self::Stop(..) => EventKind::Stop,
            Self::TransportLost => EventKind::TransportLost,
            Self::HoldExpired => EventKind::HoldExpired,
            Self::KeepaliveDue => EventKind::KeepaliveDue,
            Self::SendHoldExpired => EventKind::SendHoldExpired,
            Self::CollisionLost => EventKind::CollisionLost,
            Self::Open(_) | Self::AnotherOpen => EventKind::Open,
            Self::Keepalive => EventKind::Keepalive,
            Self::Update(_) => EventKind::Update,
            Self::Refresh(_) => EventKind::Refresh,
            Self::Notification(_) => EventKind::Notification,
            Self::Malformed(_) => EventKind::Malformed,
        }
    }
}

/// What a running session does after it was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// Nothing: the peer is removed or we shut down.
    Rest,
    /// Start over after the back-off.
    BackOff,
}

/// A configured peer's session.
#[derive(Debug)]
pub(crate) struct Session {
    config: PeerConfig,
    us: Identity,
    restart: Restart,
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
    pub(crate) fn new(config: PeerConfig, us: Identity, restart: Restart, now: Instant) -> Self {
        let us = Identity {
            asn: config.local_asn.unwrap_or(us.asn),
            ..us
        };
        Self {
            config,
            us,
            restart,
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
        self.us = Identity {
            asn: config.local_asn.unwrap_or(us.asn),
            ..us
        };
        self.config = config;
    }

    /// Takes over what does not concern OPEN or sockets.
    pub(crate) fn adopt(&mut self, config: PeerConfig, env: &mut Env<'_>) {
        let mode_changed = self.config.mode != config.mode;
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
        while let Some(conn) = self.connections.first() {
            self.apply(conn.id(), Event::Stop(cease.clone(), reason.clone()), env);
        }
        self.drive(EventKind::Stop, env);
        match then {
            Afterwards::Rest => self.dialler.rest(),
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
        self.restart = Restart::Settled;
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

    /// The peer dialled. `false` when the connection is not wanted.
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
        if self.established().is_some() {
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
        let open = negotiate::our_open(&self.config, self.us, ends.0.ip(), self.restart);
        if self.dialler.dialling().is_none() {
            self.dialler.pause();
        }
        self.connections
            .push(Connection::new(conn, origin, ends, open, env.now));
        self.note_state(env.now);
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
            return false;
        };
        let event = match message {
            Err(error) => Event::Malformed(error.notification()),
            Ok(Message::Open(open)) => self.judge_open(conn, &open),
            Ok(Message::Keepalive) => Event::Keepalive,
            Ok(Message::Update(update)) => Event::Update(update),
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
            Err(refusal) => Event::Malformed(refusal),
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
                    self.drive(EventKind::RetryDue, env)
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

    /// An event of one connection.
    fn apply(&mut self, id: ConnId, event: Event, env: &mut Env<'_>) {
        let Some(conn) = self.connections.iter_mut().find(|conn| conn.id() == id) else {
            return;
        };
        let before = conn.state();
        let Step { next, action } = transition(before, event.kind());
        match (action, event) {
            (Action::Ignore, Event::TransportLost) => {
                self.end(id, next, DownReason::ConnectionClosed, None, env);
            }
            (Action::Confirm, Event::Open(agreed)) => conn.confirm(agreed, env.now, env.jitter),
            (Action::Establish, _) => {
                conn.establish(env.now);
                self.established_on(id, env);
            }
            (Action::Rearm, _) => conn.rearm_hold(env.now),
            (Action::SendKeepalive, _) => conn.send_keepalive(env.now, env.jitter),
            (Action::Learn, Event::Update(update)) => {
                conn.rearm_hold(env.now);
                env.emit(Effect::Learn(update));
            }
            (Action::Resend, Event::Refresh(refresh)) => env.emit(Effect::Refresh(refresh)),
            (Action::Close, Event::Notification(notification)) => {
                let record = record(&notification, Direction::Received);
                self.remember(record.clone(), env);
                self.end(
                    id,
                    next,
                    DownReason::NotificationReceived(record),
                    None,
                    env,
                );
            }
            (Action::Refuse(error), _) => {
                let code = ErrorCode::FiniteStateMachine(error);
                self.end_with(id, next, Notification::new(code, Vec::new()), None, env);
            }
            (Action::Notify, event) => self.notify(id, before, next, event, env),
            // What is left of the table changes nothing.
            _ => {}
        }
    }

    fn notify(&mut self, id: ConnId, before: State, next: State, event: Event, env: &mut Env<'_>) {
        let (notification, reason) = match event {
            Event::Stop(cease, reason) => (cease, Some(reason)),
            Event::HoldExpired => (
                Notification::new(ErrorCode::HoldTimerExpired, Vec::new()),
                Some(if before == State::Established {
                    DownReason::HoldTimerExpired
                } else {
                    DownReason::HandshakeTimedOut
                }),
            ),
            Event::SendHoldExpired => (
                Notification::new(ErrorCode::SendHoldTimerExpired, Vec::new()),
                Some(DownReason::SendHoldTimerExpired),
            ),
            Event::CollisionLost => {
                self.collisions += 1;
                let cease = Notification::cease(Cease::CollisionResolution);
                (cease, Some(DownReason::CollisionLost))
            }
            Event::Malformed(notification) => (notification, None),
            // The table asks for a NOTIFICATION for no other event.
            Event::TransportLost
            | Event::KeepaliveDue
            | Event::Open(_)
            | Event::AnotherOpen
            | Event::Keepalive
            | Event::Update(_)
            | Event::Refresh(_)
            | Event::Notification(_) => return,
        };
        self.end_with(id, next, notification, reason, env);
    }

    /// Established wins over everything else that was tried.
    fn established_on(&mut self, id: ConnId, env: &mut Env<'_>) {
        let others = self
            .connections
            .iter()
            .map(Connection::id)
            .filter(|other| *other != id);
        for other in others.collect::<Vec<_>>() {
            self.apply(other, Event::CollisionLost, env);
        }
        if self.dialler.dialling().is_some() {
            self.drive(EventKind::CollisionLost, env);
        }
        if let Some(agreed) = self.connection(id).and_then(Connection::negotiated) {
            env.emit(Effect::Up {
                conn: id,
                negotiated: Arc::clone(agreed),
            });
        }
    }

    fn end_with(
        &mut self,
        id: ConnId,
        next: State,
        notification: Notification,
        reason: Option<DownReason>,
        env: &mut Env<'_>,
    ) {
        let record = record(&notification, Direction::Sent);
        self.remember(record.clone(), env);
        let reason = reason.unwrap_or(DownReason::NotificationSent(record));
        self.end(id, next, reason, Some(notification), env);
    }

    /// A connection ends; what becomes of the session follows from `next`.
    fn end(
        &mut self,
        id: ConnId,
        next: State,
        reason: DownReason,
        farewell: Option<Notification>,
        env: &mut Env<'_>,
    ) {
        let Some(at) = self.connections.iter().position(|conn| conn.id() == id) else {
            return;
        };
        let conn = self.connections.remove(at);
        env.emit(Effect::Close { conn: id, farewell });
        if conn.state() == State::Established {
            let stood = env.now.saturating_duration_since(conn.since());
            if conn.stable_after().is_some_and(|span| stood > span) {
                self.dialler.forgive();
            }
            self.flaps += 1;
            self.last_down = Some(reason.clone());
            env.emit(Effect::Down { reason });
        } else if reason != DownReason::CollisionLost {
            self.last_down = Some(reason.clone());
            env.emit(Effect::AttemptFailed { reason });
        }
        if self.connections.is_empty() && self.dialler.dialling().is_none() {
            self.back_off(next, env);
        }
    }

    /// Nothing is left: waits in `state` until it is time to try again.
    fn back_off(&mut self, state: State, env: &mut Env<'_>) {
        let first = self.config.connect_retry;
        match (state, self.config.mode) {
            (State::Active, Mode::Passive) => self.dialler.pause(),
            (State::Active, Mode::Active) => self.dialler.wait(first, env.now, env.jitter),
            _ => self.dialler.keep_out(first, env.now, env.jitter),
        }
    }

    fn remember(&mut self, record: NotificationRecord, env: &mut Env<'_>) {
        self.last_notification = Some(record.clone());
        env.emit(Effect::Notification(record));
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

    /// The AS number we show this peer.
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

/// What a session's next deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SessionWake {
    Timer(Timer),
    Retry,
}

fn record(notification: &Notification, direction: Direction) -> NotificationRecord {
    let (code, subcode) = notification.code.octets();
    NotificationRecord {
        direction,
        code,
        subcode,
        text: notification.text().map(Arc::from),
    }
}
