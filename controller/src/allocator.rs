//! Which address a Service may have: pools, claims and the rules between them, and nothing else.
//!
//! The allocator takes facts ([`Allocator::configure`], [`Allocator::bar`], [`Allocator::apply`])
//! and answers questions ([`Allocator::choose`], [`Allocator::verdict`], [`Allocator::adopt`]).
//! A question changes nothing: what was chosen becomes a fact when its claim is applied. It knows no
//! clock, no object version and no writer. Claims are the truth; everything kept besides them is an
//! index that a change of pools rebuilds.
//!
//! Invariants: an address with a claim is in no pool's free set; a pool's lowest free address can be
//! handed out as it stands; pools in force do not overlap (the resolver sees to that; if they do,
//! the first by name has the address).

mod choice;
mod claim;
mod pool;
mod range;
mod request;
mod restore;
mod sharing;
mod space;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use ringbolt_config::names::SharingKey;
use ringbolt_config::{PoolName, ServiceKey, Uid, model};

pub use claim::{Claim, ClaimProblem, Holder, Standing};
pub use pool::{Barred, Fill, Occupancy};
pub use request::{Choice, Pick, Request, Verdict};
pub use sharing::{Backend, Port, Tenancy};
pub use waiting::Line;

use pool::Pool;
use sharing::Tenants;

/// How long a freed address is the last choice at least, whatever its pool says (contracts 1.8).
pub const REST: std::time::Duration = std::time::Duration::from_secs(600);

/// Pools in force, claims, and how the holders share.
#[derive(Debug, Default)]
pub struct Allocator {
    pools: BTreeMap<PoolName, Pool>,
    /// Pools that give unasked, in the order in which they are tried.
    order: Vec<PoolName>,
    /// First address of each listed range → last address and pool.
    by_range: BTreeMap<IpAddr, (IpAddr, PoolName)>,
    barred: Barred,
    claims: BTreeMap<IpAddr, Claim>,
    by_holder: BTreeMap<Uid, BTreeSet<IpAddr>>,
    by_key: BTreeMap<SharingKey, BTreeSet<IpAddr>>,
    reserved: BTreeMap<ServiceKey, BTreeSet<IpAddr>>,
    tenants: BTreeMap<Uid, Tenancy>,
}

impl Tenants for BTreeMap<Uid, Tenancy> {
    fn tenancy(&self, uid: &Uid) -> Option<&Tenancy> {
        self.get(uid)
    }
}

