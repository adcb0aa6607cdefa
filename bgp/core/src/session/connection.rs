//! One TCP connection: its bytes in, its messages out, its timers.
//!
//! Knows neither its rival nor its configuration: [`super::Session`] consults the table and calls
//! what the table asks for. What is to be sent is kept as state (an OPEN is due, a KEEPALIVE is
//! due) and encoded when there is room, so a peer that does not read costs no memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use crate::types::{ConnId, Family, FamilySet};
use crate::wire::{
    self, DecodeCtx, DecodeError, Message, Notification, Open, RefreshKind, RouteRefresh, header,
};

use super::negotiate::Negotiated;
use super::timers::{HANDSHAKE, Jitter, Spans, Timer, Timers};
use super::transition::State;

/// Least time between a KEEPALIVE and one out of turn (RFC 4271 §4.4).
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// We did.
    Dialled,
    /// The peer did.
    Accepted,
}

/// How far the connection has come, with what exists only from there on.
#[derive(Clone, Debug)]
enum Phase {
    OpenSent,
    OpenConfirm(Arc<Negotiated>),
    Established(Arc<Negotiated>),
}

/// What is due to be sent, in this order.
#[derive(Debug, Default)]
struct Outbox {
    open: Option<Open>,
    keepalive: Option<KeepaliveDue>,
    requests: FamilySet,
}

#[derive(Clone, Copy, Debug)]
struct KeepaliveDue;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnId,
    origin: Origin,
    ends: (SocketAddr, SocketAddr),
    phase: Phase,
    since: Instant,
    timers: Timers,
    inbox: BytesMut,
    outbox: Outbox,
    /// Bytes given to the driver that the kernel has not taken.
    unsent: usize,
    /// When the kernel last took some, or first had to.
    progress: Instant,
    /// When a KEEPALIVE was last due.
    last_keepalive: Option<Instant>,
}

impl Connection {
    /// A connection that stands; `open` is what we say on it.
    pub(crate) fn new(
        id: ConnId,
        origin: Origin,
        ends: (SocketAddr, SocketAddr),
        open: Open,
        now: Instant,
    ) -> Self {
        let mut timers = Timers::default();
        timers.arm(Timer::Handshake, now + HANDSHAKE);
        Self {
            id,
            origin,
            ends,
            phase: Phase::OpenSent,
            since: now,
            timers,
            inbox: BytesMut::new(),
            outbox: Outbox {
                open: Some(open),
                ..Outbox::default()
            },
            unsent: 0,
            progress: now,
            last_keepalive: None,
        }
    }

