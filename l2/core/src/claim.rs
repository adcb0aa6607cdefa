//! Who owns which address of a segment, as the claims heard there say.
//!
//! A claim beats another by a newer view of the endpoints, then by a higher epoch, then by the claimants' ranks: a total
//! order on what the claims themselves carry, so that all that hear two claims agree. The table counts who holds what
//! and keeps the digests by which a missed claim is noticed. When to claim is decided by the announcer.
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::hello::Claim;
use crate::owner::{Rank, address_seed, mix, node_seed};
use crate::types::{Epoch, NodeName, View};

/// How far one claim can move the epoch of an address.
pub(crate) const EPOCH_STEP_MAX: u64 = 1_000;
/// The first epoch that is believed of an address not heard of before lies below this.
pub(crate) const EPOCH_FIRST_MAX: u64 = 1 << 48;
/// No epoch at or above this is believed: nobody gets there in steps of [`EPOCH_STEP_MAX`].
pub(crate) const EPOCH_MAX: u64 = 1 << 63;
/// Addresses in the table of one segment.
pub(crate) const ADDRESSES_MAX: usize = 200_000;
/// Owner changes of an address are remembered this long, for the sake of duplicate detection in EVPN fabrics, which
/// freezes an address that moves five times in 180 s.
pub(crate) const MOVES_WINDOW: Duration = Duration::from_secs(180);

/// More moves than these say nothing more.
const MOVES_KEPT: usize = 4;

/// An address with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: NodeName,
    pub(crate) claim: Claim,
}

impl Owner {
    /// Whether this claim is the one that counts of the two.
    pub(crate) fn beats(&self, other: &Self) -> bool {
        let by_view = match (self.claim.view, other.claim.view) {
            (Some(View(mine)), Some(View(theirs))) => mine.cmp(&theirs),
            // Unknown views are settled by epoch, as equal ones are.
            _ => Ordering::Equal,
        };
        let order = by_view
            .then(self.claim.epoch.cmp(&other.claim.epoch))
            .then_with(|| self.rank().cmp(&other.rank()));
        order == Ordering::Greater
    }

    fn rank(&self) -> Rank<'_> {
        let Claim {
            address, standing, ..
        } = self.claim;
        Rank::new(&self.node, node_seed(&self.node), standing, address)
    }
}

/// Why a claim is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimRefusal {
    /// Its epoch is beyond all bounds.
    Epoch,
    /// The table is full.
    TableFull,
}

#[derive(Debug, Default)]
struct Entry {
    owner: Option<Owner>,
    highest: Epoch,
    /// The last owner there was: the same one coming back has not moved the address.
    last: Option<NodeName>,
    moves: Vec<Instant>,
}

#[derive(Debug, Default)]
struct Holdings {
    addresses: BTreeSet<IpAddr>,
    digest: u64,
}

/// The owners of one segment's addresses.
#[derive(Debug, Default)]
pub(crate) struct ClaimTable {
    entries: BTreeMap<IpAddr, Entry>,
    holdings: BTreeMap<NodeName, Holdings>,
}

impl ClaimTable {
    pub(crate) fn owner(&self, address: IpAddr) -> Option<&Owner> {
        self.entries.get(&address)?.owner.as_ref()
    }

    /// The highest epoch known of an address; 0 where none is.
    pub(crate) fn highest(&self, address: IpAddr) -> Epoch {
        self.entries
            .get(&address)
            .map_or(Epoch(0), |entry| entry.highest)
    }

    /// Owner changes within [`MOVES_WINDOW`].
    pub(crate) fn recent_moves(&self, address: IpAddr, now: Instant) -> usize {
        let moves = self
            .entries
            .get(&address)
            .map_or(&[][..], |entry| &entry.moves);
        let recent = |at: &&Instant| now.saturating_duration_since(**at) < MOVES_WINDOW;
        moves.iter().filter(recent).count()
    }

