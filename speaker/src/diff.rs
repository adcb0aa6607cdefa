//! Current against wanted. For BGP: who wants which prefix with which attributes, counted per prefix, and
//! what the Router must be told when that changes. For layer 2: [`ShareTable`].
//!
//! It does not know why a route is wanted ([`crate::desired`] does) nor to whom it went (the Router does). Equal
//! wants cost a comparison; a changed owner costs its own prefixes and nobody else's; the attributes of an
//! advertisement are one shared value however many prefixes carry them.
//!
//! Invariant: what was returned so far, applied in order, equals `merge::slots` over all wants, whatever their order.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use ringbolt_bgp::policy::{Origination, OriginationKey, PeerSet, RouteAttributes};
use ringbolt_bgp::types::{PeerName, Prefix};
use ringbolt_config::names::{AdvertisementName, ServiceKey};

pub use merge::{AttributeField, Disagreement};
use merge::{Contribution, Contributions};
pub use shares::{ShareChange, ShareTable};

mod merge;
mod shares;
#[cfg(test)]
mod tests;

/// On whose account a route is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A Service with addresses.
    Service(ServiceKey),
    /// An advertisement whose prefixes do not come from Services.
    Advertisement(AdvertisementName),
}

/// How an advertisement announces on this node: one value shared by all prefixes it covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Via {
    /// The advertisement.
    pub advertisement: AdvertisementName,
    /// What the routes carry.
    pub attributes: Arc<RouteAttributes>,
    /// Who is told.
    pub peers: PeerSet,
}

/// Prefixes wanted in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How.
    pub via: Arc<Via>,
    /// Which: canonical, ascending, each once.
    pub prefixes: Arc<[Prefix]>,
}

/// What the Router must be told, in one batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RouteChange {
    /// New and changed routes.
    pub originate: Vec<Origination>,
    /// Routes that are gone.
    pub withdraw: Vec<OriginationKey>,
}

impl RouteChange {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.originate.is_empty() && self.withdraw.is_empty()
    }
}

/// All routes of this node with the reasons they exist for.
#[derive(Debug, Default)]
pub struct RouteTable {
    wants: BTreeMap<Owner, Vec<Wanted>>,
    routes: BTreeMap<Prefix, Contributions>,
    disagreements: BTreeMap<Prefix, Disagreement>,
    peers: BTreeSet<PeerName>,
}

enum Step {
    Add(Arc<Via>),
    Remove(Arc<Via>),
}

impl RouteTable {
    /// Replaces what each of these owners wants; an empty list ends its interest.
    pub fn update(&mut self, wants: impl IntoIterator<Item = (Owner, Vec<Wanted>)>) -> RouteChange {
        self.settle(self.peers.clone(), wants)
    }

    /// The BGP peers of this node. Only routes for which advertisements name different peers depend on them.
    pub fn set_peers(&mut self, peers: BTreeSet<PeerName>) -> RouteChange {
        self.settle(peers, [])
    }

    /// Both at once: what is told is the difference between before and after, and nothing in between.
    pub fn settle(
        &mut self,
        peers: BTreeSet<PeerName>,
        wants: impl IntoIterator<Item = (Owner, Vec<Wanted>)>,
    ) -> RouteChange {
        let steps = self.steps(wants);
        let before = mem::replace(&mut self.peers, peers);
        let mut change = self.regrouped(&before, &steps);
        self.apply(steps, &before, &mut change);
        change
    }

    /// Takes the wants in; what that means for each prefix, in the order of prefixes.
    fn steps(
        &mut self,
        wants: impl IntoIterator<Item = (Owner, Vec<Wanted>)>,
    ) -> Vec<(Prefix, Step)> {
        let mut steps = Vec::new();
        for (owner, new) in wants {
            let old = self.wants.get(&owner).map_or(&[][..], Vec::as_slice);
            if old == new.as_slice() {
                continue;
            }
            differences(old, &new, &mut steps);
            if new.is_empty() {
                self.wants.remove(&owner);
            } else {
                self.wants.insert(owner, new);
            }
        }
        // Stable: of one prefix the steps stay in their order, though only their sum matters.
        steps.sort_by_key(|(prefix, _)| *prefix);
        steps
    }

    /// What other peers mean for prefixes that no step touches.
    fn regrouped(&mut self, before: &BTreeSet<PeerName>, steps: &[(Prefix, Step)]) -> RouteChange {
        let mut change = RouteChange::default();
        if *before == self.peers {
            return change;
        }
        for (prefix, contributions) in &self.routes {
            let touched = steps.binary_search_by_key(prefix, |(prefix, _)| *prefix);
            if contributions.split_by_peers() && touched.is_err() {
                let old = merge::slots(Some(contributions), before);
                let new = merge::slots(Some(contributions), &self.peers);
                note(&mut self.disagreements, *prefix, new.disagreement.clone());
                emit(*prefix, old.as_slice(), new.as_slice(), &mut change);
            }
        }
        change
    }

