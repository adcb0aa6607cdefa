//! One prefix, several wants: how they become the originations the Router is given.
//!
//! Wants that differ in their peers are split so that every peer is told at most one route per prefix. For one
//! peer, communities unite; of any other attribute the first statement wins, in the order of advertisement
//! names, and a [`Disagreement`] names what was not sent. An attribute that is not stated disagrees with nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ringbolt_bgp::policy::{PeerSet, RouteAttributes, RouteClass};
use ringbolt_bgp::types::PeerName;
use ringbolt_config::names::AdvertisementName;

use super::Via;

/// An attribute that can carry one value only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeField {
    /// `localPref`
    LocalPref,
    /// `med`
    Med,
    /// `asPathPrepend`
    AsPathPrepend,
    /// `nextHop`
    NextHop,
}

impl fmt::Display for AttributeField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::LocalPref => "localPref",
            Self::Med => "med",
            Self::AsPathPrepend => "asPathPrepend",
            Self::NextHop => "nextHop",
        })
    }
}

/// Advertisements that ask for different values of one attribute, for one prefix and one peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disagreement {
    /// Which attributes.
    pub fields: BTreeSet<AttributeField>,
    /// Who states them; the first one is obeyed.
    pub advertisements: BTreeSet<AdvertisementName>,
}

/// A way to announce, and how many owners want it.
#[derive(Debug, Clone)]
pub(super) struct Contribution {
    via: Arc<Via>,
    owners: u32,
}

impl Contribution {
    pub(super) fn first(via: Arc<Via>) -> Self {
        Self { via, owners: 1 }
    }
}

/// All wants of one prefix. Nearly every prefix has one, which must cost no allocation of its own.
#[derive(Debug)]
pub(super) enum Contributions {
    One(Contribution),
    /// At least two, ascending by `Via`.
    #[expect(
        clippy::box_collection,
        reason = "keeps the common variant at 16 bytes per prefix"
    )]
    Several(Box<Vec<Contribution>>),
}

impl Contributions {
    pub(super) fn with(self, via: Arc<Via>) -> Self {
        let mut all = self.into_vec();
        match all.binary_search_by(|present| present.via.cmp(&via)) {
            Ok(at) => all[at].owners += 1,
            Err(at) => all.insert(at, Contribution::first(via)),
        }
        Self::from_vec(all).expect("a want was just added")
    }

    pub(super) fn without(self, via: &Via) -> Option<Self> {
        let mut all = self.into_vec();
        if let Ok(at) = all.binary_search_by(|present| present.via.as_ref().cmp(via)) {
            all[at].owners -= 1;
            if all[at].owners == 0 {
                all.remove(at);
            }
        }
        Self::from_vec(all)
    }

    /// Whether the result depends on which peers there are.
    pub(super) fn split_by_peers(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Several(all) => all.iter().any(|other| other.via.peers != all[0].via.peers),
        }
    }

    fn into_vec(self) -> Vec<Contribution> {
        match self {
            Self::One(only) => vec![only],
            Self::Several(all) => *all,
        }
    }

    fn from_vec(mut all: Vec<Contribution>) -> Option<Self> {
        match all.len() {
            0 | 1 => all.pop().map(Self::One),
            _ => Some(Self::Several(Box::new(all))),
        }
    }
}

/// One origination of a prefix; its place in the list is its slot number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) attributes: Arc<RouteAttributes>,
    pub(super) peers: PeerSet,
}

/// The originations of one prefix. The common case allocates nothing.
#[derive(Debug)]
pub(super) struct Slots {
    only: Option<[Slot; 1]>,
    several: Vec<Slot>,
    pub(super) disagreement: Option<Disagreement>,
}

impl Slots {
    pub(super) fn as_slice(&self) -> &[Slot] {
        self.only
            .as_ref()
            .map_or(&self.several, <[Slot; 1]>::as_slice)
    }
}

