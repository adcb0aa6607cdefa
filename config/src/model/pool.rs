//! A pool: ranges, what of them may be handed out, and to whom. Who holds what is the allocator's.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::range::{AddressRange, Span, Written};
use super::selector::{Labels, Selectors};
use crate::api::pool::{OnRemoval, PoolSharing};
use crate::names::{NamespaceName, PoolName};

/// Whether a pool gives out addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It does.
    Open,
    /// No new ones, because its owner says so; those in use stay.
    Paused,
    /// No new ones, because it was deleted; it stays until those in use are freed.
    Closing,
}

/// A pool in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Name of the IPAddressPool.
    pub name: PoolName,
    /// Labels of the IPAddressPool.
    pub labels: Labels,
    /// When the IPAddressPool was created.
    pub created: Option<Timestamp>,
    /// Ranges in the order of the object, disjoint.
    pub ranges: Vec<AddressRange>,
    /// What is never handed out.
    pub excludes: Vec<Span>,
    /// Whether a Service that names no pool may be given an address of this one.
    pub auto_assign: bool,
    /// Whether IPv4 addresses ending in .0 and .255 are left out.
    pub avoid_buggy_ips: bool,
    /// Whether first and last address of each IPv4 CIDR are left out.
    pub avoid_edge_addresses: bool,
    /// Which Services may use the pool.
    pub allocation: ServiceFilter,
    /// Rank among pools, the lowest first; pools without a priority are last.
    pub priority: u32,
    /// Whether it gives out addresses.
    pub admission: Admission,
    /// What one namespace may hold.
    pub limits: Vec<Limit>,
    /// How far a sharing key reaches.
    pub sharing: PoolSharing,
    /// What happens to holders when it is deleted.
    pub on_removal: OnRemoval,
    /// How long a freed address is given to nobody else.
    pub reuse_delay: Duration,
}

/// Priority of a pool that has none.
pub const LAST_PRIORITY: u32 = u32::MAX;

/// (namespaces or namespace selectors) and service selectors; what is not given does not restrict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceFilter {
    /// Namespaces by name.
    pub namespaces: BTreeSet<NamespaceName>,
    /// Namespaces by label.
    pub namespace_selectors: Selectors,
    /// Services by label.
    pub service_selectors: Selectors,
}

impl ServiceFilter {
    /// Whether the filter restricts at all: such pools are tried before the others.
    pub fn is_pinned(&self) -> bool {
        !(self.namespaces.is_empty()
            && self.namespace_selectors.is_all()
            && self.service_selectors.is_all())
    }

    /// Whether a Service passes. Labels of an unknown namespace are an empty map.
    pub fn admits(&self, namespace: &str, namespace_labels: &Labels, service: &Labels) -> bool {
        self.admits_namespace(namespace, namespace_labels)
            && self.service_selectors.matches(service)
    }

    fn admits_namespace(&self, namespace: &str, labels: &Labels) -> bool {
        (self.namespaces.is_empty() && self.namespace_selectors.is_all())
            || self
                .namespaces
                .iter()
                .any(|name| name.as_str() == namespace)
            || self.namespace_selectors.matches_one(labels)
    }
}

/// A bound on what one namespace may hold from a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Namespaces it applies to; service selectors are not used.
    pub applies_to: ServiceFilter,
    /// Addresses.
    pub max_addresses: u32,
}

impl Limit {
    /// Whether the limit is about a namespace.
    pub fn applies(&self, namespace: &str, labels: &Labels) -> bool {
        self.applies_to.admits_namespace(namespace, labels)
    }
}

/// Why an address of a pool is not handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// It lies in no range of the pool.
    Outside,
    /// It is excluded.
    Excluded,
    /// `avoidBuggyIPs`.
    Buggy,
    /// `avoidEdgeAddresses`.
    Edge,
}

impl Pool {
    /// Whether an address lies in a range of the pool.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.span.contains(address))
    }

    /// Whether an address may be handed out, and if not, why. Subnet-router anycast addresses are
    /// a matter of choice, not of permission: see [`Self::is_chosen_freely`].
    pub fn permits(&self, address: IpAddr) -> Result<(), Withheld> {
        let range = self
            .ranges
            .iter()
            .find(|range| range.span.contains(address));
        let range = range.ok_or(Withheld::Outside)?;
        if self.excludes.iter().any(|span| span.contains(address)) {
            return Err(Withheld::Excluded);
        }
        let IpAddr::V4(v4) = address else {
            return Ok(());
        };
        if self.avoid_buggy_ips && matches!(v4.octets()[3], 0 | 255) {
            return Err(Withheld::Buggy);
        }
        let (first, last) = range.span.ends();
        let at_edge = address == first || address == last;
        // A /31 and a /32 have neither a network nor a broadcast address (RFC 3021).
        let has_edges = range.written == Written::Cidr && range.span.count() > 2;
        if self.avoid_edge_addresses && has_edges && at_edge {
            return Err(Withheld::Edge);
        }
        Ok(())
    }

    /// Whether the allocator may choose an address that nobody asked for by name: an IPv6 address
    /// whose low 64 bits are zero only if it is listed singly, since it may be
    /// the subnet-router anycast address (RFC 4291 §2.6.1).
    pub fn is_chosen_freely(&self, address: IpAddr) -> bool {
        let IpAddr::V6(v6) = address else { return true };
        let low = v6.to_bits() & u128::from(u64::MAX);
        low != 0
            || self
                .ranges
                .iter()
                .any(|range| range.written == Written::Single && range.span.contains(address))
    }
}

#[cfg(test)]
mod tests;
