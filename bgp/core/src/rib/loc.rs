//! The Loc-RIB: routes we originate, one numbered slot per prefix.
//!
//! A slot holds a prefix, the interned set of its originations, and the position of its last change
//! in the log. A withdrawn prefix keeps its slot, empty, for as long as a peer must be told; who
//! that is is the concern of [`super::export`]. Learned routes do not come here.

use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::{Origination, OriginationKey, PeerSet, RouteAttributes};
use crate::types::{Family, Prefix, canonical};

use super::attrs::{InternId, Interner};
use super::log::ChangeLog;

#[cfg(test)]
mod tests;

/// One origination as a peer's policy sees it: the slot number of its key, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offer {
    pub(crate) slot: u16,
    pub(crate) attributes: Arc<RouteAttributes>,
    pub(crate) peers: PeerSet,
}

/// All originations of one prefix, in order of their slot numbers; never empty.
pub(crate) type Offers = Vec<Offer>;

/// The number of a slot.
pub(crate) type Slot = u32;

#[derive(Debug)]
struct Entry {
    prefix: Prefix,
    offers: Option<InternId>,
    /// Where the log speaks of this slot; what stands elsewhere is out of date.
    position: u64,
}

/// The originated routes of one family.
#[derive(Debug)]
pub(crate) struct LocRib {
    family: Family,
    slots: Vec<Entry>,
    free: Vec<Slot>,
    index: HashMap<Prefix, Slot>,
    offers: Interner<Offers>,
    /// The last origination and its id: routes come in runs that share one value.
    recent: Option<(Arc<RouteAttributes>, PeerSet, u16, InternId)>,
    log: ChangeLog,
    live: usize,
}

impl LocRib {
    pub(crate) fn new(family: Family) -> Self {
        Self {
            family,
            slots: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            offers: Interner::new(),
            recent: None,
            log: ChangeLog::new(),
            live: 0,
        }
    }

    pub(crate) const fn family(&self) -> Family {
        self.family
    }

    /// How many prefixes are originated.
    pub(crate) const fn len(&self) -> usize {
        self.live
    }

    /// How many slots are taken, by routes and by what must still be withdrawn.
    #[cfg(test)]
    pub(crate) fn slots_in_use(&self) -> usize {
        self.index.len()
    }

    pub(crate) const fn log(&self) -> &ChangeLog {
        &self.log
    }

    pub(crate) const fn offers(&self) -> &Interner<Offers> {
        &self.offers
    }

    pub(crate) fn prefix(&self, slot: Slot) -> Prefix {
        self.entry(slot).prefix
    }

    /// The originations of a slot; `None` when its prefix has been withdrawn.
    pub(crate) fn offers_of(&self, slot: Slot) -> Option<InternId> {
        self.entry(slot).offers
    }

    /// Whether `position` is where the log last speaks of `slot`.
    pub(crate) fn is_latest(&self, slot: Slot, position: u64) -> bool {
        self.entry(slot).position == position
    }

    /// Where the log last speaks of `slot`.
    pub(crate) fn position(&self, slot: Slot) -> u64 {
        self.entry(slot).position
    }

    fn entry(&self, slot: Slot) -> &Entry {
        &self.slots[slot as usize]
    }

    /// Adds or replaces an origination. `true` when that changed something.
    pub(crate) fn originate(&mut self, origination: Origination) -> bool {
        let Origination {
            key,
            attributes,
            peers,
        } = origination;
        let slot = self.slot_of(canonical(&key.prefix));
        let before = self.entry(slot).offers;
        let after = match before {
            None => self.single(key.slot, attributes, peers),
            Some(id) => {
                let offer = Offer {
                    slot: key.slot,
                    attributes,
                    peers,
                };
                let mut offers = Offers::clone(self.offers.get(id));
                match offers.binary_search_by_key(&offer.slot, |other| other.slot) {
                    Ok(at) if offers[at] == offer => return false,
                    Ok(at) => offers[at] = offer,
                    Err(at) => offers.insert(at, offer),
                }
                self.offers.acquire(offers)
            }
        };
        self.replace(slot, Some(after))
    }

    /// Removes an origination. The slot that changed, if one did.
    pub(crate) fn withdraw(&mut self, key: OriginationKey) -> Option<Slot> {
        let slot = *self.index.get(&canonical(&key.prefix))?;
        let offers = self.offers.get(self.entry(slot).offers?);
        let at = offers
            .binary_search_by_key(&key.slot, |offer| offer.slot)
            .ok()?;
        let mut rest = Offers::clone(offers);
        rest.remove(at);
        let after = (!rest.is_empty()).then(|| self.offers.acquire(rest));
        self.replace(slot, after).then_some(slot)
    }

    /// Forgets a withdrawn slot that nobody needs to hear about.
    pub(crate) fn release(&mut self, slot: Slot) {
        let entry = &mut self.slots[slot as usize];
        if entry.offers.is_none() && self.index.remove(&entry.prefix).is_some() {
            entry.position = ChangeLog::NOWHERE;
            self.free.push(slot);
        }
    }

    /// Drops what is out of date from the log, and withdrawn slots for which `needed` says no, once
    /// that is worth a pass over it.
    pub(crate) fn compact(&mut self, needed: impl Fn(Slot) -> bool) {
        if !self.log.wants_compaction() {
            return;
        }
        let slots = &self.slots;
        let latest = |slot: Slot, at: u64| slots[slot as usize].position == at;
        let unneeded: Vec<Slot> = self
            .log
            .entries()
            .filter(|(at, slot)| latest(*slot, *at) && slots[*slot as usize].offers.is_none())
            .filter_map(|(_, slot)| (!needed(slot)).then_some(slot))
            .collect();
        unneeded.into_iter().for_each(|slot| self.release(slot));
        let slots = &self.slots;
        self.log
            .retain(|slot, at| slots[slot as usize].position == at);
    }

    fn slot_of(&mut self, prefix: Prefix) -> Slot {
        if let Some(slot) = self.index.get(&prefix) {
            return *slot;
        }
        let entry = Entry {
            prefix,
            offers: None,
            position: ChangeLog::NOWHERE,
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = entry;
            slot
        } else {
            self.slots.push(entry);
            Slot::try_from(self.slots.len() - 1).expect("four thousand million prefixes")
        };
        self.index.insert(prefix, slot);
        slot
    }

    fn single(&mut self, slot: u16, attributes: Arc<RouteAttributes>, peers: PeerSet) -> InternId {
        if let Some((recent, recent_peers, recent_slot, id)) = &self.recent
            && Arc::ptr_eq(recent, &attributes)
            && recent_peers.is_same(&peers)
            && *recent_slot == slot
            && self.offers.is_live(*id)
        {
            let id = *id;
            self.offers.share(id);
            return id;
        }
        let offer = Offer {
            slot,
            attributes: Arc::clone(&attributes),
            peers: peers.clone(),
        };
        let id = self.offers.acquire(vec![offer]);
        self.recent = Some((attributes, peers, slot, id));
        id
    }

    /// Puts `after` in place, with its user already counted. `true` when that is a change.
    fn replace(&mut self, slot: Slot, after: Option<InternId>) -> bool {
        let entry = &mut self.slots[slot as usize];
        let before = std::mem::replace(&mut entry.offers, after);
        if let Some(before) = before {
            self.offers.release(before);
        }
        if before == after {
            return false;
        }
        self.live += usize::from(after.is_some());
        self.live -= usize::from(before.is_some());
        entry.position = self.log.append(slot);
        true
    }
}
