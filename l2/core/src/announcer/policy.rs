//! What the configuration says: who we are, which advertisements there are, which addresses are wanted and where.
//!
//! The segments read it and never change it. It decides who *may* announce an address; who *does* is decided per segment.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::announcer::{
    Advertisement, Claimable, EligibleNodes, Failback, Identity, Interface, InterfaceChoice, Keys,
    Share, Withheld,
};
use crate::hello::{AdvertisementId, Eligible, Scope};
use crate::liveness::Member;
use crate::types::{AdvertisementName, IfIndex, InterfaceName, MacAddr, NodeName, Standing, View};

/// Refresh where no advertisement says otherwise.
const REFRESH: Duration = Duration::from_secs(60);

/// Whether we take part, hand over or are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Departure {
    #[default]
    Staying,
    Draining,
    Left,
}

/// The configuration in force.
#[derive(Debug, Default)]
pub(super) struct Policy {
    pub(super) identity: Option<Identity>,
    pub(super) keys: Keys,
    pub(super) expected: Option<u32>,
    pub(super) departure: Departure,
    /// Ethernet addresses of all our interfaces.
    pub(super) own_macs: BTreeSet<MacAddr>,
    pub(super) advertisements: BTreeMap<AdvertisementName, Advertisement>,
    pub(super) wanted: BTreeMap<IpAddr, Wanted>,
}

/// A wanted address and where it belongs on this node.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) claimable: Claimable,
    /// Per share, its advertisements as they are named on the wire.
    ids: Vec<Vec<AdvertisementId>>,
    /// The interface of the longest on-link prefix, for advertisements that name none.
    pub(super) on_link: Option<IfIndex>,
    /// All interfaces it belongs on, whoever owns it there.
    pub(super) interfaces: BTreeSet<IfIndex>,
}

/// How exactly a member must fit to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// As a candidate: it would claim the address on this segment.
    Candidate,
    /// As an owner: an advertisement of its own allows the claim it made.
    Owner,
}

impl Policy {
    /// Our own name, once said.
    pub(super) fn node(&self) -> Option<&NodeName> {
        self.identity.as_ref().map(|identity| &identity.node)
    }

    /// What stands in the way of everything.
    pub(super) fn ready(&self) -> Result<&Identity, Withheld> {
        let identity = self.identity.as_ref().ok_or(Withheld::NoIdentity)?;
        match (&self.keys, self.departure) {
            (Keys::Missing, _) => Err(Withheld::NoKey),
            (Keys::Present(keys), _) if keys.is_empty() => Err(Withheld::NoKey),
            (Keys::Present(_), Departure::Left) => Err(Withheld::Draining),
            (Keys::Present(_), Departure::Staying | Departure::Draining) => Ok(identity),
        }
    }

    /// Works out where an address belongs on this node.
    pub(super) fn place(
        &self,
        claimable: Claimable,
        interfaces: &BTreeMap<IfIndex, Interface>,
    ) -> Wanted {
        let on_link = longest_match(claimable.address, interfaces);
        let mut placed = BTreeSet::new();
        for advertisement in self.advertisements_of(&claimable) {
            match &advertisement.interfaces {
                InterfaceChoice::Any => placed.extend(on_link),
                InterfaceChoice::Named(names) => placed.extend(
                    interfaces
                        .values()
                        .filter(|one| names.contains(&one.name))
                        .map(|one| one.index),
                ),
            }
        }
        let ids = claimable.shares.iter();
        let ids = ids.map(|share| {
            share
                .advertisements
                .iter()
                .map(AdvertisementId::of)
                .collect()
        });
        Wanted {
            ids: ids.collect(),
            claimable,
            on_link,
            interfaces: placed,
        }
    }

    /// Whether hellos belong on the interface even where no address does: a node that may own one later is known then.
    pub(super) fn announces_on(&self, interface: &Interface) -> bool {
        let default = interface.default_route.ipv4 || interface.default_route.ipv6;
        let named =
            self.advertisements
                .values()
                .any(|advertisement| match &advertisement.interfaces {
                    InterfaceChoice::Any => default,
                    InterfaceChoice::Named(names) => names.contains(&interface.name),
                });
        named
            || self
                .wanted
                .values()
                .any(|wanted| wanted.interfaces.contains(&interface.index))
    }

    /// What this node tells others of its standing on the interface.
    pub(super) fn eligibility(&self, interface: &Interface) -> Vec<Eligible> {
        let default = interface.default_route.ipv4 || interface.default_route.ipv6;
        let entries = self.advertisements.values().filter_map(|advertisement| {
            let scope = match &advertisement.interfaces {
                InterfaceChoice::Named(names) => {
                    names.contains(&interface.name).then_some(Scope::Named)?
                }
                InterfaceChoice::Any if default => Scope::Default,
                InterfaceChoice::Any => Scope::OnLink,
            };
            let advertisement_id = AdvertisementId::of(&advertisement.name);
            Some(Eligible {
                advertisement: advertisement_id,
                standing: advertisement.standing?,
                scope,
            })
        });
        entries.collect()
    }