    /// Notes the epoch of a claim that was heard, and gives back how much of it is believed.
    pub(crate) fn believe(&mut self, address: IpAddr, epoch: Epoch) -> Result<Epoch, ClaimRefusal> {
        if epoch.0 >= EPOCH_MAX {
            return Err(ClaimRefusal::Epoch);
        }
        let full = self.entries.len() >= ADDRESSES_MAX;
        match self.entries.get_mut(&address) {
            Some(entry) => {
                let believed = Epoch(epoch.0.min(entry.highest.0 + EPOCH_STEP_MAX));
                entry.highest = entry.highest.max(believed);
                Ok(believed)
            }
            None if epoch.0 >= EPOCH_FIRST_MAX => Err(ClaimRefusal::Epoch),
            None if full => Err(ClaimRefusal::TableFull),
            None => {
                self.entries.insert(
                    address,
                    Entry {
                        highest: epoch,
                        ..Entry::default()
                    },
                );
                Ok(epoch)
            }
        }
    }

    /// Takes over how often an address moved, from one who saw more of it.
    pub(crate) fn learn_moves(&mut self, address: IpAddr, moves: u8, now: Instant) {
        let known = self.recent_moves(address, now);
        let missing = usize::from(moves).min(MOVES_KEPT).saturating_sub(known);
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.moves.extend(std::iter::repeat_n(now, missing));
        }
    }

    /// The claim as it is said at `now`.
    pub(crate) fn spoken(&self, address: IpAddr, now: Instant) -> Option<Claim> {
        let moves = u8::try_from(self.recent_moves(address, now)).unwrap_or(u8::MAX);
        self.owner(address).map(|owner| Claim {
            moves,
            ..owner.claim
        })
    }

    /// Puts an owner in place, or none.
    pub(crate) fn set_owner(&mut self, address: IpAddr, owner: Option<Owner>, now: Instant) {
        if owner.is_none() && !self.entries.contains_key(&address) {
            return; // An entry would set the first believable epoch at 0.
        }
        let entry = self.entries.entry(address).or_default();
        let before = entry.owner.take();
        if let Some(old) = &before
            && let Some(holdings) = self.holdings.get_mut(&old.node)
        {
            holdings.addresses.remove(&address);
            holdings.digest ^= digest_of(address, old.claim.epoch);
            if holdings.addresses.is_empty() {
                self.holdings.remove(&old.node);
            }
        }
        if let Some(new) = &owner {
            entry.highest = entry.highest.max(new.claim.epoch);
            let holdings = self.holdings.entry(new.node.clone()).or_default();
            holdings.addresses.insert(address);
            holdings.digest ^= digest_of(address, new.claim.epoch);
            let last = entry.last.replace(new.node.clone());
            if last.is_some_and(|last| last != new.node) {
                entry
                    .moves
                    .retain(|at| now.saturating_duration_since(*at) < MOVES_WINDOW);
                if entry.moves.len() < MOVES_KEPT {
                    entry.moves.push(now);
                }
            }
        }
        entry.owner = owner;
    }

    /// Addresses that a node holds by this table.
    pub(crate) fn held_by(&self, node: &NodeName) -> Vec<IpAddr> {
        self.holdings.get(node).map_or_else(Vec::new, |holdings| {
            holdings.addresses.iter().copied().collect()
        })
    }

    /// Number and digest of them.
    pub(crate) fn digest(&self, node: &NodeName) -> (u32, u64) {
        self.holdings.get(node).map_or((0, 0), |holdings| {
            (
                u32::try_from(holdings.addresses.len()).unwrap_or(u32::MAX),
                holdings.digest,
            )
        })
    }

    /// Forgets an address that nobody owns and nobody wants.
    pub(crate) fn forget_unowned(&mut self, address: IpAddr) {
        if self
            .entries
            .get(&address)
            .is_some_and(|entry| entry.owner.is_none())
        {
            self.entries.remove(&address);
        }
    }
}

fn digest_of(address: IpAddr, epoch: Epoch) -> u64 {
    mix(address_seed(address) ^ mix(epoch.0))
}

#[cfg(test)]
mod tests;