    pub(crate) const fn id(&self) -> ConnId {
        self.id
    }

    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) const fn ends(&self) -> (SocketAddr, SocketAddr) {
        self.ends
    }

    pub(crate) const fn state(&self) -> State {
        match self.phase {
            Phase::OpenSent => State::OpenSent,
            Phase::OpenConfirm(_) => State::OpenConfirm,
            Phase::Established(_) => State::Established,
        }
    }

    /// When the present state was entered.
    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    pub(crate) const fn negotiated(&self) -> Option<&Arc<Negotiated>> {
        match &self.phase {
            Phase::OpenSent => None,
            Phase::OpenConfirm(negotiated) | Phase::Established(negotiated) => Some(negotiated),
        }
    }

    fn spans(&self) -> Option<Spans> {
        self.negotiated()
            .map(|agreed| Spans::new(agreed.hold_time, agreed.keepalive))
    }

    /// How long the session has to stand before it counts as stable.
    pub(crate) fn stable_after(&self) -> Option<Duration> {
        self.spans().map(Spans::stable)
    }

    // Timers.

    pub(crate) fn next_deadline(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.timers.take_due(now)
    }

    fn arm_keepalive(&mut self, now: Instant, jitter: &mut Jitter) {
        if let Some(span) = self.spans().and_then(Spans::keepalive) {
            self.timers.arm(Timer::Keepalive, now + jitter.spread(span));
        }
    }

    /// The peer is alive: a complete KEEPALIVE or UPDATE has arrived.
    pub(crate) fn rearm_hold(&mut self, now: Instant) {
        if let Some(span) = self.spans().and_then(Spans::hold) {
            self.timers.arm(Timer::Hold, now + span);
        }
    }

    // What the table asks for.

    /// OpenSent → OpenConfirm.
    pub(crate) fn confirm(&mut self, agreed: Arc<Negotiated>, now: Instant, jitter: &mut Jitter) {
        self.phase = Phase::OpenConfirm(agreed);
        self.since = now;
        self.send_keepalive(now, jitter);
    }

    /// OpenConfirm → Established.
    pub(crate) fn establish(&mut self, now: Instant) {
        if let Phase::OpenConfirm(agreed) = &self.phase {
            self.phase = Phase::Established(Arc::clone(agreed));
            self.since = now;
        }
        self.timers.disarm(Timer::Handshake);
        self.rearm_hold(now);
    }

    pub(crate) fn send_keepalive(&mut self, now: Instant, jitter: &mut Jitter) {
        self.outbox.keepalive = Some(KeepaliveDue);
        self.last_keepalive = Some(now);
        self.arm_keepalive(now, jitter);
    }

    /// Sends a KEEPALIVE out of turn, but not within a second of another (RFC 4271 §4.4).
    pub(crate) fn probe(&mut self, now: Instant, jitter: &mut Jitter) {
        let recent = |at: Instant| now.saturating_duration_since(at) < PROBE_PAUSE;
        if !self.last_keepalive.is_some_and(recent) {
            self.send_keepalive(now, jitter);
        }
    }

    /// Another bound of the keepalive interval is configured (see [`Spans::new`]).
    pub(crate) fn limit_keepalive(
        &mut self,
        limit: Option<Duration>,
        now: Instant,
        jitter: &mut Jitter,
    ) {
        let (Phase::OpenConfirm(agreed) | Phase::Established(agreed)) = &mut self.phase else {
            return;
        };
        let interval = Spans::new(agreed.hold_time, limit).keepalive();
        if agreed.keepalive != interval {
            Arc::make_mut(agreed).keepalive = interval;
            self.arm_keepalive(now, jitter);
        }
    }

    /// Asks for the peer's routes of one family; nothing happens before Established.
    pub(crate) fn request_refresh(&mut self, family: Family) {
        if self.state() == State::Established {
            self.outbox.requests.insert(family);
        }
    }

    // Bytes in.

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// Takes one complete message from what has arrived.
    pub(crate) fn next_message(&mut self) -> Option<Result<Message, DecodeError>> {
        let ctx = self
            .negotiated()
            .map_or_else(DecodeCtx::before_open, |agreed| agreed.decode_ctx());
        let frame = match wire::frame(&self.inbox, ctx.limit).transpose()? {
            Ok(frame) => frame,
            Err(error) => return Some(Err(error)),
        };
        let length = frame.len();
        let message = wire::decode(frame, &ctx);
        self.inbox.advance(length);
        Some(message)
    }

    // Bytes out.

    /// Writes what is due and returns how many messages that made. Routes are not among them.
    pub(crate) fn transmit(&mut self, buf: &mut BytesMut) -> u64 {
        let mut messages = 0;
        if let Some(open) = self.outbox.open.take() {
            open.encode(buf);
            messages += 1;
        }
        if self.outbox.keepalive.take().is_some() {
            header::encode_keepalive(buf);
            messages += 1;
        }
        for family in std::mem::take(&mut self.outbox.requests).iter() {
            RouteRefresh {
                family: family.afi_safi(),
                kind: RefreshKind::Request,
            }
            .encode(buf);
            messages += 1;
        }
        messages
    }

    /// `bytes` have been given to the driver: that counts as a sign of life, and the kernel has to
    /// take them in time.
    pub(crate) fn handed_over(&mut self, bytes: usize, now: Instant, jitter: &mut Jitter) {
        if bytes == 0 {
            return;
        }
        if self.unsent == 0 {
            self.progress = now;
        }
        self.unsent = self.unsent.saturating_add(bytes);
        if self.timers.get(Timer::SendHold).is_none() {
            self.arm_send_hold(now);
        }
        if self.outbox.keepalive.is_none() && self.timers.get(Timer::Keepalive).is_some() {
            self.arm_keepalive(now, jitter);
        }
    }

    /// The kernel took `bytes`.
    pub(crate) fn sent(&mut self, bytes: usize, now: Instant) {
        if bytes == 0 {
            return;
        }
        self.unsent = self.unsent.saturating_sub(bytes);
        self.progress = now;
        if self.unsent == 0 {
            self.timers.disarm(Timer::SendHold);
        } else {
            self.arm_send_hold(now);
        }
    }

    fn arm_send_hold(&mut self, now: Instant) {
        // Before OPENs have met the handshake timer is shorter than any send hold time.
        if let Some(spans) = self.spans() {
            self.timers.arm(Timer::SendHold, now + spans.send_hold());
        }
    }

    /// For how long the kernel has taken nothing although there is something.
    pub(crate) fn stalled(&self, now: Instant) -> Option<Duration> {
        (self.unsent > 0).then(|| now.saturating_duration_since(self.progress))
    }

    /// Whether everything given to the driver has reached the kernel.
    pub(crate) const fn is_flushed(&self) -> bool {
        self.unsent == 0
    }
}

/// The last thing said on a connection, kept until the driver has fetched it.
#[derive(Debug)]
pub(crate) struct Farewell(pub(crate) Option<Notification>);

impl Farewell {
    /// Writes the NOTIFICATION, once.
    pub(crate) fn transmit(&mut self, buf: &mut BytesMut) -> u64 {
        self.0.take().map_or(0, |notification| {
            notification.encode(buf);
            1
        })
    }
}
