//! A set of IP addresses of both families: two interval sets and the conversion to numbers.
//!
//! The one place where an address becomes a number and comes back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::range::Ranges;
use crate::Family;

/// Addresses of both families, as intervals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Space {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// How many /64s begin in `first..=last`: their first addresses are the subnet-router anycast.
fn starts_of_64(first: u128, last: u128) -> u128 {
    let upto = |n: u128| (n >> 64) + 1;
    upto(last) - first.checked_sub(1).map_or(0, upto)
}

/// How many of `first..=last` end in .0 or .255.
fn buggy(first: u32, last: u32) -> u128 {
    let upto = |n: u64| n.div_ceil(256) + n / 256;
    // Counts below n: one .0 for each begun /24, one .255 for each complete one.
    u128::from(upto(u64::from(last) + 1) - upto(u64::from(first)))
}

impl Space {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds `first..=last`; ends of different families add nothing.
    pub(super) fn insert(&mut self, first: IpAddr, last: IpAddr) {
        match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => self.v4.insert(a.to_bits(), b.to_bits()),
            (IpAddr::V6(a), IpAddr::V6(b)) => self.v6.insert(a.to_bits(), b.to_bits()),
            _ => {}
        }
    }

    /// Takes `first..=last` out; ends of different families take nothing.
    pub(super) fn remove(&mut self, first: IpAddr, last: IpAddr) {
        match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => self.v4.remove(a.to_bits(), b.to_bits()),
            (IpAddr::V6(a), IpAddr::V6(b)) => self.v6.remove(a.to_bits(), b.to_bits()),
            _ => {}
        }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => self.v4.contains(a.to_bits()),
            IpAddr::V6(a) => self.v6.contains(a.to_bits()),
        }
    }

    /// The lowest member of a family.
    pub(super) fn lowest(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4 => self.at_or_above(Ipv4Addr::UNSPECIFIED.into()),
            Family::Ipv6 => self.at_or_above(Ipv6Addr::UNSPECIFIED.into()),
        }
    }

    /// The lowest member of the address's family that is at least the address.
    pub(super) fn at_or_above(&self, address: IpAddr) -> Option<IpAddr> {
        match address {
            IpAddr::V4(a) => self
                .v4
                .at_or_above(a.to_bits())
                .map(|n| Ipv4Addr::from_bits(n).into()),
            IpAddr::V6(a) => self
                .v6
                .at_or_above(a.to_bits())
                .map(|n| Ipv6Addr::from_bits(n).into()),
        }
    }

    /// Whether any of `first..=last` is a member.
    pub(super) fn overlaps(&self, first: IpAddr, last: IpAddr) -> bool {
        self.at_or_above(first).is_some_and(|lowest| lowest <= last)
    }

    /// All intervals, IPv4 before IPv6.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        let v4 = self
            .v4
            .iter()
            .map(|(a, b)| (Ipv4Addr::from_bits(a), Ipv4Addr::from_bits(b)));
        let v6 = self
            .v6
            .iter()
            .map(|(a, b)| (Ipv6Addr::from_bits(a), Ipv6Addr::from_bits(b)));
        v4.map(|(a, b)| (a.into(), b.into()))
            .chain(v6.map(|(a, b)| (a.into(), b.into())))
    }

    /// How many members a family has, saturating.
    pub(super) fn len(&self, family: Family) -> u128 {
        match family {
            Family::Ipv4 => self.v4.len(),
            Family::Ipv6 => self.v6.len(),
        }
    }

    /// How many IPv4 members end in .0 or .255.
    pub(super) fn buggy_len(&self) -> u128 {
        self.v4.iter().map(|(first, last)| buggy(first, last)).sum()
    }

    /// How many IPv6 members have 64 zero bits at their end.
    pub(super) fn anycast_len(&self) -> u128 {
        self.v6
            .iter()
            .map(|(first, last)| starts_of_64(first, last))
            .sum()
    }
}

/// Whether an address ends in .0 or .255, which some equipment takes for network or broadcast.
pub(super) fn is_buggy(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if matches!(v4.octets(), [.., 0 | 255]))
}

/// Whether an address is the subnet-router anycast address of a /64 (RFC 4291 §2.6.1).
pub(super) fn is_anycast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_bits() & u128::from(u64::MAX) == 0)
}

#[cfg(test)]
mod tests;
