//! Choosing: which address of which pool, or the refusal that says the most.
//!
//! Order (contracts 1.7 and 1.8): what is requested, and nothing else
//! for that family; what is reserved for the Service; a pool that holds all wanted families; else a
//! pool for each. Inside a pool the lowest address that is free or can be shared; else the one that
//! rests longest.

use std::net::IpAddr;

use jiff::Timestamp;
use ringbolt_config::PoolName;

use super::claim::{Claim, Standing};
use super::pool::Pool;
use super::request::{Choice, Pick, Request, Verdict};
use super::sharing::{may_join, may_stay};
use super::{Allocator, pool};
use crate::Family;
use crate::refusal::Refusal;

impl Allocator {
    /// Chooses an address for each of `families`. `beside` is the pool of an address the Service
    /// keeps in another family: it is tried first.
    pub fn choose(
        &self,
        request: &Request,
        families: &[Family],
        beside: Option<&PoolName>,
        now: Timestamp,
    ) -> Choice {
        let mut answers: Vec<(Family, Option<Result<Pick, Refusal>>)> = families
            .iter()
            .map(|&family| {
                (
                    family,
                    request.address(family).map(|a| self.exact(request, a, now)),
                )
            })
            .collect();
        for (family, answer) in &mut answers {
            if answer.is_none() {
                *answer = self.reserved_pick(request, *family, now).map(Ok);
            }
        }
        let chosen = answers.iter().find_map(|(_, a)| a.as_ref()?.as_ref().ok());
        let beside = chosen.map(|pick| pick.pool.clone()).or(beside.cloned());
        let open: Vec<Family> = answers
            .iter()
            .filter(|(_, a)| a.is_none())
            .map(|(f, _)| *f)
            .collect();
        let pools = self.candidates(request, beside.as_ref());
        let together = match &pools {
            Ok(pools) if open.len() > 1 => pools.iter().find_map(|pool| {
                let picks: Result<Vec<_>, _> = open
                    .iter()
                    .map(|f| self.within(pool, request, *f, now))
                    .collect();
                picks
                    .ok()
                    .map(|picks| open.iter().copied().zip(picks).collect::<Vec<_>>())
            }),
            _ => None,
        };
        let answers = answers.into_iter().map(|(family, answer)| {
            let answer = answer.unwrap_or_else(|| {
                let pools = pools.as_ref().map_err(Clone::clone)?;
                let joint = together.iter().flatten().find(|(f, _)| *f == family);
                joint.map_or_else(
                    || self.first_that_gives(pools, request, family, now),
                    |(_, pick)| Ok(pick.clone()),
                )
            });
            (family, answer)
        });
        Choice {
            answers: answers.collect(),
        }
    }

    /// What an address that the Service holds is to it.
    pub fn verdict(&self, request: &Request, address: IpAddr) -> Verdict {
        let untenable = |why| Verdict::Untenable { why };
        let Some(pool) = self.pool_of(address) else {
            return untenable(Refusal::AddressOutsidePools { address });
        };
        if let Some(why) = pool.unusable(address) {
            return untenable(Refusal::AddressUnusable { address, why });
        }
        if !pool.suits(request) {
            return untenable(Refusal::PoolNotEligible {
                pool: pool.name().clone(),
            });
        }
        if let Some(claim) = self.claims.get(&address)
            && let Err(why) = may_stay(request, claim, &self.tenants)
        {
            return untenable(why);
        }
        let pick = Pick {
            address,
            pool: pool.name().clone(),
        };
        if request.accepts(&pick) {
            Verdict::Satisfies { pool: pick.pool }
        } else {
            Verdict::Tolerable { pool: pick.pool }
        }
    }

    /// Whether a pool from which the Service may be given something lists addresses of a family.
    pub fn offers(&self, request: &Request, family: Family) -> bool {
        let pools = self.candidates(request, None);
        pools.is_ok_and(|pools| pools.iter().any(|pool| pool.has(family)))
    }

