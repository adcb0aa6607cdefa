//! What people are told about a Service: on change only, in our words and beside them in those of
//! the upstream service controller, which operators know. What a Service loses is told with the address
//! and the cause: nobody can look it up afterwards.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ringbolt_cluster::{Event, EventType, FinalizerChange, Part, ServiceStatusPatch};
use ringbolt_config::ServiceView;
use ringbolt_config::service::StatusWriter;

use super::Engine;
use crate::allocator::{Request, Verdict};
use crate::projector::ALLOCATED;
use crate::reconcile::{Cause, Decision, request};

impl Engine {
    /// The events that go with a patch: an address that goes or is new, or a reason that is.
    pub(super) fn news(
        &self,
        view: &ServiceView,
        decision: &Decision,
        patch: &ServiceStatusPatch,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let lost = self.lost(view, decision, patch);
        let note = if lost.is_empty() {
            "the Service has no address of Ringbolt any more".to_owned()
        } else {
            lost.join("; ")
        };
        let tell = |reason, note: &str| Event {
            regarding: (&view.key).into(),
            event_type: EventType::Normal,
            reason,
            note: note.to_owned(),
        };
        let over = lets_go(patch) && decision.refusal().is_none();
        if over || !lost.is_empty() {
            events.push(tell("IPReleased", &note));
        }
        if over {
            events.push(tell("DeletedLoadBalancer", &note));
        }
        events.extend(outcome(view, decision, patch));
        events
    }

    /// Each address that leaves the Service with a patch, and why.
    fn lost(
        &self,
        view: &ServiceView,
        decision: &Decision,
        patch: &ServiceStatusPatch,
    ) -> Vec<String> {
        let kept = match &patch.ingress {
            Part::Set(addresses) => &addresses[..],
            Part::Keep if lets_go(patch) => &[],
            Part::Keep => return Vec::new(),
        };
        let held: BTreeSet<IpAddr> = self.allocator.held_by(&view.uid).collect();
        let ours = !matches!(view.status_writer, StatusWriter::Foreign { .. });
        let mut lost: BTreeSet<IpAddr> = view
            .addresses()
            .filter(|address| ours || held.contains(address))
            .collect();
        if lets_go(patch) {
            lost.extend(held);
        }
        let labels = self.index.namespace_labels(view.key.namespace());
        let (Ok(request) | Err((request, _))) = request(view, &labels);
        let lost = lost.into_iter().filter(|address| !kept.contains(address));
        lost.map(|address| {
            let claim = self.allocator.claim(address);
            let pool = claim.and_then(|claim| claim.pool.as_ref());
            let pool = pool.map(|pool| format!(" of pool {pool}"));
            let why = self.why_lost(&request, decision, address);
            format!("{address}{} is taken away: {why}", pool.unwrap_or_default())
        })
        .collect()
    }

    fn why_lost(&self, request: &Request, decision: &Decision, address: IpAddr) -> String {
        let why = match decision {
            Decision::Clear(Cause::Deleted) => "the Service is deleted",
            Decision::Clear(Cause::NotOurs) => "the Service asks for no address of Ringbolt",
            Decision::Clear(Cause::Displaced) => "somebody else has written the status",
            Decision::Clear(Cause::Refused(_))
            | Decision::Keep(_)
            | Decision::Assign(_)
            | Decision::Ignore
            | Decision::Wait(_) => match self.allocator.verdict(request, address) {
                Verdict::Untenable { why } => return why.to_string(),
                Verdict::Tolerable { .. } => "the Service asks for another",
                Verdict::Satisfies { .. } => "the Service has what it asks for without it",
            },
        };
        why.to_owned()
    }
}

/// What the Service has got, or why it has not.
fn outcome(view: &ServiceView, decision: &Decision, patch: &ServiceStatusPatch) -> Vec<Event> {
    let condition = patch.conditions.iter().find(|c| c.type_ == ALLOCATED);
    let (event_type, ours, upstream, note) = match (&patch.ingress, decision.refusal(), condition) {
        (_, Some(refusal), Some(condition)) => (
            EventType::Warning,
            refusal.reason(),
            "SyncLoadBalancerFailed",
            condition.message.clone(),
        ),
        (Part::Set(addresses), None, Some(condition)) if !addresses.is_empty() => (
            EventType::Normal,
            "IPAllocated",
            "EnsuredLoadBalancer",
            condition.message.clone(),
        ),
        _ => return Vec::new(),
    };
    let event = |reason| Event {
        regarding: (&view.key).into(),
        event_type,
        reason,
        note: note.clone(),
    };
    vec![event(ours), event(upstream)]
}

/// Whether the patch ends what the Service had of us. Of a Service that leaves the type the API
/// server empties the status itself; the finalizer is left to us.
fn lets_go(patch: &ServiceStatusPatch) -> bool {
    let emptied = matches!(&patch.ingress, Part::Set(addresses) if addresses.is_empty());
    emptied || patch.finalizer == FinalizerChange::Remove
}
