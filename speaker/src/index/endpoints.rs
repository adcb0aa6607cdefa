//! All EndpointSlices of one Service as one value: which nodes have endpoints that can be used, by family
//! (semantics rules 16 to 20). Two equal values mean that nothing an announcement depends on has changed.
//!
//! It knows no policy and no node of its own; [`crate::desired`] asks.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ringbolt_config::endpoints::{AddressType, Endpoint, EndpointSliceView};
use ringbolt_config::names::NodeName;

/// Where endpoints of one kind run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    nodes: BTreeSet<NodeName>,
    nowhere: bool,
}

impl Places {
    /// Whether there is an endpoint at all.
    pub fn any(&self) -> bool {
        self.nowhere || !self.nodes.is_empty()
    }

    fn add(&mut self, node: Option<&NodeName>) {
        match node {
            Some(node) => {
                self.nodes.insert(node.clone());
            }
            None => self.nowhere = true,
        }
    }

    fn join(&mut self, other: &Self) {
        self.nowhere |= other.nowhere;
        self.nodes.extend(other.nodes.iter().cloned());
    }
}

/// The endpoints of one family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FamilyEndpoints {
    ready: Places,
    last_resort: Places,
}

impl FamilyEndpoints {
    /// Whether traffic that reaches any node can be served by somebody (rules 16 and 18).
    pub fn usable(&self) -> bool {
        self.ready.any() || self.last_resort.any()
    }

    /// The nodes that may attract traffic under policy `Local`: those with ready endpoints; where nobody
    /// anywhere is ready, those whose endpoints still serve while they terminate (rules 17 and 18).
    pub fn local_nodes(&self) -> &BTreeSet<NodeName> {
        if self.ready.any() {
            &self.ready.nodes
        } else {
            &self.last_resort.nodes
        }
    }

    /// Whether the node's endpoints are on their way out and others are ready elsewhere.
    pub fn only_terminating_on(&self, node: &NodeName) -> bool {
        self.ready.any()
            && !self.ready.nodes.contains(node)
            && self.last_resort.nodes.contains(node)
    }

    fn join(&mut self, other: &Self) {
        self.ready.join(&other.ready);
        self.last_resort.join(&other.last_resort);
    }

    fn add(&mut self, endpoint: &Endpoint) {
        if endpoint.ready {
            self.ready.add(endpoint.node.as_ref());
        } else if endpoint.is_last_resort() {
            self.last_resort.add(endpoint.node.as_ref());
        }
    }
}

/// The endpoints of one Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    ipv4: FamilyEndpoints,
    ipv6: FamilyEndpoints,
    version: u64,
}

impl Endpoints {
    /// What one slice contributes. Only the nodes are kept, so that the cost of a Service is in its nodes and
    /// not in its pods.
    pub fn of_slice(slice: &EndpointSliceView) -> Self {
        let mut endpoints = Self {
            version: slice.generation,
            ..Self::default()
        };
        let family = match slice.address_type {
            AddressType::IPv4 => &mut endpoints.ipv4,
            AddressType::IPv6 => &mut endpoints.ipv6,
            AddressType::Other => return endpoints,
        };
        let addressed = slice
            .endpoints
            .iter()
            .filter(|endpoint| !endpoint.addresses.is_empty());
        addressed.for_each(|endpoint| family.add(endpoint));
        endpoints
    }

    /// Unites slices. The same endpoint in two of them counts once, and as ready if one of them says so.
    pub fn merge<'a>(slices: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut merged = Self::default();
        for slice in slices {
            merged.version = merged.version.wrapping_add(slice.version);
            merged.ipv4.join(&slice.ipv4);
            merged.ipv6.join(&slice.ipv6);
        }
        merged
    }

    /// The endpoints of the family of an address.
    pub fn of_family(&self, like: IpAddr) -> &FamilyEndpoints {
        if like.is_ipv4() {
            &self.ipv4
        } else {
            &self.ipv6
        }
    }

    /// The view that claims rest on: the sum of the slices' generations (contracts 3.5); `None` where the
    /// source does not count them.
    pub fn version(&self) -> Option<u64> {
        Some(self.version).filter(|&version| version != 0)
    }
}
