//! Who asked for an address lately: those stations hold a cache entry that a new owner must correct.
//!
//! Standbys hear broadcast questions too, so a new owner has this list without being told. Only stations that asked are
//! ever in it, so nobody can aim our frames at a third one. Bounded per address and per interface.
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound;
use std::time::{Duration, Instant};

use crate::pacing::Jitter;
use crate::types::MacAddr;

/// Askers kept for one address.
pub(crate) const PER_ADDRESS_MAX: usize = 64;
/// Askers kept on one interface, over all addresses.
pub(crate) const PER_INTERFACE_MAX: usize = 65_536;
/// Lists looked at to find one to shorten.
const EVICTION_LISTS: usize = 8;
/// An asker older than this is not written to: few caches keep an entry so long without asking again.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(600);

/// A station that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) address: IpAddr,
    pub(crate) mac: MacAddr,
    pub(crate) at: Instant,
}

/// The askers of one interface.
#[derive(Debug)]
pub(crate) struct Askers {
    by_address: BTreeMap<IpAddr, VecDeque<Asker>>,
    total: usize,
    hand: Option<IpAddr>,
    jitter: Jitter,
}

impl Askers {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            by_address: BTreeMap::new(),
            total: 0,
            hand: None,
            jitter: Jitter::new(seed),
        }
    }

    /// Notes that `asker` wanted to know `address`. The latest stand last.
    pub(crate) fn note(&mut self, address: IpAddr, asker: Asker) {
        let list = self.by_address.entry(address).or_default();
        let before = list.len();
        if let Some(position) = list.iter().position(|one| one.address == asker.address) {
            list.remove(position);
        } else if list.len() >= PER_ADDRESS_MAX {
            // At random: a flood of invented askers then leaves some true ones in for a while.
            let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
            let victim = usize::try_from(self.jitter.next() % length).unwrap_or(0);
            list.remove(victim);
        }
        list.push_back(asker);
        self.total = self.total + list.len() - before;
        if self.total > PER_INTERFACE_MAX {
            self.evict();
        }
    }

    /// Drops the oldest asker of the longest of the next few lists. The hand goes round, so that no flood about one
    /// address crowds out the others.
    fn evict(&mut self) {
        let start = self.hand.map_or(Bound::Unbounded, Bound::Excluded);
        let ahead = self.by_address.range((start, Bound::Unbounded));
        let ahead = ahead.chain(self.by_address.iter()).take(EVICTION_LISTS);
        let lengths: Vec<(usize, IpAddr)> = ahead.map(|(one, list)| (list.len(), *one)).collect();
        self.hand = lengths.last().map(|(_, address)| *address);
        let Some((_, victim)) = lengths.into_iter().max() else {
            return;
        };
        let Some(list) = self.by_address.get_mut(&victim) else {
            return;
        };
        list.pop_front();
        self.total -= 1;
        // Empty lists would fill the hand's view and save the others.
        if list.is_empty() {
            self.by_address.remove(&victim);
        }
    }

    /// The stations to write to when `address` moves here, the latest first.
    pub(crate) fn recent(&self, address: IpAddr, now: Instant) -> impl Iterator<Item = &Asker> {
        let list = self.by_address.get(&address).into_iter().flatten().rev();
        list.take_while(move |asker| now.saturating_duration_since(asker.at) <= AGE_MAX)
    }

    /// When anybody last asked for `address`.
    pub(crate) fn last_asked(&self, address: IpAddr) -> Option<Instant> {
        self.by_address
            .get(&address)
            .and_then(|list| list.back())
            .map(|asker| asker.at)
    }

    /// A few of the stations that asked last for anything: they can tell us whether we hear.
    pub(crate) fn some_recent(&self, now: Instant, count: usize) -> Vec<Asker> {
        let mut latest: Vec<Asker> = self
            .by_address
            .values()
            .filter_map(|list| list.back())
            .copied()
            .collect();
        latest.retain(|asker| now.saturating_duration_since(asker.at) <= AGE_MAX);
        latest.sort_by_key(|asker| std::cmp::Reverse(asker.at));
        latest.truncate(count);
        latest
    }

    /// Forgets an address that nobody wants any more.
    pub(crate) fn forget(&mut self, address: IpAddr) {
        if let Some(list) = self.by_address.remove(&address) {
            self.total -= list.len();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests;
