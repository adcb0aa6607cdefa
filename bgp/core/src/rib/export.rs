//! Who has been told what: one cursor per peer and family over the change log.
//!
//! A peer is up to date when its [`Reader`]'s cursor has reached the released end of the log. New
//! sessions and ROUTE-REFRESH put the cursor back to the start; a peer that does not read leaves it
//! where it is. Either way memory per peer is the cursor and one bit per slot, and what flaps
//! meanwhile is read once, at its present value. The bit says that the peer holds the prefix: only
//! then is it withdrawn.
//!
//! Changes are released to readers at once when there were none for a while, and otherwise in
//! batches ([`WINDOW`]), so that bursts fill their messages.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::per_family::PerFamily;
use crate::policy::export::{Audience, Parting, has_next_hop};
use crate::policy::{NextHops, Origination, OriginationKey, Withheld};
use crate::sabotage::{Sabotage, Saboteur};
use crate::session::Negotiated;
use crate::types::{Family, PeerId};

use super::loc::{LocRib, Slot};
use super::log::ChangeLog;

mod reader;

#[cfg(test)]
mod tests;

pub(crate) use reader::Written;
use reader::{Bounds, Reader};

/// How long changes under churn wait for company.
pub(crate) const WINDOW: Duration = Duration::from_millis(10);

/// The originated routes and everybody who is told.
#[derive(Debug)]
pub(crate) struct Export {
    tables: PerFamily<LocRib>,
    /// Readers go no further than this.
    released: PerFamily<u64>,
    /// When the last batch was released plus [`WINDOW`].
    next_release: Option<Instant>,
    /// The first change that is not released.
    waiting_since: Option<Instant>,
    /// Where the log stood when everything known at start had been originated.
    complete: Option<PerFamily<u64>>,
    readers: BTreeMap<PeerId, Reader>,
    saboteur: Saboteur,
}

impl Export {
    pub(crate) fn new(saboteur: Saboteur) -> Self {
        Self {
            tables: PerFamily::from_fn(LocRib::new),
            released: PerFamily::from_fn(|_| ChangeLog::START),
            next_release: None,
            waiting_since: None,
            complete: None,
            readers: BTreeMap::new(),
            saboteur,
        }
    }

    // Routes.

    pub(crate) fn originate(&mut self, routes: Vec<Origination>, now: Instant) {
        let mut changed = Change::None;
        for route in routes {
            let family = Family::of(&route.key.prefix);
            changed |= self.tables.get_mut(family).originate(route);
        }
        self.changed(changed, now);
    }

    pub(crate) fn withdraw(&mut self, keys: Vec<OriginationKey>, now: Instant) {
        let mut changed = Change::None;
        for key in keys {
            let family = Family::of(&key.prefix);
            if let Some(slot) = self.tables.get_mut(family).withdraw(key) {
                changed = Change::Some;
                self.forget_if_unneeded(family, slot);
            }
        }
        self.changed(changed, now);
    }

    fn changed(&mut self, changed: Change, now: Instant) {
        if changed == Change::None {
            return;
        }
        self.waiting_since.get_or_insert(now);
        if self.next_release.is_none_or(|at| at <= now) {
            self.release(now);
        }
        for family in Family::ALL {
            let readers = &self.readers;
            let needed = |slot| readers.values().any(|reader| reader.holds(family, slot));
            self.tables.get_mut(family).compact(needed);
        }
    }

    /// Everything known at start has been originated.
    pub(crate) fn complete(&mut self, now: Instant) {
        self.release(now);
        let tables = &self.tables;
        self.complete
            .get_or_insert_with(|| PerFamily::from_fn(|family| tables.get(family).log().head()));
    }

    pub(crate) const fn is_complete(&self) -> bool {
        self.complete.is_some()
    }

    pub(crate) const fn table(&self, family: Family) -> &LocRib {
        self.tables.get(family)
    }

    // The batching window.

    fn release(&mut self, now: Instant) {
        for family in Family::ALL {
            *self.released.get_mut(family) = self.tables.get(family).log().head();
        }
        if let Some(since) = self.waiting_since.take() {
            self.next_release = Some(now + WINDOW);
            self.readers
                .values_mut()
                .for_each(|reader| reader.fell_behind(since));
        }
    }