    /// Everything there is, for a Router that knows nothing yet.
    pub fn all(&self) -> Vec<Origination> {
        let mut change = RouteChange::default();
        for (prefix, contributions) in &self.routes {
            let slots = merge::slots(Some(contributions), &self.peers);
            emit(*prefix, &[], slots.as_slice(), &mut change);
        }
        change.originate
    }

    /// Prefixes for which advertisements state attributes that cannot both be sent.
    pub fn disagreements(&self) -> &BTreeMap<Prefix, Disagreement> {
        &self.disagreements
    }

    /// What an owner wants as last said.
    pub fn wanted(&self, owner: &Owner) -> &[Wanted] {
        self.wants.get(owner).map_or(&[], Vec::as_slice)
    }

    /// How many prefixes an advertisement wants on its own account.
    pub fn prefixes_of(&self, advertisement: &AdvertisementName) -> usize {
        let owner = Owner::Advertisement(advertisement.clone());
        self.wanted(&owner)
            .iter()
            .map(|wanted| wanted.prefixes.len())
            .sum()
    }

    /// How many prefixes are wanted by somebody.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    fn apply(
        &mut self,
        steps: Vec<(Prefix, Step)>,
        before: &BTreeSet<PeerName>,
        change: &mut RouteChange,
    ) {
        let mut steps = steps.into_iter().peekable();
        while let Some((prefix, first)) = steps.next() {
            let mut contributions = self.routes.remove(&prefix);
            let old = merge::slots(contributions.as_ref(), before);
            take(&mut contributions, first);
            while let Some((_, step)) = steps.next_if(|(next, _)| *next == prefix) {
                take(&mut contributions, step);
            }
            let new = merge::slots(contributions.as_ref(), &self.peers);
            if let Some(contributions) = contributions {
                self.routes.insert(prefix, contributions);
            }
            emit(prefix, old.as_slice(), new.as_slice(), change);
            note(&mut self.disagreements, prefix, new.disagreement);
        }
    }
}

fn take(contributions: &mut Option<Contributions>, step: Step) {
    *contributions = match (contributions.take(), step) {
        (None, Step::Add(via)) => Some(Contributions::One(Contribution::first(via))),
        (Some(present), Step::Add(via)) => Some(present.with(via)),
        (Some(present), Step::Remove(via)) => present.without(&via),
        (None, Step::Remove(_)) => None,
    };
}

fn note(
    disagreements: &mut BTreeMap<Prefix, Disagreement>,
    prefix: Prefix,
    new: Option<Disagreement>,
) {
    match new {
        Some(disagreement) => {
            disagreements.insert(prefix, disagreement);
        }
        None if disagreements.is_empty() => {}
        None => {
            disagreements.remove(&prefix);
        }
    }
}

/// Steps from one owner's old wants to its new ones; prefixes wanted the same way before and after are no step.
fn differences(old: &[Wanted], new: &[Wanted], steps: &mut Vec<(Prefix, Step)>) {
    for was in old {
        let kept = new
            .iter()
            .find(|is| is.via == was.via)
            .map_or(&[][..], |is| &is.prefixes);
        let gone = only_in_first(&was.prefixes, kept);
        steps.extend(gone.map(|prefix| (prefix, Step::Remove(Arc::clone(&was.via)))));
    }
    for is in new {
        let known = old
            .iter()
            .find(|was| was.via == is.via)
            .map_or(&[][..], |was| &was.prefixes);
        let fresh = only_in_first(&is.prefixes, known);
        steps.extend(fresh.map(|prefix| (prefix, Step::Add(Arc::clone(&is.via)))));
    }
}

/// Elements of the ascending `first` that the ascending `second` lacks.
fn only_in_first<'a>(
    first: &'a [Prefix],
    second: &'a [Prefix],
) -> impl Iterator<Item = Prefix> + 'a {
    let mut second = second.iter().peekable();
    first.iter().copied().filter(move |prefix| {
        while second.next_if(|other| *other < prefix).is_some() {}
        second.peek() != Some(&prefix)
    })
}

fn emit(prefix: Prefix, old: &[merge::Slot], new: &[merge::Slot], change: &mut RouteChange) {
    for (slot, wanted) in (0u16..).zip(new) {
        if old.get(usize::from(slot)) != Some(wanted) {
            change.originate.push(Origination {
                key: OriginationKey { prefix, slot },
                attributes: Arc::clone(&wanted.attributes),
                peers: wanted.peers.clone(),
            });
        }
    }
    let surplus = (0u16..).zip(old).skip(new.len());
    change
        .withdraw
        .extend(surplus.map(|(slot, _)| OriginationKey { prefix, slot }));
}

impl Via {
    /// A way to announce.
    pub fn new(
        advertisement: AdvertisementName,
        attributes: RouteAttributes,
        peers: PeerSet,
    ) -> Arc<Self> {
        Arc::new(Self {
            advertisement,
            attributes: Arc::new(attributes),
            peers,
        })
    }
}
