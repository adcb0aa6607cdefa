//! Whose turn it is, and how a write is begun.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ringbolt_config::{Kind, ServiceKey};

use super::answers::About;
use super::queue::Subject;
use super::{Engine, FLIGHTS_MAX, Moment, Output, Stale, Ticket, Turn, Write};
use crate::allocator::{Allocator, Claim};

impl Engine {
    pub(super) fn advance(&mut self, now: Moment) {
        if !self.is_ready() {
            return;
        }
        if self.stale_configuration == Stale::Yes {
            self.stale_configuration = Stale::No;
            self.reconfigure();
        }
        if self.stale_bars == Stale::Yes {
            self.stale_bars = Stale::No;
            if self.allocator.bar(self.index.barred()) {
                self.all_waiting_try();
                self.statuses_of(Kind::IPAddressPool);
            }
        }
        if let Some(since) = self.fresh_since(now.mono) {
            self.index.services.forget_absences(since);
            self.index.claims.forget_absences(since);
        }
        for subject in self.queue.due(now.mono) {
            self.enqueue(subject);
        }
        while self.flights.len() < FLIGHTS_MAX
            && let Some(subject) = self.queue.pop()
        {
            if self.busy.contains(&subject) {
                continue;
            }
            if let Some(until) = self
                .retries
                .get(&subject)
                .and_then(|r| r.not_before(now.mono))
            {
                if let Subject::Service(key) = &subject {
                    self.pass_on(key, now.wall);
                }
                self.queue.at(until, subject);
                continue;
            }
            self.turn_of(subject, now);
        }
    }

    fn turn_of(&mut self, subject: Subject, now: Moment) {
        self.turn = Turn::Over;
        let write = match &subject {
            Subject::Service(key) => self.work_on_service(key, now),
            Subject::Claim(address) => self.work_on_claim(*address, now),
            Subject::Object(object) => self.work_on_status(object, now),
            // Offered when its time came.
            Subject::Line(_) => None,
        };
        let key = match &subject {
            Subject::Service(key) => Some(key.clone()),
            _ => None,
        };
        if let Some((write, about)) = write {
            self.launch(subject, write, about);
        }
        // Who is held up comes again; what was offered to it is not passed on before that.
        if let (Some(key), Turn::Over) = (key, self.turn) {
            self.pass_on(&key, now.wall);
        }
    }

    fn reconfigure(&mut self) {
        let changed = self.index.resolve();
        self.tell_refused(&changed.objects);
        changed
            .objects
            .into_iter()
            .for_each(|object| self.queue.object(object));
        // How many nodes each selects may have changed with the nodes.
        self.statuses_of(Kind::L2Advertisement);
        self.statuses_of(Kind::BGPPeer);
        if changed.pools.is_empty() {
            return;
        }
        let concerned = |allocator: &Allocator| -> BTreeSet<ServiceKey> {
            let of_pool = |claim: &&Claim| {
                claim
                    .pool
                    .as_ref()
                    .is_some_and(|pool| changed.pools.contains(pool))
                    || allocator
                        .pool_at(claim.address)
                        .is_some_and(|p| changed.pools.contains(&p))
            };
            let claims = allocator.claims().filter(of_pool);
            claims
                .flat_map(|claim| &claim.holders)
                .map(|holder| holder.key.clone())
                .collect()
        };
        let mut keys = concerned(&self.allocator);
        self.allocator.configure(self.index.config.pools.values());
        keys.extend(concerned(&self.allocator));
        keys.into_iter()
            .for_each(|key| self.enqueue(Subject::Service(key)));
        self.all_waiting_try();
        self.statuses_of(Kind::IPAddressPool);
    }

    fn statuses_of(&mut self, kind: Kind) {
        let objects = self.statuses.objects().into_iter();
        objects
            .filter(|object| object.kind == kind)
            .for_each(|object| self.queue.object(object));
    }

    pub(super) fn launch(&mut self, subject: Subject, write: Write, about: About) {
        match (&about, &subject) {
            (About::Claim { address, assumed }, _) => {
                self.index.claims.begin(address);
                match assumed {
                    Some(claim) => self.allocator.apply(claim.clone()),
                    None => self.allocator.remove(*address),
                }
            }
            (About::ReadClaim(address), _) => self.index.claims.begin(address),
            (About::Service { .. } | About::ReadService, Subject::Service(key)) => {
                self.index.services.begin(key);
            }
            (
                About::Service { .. }
                | About::ReadService
                | About::Status(_)
                | About::Finalizer(..),
                _,
            ) => {}
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.counts.writes += 1;
        let reads = matches!(write, Write::ReadClaim(_) | Write::ReadService(_));
        self.counts.changes += u64::from(!reads);
        self.busy.insert(subject.clone());
        self.flights.insert(ticket, (subject, about));
        self.outputs.push_back(Output::Write { ticket, write });
    }

    /// `subject` gets its turn when `obstacle` is clear.
    pub(super) fn hold_up(&mut self, subject: Subject, obstacle: Subject) {
        self.turn = Turn::HeldUp;
        self.held_up.entry(obstacle).or_default().insert(subject);
    }

    /// How long before `moment` a state may have been learnt to be acted on.
    pub(super) fn fresh_since(&self, now: Instant) -> Option<Instant> {
        now.checked_sub(self.takings.freshness())
    }

    /// The monotonic time of a wall-clock time that has not come yet.
    pub(super) fn instant_of(time: Timestamp, now: Moment) -> Instant {
        let left = time.duration_since(now.wall);
        now.mono + Duration::try_from(left).unwrap_or(Duration::ZERO)
    }
}
