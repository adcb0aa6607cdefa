//! Current against wanted, on the layer 2 side: which Services have a part in which address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringbolt_config::names::ServiceKey;
use ringbolt_l2::announcer::{Claimable, Share};

/// What the announcer must be told, in one batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ShareChange {
    /// New and changed addresses.
    pub set: Vec<Claimable>,
    /// Addresses that nobody wants.
    pub removed: Vec<IpAddr>,
}

impl ShareChange {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}

/// All addresses that may be claimed on layer 2, with the Services that want them.
#[derive(Debug, Default)]
pub struct ShareTable {
    addresses: BTreeMap<IpAddr, BTreeMap<ServiceKey, Share>>,
    of_service: BTreeMap<ServiceKey, BTreeSet<IpAddr>>,
}

impl ShareTable {
    /// Replaces the shares of each of these Services.
    pub fn update(
        &mut self,
        wants: impl IntoIterator<Item = (ServiceKey, BTreeMap<IpAddr, Share>)>,
    ) -> ShareChange {
        let mut touched = BTreeSet::new();
        for (service, shares) in wants {
            self.replace(&service, shares, &mut touched);
        }
        let mut change = ShareChange::default();
        for address in touched {
            match self.claimable(address) {
                Some(claimable) => change.set.push(claimable),
                None => change.removed.push(address),
            }
        }
        change
    }

    /// Everything, as the announcer takes it in full.
    pub fn all(&self) -> Vec<Claimable> {
        self.addresses
            .keys()
            .filter_map(|address| self.claimable(*address))
            .collect()
    }

    /// How many addresses may be claimed.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether no address may be claimed.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    fn replace(
        &mut self,
        service: &ServiceKey,
        shares: BTreeMap<IpAddr, Share>,
        touched: &mut BTreeSet<IpAddr>,
    ) {
        let before = self.of_service.remove(service).unwrap_or_default();
        for address in before
            .iter()
            .filter(|address| !shares.contains_key(*address))
        {
            if let Some(sharers) = self.addresses.get_mut(address) {
                sharers.remove(service);
                if sharers.is_empty() {
                    self.addresses.remove(address);
                }
            }
            touched.insert(*address);
        }
        if !shares.is_empty() {
            self.of_service
                .insert(service.clone(), shares.keys().copied().collect());
        }
        for (address, share) in shares {
            let sharers = self.addresses.entry(address).or_default();
            if sharers.get(service) != Some(&share) {
                sharers.insert(service.clone(), share);
                touched.insert(address);
            }
        }
    }

    fn claimable(&self, address: IpAddr) -> Option<Claimable> {
        let sharers = self.addresses.get(&address)?;
        Some(Claimable {
            address,
            shares: sharers.values().cloned().collect(),
        })
    }
}
