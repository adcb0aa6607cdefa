//! What one peer has told us: counted and kept under a limit, imported nowhere.
//!
//! A route whose path leads back to us is no route, and takes an earlier path to the same prefix
//! along (RFC 4271 §9.1.2): silently, since a top-of-rack router reflects everything we announce.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::per_family::PerFamily;
use crate::sabotage::{Sabotage, Saboteur};
use crate::types::{Asn, Family, Prefix, RouterId};
use crate::wire::{Announcement, PathAttributes, Reach, Update};

use super::attrs::{InternId, Interner};

#[cfg(test)]
mod tests;

/// Prefixes kept per family whatever the peer sends: nothing here needs a full table.
pub(crate) const KEEP_MAX: usize = 50_000;

/// Who we are on the session, to see ourselves in a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) asn: Asn,
    pub(crate) router_id: RouterId,
    pub(crate) address: IpAddr,
    pub(crate) saboteur: Saboteur,
}

/// The routes of one peer.
#[derive(Debug)]
pub(crate) struct AdjRibIn {
    routes: PerFamily<BTreeMap<Prefix, InternId>>,
    attributes: Interner<PathAttributes>,
    loops: u64,
    not_kept: u64,
}

/// The peer announced more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) limit: u32,
}

impl AdjRibIn {
    pub(crate) fn new() -> Self {
        Self {
            routes: PerFamily::default(),
            attributes: Interner::new(),
            loops: 0,
            not_kept: 0,
        }
    }

    /// How many prefixes of `family` the peer reaches.
    pub(crate) fn len(&self, family: Family) -> usize {
        self.routes.get(family).len()
    }

    /// Announcements that led back to us.
    pub(crate) const fn loops(&self) -> u64 {
        self.loops
    }

    /// Announcements beyond [`KEEP_MAX`].
    pub(crate) const fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// Takes over an UPDATE whose faults have been carried out by the decoder.
    pub(crate) fn apply(
        &mut self,
        update: Update,
        own: Own,
        limit: Option<u32>,
    ) -> Result<(), TooMany> {
        for prefix in &update.withdrawn {
            self.remove(prefix);
        }
        let Some(Announcement {
            attributes,
            reaches,
        }) = update.announced
        else {
            return Ok(());
        };
        let prefixes = |reaches: &[Reach]| reaches.iter().map(|reach| reach.prefixes.len()).sum();
        if leads_back(&attributes, own) {
            let dropped: usize = prefixes(&reaches);
            self.loops = self
                .loops
                .saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX));
            if !own.saboteur.breaks(Sabotage::KeepPathBesideLoop) {
                reaches
                    .iter()
                    .flat_map(|reach| &reach.prefixes)
                    .for_each(|prefix| self.remove(prefix));
            }
            return Ok(());
        }
        let id = self.attributes.acquire(attributes);
        let outcome = reaches
            .iter()
            .try_for_each(|reach| self.reach(reach, id, own, limit));
        self.attributes.release(id);
        outcome
    }

    fn reach(
        &mut self,
        reach: &Reach,
        id: InternId,
        own: Own,
        limit: Option<u32>,
    ) -> Result<(), TooMany> {
        for prefix in &reach.prefixes {
            // Traffic for it would come back to us.
            if reach.next_hop.address() == own.address {
                self.remove(prefix);
                continue;
            }
            self.keep(reach.family, *prefix, id);
            let held = self.len(reach.family);
            if let Some(limit) =
                limit.filter(|limit| usize::try_from(*limit).is_ok_and(|max| held > max))
            {
                return Err(TooMany { limit });
            }
        }
        Ok(())
    }

    fn keep(&mut self, family: Family, prefix: Prefix, id: InternId) {
        let routes = self.routes.get_mut(family);
        if routes.len() >= KEEP_MAX && !routes.contains_key(&prefix) {
            self.not_kept = self.not_kept.saturating_add(1);
            return;
        }
        self.attributes.share(id);
        if let Some(before) = routes.insert(prefix, id) {
            self.attributes.release(before);
        }
    }

    fn remove(&mut self, prefix: &Prefix) {
        if let Some(id) = self.routes.get_mut(Family::of(prefix)).remove(prefix) {
            self.attributes.release(id);
        }
    }
}

/// Our AS in AS_PATH (RFC 4271 §9.1.2), or our identifier left by a route reflector (RFC 4456 §8).
fn leads_back(attributes: &PathAttributes, own: Own) -> bool {
    let id: Ipv4Addr = own.router_id.to_addr();
    attributes.as_path.asns().any(|asn| asn == own.asn)
        || attributes.originator_id == Some(id)
        || attributes.cluster_list.contains(&id)
}
