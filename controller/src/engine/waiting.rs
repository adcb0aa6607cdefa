//! Services that were refused something: which lines they stand in, and when a line moves.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ringbolt_config::{ServiceKey, ServiceView};

use super::queue::Subject;
use super::{Engine, Moment};
use crate::Family;
use crate::allocator::{Claim, Holder, Line};
use crate::reconcile::{Decision, open_families, request};
use crate::refusal::Refusal;

impl Engine {
    /// Remembers what a Service waits for, so that it is looked at when that changes.
    pub(super) fn note(&mut self, view: &ServiceView, decision: &Decision, now: Moment) {
        let refusal = decision.refusal();
        match refusal {
            None => self.lines.leave(&view.key),
            Some(refusal) => {
                let lines = self.lines_of(view, decision, refusal);
                for line in &lines {
                    if let Some(until) = self.allocator.next_rested(line, now.wall) {
                        let until = Self::instant_of(until, now);
                        self.queue.at(until, Subject::Line(line.clone()));
                    }
                }
                self.lines.stand(&view.key, view.created, lines);
            }
        }
        if let Some(case) = self.cases.get_mut(&view.key) {
            case.refusal = refusal.cloned();
        }
    }

    fn lines_of(
        &self,
        view: &ServiceView,
        decision: &Decision,
        refusal: &Refusal,
    ) -> BTreeSet<Line> {
        let labels = self.index.namespace_labels(view.key.namespace());
        let (Ok(request) | Err((request, _))) = request(view, &labels);
        let families = open_families(&self.allocator, view, &request, decision, refusal);
        self.allocator.lines(&request, &families)
    }

    /// An address may be had by somebody who could not have it: those who wait for it may try. `before`
    /// is who held it until then.
    pub(super) fn loosened(&mut self, address: IpAddr, before: &[Holder]) {
        let claim = self.allocator.claim(address);
        let held = claim.is_some_and(|claim| !claim.holders.is_empty());
        let sharing = claim.and_then(|claim| claim.sharing_key.clone());
        let mut lines = vec![Line::Address(address)];
        lines.extend(sharing.map(Line::Sharers));
        if let Some(pool) = self.allocator.pool_at(address) {
            let namespaces: BTreeSet<&str> = before.iter().map(|h| h.key.namespace()).collect();
            let quotas = namespaces.into_iter();
            lines.extend(quotas.map(|namespace| Line::Quota(pool.clone(), namespace.into())));
            if !held {
                lines.push(Line::Pool(pool, Family::of(address)));
            }
        }
        lines.into_iter().for_each(|line| self.offer(line));
    }

    /// A claim is not what it was: for whom that makes room.
    pub(super) fn claim_changed(&mut self, address: IpAddr, old: &Claim, new: Option<&Claim>) {
        if new.is_none_or(|new| new.leaves_more_room_than(old)) {
            self.loosened(address, &old.holders);
        }
    }

    pub(super) fn offer(&mut self, line: Line) {
        if let Some(key) = self.lines.offer(line) {
            self.enqueue(Subject::Service(key));
        }
    }

    /// A Service had its turn, or is gone. What is left is offered to the next one.
    pub(super) fn pass_on(&mut self, key: &ServiceKey, now: jiff::Timestamp) {
        let (allocator, index) = (&self.allocator, &self.index);
        let more = |line: &Line| {
            let labels = match line {
                Line::Quota(_, namespace) => index.namespace_labels(namespace),
                Line::Address(_) | Line::Sharers(_) | Line::Pool(..) => Default::default(),
            };
            allocator.has_room(line, &labels, now)
        };
        for next in self.lines.pass_on(key, more) {
            self.enqueue(Subject::Service(next));
        }
    }

    /// A Service is gone: whatever was offered to it goes to the next one.
    pub(super) fn pass_by(&mut self, key: &ServiceKey) {
        for next in self.lines.pass_on(key, |_| true) {
            self.enqueue(Subject::Service(next));
        }
    }

    pub(super) fn all_waiting_try(&mut self) {
        let keys: Vec<ServiceKey> = self.lines.everybody().cloned().collect();
        keys.into_iter()
            .for_each(|key| self.enqueue(Subject::Service(key)));
    }
}
