//! What must come free for a Service that was refused something, and whether it has come free.
//!
//! The allocator keeps no record of who waits: it says in which lines a request belongs. Whoever
//! keeps the lines asks, line by line, whether there is still something for the next one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use ringbolt_config::PoolName;
use ringbolt_config::model::selector::Labels;
use ringbolt_config::names::SharingKey;

use super::Allocator;
use super::claim::Standing;
use super::pool::{self, Pool};
use super::request::Request;
use crate::Family;

/// What a Service waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// This very address.
    Address(IpAddr),
    /// Room beside those who share by this key.
    Sharers(SharingKey),
    /// Any address of this family of the pool.
    Pool(PoolName, Family),
    /// Room in the quota that this namespace has of the pool.
    Quota(PoolName, Arc<str>),
}

impl Allocator {
    /// What would help the request to an address of each of these families.
    pub fn lines(&self, request: &Request, families: &[Family]) -> BTreeSet<Line> {
        let mut lines = BTreeSet::new();
        for family in families {
            if let Some(address) = request.address(*family) {
                lines.insert(Line::Address(address));
                let pool = self.pool_of(address);
                lines.extend(pool.and_then(|pool| quota(pool, request)));
                continue;
            }
            let pools = self.candidates(request, None).unwrap_or_default();
            let open = pools
                .into_iter()
                .filter(|pool| pool.has(*family) && !pool.is_paused());
            for pool in open {
                let any = || Line::Pool(pool.name().clone(), *family);
                lines.insert(quota(pool, request).unwrap_or_else(any));
            }
            let kept = self.reserved.get(&request.key).into_iter().flatten();
            lines.extend(
                kept.filter(|a| family.holds(**a))
                    .copied()
                    .map(Line::Address),
            );
        }
        let sharers = request.tenancy.as_ref();
        lines.extend(sharers.map(|tenancy| Line::Sharers(tenancy.key.clone())));
        lines
    }

    /// Whether the next in a line may find something.
    pub fn has_room(&self, line: &Line, namespace_labels: &Labels, now: Timestamp) -> bool {
        match line {
            Line::Address(address) => self.claims.get(address).is_none_or(|claim| {
                claim.standing() != Standing::Held || claim.sharing_key.is_some()
            }),
            Line::Sharers(key) => self.by_key.contains_key(key),
            Line::Pool(name, family) => self.pools.get(name).is_some_and(|pool| {
                pool.lowest_free(*family).is_some() || pool.longest_resting(*family, now).is_some()
            }),
            Line::Quota(name, namespace) => self
                .pools
                .get(name)
                .is_some_and(|pool| pool.limit_reached(namespace, namespace_labels).is_none()),
        }
    }

    /// When, after `now`, rest ends for something that a line waits for.
    pub fn next_rested(&self, line: &Line, now: Timestamp) -> Option<Timestamp> {
        match line {
            Line::Address(address) => {
                let claim = self.claims.get(address)?;
                let Standing::Resting(since) = claim.standing() else {
                    return None;
                };
                let until = pool::later(since, self.pool_of(*address)?.reuse_delay());
                (until > now).then_some(until)
            }
            Line::Pool(name, family) => self.pools.get(name)?.next_rested(*family, now),
            Line::Sharers(_) | Line::Quota(..) => None,
        }
    }
}

/// The line of those whose namespace has all it may have of a pool, if the request's namespace does.
fn quota(pool: &Pool, request: &Request) -> Option<Line> {
    pool.over_quota(request)?;
    let namespace = Arc::from(request.key.namespace());
    Some(Line::Quota(pool.name().clone(), namespace))
}
