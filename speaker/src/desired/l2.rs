//! A Service's part in who may claim its addresses on layer 2. Every node computes the same from the same objects;
//! which of the eligible nodes owns an address is the announcer's to decide.

use std::collections::BTreeSet;

use ringbolt_config::model::{L2Advertisement, WithoutEndpoints};
use ringbolt_config::names::{AdvertisementName, PoolName};
use ringbolt_config::service::TrafficPolicy;
use ringbolt_l2::announcer::{EligibleNodes, Share};
use ringbolt_l2::types::{self, View};

use super::eligibility::Coverage;
use super::{Scene, Selection, Withheld};

impl Scene<'_> {
    /// The Service's share in the address, or why nobody may claim it on the Service's account.
    pub(super) fn share(self, pool: &PoolName) -> Result<Share, Withheld> {
        let endpoints = self.index.endpoints(self.key).of_family(self.address);
        let mut refusal = Withheld::NoAdvertisement;
        let mut advertisements = BTreeSet::new();
        for found in self.local.l2_shares() {
            let L2Advertisement {
                name,
                pools,
                services,
                namespaces,
                without_endpoints,
                ..
            } = found.advertisement.as_ref();
            if !self.covered(
                pool,
                &Coverage {
                    pools,
                    services,
                    namespaces,
                },
            ) {
                continue;
            }
            if !endpoints.usable() && *without_endpoints == WithoutEndpoints::Withdraw {
                refusal = Withheld::NoEndpoints;
                continue;
            }
            advertisements.extend(types::AdvertisementName::new(name.as_str()).ok());
        }
        if advertisements.is_empty() {
            return Err(refusal);
        }
        let nodes = match self.service.traffic_policy {
            TrafficPolicy::Cluster => EligibleNodes::Any,
            TrafficPolicy::Local if !endpoints.usable() => EligibleNodes::Any,
            TrafficPolicy::Local => EligibleNodes::Only {
                nodes: endpoints
                    .local_nodes()
                    .iter()
                    .filter_map(|node| types::NodeName::new(node.as_str()).ok())
                    .collect(),
                view: self.index.endpoints(self.key).version().map(View),
            },
        };
        let service = types::ServiceName::new(&self.key.to_string());
        // A key has two names of at most 253 bytes each; the announcer takes 253 in all.
        let service = service.map_err(|_| Withheld::NameTooLong)?;
        Ok(Share {
            service,
            advertisements,
            nodes,
        })
    }

    /// Whether this node may be the one that claims, and on account of which advertisements.
    pub(super) fn l2_verdict(
        self,
        share: &Result<Share, Withheld>,
    ) -> Result<BTreeSet<AdvertisementName>, Withheld> {
        let share = share.as_ref().map_err(Withheld::clone)?;
        let mut refusal = Withheld::NodeNotSelected;
        let mut here = BTreeSet::new();
        for found in self.local.l2_shares() {
            let name = &found.advertisement.name;
            if !share
                .advertisements
                .iter()
                .any(|of| of.as_str() == name.as_str())
            {
                continue;
            }
            match found.selection {
                Selection::Here => {
                    here.insert(name.clone());
                }
                Selection::NodeUnknown => refusal = Withheld::NodeUnknown,
                Selection::Elsewhere => {}
            }
        }
        if here.is_empty() {
            return Err(refusal);
        }
        // What the advertisements make of missing endpoints is in the share already.
        self.endpoints_allow(WithoutEndpoints::Announce)?;
        Ok(here)
    }
}
