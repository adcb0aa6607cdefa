//! A status that nobody but its writer can explain (contracts 1.5).

use ringbolt_config::ServiceView;
use ringbolt_config::service::StatusWriter;

use super::{Ownership, request};
use crate::allocator::Allocator;
use crate::refusal::Refusal;

/// Whether what the status says is our own word.
pub(super) fn is_ours(view: &ServiceView) -> bool {
    !matches!(view.status_writer, StatusWriter::Foreign { .. })
}

/// Whether the Service has ever carried what we claimed for it. Where it has not, whoever wrote first
/// keeps it. The annotation goes with the first publishing, and nobody else writes it.
fn was_published(allocator: &Allocator, view: &ServiceView) -> bool {
    let mut held = allocator.held_by(&view.uid);
    let carries = |address| view.addresses().any(|carried| carried == address);
    let annotated = view.allocated_from.is_some();
    held.any(|address| annotated || carries(address))
}

/// Whether the provider of another class has written a status that carries nothing of ours.
pub(super) fn is_displaced(
    allocator: &Allocator,
    view: &ServiceView,
    ownership: Ownership,
) -> bool {
    let holds = |address| allocator.held_by(&view.uid).any(|held| held == address);
    ownership == Ownership::OtherClass
        && !is_ours(view)
        && !view.ingress.is_empty()
        && !view.addresses().any(holds)
}

/// The refusal to touch a Service whose status somebody else wrote, unless something permits it:
/// our class, a claim of ours, or a reservation of every address it carries.
pub(super) fn hands_off(
    allocator: &Allocator,
    view: &ServiceView,
    ownership: Ownership,
) -> Option<Refusal> {
    let StatusWriter::Foreign { manager } = &view.status_writer else {
        return None;
    };
    if view.ingress.is_empty() || ownership == Ownership::ByClass || was_published(allocator, view)
    {
        return None;
    }
    let (Ok(request) | Err((request, _))) = request(view, &Default::default());
    let reserved = view.addresses().count() == view.ingress.len()
        && view
            .addresses()
            .all(|address| allocator.is_reserved_for(&request, address));
    let writer = Some(manager.to_string()).filter(|name| !name.is_empty());
    (!reserved).then_some(Refusal::ForeignStatus { writer })
}
