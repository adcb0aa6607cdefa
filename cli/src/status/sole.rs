//! What nobody announces any more once a node is left: the question before a drain.

use std::fmt;
use std::net::IpAddr;

use ringbolt_config::{NodeName, ServiceKey, ServiceView};
use ringbolt_speaker::desired::{self, BgpVerdict, L2Verdict};

use super::services::{Sessions, family_of};
use super::view::{Life, NodeParts, Ownership, View};

/// An address of a Service that one node alone announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sole {
    pub(crate) service: ServiceKey,
    pub(crate) address: IpAddr,
}

impl fmt::Display for Sole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.service, self.address)
    }
}

/// What a node does about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It makes it known at present.
    Announces,
    /// It would, if the node that does left it.
    StandsBy,
    /// Nothing.
    None,
}

/// The addresses that this node announces and no other one does or would.
pub(crate) fn announced_by_nobody_else(view: &View, node: &NodeName) -> Vec<Sole> {
    let mut alone = Vec::new();
    for service in &view.services {
        for address in service.addresses() {
            let part = |parts: &NodeParts| part(parts, service, address);
            let here = view.nodes.get(node).map_or(Part::None, part);
            let mut others = view.nodes.iter().filter(|(name, _)| *name != node);
            if here == Part::Announces && others.all(|(_, parts)| part(parts) == Part::None) {
                let service = service.key.clone();
                alone.push(Sole { service, address });
            }
        }
    }
    alone
}

fn part(parts: &NodeParts, service: &ServiceView, address: IpAddr) -> Part {
    let drained = parts.node.as_ref().is_some_and(|node| node.draining);
    if drained || parts.life == Life::Gone || parts.reported().is_none() {
        return Part::None;
    }
    let wanted = desired::compute(parts.planner.index(), parts.planner.local(), &service.key);
    let Some(verdicts) = wanted.addresses.get(&address) else {
        return Part::None;
    };
    let sessions = Sessions::of(parts, verdicts, family_of(address));
    match (&verdicts.bgp, &verdicts.l2) {
        _ if parts.ownership(address) == Ownership::Owner => Part::Announces,
        (BgpVerdict::Announced(_), _) if !sessions.carried.is_empty() => Part::Announces,
        (_, L2Verdict::Claimable(_)) => Part::StandsBy,
        (_, L2Verdict::Withheld(_)) => Part::None,
    }
}