impl Allocator {
    /// Puts these pools in force, and no others. Claims stay what they are.
    pub fn configure<'a>(&mut self, pools: impl IntoIterator<Item = &'a Arc<model::Pool>>) {
        self.pools = pools
            .into_iter()
            .map(|p| (p.name.clone(), Pool::new(Arc::clone(p))))
            .collect();
        let mut order: Vec<&Pool> = self.pools.values().filter(|p| p.gives_unasked()).collect();
        order.sort_by_key(|pool| pool.rank());
        self.order = order.into_iter().map(|pool| pool.name().clone()).collect();
        self.by_range.clear();
        for pool in self.pools.values() {
            for (first, last) in pool.listed() {
                self.by_range
                    .entry(first)
                    .or_insert_with(|| (last, pool.name().clone()));
            }
        }
        self.rebuild();
    }

    /// Bars these addresses from being handed out, and no others. Returns whether that differs.
    pub fn bar(&mut self, barred: Barred) -> bool {
        if self.barred == barred {
            return false;
        }
        self.barred = barred;
        self.rebuild();
        true
    }

    fn rebuild(&mut self) {
        for pool in self.pools.values_mut() {
            pool.clear(&self.barred);
        }
        let claims = std::mem::take(&mut self.claims);
        for claim in claims.values() {
            self.enter(claim);
        }
        self.claims = claims;
        for pool in self.pools.values_mut() {
            pool.settle();
        }
    }

    /// Says how a Service shares, or that it does not. Returns whether that differs.
    pub fn set_tenancy(&mut self, uid: &Uid, tenancy: Option<Tenancy>) -> bool {
        if self.tenants.get(uid) == tenancy.as_ref() {
            return false;
        }
        match tenancy {
            Some(tenancy) => self.tenants.insert(uid.clone(), tenancy),
            None => self.tenants.remove(uid),
        };
        true
    }

    /// Makes a claim a fact, in place of what was known of its address.
    pub fn apply(&mut self, claim: Claim) {
        self.remove(claim.address);
        for holder in &claim.holders {
            self.by_holder
                .entry(holder.uid.clone())
                .or_default()
                .insert(claim.address);
        }
        if let Some(key) = claim
            .sharing_key
            .as_ref()
            .filter(|_| !claim.holders.is_empty())
        {
            self.by_key
                .entry(key.clone())
                .or_default()
                .insert(claim.address);
        }
        if let Some(key) = &claim.reserved_for {
            self.reserved
                .entry(key.clone())
                .or_default()
                .insert(claim.address);
        }
        self.enter(&claim);
        if let Some(pool) = self
            .pool_at(claim.address)
            .and_then(|p| self.pools.get_mut(&p))
        {
            pool.settle();
        }
        self.claims.insert(claim.address, claim);
    }

    /// Forgets the claim on an address.
    pub fn remove(&mut self, address: IpAddr) {
        let Some(claim) = self.claims.remove(&address) else {
            return;
        };
        for holder in &claim.holders {
            unlist(&mut self.by_holder, &holder.uid, address);
        }
        if let Some(key) = &claim.sharing_key {
            unlist(&mut self.by_key, key, address);
        }
        if let Some(key) = &claim.reserved_for {
            unlist(&mut self.reserved, key, address);
        }
        if let Some(pool) = self.pool_at(address).and_then(|p| self.pools.get_mut(&p)) {
            pool.leave(&claim, &self.barred);
            pool.settle();
        }
    }

    fn enter(&mut self, claim: &Claim) {
        if let Some(pool) = self
            .pool_at(claim.address)
            .and_then(|p| self.pools.get_mut(&p))
        {
            pool.enter(claim);
        }
    }

    /// The pool whose ranges list an address, usable or not.
    pub fn pool_at(&self, address: IpAddr) -> Option<PoolName> {
        let (_, (last, pool)) = self.by_range.range(..=address).next_back()?;
        (*last >= address).then(|| pool.clone())
    }

    /// The claim on an address.
    pub fn claim(&self, address: IpAddr) -> Option<&Claim> {
        self.claims.get(&address)
    }

    /// All claims, by address.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.values()
    }

    /// The addresses a Service holds, lowest first, IPv4 before IPv6.
    pub fn held_by(&self, uid: &Uid) -> impl Iterator<Item = IpAddr> + '_ {
        self.by_holder.get(uid).into_iter().flatten().copied()
    }

    /// The uids that hold anything.
    pub fn holders(&self) -> impl Iterator<Item = &Uid> {
        self.by_holder.keys()
    }

    /// How full a pool is.
    pub fn occupancy(&self, pool: &PoolName) -> Option<Occupancy> {
        Some(self.pools.get(pool)?.occupancy())
    }

    /// When a released claim has rested long enough for its object to go (contracts 1.2).
    pub fn rests_until(&self, claim: &Claim) -> Option<Timestamp> {
        let Standing::Resting(since) = claim.standing() else {
            return None;
        };
        let delay = self
            .pool_at(claim.address)
            .map_or(REST, |name| self.pools[&name].rest());
        Some(pool::later(since, delay))
    }
}

fn unlist<K: Ord>(index: &mut BTreeMap<K, BTreeSet<IpAddr>>, key: &K, address: IpAddr) {
    if let Some(addresses) = index.get_mut(key) {
        addresses.remove(&address);
        if addresses.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
