//! The evaluator: what one peer is told about one prefix.
//!
//! A pure function of the prefix's originations and of the session. Several originations that are
//! meant for the same peer become one route: communities unite, and of contradicting values the
//! one that draws more traffic is taken, so that the result does not depend on their order.

use std::collections::BTreeSet;

use crate::rib::loc::Offer;
use crate::types::{Asn, Family, FamilySet, PeerName, Peering};
use crate::wire::{AsPath, Community, NextHop, Origin, PathAttributes};

use super::{NextHops, RouteAttributes, RouteClass, Withheld};

#[cfg(test)]
mod tests;

/// LOCAL_PREF where configuration says nothing (RFC 4271 §9.1.1 leaves the value to us).
const DEFAULT_LOCAL_PREF: u32 = 100;

/// How far the peer has been asked to look elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Parting {
    /// Not at all.
    #[default]
    Serving,
    /// Service routes carry GRACEFUL_SHUTDOWN (RFC 8326).
    Asked,
    /// Service routes are withdrawn, the others stay.
    Drained,
    /// Everything is withdrawn.
    Gone,
}

/// What the evaluator knows of a session.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    pub(crate) peer: PeerName,
    pub(crate) peering: Peering,
    /// The AS number this peer sees us under; it must be first in AS_PATH (RFC 4271 §6.3).
    pub(crate) local_asn: Asn,
    pub(crate) next_hops: NextHops,
    pub(crate) extended_next_hop: FamilySet,
    pub(crate) parting: Parting,
}

/// What a peer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) attributes: PathAttributes,
    pub(crate) next_hop: NextHop,
}

/// What `audience` is told about a prefix of `family` with these originations.
pub(crate) fn evaluate(
    offers: &[Offer],
    family: Family,
    audience: &Audience,
) -> Result<Told, Withheld> {
    let meant = offers
        .iter()
        .filter(|offer| offer.peers.contains(&audience.peer));
    let mut meant = meant.map(|offer| &*offer.attributes);
    let first = meant.next().ok_or(Withheld::NotForPeer)?.clone();
    let route = meant.fold(first, unite);
    let gone = match route.class {
        RouteClass::Service => audience.parting >= Parting::Drained,
        RouteClass::Standing => audience.parting == Parting::Gone,
    };
    if gone {
        return Err(Withheld::Draining);
    }
    let next_hop = next_hop(&route.next_hop, family, audience).ok_or(Withheld::NoNextHop)?;
    Ok(Told {
        attributes: attributes(&route, audience),
        next_hop,
    })
}

/// One route out of two originations. What stays on a drained node stays whoever else wants it.
fn unite(mut one: RouteAttributes, other: &RouteAttributes) -> RouteAttributes {
    let pref = |route: &RouteAttributes| route.local_pref.unwrap_or(DEFAULT_LOCAL_PREF);
    if pref(other) > pref(&one) {
        one.local_pref = other.local_pref;
    }
    one.class = one.class.max(other.class);
    // A missing MED counts as zero with most receivers.
    one.med = one.med.min(other.med);
    one.prepend = one.prepend.min(other.prepend);
    one.communities.extend(&other.communities);
    one.large_communities.extend(&other.large_communities);
    one.extended_communities.extend(&other.extended_communities);
    let NextHops {
        ipv4,
        ipv6,
        ipv6_link_local,
    } = &mut one.next_hop;
    *ipv4 = ipv4.or(other.next_hop.ipv4);
    *ipv6 = ipv6.or(other.next_hop.ipv6);
    *ipv6_link_local = ipv6_link_local.or(other.next_hop.ipv6_link_local);
    one
}

fn attributes(route: &RouteAttributes, audience: &Audience) -> PathAttributes {
    let leaving = audience.parting >= Parting::Asked && route.class == RouteClass::Service;
    let as_path = match audience.peering {
        Peering::Internal => AsPath::empty(),
        Peering::External => {
            AsPath::sequence(&vec![audience.local_asn; 1 + usize::from(route.prepend)])
        }
    };
    let mut communities: BTreeSet<Community> = route.communities.clone();
    if leaving {
        communities.insert(Community::GRACEFUL_SHUTDOWN);
    }
    let local_pref = match audience.peering {
        // RFC 8326 §4.1: inside the AS the preference itself says it.
        Peering::Internal if leaving => Some(0),
        Peering::Internal => Some(route.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)),
        Peering::External => None,
    };
    PathAttributes {
        med: route.med,
        local_pref,
        communities: communities.into_iter().collect(),
        extended_communities: route.extended_communities.iter().copied().collect(),
        large_communities: route.large_communities.iter().copied().collect(),
        ..PathAttributes::new(Origin::Igp, as_path)
    }
}

/// What the route insists on, else what the session has.
fn next_hop(insisted: &NextHops, family: Family, audience: &Audience) -> Option<NextHop> {
    let over_ipv6 = audience.extended_next_hop.contains(family);
    [insisted, &audience.next_hops]
        .into_iter()
        .find_map(|hops| match family {
            Family::Ipv4Unicast => hops
                .ipv4
                .map(NextHop::V4)
                .or_else(|| over_ipv6.then(|| ipv6_hop(hops)).flatten()),
            Family::Ipv6Unicast => ipv6_hop(hops),
        })
}

/// Global address, with the link-local one beside it where the peer is on the link (RFC 2545 §3).
fn ipv6_hop(hops: &NextHops) -> Option<NextHop> {
    match (hops.ipv6, hops.ipv6_link_local) {
        (Some(global), Some(link_local)) => Some(NextHop::V6LinkLocal { global, link_local }),
        (Some(global), None) => Some(NextHop::V6(global)),
        (None, Some(link_local)) => Some(NextHop::V6(link_local)),
        (None, None) => None,
    }
}

/// Whether the session has a next hop of its own for `family`.
pub(crate) fn has_next_hop(family: Family, audience: &Audience) -> bool {
    next_hop(&NextHops::default(), family, audience).is_some()
}
