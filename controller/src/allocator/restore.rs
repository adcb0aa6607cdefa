//! Taking back what a Service's status names and no claim covers: a claim deleted by hand, or a
//! status that somebody permits us to take over (contracts 1.5). An address that is announced is
//! not held to the rules for new allocations: pauses, quotas and rest do not apply.

use std::net::IpAddr;

use super::Allocator;
use super::request::{Pick, Request};
use crate::refusal::Refusal;

impl Allocator {
    /// Whether the Service may go on with an address that it has and no claim of its covers.
    pub fn adopt(&self, request: &Request, address: IpAddr) -> Result<Pick, Refusal> {
        let pool = self
            .pool_of(address)
            .ok_or(Refusal::AddressOutsidePools { address })?;
        if let Some(why) = pool.unusable(address) {
            return Err(Refusal::AddressUnusable { address, why });
        }
        if !pool.suits(request) {
            return Err(Refusal::PoolNotEligible {
                pool: pool.name().clone(),
            });
        }
        if let Some(claim) = self.claims.get(&address) {
            self.free_for(request, claim, pool)?;
        }
        Ok(Pick {
            address,
            pool: pool.name().clone(),
        })
    }

    /// Whether a person keeps this address for the Service.
    pub fn is_reserved_for(&self, request: &Request, address: IpAddr) -> bool {
        self.reserved
            .get(&request.key)
            .is_some_and(|kept| kept.contains(&address))
    }
}