    /// Our standing for an address on an interface, or why we have none.
    pub(super) fn own_standing(
        &self,
        address: IpAddr,
        index: IfIndex,
        name: &InterfaceName,
    ) -> Result<Standing, Withheld> {
        let wanted = self.wanted.get(&address).ok_or(Withheld::NoInterface)?;
        if !wanted.interfaces.contains(&index) {
            return Err(Withheld::NoInterface);
        }
        let node = self.node().ok_or(Withheld::NoIdentity)?;
        let shares = &wanted.claimable.shares;
        let mut lowest: Option<Standing> = None;
        for share in shares {
            let allowed = share.advertisements.iter().filter_map(|named| {
                let advertisement = self.advertisements.get(named)?;
                let here = match &advertisement.interfaces {
                    InterfaceChoice::Any => wanted.on_link == Some(index),
                    InterfaceChoice::Named(names) => names.contains(name),
                };
                advertisement.standing.filter(|_| here)
            });
            let standing = allowed.max().ok_or(Withheld::NotSelected)?;
            lowest = Some(lowest.map_or(standing, |lowest| lowest.min(standing)));
        }
        allows(shares, node)?;
        lowest.ok_or(Withheld::NotSelected)
    }

    /// A member's standing for an address on a segment, by what it said of itself.
    pub(super) fn member_standing(
        &self,
        address: IpAddr,
        node: &NodeName,
        member: &Member,
        fit: Fit,
    ) -> Option<Standing> {
        let wanted = self.wanted.get(&address)?;
        allows(&wanted.claimable.shares, node).ok()?;
        let Some(eligible) = &member.eligible else {
            // Its list is still under way: what it claims is taken on trust, but nothing waits for it.
            return (fit == Fit::Owner).then(Standing::default);
        };
        let on_link = || {
            member
                .addresses
                .iter()
                .any(|network| network.contains(&address))
        };
        let mut lowest: Option<Standing> = None;
        for ids in &wanted.ids {
            let entries = ids.iter().filter_map(|id| {
                let entry = eligible.get(id)?;
                let fits = fit == Fit::Owner
                    || match entry.scope {
                        Scope::Named | Scope::Default => true,
                        Scope::OnLink => on_link(),
                    };
                fits.then_some(entry.standing)
            });
            let standing = entries.max()?;
            lowest = Some(lowest.map_or(standing, |lowest| lowest.min(standing)));
        }
        lowest
    }

    /// The view of the endpoints that a claim rests on: the sum over `Local` Services, unknown if one of them is.
    pub(super) fn view(&self, address: IpAddr) -> Option<View> {
        let shares = &self.wanted.get(&address)?.claimable.shares;
        let mut sum: Option<u64> = None;
        for share in shares {
            if let EligibleNodes::Only { view, .. } = &share.nodes {
                sum = Some(sum.unwrap_or(0).wrapping_add((*view)?.0));
            }
        }
        sum.map(View)
    }

    /// Whether the address moves back, and how often it is refreshed: `Never` and the shortest time win.
    pub(super) fn habits(&self, address: IpAddr) -> (Failback, Duration) {
        let Some(wanted) = self.wanted.get(&address) else {
            return (Failback::Never, REFRESH);
        };
        let advertisements = self.advertisements_of(&wanted.claimable);
        let habits = advertisements.map(|one| (one.failback, one.refresh));
        let reduced = habits.reduce(|one, other| (one.0.max(other.0), one.1.min(other.1)));
        reduced.unwrap_or((Failback::Auto, REFRESH))
    }

    fn advertisements_of<'a>(
        &'a self,
        claimable: &'a Claimable,
    ) -> impl Iterator<Item = &'a Advertisement> {
        let names = claimable
            .shares
            .iter()
            .flat_map(|share| &share.advertisements);
        names.filter_map(|name| self.advertisements.get(name))
    }
}

/// Whether the endpoints of all Services that share an address allow the node.
fn allows(shares: &[Share], node: &NodeName) -> Result<(), Withheld> {
    let mut refusal = Ok(());
    for share in shares {
        match &share.nodes {
            EligibleNodes::Only { nodes, .. } if nodes.is_empty() => {
                return Err(Withheld::NoEndpoints);
            }
            EligibleNodes::Only { nodes, .. } if !nodes.contains(node) => {
                refusal = Err(Withheld::NoLocalEndpoint);
            }
            EligibleNodes::Only { .. } | EligibleNodes::Any => {}
        }
    }
    match refusal {
        Err(_) if shares_exclude_each_other(shares) => Err(Withheld::SharedEligibilityEmpty),
        other => other,
    }
}

/// Whether each of several Services has nodes, and all together have none.
pub(super) fn shares_exclude_each_other(shares: &[Share]) -> bool {
    let sets = shares.iter().filter_map(|share| match &share.nodes {
        EligibleNodes::Only { nodes, .. } => Some(nodes),
        EligibleNodes::Any => None,
    });
    let sets: Vec<&BTreeSet<NodeName>> = sets.collect();
    let Some((first, others)) = sets.split_first() else {
        return false;
    };
    let all_have_some = sets.iter().all(|nodes| !nodes.is_empty());
    all_have_some
        && !first
            .iter()
            .any(|node| others.iter().all(|nodes| nodes.contains(node)))
}

/// The interface whose on-link prefix covers the address most closely; a default route covers everything with length 0.
/// Ties go to the interface with the default route, then to the lower index.
fn longest_match(address: IpAddr, interfaces: &BTreeMap<IfIndex, Interface>) -> Option<IfIndex> {
    let fits = interfaces.values().filter_map(|interface| {
        let default = match address {
            IpAddr::V4(_) => interface.default_route.ipv4,
            IpAddr::V6(_) => interface.default_route.ipv6,
        };
        let prefixes = interface
            .addresses
            .iter()
            .filter(|network| network.contains(&address));
        let longest = prefixes.map(ipnet::IpNet::prefix_len).max();
        let length = longest.or(default.then_some(0))?;
        Some((length, default, std::cmp::Reverse(interface.index)))
    });
    fits.max().map(|(_, _, index)| index.0)
}