    /// When a batch is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.waiting_since.and(self.next_release)
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        if self.next_deadline().is_some_and(|at| at <= now) {
            if self.saboteur.breaks(Sabotage::ForgetBatch) {
                self.waiting_since = None;
                return;
            }
            self.release(now);
        }
    }

    // Peers.

    /// A session came up: it has been told nothing.
    pub(crate) fn attach(
        &mut self,
        peer: PeerId,
        negotiated: &Negotiated,
        next_hops: NextHops,
        parting: Parting,
        now: Instant,
    ) {
        let audience = Audience {
            peer: peer.name().clone(),
            peering: negotiated.peering,
            local_asn: negotiated.local_asn,
            next_hops,
            extended_next_hop: negotiated.extended_next_hop,
            parting,
        };
        let start = if self.saboteur.breaks(Sabotage::KeepCursorOnReconnect) {
            self.released
        } else {
            PerFamily::from_fn(|_| ChangeLog::START)
        };
        let reader = Reader::new(audience, negotiated, start, now, self.saboteur);
        self.readers.insert(peer, reader);
    }

    /// A session ended: what the peer was told is void.
    pub(crate) fn detach(&mut self, peer: &PeerId) {
        self.readers.remove(peer);
    }

    /// The peer wants to be told again (RFC 2918).
    pub(crate) fn repeat(&mut self, peer: &PeerId, family: Family, now: Instant) {
        if let Some(reader) = self.readers.get_mut(peer) {
            reader.repeat(family);
            reader.fell_behind(now);
        }
    }

    /// What the peer may be told has changed.
    pub(crate) fn set_parting(&mut self, peer: &PeerId, parting: Parting, now: Instant) {
        self.release(now);
        if let Some(reader) = self.readers.get_mut(peer) {
            reader.change_audience(|audience| audience.parting = parting);
            reader.fell_behind(now);
        }
    }

    /// The next hops of a session have changed.
    pub(crate) fn set_next_hops(&mut self, peer: &PeerId, next_hops: NextHops, now: Instant) {
        if let Some(reader) = self.readers.get_mut(peer) {
            reader.change_audience(|audience| audience.next_hops = next_hops);
            reader.fell_behind(now);
        }
    }

    /// Whether the peer has been told everything there is to tell.
    pub(crate) fn is_up_to_date(&self, peer: &PeerId) -> bool {
        let heads = PerFamily::from_fn(|family| self.tables.get(family).log().head());
        self.readers
            .get(peer)
            .is_none_or(|reader| reader.is_up_to_date(&heads))
    }

    /// Whether the peer holds any prefix of ours.
    pub(crate) fn holds_any(&self, peer: &PeerId) -> bool {
        self.readers.get(peer).is_some_and(Reader::holds_any)
    }

    /// Appends what is due to the peer, about 64 KiB at most.
    pub(crate) fn transmit(&mut self, peer: &PeerId, buf: &mut BytesMut) -> Written {
        let Some(reader) = self.readers.get_mut(peer) else {
            return Written::default();
        };
        let mut written = Written::default();
        for family in reader.families().iter() {
            let bounds = Bounds {
                released: *self.released.get(family),
                complete: self.complete.as_ref().map(|marks| *marks.get(family)),
            };
            written.add(reader.transmit(family, self.tables.get(family), bounds, buf));
        }
        let heads = self.released;
        if reader.is_up_to_date(&heads) {
            reader.caught_up();
        }
        for (family, slot) in std::mem::take(&mut written.let_go) {
            self.forget_if_unneeded(family, slot);
        }
        written
    }

    fn forget_if_unneeded(&mut self, family: Family, slot: Slot) {
        let needed = !self.saboteur.breaks(Sabotage::ForgetWithdrawn)
            && self
                .readers
                .values()
                .any(|reader| reader.holds(family, slot));
        let table = self.tables.get_mut(family);
        if !needed && table.offers_of(slot).is_none() {
            table.release(slot);
        }
    }

    // For people.

    /// How many prefixes of `family` the peer holds.
    pub(crate) fn told(&self, peer: &PeerId, family: Family) -> usize {
        self.readers
            .get(peer)
            .map_or(0, |reader| reader.told(family))
    }

    pub(crate) fn end_of_rib_sent(&self, peer: &PeerId, family: Family) -> bool {
        self.readers
            .get(peer)
            .is_some_and(|reader| reader.end_of_rib_sent(family))
    }

    /// Whether every family's End-of-RIB has been sent.
    pub(crate) fn is_settled(&self, peer: &PeerId) -> bool {
        self.readers.get(peer).is_some_and(|reader| {
            reader
                .families()
                .iter()
                .all(|family| reader.end_of_rib_sent(family))
        })
    }

    pub(crate) fn behind_since(&self, peer: &PeerId) -> Option<Instant> {
        self.readers.get(peer).and_then(Reader::behind_since)
    }

    /// Why a family of the session is not announced as a whole.
    pub(crate) fn withheld(&self, peer: &PeerId, family: Family) -> Option<Withheld> {
        let reader = self.readers.get(peer)?;
        let carried = reader.families().contains(family);
        let reachable = has_next_hop(family, reader.audience());
        (carried && !reachable).then_some(Withheld::NoNextHop)
    }
}

/// Whether anything changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Some,
}

impl std::ops::BitOrAssign<bool> for Change {
    fn bitor_assign(&mut self, changed: bool) {
        if changed {
            *self = Self::Some;
        }
    }
}
