//! What happens to a session, and what it asks for: the vocabulary between table and Router.

use std::sync::Arc;
use std::time::Instant;

use crate::sabotage::Saboteur;
use crate::types::ConnId;
use crate::wire::{Notification, RouteRefresh, Update};

use super::negotiate::Negotiated;
use super::report::{DownReason, NotificationRecord};
use super::timers::{Jitter, Timer};
use super::transition::EventKind;

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
    pub(super) fn emit(&mut self, effect: Effect) {
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
    Learn(Box<Update>),
    /// The peer wants to be told again, or brackets what it tells.
    Refresh(RouteRefresh),
}

/// An event with what it brings along.
#[derive(Debug)]
pub(super) enum Event {
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
    Update(Box<Update>),
    Refresh(RouteRefresh),
    Notification(Notification),
    /// What the peer gets to hear, and what it was about in words.
    Malformed(Notification, Arc<str>),
}

impl Event {
    /// The row of the table that the event belongs to.
    pub(super) const fn kind(&self) -> EventKind {
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
            Self::Malformed(..) => EventKind::Malformed,
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

/// What a session's next deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SessionWake {
    Timer(Timer),
    Retry,
}
