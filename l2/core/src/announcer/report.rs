//! The announcer's state as statistics.
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::policy::Wanted;
use super::segment::{Phase, Segment};
use crate::announcer::{
    AddressStats, Announcer, AnnouncerStats, InterfaceStats, Joined, MemberStats, Ownership,
    Withheld,
};
use crate::claim::Owner;
use crate::types::IfIndex;

impl Announcer {
    /// A snapshot of everything.
    #[must_use]
    pub fn stats(&self) -> AnnouncerStats {
        let identity = self.policy.identity.as_ref();
        let interfaces = self
            .segments
            .iter()
            .map(|(index, one)| (*index, self.segment_stats(one)));
        let addresses = self.policy.wanted.iter();
        let addresses =
            addresses.map(|(address, wanted)| (*address, self.address_stats(*address, wanted)));
        AnnouncerStats {
            node: identity.map(|identity| identity.node.clone()),
            incarnation: identity.map(|identity| identity.incarnation),
            withheld: self.policy.ready().err(),
            interfaces: interfaces.collect(),
            addresses: addresses.collect(),
        }
    }

    fn segment_stats(&self, segment: &Segment) -> InterfaceStats {
        let members = segment.members.iter().map(|(node, member)| {
            let holds = segment.claims.digest(node).0;
            let stats = MemberStats {
                incarnation: member.incarnation,
                mac: member.mac,
                joining: member.flags.joining,
                draining: member.flags.draining,
                keys: member.keys.clone(),
                holds: usize::try_from(holds).unwrap_or(usize::MAX),
            };
            (node.clone(), stats)
        });
        InterfaceStats {
            name: segment.interface.name.clone(),
            mac: segment.interface.mac,
            joined: match segment.phase {
                Phase::Down { .. } => Joined::Down,
                Phase::Listening { .. } | Phase::Arriving { .. } => Joined::Listening,
                Phase::Active { .. } => Joined::Active,
            },
            members: members.collect(),
            sealing_key: segment.sealing_key(&self.policy),
            conditions: segment.conditions.clone(),
            held: if segment.is_up() {
                segment.held.len()
            } else {
                0
            },
            queued: segment.schedule.queued(),
            askers: segment.askers.len(),
            counters: segment.counters,
        }
    }

    fn address_stats(&self, address: IpAddr, wanted: &Wanted) -> AddressStats {
        let on: BTreeMap<IfIndex, Ownership> = wanted
            .interfaces
            .iter()
            .filter_map(|index| self.segments.get(index))
            .map(|segment| (segment.interface.index, self.ownership(address, segment)))
            .collect();
        let general = match self.policy.ready() {
            Err(reason) => Some(reason),
            Ok(_) => on.is_empty().then_some(Withheld::NoInterface),
        };
        AddressStats {
            withheld: general,
            on,
        }
    }

    fn ownership(&self, address: IpAddr, segment: &Segment) -> Ownership {
        let held = segment.is_up() && segment.held.contains(&address);
        let counts = |owner: &&Owner| held || segment.owner_is_valid(owner, &self.policy);
        let owner = segment.claims.owner(address).filter(counts);
        Ownership {
            owner: owner.map(|owner| owner.node.clone()),
            epoch: owner.map_or(segment.claims.highest(address), |owner| owner.claim.epoch),
            withheld: (!held).then(|| segment.withheld(address, &self.policy)),
        }
    }
}