    pub(super) fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        self.pool_at(address).and_then(|name| self.pools.get(&name))
    }

    /// Whether the Service may have exactly this address.
    fn exact(&self, request: &Request, address: IpAddr, now: Timestamp) -> Result<Pick, Refusal> {
        let pool = self.admit(request, address)?;
        if pool.is_paused() {
            return Err(Refusal::PoolPaused {
                pool: pool.name().clone(),
            });
        }
        if let Some(claim) = self.claims.get(&address) {
            self.free_for(request, claim, pool)?;
            if let Standing::Resting(since) = claim.standing() {
                let until = pool::later(since, pool.reuse_delay());
                if until > now {
                    return Err(Refusal::AddressResting { address, until });
                }
            }
        }
        if let Some(limit) = pool.over_quota(request)
            && !self.counts_already(request, address)
        {
            return Err(Refusal::QuotaExceeded {
                pool: pool.name().clone(),
                limit,
            });
        }
        Ok(Pick {
            address,
            pool: pool.name().clone(),
        })
    }

    /// The pool an address lies in, if the Service may have addresses of it and this is one that is
    /// handed out.
    pub(super) fn admit(&self, request: &Request, address: IpAddr) -> Result<&Pool, Refusal> {
        let named = request.pool.as_ref();
        if let Some(named) = named.filter(|named| !self.pools.contains_key(*named)) {
            return Err(Refusal::UnknownPool {
                pool: named.clone(),
            });
        }
        if self.pools.is_empty() {
            return Err(Refusal::NoPools);
        }
        let pool = self
            .pool_of(address)
            .ok_or(Refusal::AddressOutsidePools { address })?;
        if let Some(named) = named.filter(|named| *named != pool.name()) {
            return Err(Refusal::AddressOutsidePool {
                address,
                pool: named.clone(),
            });
        }
        if !pool.suits(request) {
            return Err(Refusal::PoolNotEligible {
                pool: pool.name().clone(),
            });
        }
        match pool.unusable(address).or_else(|| self.barred.why(address)) {
            Some(why) => Err(Refusal::AddressUnusable { address, why }),
            None => Ok(pool),
        }
    }

    /// Whether the claim on an address leaves room for the Service.
    pub(super) fn free_for(
        &self,
        request: &Request,
        claim: &Claim,
        pool: &Pool,
    ) -> Result<(), Refusal> {
        if claim.standing() == Standing::Faulty {
            return Err(Refusal::ClaimUnreadable {
                address: claim.address,
            });
        }
        if claim.holder(&request.uid).is_some() {
            return may_stay(request, claim, &self.tenants);
        }
        match &claim.reserved_for {
            Some(key) if *key != request.key => {
                let reserved_for = key.clone();
                Err(Refusal::AddressReserved {
                    address: claim.address,
                    reserved_for,
                })
            }
            _ => may_join(request, claim, pool.sharing(), &self.tenants),
        }
    }

    /// Whether the namespace of the Service holds the address, so that it costs no more quota.
    fn counts_already(&self, request: &Request, address: IpAddr) -> bool {
        self.claims.get(&address).is_some_and(|claim| {
            claim
                .holders
                .iter()
                .any(|h| h.key.namespace() == request.key.namespace())
        })
    }

    /// The lowest address a person keeps for this Service, if it can be had.
    fn reserved_pick(&self, request: &Request, family: Family, now: Timestamp) -> Option<Pick> {
        let kept = self.reserved.get(&request.key)?;
        let mut of_family = kept.iter().filter(|a| family.holds(**a));
        of_family.find_map(|address| self.exact(request, *address, now).ok())
    }

    /// The pools that give to this Service without its naming an address, in order.
    pub(super) fn candidates(
        &self,
        request: &Request,
        beside: Option<&PoolName>,
    ) -> Result<Vec<&Pool>, Refusal> {
        if let Some(named) = &request.pool {
            let unknown = || Refusal::UnknownPool {
                pool: named.clone(),
            };
            let pool = self.pools.get(named).ok_or_else(unknown)?;
            if !pool.suits(request) {
                return Err(Refusal::PoolNotEligible {
                    pool: named.clone(),
                });
            }
            return Ok(vec![pool]);
        }
        if self.pools.is_empty() {
            return Err(Refusal::NoPools);
        }
        let mut pools: Vec<&Pool> = self
            .order
            .iter()
            .map(|name| &self.pools[name])
            .filter(|p| p.suits(request))
            .collect();
        pools.sort_by_key(|pool| beside != Some(pool.name()));
        Ok(pools)
    }

    fn first_that_gives(
        &self,
        pools: &[&Pool],
        request: &Request,
        family: Family,
        now: Timestamp,
    ) -> Result<Pick, Refusal> {
        let mut first_refusal = None;
        for pool in pools {
            match self.within(pool, request, family, now) {
                Ok(pick) => return Ok(pick),
                Err(Some(refusal)) => first_refusal = first_refusal.or(Some(refusal)),
                Err(None) => {}
            }
        }
        Err(first_refusal.unwrap_or(Refusal::NoEligiblePool { family }))
    }

    /// The address a pool gives; `Err(None)` if it has none of the family at all.
    fn within(
        &self,
        pool: &Pool,
        request: &Request,
        family: Family,
        now: Timestamp,
    ) -> Result<Pick, Option<Refusal>> {
        if !pool.has(family) {
            return Err(None);
        }
        let name = pool.name().clone();
        if pool.is_paused() {
            return Err(Some(Refusal::PoolPaused { pool: name }));
        }
        let limit = pool.over_quota(request);
        let fresh = pool.lowest_free(family).filter(|_| limit.is_none());
        let shared = self.lowest_shared(pool, request, family, limit.is_some());
        let lowest = [fresh, shared].into_iter().flatten().min();
        let rested = || {
            pool.longest_resting(family, now)
                .filter(|_| limit.is_none())
        };
        match (lowest.or_else(rested), limit) {
            (Some(address), _) => Ok(Pick {
                address,
                pool: name,
            }),
            (None, Some(limit)) => Err(Some(Refusal::QuotaExceeded { pool: name, limit })),
            (None, None) => Err(Some(Refusal::PoolExhausted { pool: name, family })),
        }
    }

    /// The lowest address of a pool that the Service may share with those who hold it.
    fn lowest_shared(
        &self,
        pool: &Pool,
        request: &Request,
        family: Family,
        own_namespace_only: bool,
    ) -> Option<IpAddr> {
        let with = self.by_key.get(&request.tenancy.as_ref()?.key)?;
        with.iter()
            .copied()
            .filter(|a| family.holds(*a))
            .find(|address| {
                self.pool_at(*address).as_ref() == Some(pool.name())
                    && self.admit(request, *address).is_ok()
                    && self.free_for(request, &self.claims[address], pool).is_ok()
                    && (!own_namespace_only || self.counts_already(request, *address))
            })
    }
}
