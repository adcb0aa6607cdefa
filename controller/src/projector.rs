//! From a decision to the one patch that makes a Service say it: address, finalizer, annotation and
//! condition together. `None` when the Service says it already (semantics rule 33), so that nothing
//! is written in a steady state.

use jiff::Timestamp;
use ringbolt_cluster::{FinalizerChange, Part, ServiceStatusPatch};
use ringbolt_config::ServiceView;
use ringbolt_config::api::condition::{Condition, ConditionStatus, set_condition};
use ringbolt_config::service::Ingress;

use crate::reconcile::{Cause, Decision, Slot, Target};
use crate::refusal::Refusal;

/// Type of our condition on Services: whether the Service has the addresses it asks for.
pub const ALLOCATED: &str = "ringbolt.io/Allocated";

/// Reason of the condition when all is well.
const REASON_ALLOCATED: &str = "Allocated";
/// Reason when a Service that was ours is not any more.
const REASON_RELEASED: &str = "Released";

/// The patch that makes `view` say what was decided. Slots that are not claimed must not be
/// published: the caller claims first.
pub(crate) fn project(
    view: &ServiceView,
    decision: &Decision,
    now: Timestamp,
) -> Option<ServiceStatusPatch> {
    let mut patch = ServiceStatusPatch {
        key: view.key.clone(),
        uid: view.uid.clone(),
        resource_version: view.resource_version.clone(),
        ingress: Part::Keep,
        finalizer: FinalizerChange::Keep,
        allocated_from: Part::Keep,
        conditions: Vec::new(),
    };
    match decision {
        Decision::Ignore => return None,
        Decision::Keep(target) | Decision::Assign(target) => publish(view, target, &mut patch),
        Decision::Clear(Cause::Displaced) => forget(view, &mut patch),
        Decision::Clear(_) => clear(view, &mut patch),
        Decision::Wait(_) => {}
    }
    if let Some(wanted) = verdict(view, decision) {
        patch.conditions.extend(condition(view, &wanted, now));
    }
    let silent = patch.ingress == Part::Keep
        && patch.finalizer == FinalizerChange::Keep
        && patch.allocated_from == Part::Keep
        && patch.conditions.is_empty();
    (!silent).then_some(patch)
}

fn publish(view: &ServiceView, target: &Target, patch: &mut ServiceStatusPatch) {
    let written = |(entry, slot): (&Ingress, &Slot)| matches!(entry, Ingress::Address { ip, as_we_write: true, .. } if *ip == slot.address);
    let same = view.ingress.len() == target.slots.len()
        && view.ingress.iter().zip(&target.slots).all(written);
    if !same {
        patch.ingress = Part::Set(target.slots.iter().map(|slot| slot.address).collect());
    }
    if !view.has_finalizer {
        patch.finalizer = FinalizerChange::Add;
    }
    let pool = target.slots.first().map(|slot| slot.pool.clone());
    if view.allocated_from.as_deref() != pool.as_ref().map(|pool| pool.as_str()) {
        patch.allocated_from = Part::Set(pool);
    }
}

fn clear(view: &ServiceView, patch: &mut ServiceStatusPatch) {
    if !view.ingress.is_empty() {
        patch.ingress = Part::Set(Vec::new());
    }
    if view.has_finalizer {
        patch.finalizer = FinalizerChange::Remove;
    }
    forget(view, patch);
}

/// Takes away what nobody but us writes.
fn forget(view: &ServiceView, patch: &mut ServiceStatusPatch) {
    if view.allocated_from.is_some() {
        patch.allocated_from = Part::Set(None);
    }
}

/// What the condition should say.
struct Wanted {
    status: ConditionStatus,
    reason: &'static str,
    message: String,
}

fn verdict(view: &ServiceView, decision: &Decision) -> Option<Wanted> {
    let refused = |refusal: &Refusal, keeps: &str| Wanted {
        status: ConditionStatus::False,
        reason: refusal.reason(),
        message: format!("{}{keeps}", refusal.sentence(&view.spelling)),
    };
    match decision {
        Decision::Ignore | Decision::Clear(Cause::Deleted | Cause::Displaced) => None,
        Decision::Clear(Cause::NotOurs) => Some(Wanted {
            status: ConditionStatus::False,
            reason: REASON_RELEASED,
            message: "the Service asks for no address of Ringbolt".to_owned(),
        }),
        Decision::Clear(Cause::Refused(refusal)) | Decision::Wait(refusal) => {
            Some(refused(refusal, ""))
        }
        Decision::Keep(target) | Decision::Assign(target) => {
            let list = listed(target);
            Some(match &target.unmet {
                None => Wanted {
                    status: ConditionStatus::True,
                    reason: REASON_ALLOCATED,
                    message: list,
                },
                Some(refusal) if target.content => Wanted {
                    status: ConditionStatus::True,
                    reason: refusal.reason(),
                    message: format!("{list}; second family: {refusal}"),
                },
                Some(refusal) => refused(refusal, &format!("; it has {list}")),
            })
        }
    }
}

fn listed(target: &Target) -> String {
    let slot = |slot: &Slot| format!("{} of pool {}", slot.address, slot.pool);
    target.slots.iter().map(slot).collect::<Vec<_>>().join(", ")
}

/// The condition, unless the Service carries it as it should be.
fn condition(view: &ServiceView, wanted: &Wanted, now: Timestamp) -> Option<Condition> {
    let mut list: Vec<Condition> = view.condition(ALLOCATED).into_iter().cloned().collect();
    let Wanted {
        status,
        reason,
        message,
    } = wanted;
    set_condition(&mut list, ALLOCATED, *status, reason, message, None, now).then(|| list.pop())?
}
