//! The checks that BGP and layer 2 have in common: whether an address may be announced at all, whether an
//! advertisement covers it, and where its endpoints let it be announced.

use std::net::IpAddr;
use std::sync::Arc;

use ringbolt_config::model::{Config, Pool, PoolScope, Selectors, WithoutEndpoints};
use ringbolt_config::names::{PoolName, ServiceKey};
use ringbolt_config::service::TrafficPolicy;

use super::{Scene, Withheld};
use crate::index::{Index, Tracked};

/// Which addresses of which Services an advertisement covers; the part that both kinds have.
pub(super) struct Coverage<'a> {
    pub(super) pools: &'a PoolScope,
    pub(super) services: &'a Selectors,
    pub(super) namespaces: &'a Selectors,
}

impl Scene<'_> {
    /// Whether the address may be announced by anybody (contracts 1.9), and the pool it lies in.
    pub(super) fn announceable(self) -> Result<PoolName, (Option<PoolName>, Withheld)> {
        let pool = pool_of(self.local.config(), self.address).map(|pool| pool.name.clone());
        if self.service.deleting {
            return Err((pool, Withheld::Deleting));
        }
        let Some(pool) = pool else {
            return Err((None, Withheld::OutsidePools));
        };
        let entitled = entitled(self.index, self.address);
        match entitled {
            Some((holder, _)) if holder == self.key => Ok(pool),
            Some((_, first)) if shares_with(first, self.service) => Ok(pool),
            Some((holder, _)) => Err((
                Some(pool),
                Withheld::DuplicateAddress {
                    holder: holder.clone(),
                },
            )),
            None => Ok(pool),
        }
    }

    /// Whether an advertisement covers this Service and the pool of this address.
    pub(super) fn covered(self, pool: &PoolName, by: &Coverage<'_>) -> bool {
        by.pools.covers(pool)
            && by.services.matches(&self.service.labels)
            && (by.namespaces.is_all()
                || by
                    .namespaces
                    .matches(&self.index.namespace_labels(self.key.namespace())))
    }

    /// Whether the endpoints let the address be announced from this node (semantics rules 16 to 18).
    pub(super) fn endpoints_allow(self, without: WithoutEndpoints) -> Result<(), Withheld> {
        let endpoints = self.index.endpoints(self.key).of_family(self.address);
        if !endpoints.usable() {
            return match without {
                WithoutEndpoints::Announce => Ok(()),
                WithoutEndpoints::Withdraw => Err(Withheld::NoEndpoints),
            };
        }
        let node = self.index.node_name();
        match self.service.traffic_policy {
            TrafficPolicy::Cluster => Ok(()),
            TrafficPolicy::Local if endpoints.local_nodes().contains(node) => Ok(()),
            TrafficPolicy::Local if endpoints.only_terminating_on(node) => {
                Err(Withheld::OnlyTerminatingHere)
            }
            TrafficPolicy::Local => Err(Withheld::NoLocalEndpoint),
        }
    }
}

fn pool_of(config: &Config, address: IpAddr) -> Option<&Arc<Pool>> {
    config.pool_of(address)
}

/// The Service an address is announced for where several carry it: the oldest that is not being deleted.
fn entitled(index: &Index, address: IpAddr) -> Option<(&ServiceKey, &Tracked)> {
    index
        .holders(address)
        .filter(|(_, service)| !service.deleting)
        .min_by(|(key, service), (other_key, other)| {
            (service.created, key).cmp(&(other.created, other_key))
        })
}

fn shares_with(first: &Tracked, other: &Tracked) -> bool {
    first.sharing_key.is_some() && first.sharing_key == other.sharing_key
}
