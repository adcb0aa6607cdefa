//! The rules of contracts 1.7 and 1.8, told as slowly as they can
//! be told.

use super::*;

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) pools: Vec<Arc<Pool>>,
    pub(super) claims: BTreeMap<IpAddr, Claim>,
    pub(super) barred: BTreeSet<IpAddr>,
    pub(super) tenants: BTreeMap<Uid, Tenancy>,
}

/// How an address can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    Fresh,
    Shared,
    Rested(Timestamp),
}

impl Model {
    pub(super) fn choose(
        &self,
        request: &Request,
        families: &[Family],
        now: Timestamp,
    ) -> Vec<Option<IpAddr>> {
        // By name, whatever the outcome; else what is kept for the Service.
        let mut answers: Vec<Option<Option<IpAddr>>> = families
            .iter()
            .map(|family| {
                if let Some(address) = request.addresses.iter().find(|a| family.holds(**a)) {
                    let pool = self.pool_of(*address);
                    let may = pool.is_some_and(|pool| self.may_have(request, pool, *address, now));
                    return Some(may.then_some(*address));
                }
                self.kept_for(request, *family, now).map(Some)
            })
            .collect();
        let beside = answers
            .iter()
            .flatten()
            .flatten()
            .next()
            .and_then(|a| self.pool_of(*a));
        let order = self.order(request, beside);
        let open: Vec<usize> = (0..families.len())
            .filter(|i| answers[*i].is_none())
            .collect();
        if open.len() > 1 {
            let joint = order.iter().find_map(|pool| {
                let both = open
                    .iter()
                    .map(|i| self.lowest(request, pool, families[*i], now));
                both.collect::<Option<Vec<_>>>()
            });
            for (place, address) in open.iter().zip(joint.into_iter().flatten()) {
                answers[*place] = Some(Some(address));
            }
        }
        for place in 0..families.len() {
            if answers[place].is_none() {
                let family = families[place];
                let mut pools = order.iter();
                answers[place] =
                    Some(pools.find_map(|pool| self.lowest(request, pool, family, now)));
            }
        }
        answers.into_iter().flatten().collect()
    }

    fn pool_of(&self, address: IpAddr) -> Option<&Arc<Pool>> {
        self.pools.iter().find(|pool| pool.contains(address))
    }

    fn kept_for(&self, request: &Request, family: Family, now: Timestamp) -> Option<IpAddr> {
        let kept = self
            .claims
            .values()
            .filter(|c| c.reserved_for.as_ref() == Some(&request.key));
        kept.map(|claim| claim.address)
            .filter(|a| family.holds(*a))
            .find(|address| {
                let pool = self.pool_of(*address);
                pool.is_some_and(|pool| self.may_have(request, pool, *address, now))
            })
    }

    fn suits(&self, request: &Request, pool: &Pool) -> bool {
        let namespace = request.key.namespace();
        pool.allocation
            .admits(namespace, &request.namespace_labels, &request.labels)
    }

    fn order(&self, request: &Request, beside: Option<&Arc<Pool>>) -> Vec<&Arc<Pool>> {
        let named = request.pool.as_ref();
        let candidate = |pool: &&Arc<Pool>| match named {
            Some(named) => pool.name == *named,
            None => pool.auto_assign,
        };
        let mut pools: Vec<_> = self
            .pools
            .iter()
            .filter(candidate)
            .filter(|p| self.suits(request, p))
            .collect();
        pools.sort_by_key(|pool| {
            let first = beside.is_some_and(|beside| beside.name == pool.name);
            (
                !first,
                !pool.allocation.is_pinned(),
                pool.priority,
                pool.name.clone(),
            )
        });
        pools
    }

    /// Whether a Service that names the address may have it.
    fn may_have(&self, request: &Request, pool: &Pool, address: IpAddr, now: Timestamp) -> bool {
        request
            .pool
            .as_ref()
            .is_none_or(|named| *named == pool.name)
            && self.suits(request, pool)
            && match self.offer(request, pool, address) {
                None => false,
                Some(Offer::Rested(since)) => since + pool.reuse_delay <= now,
                Some(Offer::Fresh | Offer::Shared) => true,
            }
    }

