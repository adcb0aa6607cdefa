//! What a peer must be told, worked out without the code under test.
//!
//! Deliberately plain: walks every origination of one prefix, looks at one peer, and writes the
//! answer down. Originations of the simulator do not overlap in contradicting ways except for
//! communities, so that the rule for unions is all that is needed.

use std::collections::{BTreeMap, BTreeSet};

use ringbolt_bgp::policy::{NextHops, Origination, OriginationKey, RouteClass};
use ringbolt_bgp::types::{Asn, Family, FamilySet, PeerName, Peering, Prefix};
use ringbolt_bgp::wire::{AsPath, Community, NextHop, Origin, PathAttributes};

use crate::observer::View;

/// How far a node is on its way out, as a peer must see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Serving,
    Drained,
}

/// The listener of a view.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) name: PeerName,
    pub(crate) peering: Peering,
    pub(crate) speaker_asn: Asn,
    pub(crate) families: FamilySet,
    pub(crate) next_hops: NextHops,
    pub(crate) ipv4_over_ipv6: bool,
    pub(crate) standing: Standing,
}

/// The view `listener` must have.
pub(crate) fn expected(
    originations: &BTreeMap<OriginationKey, Origination>,
    listener: &Listener,
) -> View {
    let prefixes: BTreeSet<Prefix> = originations.keys().map(|key| key.prefix).collect();
    let tell = |prefix: Prefix| Some((prefix, told(prefix, originations, listener)?));
    prefixes.into_iter().filter_map(tell).collect()
}

fn told(
    prefix: Prefix,
    originations: &BTreeMap<OriginationKey, Origination>,
    listener: &Listener,
) -> Option<(PathAttributes, NextHop)> {
    if !listener.families.contains(Family::of(&prefix)) {
        return None;
    }
    let first = OriginationKey { prefix, slot: 0 };
    let last = OriginationKey {
        prefix,
        slot: u16::MAX,
    };
    let mine: Vec<&Origination> = originations
        .range(first..=last)
        .map(|(_, origination)| origination)
        .filter(|origination| origination.peers.contains(&listener.name))
        .collect();
    let one = mine.first()?;
    let stays = mine
        .iter()
        .any(|route| route.attributes.class == RouteClass::Standing);
    if listener.standing == Standing::Drained && !stays {
        return None;
    }
    let communities: BTreeSet<Community> = mine
        .iter()
        .flat_map(|route| route.attributes.communities.iter().copied())
        .collect();
    let next_hop = match prefix {
        Prefix::V4(_) => match (listener.next_hops.ipv4, listener.next_hops.ipv6) {
            (Some(address), _) => NextHop::V4(address),
            (None, Some(address)) if listener.ipv4_over_ipv6 => NextHop::V6(address),
            (None, _) => return None,
        },
        Prefix::V6(_) => NextHop::V6(listener.next_hops.ipv6?),
    };
    let external = listener.peering == Peering::External;
    let repeats = 1 + usize::from(one.attributes.prepend);
    let as_path = if external {
        AsPath::sequence(&vec![listener.speaker_asn; repeats])
    } else {
        AsPath::empty()
    };
    let attributes = PathAttributes {
        med: one.attributes.med,
        local_pref: (!external).then(|| one.attributes.local_pref.unwrap_or(100)),
        communities: communities.into_iter().collect(),
        ..PathAttributes::new(Origin::Igp, as_path)
    };
    Some((attributes, next_hop))
}
