//! A status that somebody else overwrites: we say what should be, and never fight (semantics rule 4).
//!
//! What we published and do not find is published again, at once the first time, then later and
//! later; in between the Service carries a condition that names the other writer, and keeps its
//! claim. Peace for a while makes the next time a first one.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ringbolt_cluster::{FinalizerChange, Part};
use ringbolt_config::ServiceView;
use ringbolt_config::service::StatusWriter;

use super::queue::Subject;
use super::service::Step;
use super::{Engine, Moment};
use crate::projector::project;
use crate::reconcile::{Decision, Target};
use crate::refusal::Refusal;

/// How long the status is left alone after it was published again, by how often it was.
const TRUCES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];
/// After so long a contest is forgotten.
const PEACE: Duration = Duration::from_secs(900);

/// What became of what was published for a Service.
#[derive(Debug, Default)]
pub(super) struct Contest {
    /// What was published last in this term.
    published: Vec<IpAddr>,
    /// How often it was published although nothing had changed, and when last.
    again: usize,
    last: Option<Instant>,
}

impl Contest {
    /// A write of ours made the status carry these.
    pub(super) fn published(&mut self, addresses: Vec<IpAddr>, now: Instant) {
        if self.published != addresses {
            *self = Self {
                published: addresses,
                ..Self::default()
            };
            return;
        }
        if self.last.is_some_and(|last| now >= last + PEACE) {
            self.again = 0;
        }
        self.again += 1;
        self.last = Some(now);
    }

    /// Until when these are not to be published.
    fn truce(&self, addresses: &[IpAddr], now: Instant) -> Option<Instant> {
        if self.published != addresses {
            return None;
        }
        let last = TRUCES.len() - 1;
        let until = self.last? + TRUCES[self.again.min(last)];
        (until > now).then_some(until)
    }
}

impl Engine {
    /// Until when the status of a Service is left to whoever overwrites it.
    pub(super) fn contested_until(
        &self,
        view: &ServiceView,
        addresses: &[IpAddr],
        now: Moment,
    ) -> Option<Instant> {
        let case = self.cases.get(&view.key)?;
        case.contest.truce(addresses, now.mono)
    }

    /// Says that the status is contested, and leaves it alone.
    pub(super) fn sit_out(
        &mut self,
        view: &ServiceView,
        decision: &Decision,
        until: Instant,
        now: Moment,
    ) -> Step {
        self.queue.at(until, Subject::Service(view.key.clone()));
        let (Decision::Keep(target) | Decision::Assign(target)) = decision else {
            return None;
        };
        let writer = match &view.status_writer {
            StatusWriter::Foreign { manager } if !manager.is_empty() => Some(manager.to_string()),
            _ => None,
        };
        let refusal = Refusal::StatusContested { writer };
        if let Some(case) = self.cases.get_mut(&view.key) {
            case.refusal = Some(refusal.clone());
        }
        let contested = Decision::Keep(Target {
            unmet: Some(refusal),
            content: false,
            ..target.clone()
        });
        let mut patch = project(view, &contested, now.wall)?;
        patch.ingress = Part::Keep;
        patch.allocated_from = Part::Keep;
        let silent = patch.conditions.is_empty() && patch.finalizer == FinalizerChange::Keep;
        (!silent).then(|| self.patch(view, &contested, patch))
    }
}

#[cfg(test)]
mod tests;
