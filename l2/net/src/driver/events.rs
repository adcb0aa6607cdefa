//! One log line per event of the announcer. Counting is done by the core; nothing is decided here.

use ringbolt_l2::announcer::Event;
use tracing::{info, warn};

pub(super) fn log(event: &Event) {
    match event {
        Event::MemberJoined { interface, node } => info!(%interface, %node, "speaker heard"),
        Event::MemberLost {
            interface,
            node,
            cause,
        } => {
            info!(%interface, %node, cause = cause.reason(), "speaker lost");
        }
        Event::Acquired {
            interface,
            address,
            epoch,
            cause,
        } => {
            info!(%interface, %address, epoch = epoch.0, cause = cause.reason(), "address acquired");
        }
        Event::Yielded {
            interface,
            address,
            to,
            cause,
        } => {
            let to = to.as_ref().map(tracing::field::display);
            info!(%interface, %address, to, cause = cause.reason(), "address yielded");
        }
        Event::Conflict {
            interface,
            address,
            mac,
        } => {
            warn!(%interface, %address, %mac, "a stranger uses an address of ours");
        }
        Event::ConditionRaised {
            interface,
            condition,
        } => {
            warn!(%interface, condition = condition.reason(), "condition raised");
        }
        Event::ConditionCleared {
            interface,
            condition,
        } => {
            info!(%interface, condition = condition.reason(), "condition cleared");
        }
        Event::SharedEligibilityEmpty { address } => {
            warn!(%address, "the Services that share the address have no eligible node in common");
        }
        Event::IncarnationRaised { incarnation } => {
            info!(
                incarnation = incarnation.0,
                "a member knew a higher incarnation of this node"
            );
        }
        Event::Drained { abandoned } => info!(abandoned, "handed over"),
        Event::Left => info!("left the segments"),
    }
}
