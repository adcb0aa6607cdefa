//! What waits to be looked at, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use jiff::Timestamp;
use ringbolt_config::{ObjectRef, ServiceKey};

use crate::allocator::Line;

/// What the engine works on, one write at a time each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A Service: its claims and its status.
    Service(ServiceKey),
    /// A claim whose holder is gone, that has rested, or that must be read.
    Claim(IpAddr),
    /// The status of a pool, a peer or an advertisement.
    Object(ObjectRef),
    /// Those who wait for something that has rested: a matter of timers, nothing is written.
    Line(Line),
}

/// Who has an address comes before who asks for one: so a start moves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The Service has an address.
    Holder,
    /// It has none.
    Waiting,
}

type Turn = (Rank, Timestamp, ServiceKey);

/// Subjects in the order in which they get their turn.
#[derive(Debug, Default)]
pub(super) struct Queue {
    services: BTreeSet<Turn>,
    turns: BTreeMap<ServiceKey, Turn>,
    urgent: BTreeSet<IpAddr>,
    claims: BTreeSet<IpAddr>,
    objects: BTreeSet<ObjectRef>,
    timers: BTreeSet<(Instant, Subject)>,
}

impl Queue {
    /// A Service gets its turn by rank, creation and name.
    pub(super) fn service(&mut self, rank: Rank, created: Timestamp, key: ServiceKey) {
        let turn = (rank, created, key.clone());
        if let Some(old) = self.turns.insert(key, turn.clone()) {
            self.services.remove(&old);
        }
        self.services.insert(turn);
    }

    /// A claim gets its turn after all Services.
    pub(super) fn claim(&mut self, address: IpAddr) {
        self.claims.insert(address);
    }

    /// A claim gets its turn before all Services: some of them wait for it to be read.
    pub(super) fn unclear_claim(&mut self, address: IpAddr) {
        self.urgent.insert(address);
    }

    /// An object's status gets its turn last.
    pub(super) fn object(&mut self, object: ObjectRef) {
        self.objects.insert(object);
    }

    pub(super) fn pop(&mut self) -> Option<Subject> {
        if let Some(address) = self.urgent.pop_first() {
            return Some(Subject::Claim(address));
        }
        if let Some((_, _, key)) = self.services.pop_first() {
            self.turns.remove(&key);
            return Some(Subject::Service(key));
        }
        if let Some(address) = self.claims.pop_first() {
            return Some(Subject::Claim(address));
        }
        self.objects.pop_first().map(Subject::Object)
    }

    /// Looks at a subject again at a time. Too often is harmless.
    pub(super) fn at(&mut self, time: Instant, subject: Subject) {
        self.timers.insert((time, subject));
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// The subjects whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Subject> {
        let mut due = Vec::new();
        while let Some((time, _)) = self.timers.first()
            && *time <= now
        {
            due.extend(self.timers.pop_first().map(|(_, subject)| subject));
        }
        due
    }
}