    fn offer(&self, request: &Request, pool: &Pool, address: IpAddr) -> Option<Offer> {
        let open = pool.admission == ringbolt_config::model::pool::Admission::Open;
        if !open || pool.permits(address).is_err() || self.barred.contains(&address) {
            return None;
        }
        let namespace = request.key.namespace();
        let of_namespace = |claim: &Claim| {
            claim
                .holders
                .iter()
                .any(|holder| holder.key.namespace() == namespace)
        };
        let held = self
            .claims
            .values()
            .filter(|c| pool.contains(c.address) && of_namespace(c));
        let held = held.count();
        let limits = pool
            .limits
            .iter()
            .filter(|l| l.applies(namespace, &request.namespace_labels));
        let reached = limits
            .map(|l| l.max_addresses as usize)
            .any(|max| held >= max);
        let claim = self.claims.get(&address);
        if reached && !claim.is_some_and(of_namespace) {
            return None;
        }
        let Some(claim) = claim else {
            return Some(Offer::Fresh);
        };
        if claim
            .reserved_for
            .as_ref()
            .is_some_and(|key| *key != request.key)
        {
            return None;
        }
        if claim.holders.is_empty() {
            let since = claim.released_at.filter(|_| claim.reserved_for.is_none());
            return Some(since.map_or(Offer::Fresh, Offer::Rested));
        }
        self.shares(request, pool, claim).then_some(Offer::Shared)
    }

    fn shares(&self, request: &Request, pool: &Pool, claim: &Claim) -> bool {
        use ringbolt_config::model::PoolSharing;
        let Some(tenancy) = &request.tenancy else {
            return false;
        };
        claim.sharing_key.as_ref() == Some(&tenancy.key)
            && claim.holders.iter().all(|holder| {
                let near = holder.key.namespace() == request.key.namespace();
                let reach = match pool.sharing {
                    PoolSharing::Never => false,
                    PoolSharing::Namespace => near,
                    PoolSharing::Cluster => true,
                };
                let other = self.tenants.get(&holder.uid);
                reach
                    && holder.ports.is_disjoint(&tenancy.ports)
                    && other.is_some_and(|other| other.backend == tenancy.backend)
            })
    }

    fn addresses(pool: &Pool, family: Family) -> Vec<IpAddr> {
        let mut list = Vec::new();
        for range in &pool.ranges {
            let (first, last) = range.span.ends();
            match (first, last) {
                (IpAddr::V4(a), IpAddr::V4(b)) => {
                    list.extend((a.to_bits()..=b.to_bits()).map(|n| IpAddr::V4(n.into())));
                }
                (IpAddr::V6(a), IpAddr::V6(b)) => {
                    list.extend((a.to_bits()..=b.to_bits()).map(|n| IpAddr::V6(n.into())));
                }
                _ => unreachable!("a range is of one family"),
            }
        }
        list.retain(|address| family.holds(*address));
        list.sort();
        list
    }

    /// What a pool gives to a Service that names no address.
    fn lowest(
        &self,
        request: &Request,
        pool: &Pool,
        family: Family,
        now: Timestamp,
    ) -> Option<IpAddr> {
        let offers = Self::addresses(pool, family)
            .into_iter()
            .filter_map(|address| {
                let offer = self.offer(request, pool, address)?;
                let kept = self
                    .claims
                    .get(&address)
                    .is_some_and(|c| c.reserved_for.is_some());
                let unasked = match offer {
                    // What is kept for this Service was tried before.
                    Offer::Fresh | Offer::Rested(_) => !kept && pool.is_chosen_freely(address),
                    Offer::Shared => true,
                };
                unasked.then_some((address, offer))
            });
        let offers: Vec<_> = offers.collect();
        let at_once = offers.iter().find(|(_, o)| !matches!(o, Offer::Rested(_)));
        if let Some((address, _)) = at_once {
            return Some(*address);
        }
        let rested = offers.iter().filter_map(|(address, offer)| match offer {
            Offer::Rested(since) => Some((*since, *address)),
            Offer::Fresh | Offer::Shared => None,
        });
        let (since, address) = rested.min()?;
        (since + pool.reuse_delay <= now).then_some(address)
    }

    /// Capacity, assigned, available.
    pub(super) fn fill(&self, pool: &Pool, family: Family) -> (u128, u64, u128) {
        let mut counts = (0, 0, 0);
        for address in Self::addresses(pool, family) {
            let given = pool.permits(address).is_ok() && pool.is_chosen_freely(address);
            let claim = self.claims.get(&address);
            counts.0 += u128::from(given);
            counts.1 += u64::from(claim.is_some_and(|c| !c.holders.is_empty()));
            let free = claim.is_none_or(|c| {
                c.holders.is_empty() && c.reserved_for.is_none() && pool.reuse_delay.is_zero()
            });
            counts.2 += u128::from(given && free && !self.barred.contains(&address));
        }
        counts
    }
}