/// The originations that a prefix with these wants has, on a node with these peers.
pub(super) fn slots(contributions: Option<&Contributions>, peers: &BTreeSet<PeerName>) -> Slots {
    let mut slots = Slots {
        only: None,
        several: Vec::new(),
        disagreement: None,
    };
    match contributions {
        None => {}
        Some(Contributions::One(only)) => {
            let Via {
                advertisement: _,
                attributes,
                peers,
            } = only.via.as_ref();
            slots.only = Some([Slot {
                attributes: Arc::clone(attributes),
                peers: peers.clone(),
            }]);
        }
        Some(several @ Contributions::Several(all)) if !several.split_by_peers() => {
            let vias: Vec<&Via> = all.iter().map(|one| one.via.as_ref()).collect();
            let attributes = unite(&vias, &mut slots.disagreement);
            slots.only = Some([Slot {
                attributes,
                peers: all[0].via.peers.clone(),
            }]);
        }
        Some(Contributions::Several(all)) => split(all, peers, &mut slots),
    }
    slots
}

/// Groups the peers by what applies to them, and makes one origination per group.
fn split(all: &[Contribution], peers: &BTreeSet<PeerName>, slots: &mut Slots) {
    let mut groups: BTreeMap<Vec<usize>, BTreeSet<PeerName>> = BTreeMap::new();
    for peer in peers {
        let applies: Vec<usize> = (0..all.len())
            .filter(|&at| all[at].via.peers.contains(peer))
            .collect();
        if !applies.is_empty() {
            groups.entry(applies).or_default().insert(peer.clone());
        }
    }
    for (applies, peers) in groups {
        let vias: Vec<&Via> = applies.iter().map(|&at| all[at].via.as_ref()).collect();
        let attributes = unite(&vias, &mut slots.disagreement);
        slots.several.push(Slot {
            attributes,
            peers: PeerSet::Only(Arc::new(peers)),
        });
    }
}

/// The attributes of a route that all of `vias` (ascending, not empty) want for one peer.
fn unite(vias: &[&Via], disagreement: &mut Option<Disagreement>) -> Arc<RouteAttributes> {
    let [first, others @ ..] = vias else {
        return Arc::default();
    };
    if others
        .iter()
        .all(|other| other.attributes == first.attributes)
    {
        return Arc::clone(&first.attributes);
    }
    let mut united = RouteAttributes::clone(&first.attributes);
    let mut fields = BTreeSet::new();
    for via in others {
        let RouteAttributes {
            class,
            local_pref,
            med,
            prepend,
            communities,
            large_communities,
            extended_communities,
            next_hop,
        } = via.attributes.as_ref();
        if *class == RouteClass::Standing {
            united.class = RouteClass::Standing;
        }
        united.communities.extend(communities);
        united.large_communities.extend(large_communities);
        united.extended_communities.extend(extended_communities);
        let mut state = |field, agreed| {
            if agreed == Agreement::Broken {
                fields.insert(field);
            }
        };
        state(
            AttributeField::LocalPref,
            agree(&mut united.local_pref, *local_pref),
        );
        state(AttributeField::Med, agree(&mut united.med, *med));
        let mut stated = Some(united.prepend).filter(|&count| count > 0);
        state(
            AttributeField::AsPathPrepend,
            agree(&mut stated, Some(*prepend).filter(|&count| count > 0)),
        );
        united.prepend = stated.unwrap_or(0);
        state(
            AttributeField::NextHop,
            agree(&mut united.next_hop.ipv4, next_hop.ipv4),
        );
        state(
            AttributeField::NextHop,
            agree(&mut united.next_hop.ipv6, next_hop.ipv6),
        );
    }
    if !fields.is_empty() {
        let found = disagreement.get_or_insert_default();
        found.fields.append(&mut fields);
        found
            .advertisements
            .extend(vias.iter().map(|via| via.advertisement.clone()));
    }
    Arc::new(united)
}

#[derive(Debug, PartialEq, Eq)]
enum Agreement {
    Kept,
    Broken,
}

fn agree<T: PartialEq>(united: &mut Option<T>, stated: Option<T>) -> Agreement {
    match (&united, stated) {
        (_, None) => Agreement::Kept,
        (None, stated) => {
            *united = stated;
            Agreement::Kept
        }
        (Some(obeyed), Some(other)) if *obeyed == other => Agreement::Kept,
        (Some(_), Some(_)) => Agreement::Broken,
    }
}
