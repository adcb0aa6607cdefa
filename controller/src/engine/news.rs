//! What people are told about a Service: on change only, in our words and beside them in those of
//! the upstream service controller, which operators know.

use ringbolt_cluster::{Event, EventType, FinalizerChange, Part, ServiceStatusPatch};
use ringbolt_config::ServiceView;

use crate::projector::ALLOCATED;
use crate::reconcile::{Cause, Decision};

/// The events that go with a patch: an address that is new, or a reason that is.
pub(super) fn news(
    view: &ServiceView,
    decision: &Decision,
    patch: &ServiceStatusPatch,
) -> Vec<Event> {
    let condition = patch.conditions.iter().find(|c| c.type_ == ALLOCATED);
    let refusal = match decision {
        Decision::Wait(refusal) | Decision::Clear(Cause::Refused(refusal)) => Some(refusal),
        Decision::Keep(target) | Decision::Assign(target) => target.unmet.as_ref(),
        Decision::Ignore | Decision::Clear(_) => None,
    };
    let (event_type, ours, upstream, note) = match (&patch.ingress, refusal, condition) {
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
        _ if refusal.is_none() && lets_go(patch) => (
            EventType::Normal,
            "IPReleased",
            "DeletedLoadBalancer",
            "the Service has no address of Ringbolt any more".to_owned(),
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
