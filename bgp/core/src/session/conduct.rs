//! The connected half of the machine: what the table asks for on a connection, and its end.

use std::sync::Arc;

use crate::sabotage::Sabotage;
use crate::types::ConnId;
use crate::wire::{Cease, ErrorCode, Notification};

use super::Session;
use super::config::Mode;
use super::connection::Connection;
use super::event::{Effect, Env, Event};
use super::report::{Direction, DownReason, NotificationRecord};
use super::transition::{Action, EventKind, State, Step, transition};

/// Why we end a connection with a NOTIFICATION.
enum Why {
    /// For a reason of our own.
    Ours(DownReason),
    /// For what the peer said, which the words tell.
    Words(Arc<str>),
    /// For what the peer said, of which there is no more to tell than the numbers.
    Numbers,
}

impl Session {
    /// An event of one connection.
    pub(super) fn apply(&mut self, id: ConnId, event: Event, env: &mut Env<'_>) {
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
                let refusal = Notification::new(code, Vec::new());
                self.end_with(id, next, refusal, Why::Numbers, env);
            }
            (Action::Notify, event) => self.notify(id, before, next, event, env),
            // What is left of the table changes nothing.
            _ => {}
        }
    }

    fn notify(&mut self, id: ConnId, before: State, next: State, event: Event, env: &mut Env<'_>) {
        let (notification, why) = match event {
            Event::Stop(cease, reason) => {
                let cease = if reason.is_for_good() && self.keeps_routes(id) {
                    cease.into_hard_reset()
                } else {
                    cease
                };
                (cease, Why::Ours(reason))
            }
            Event::HoldExpired => (
                Notification::new(ErrorCode::HoldTimerExpired, Vec::new()),
                Why::Ours(if before == State::Established {
                    DownReason::HoldTimerExpired
                } else {
                    DownReason::HandshakeTimedOut
                }),
            ),
            Event::SendHoldExpired => (
                Notification::new(ErrorCode::SendHoldTimerExpired, Vec::new()),
                Why::Ours(DownReason::SendHoldTimerExpired),
            ),
            Event::CollisionLost => {
                self.collisions += 1;
                let cease = Notification::cease(Cease::CollisionResolution);
                (cease, Why::Ours(DownReason::CollisionLost))
            }
            Event::Malformed(notification, words) => (notification, Why::Words(words)),
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
        self.end_with(id, next, notification, why, env);
    }

    /// Whether the peer would keep our routes if this connection ended with an ordinary Cease.
    fn keeps_routes(&self, id: ConnId) -> bool {
        let established = self.established().filter(|conn| conn.id() == id);
        established
            .and_then(Connection::negotiated)
            .is_some_and(|agreed| agreed.keeps_routes_on_notification())
    }

    /// What has arrived is no message yet, which is no sign of life (RFC 4271 §8.2.2).
    pub(super) fn await_more(&mut self, id: ConnId, env: &Env<'_>) {
        if env.saboteur.breaks(Sabotage::RearmHoldByPart)
            && let Some(conn) = self.connection_mut(id)
        {
            conn.rearm_hold(env.now);
        }
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
        why: Why,
        env: &mut Env<'_>,
    ) {
        let mut record = record(&notification, Direction::Sent);
        if let Why::Words(words) = &why {
            record.cause = Some(Arc::clone(words));
        }
        self.remember(record.clone(), env);
        let reason = match why {
            Why::Ours(reason) => reason,
            Why::Words(_) | Why::Numbers => DownReason::NotificationSent(record),
        };
        self.end(id, next, reason, Some(notification), env);
    }

    /// A connection ends; what becomes of the session follows from `next`.
    pub(super) fn end(
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
    pub(super) fn back_off(&mut self, state: State, env: &mut Env<'_>) {
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
}

fn record(notification: &Notification, direction: Direction) -> NotificationRecord {
    let (code, subcode) = notification.code.octets();
    let wrapped = notification.hard_reset_cause();
    NotificationRecord {
        direction,
        code,
        subcode,
        text: wrapped
            .as_ref()
            .unwrap_or(notification)
            .text()
            .map(Arc::from),
        cause: wrapped.map(|wrapped| wrapped.code.to_string().into()),
    }
}
