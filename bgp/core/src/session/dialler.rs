//! The half of the machine that has no connection: Idle, Connect, Active.
//!
//! Holds where it stands and when to try again; the table decides where it goes, and
//! [`super::Session`] tells it.

use std::time::{Duration, Instant};

use crate::types::ConnId;

use super::State;
use super::timers::{Backoff, HANDSHAKE, Jitter};

/// Where the dialling half stands, with what exists only there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Nothing is wanted before `until`; without it, nothing at all.
    Idle { until: Option<Instant> },
    /// A dial is under way and given up at `until`.
    Connect { conn: ConnId, until: Instant },
    /// Waiting; for the next attempt if `until` says when, else for the peer.
    Active { until: Option<Instant> },
}

/// Position and back-off.
#[derive(Debug)]
pub(crate) struct Dialler {
    position: Position,
    backoff: Backoff,
}

impl Dialler {
    pub(crate) const fn new() -> Self {
        Self {
            position: Position::Idle { until: None },
            backoff: Backoff::new(),
        }
    }

    pub(crate) const fn state(&self) -> State {
        match self.position {
            Position::Idle { .. } => State::Idle,
            Position::Connect { .. } => State::Connect,
            Position::Active { .. } => State::Active,
        }
    }

    pub(crate) const fn position(&self) -> &Position {
        &self.position
    }

    /// The dial under way.
    pub(crate) const fn dialling(&self) -> Option<ConnId> {
        match self.position {
            Position::Connect { conn, .. } => Some(conn),
            Position::Idle { .. } | Position::Active { .. } => None,
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.position {
            Position::Connect { until, .. } => Some(until),
            Position::Idle { until } | Position::Active { until } => until,
        }
    }

    /// Whether the deadline has come; it is taken, so that it comes once.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.deadline().is_some_and(|at| at <= now);
        if due {
            match &mut self.position {
                Position::Idle { until } | Position::Active { until } => *until = None,
                Position::Connect { .. } => {}
            }
        }
        due
    }

    /// A dial starts.
    pub(crate) fn dial(&mut self, conn: ConnId, now: Instant) {
        self.position = Position::Connect {
            conn,
            until: now + HANDSHAKE,
        };
    }

    /// Nothing is wanted.
    pub(crate) const fn rest(&mut self) {
        self.position = Position::Idle { until: None };
    }

    /// There is a connection, or the peer makes one: no attempt of ours is due. A dial that is
    /// under way goes on unless the table has ended it.
    pub(crate) const fn pause(&mut self) {
        self.position = Position::Active { until: None };
    }

    /// The next attempt comes after the back-off; the peer may dial meanwhile.
    pub(crate) fn wait(&mut self, first: Duration, now: Instant, jitter: &mut Jitter) {
        let until = Some(now + self.backoff.next(first, jitter));
        self.position = Position::Active { until };
    }

    /// The next attempt comes after the back-off; the peer is kept out meanwhile.
    pub(crate) fn keep_out(&mut self, first: Duration, now: Instant, jitter: &mut Jitter) {
        let until = Some(now + self.backoff.next(first, jitter));
        self.position = Position::Idle { until };
    }

    /// A session has stood for long enough: the next attempt comes soon.
    pub(crate) const fn forgive(&mut self) {
        self.backoff.reset();
    }
}
