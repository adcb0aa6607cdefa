//! Inclusive spans of addresses of one family.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// Why a text is not a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeProblem {
    /// Neither a CIDR, nor `from-to`, nor an address.
    #[error("is neither a CIDR, nor from-to, nor an address")]
    Malformed,
    /// The two ends are of different families.
    #[error("the ends are of different families")]
    MixedFamilies,
    /// The end lies before the beginning.
    #[error("the end lies before the beginning")]
    Reversed,
    /// The address of a CIDR has bits beyond its length; the intention is not clear.
    #[error("has bits set beyond the prefix length")]
    HostBits,
}

/// How a range was written; it decides what of it may be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Written {
    /// As a single address: meant exactly, whatever its bits are.
    Single,
    /// As `from-to`.
    Range,
    /// As a CIDR: it has a network address and a broadcast address.
    Cidr,
}

/// First and last address of a range, both within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// IPv4.
    V4 {
        /// First address.
        first: u32,
        /// Last address; not before the first.
        last: u32,
    },
    /// IPv6.
    V6 {
        /// First address.
        first: u128,
        /// Last address; not before the first.
        last: u128,
    },
}

impl Span {
    /// The addresses of a network.
    pub fn of_net(net: IpNet) -> Self {
        match net {
            IpNet::V4(n) => Self::V4 {
                first: n.network().to_bits(),
                last: n.broadcast().to_bits(),
            },
            IpNet::V6(n) => Self::V6 {
                first: n.network().to_bits(),
                last: n.broadcast().to_bits(),
            },
        }
    }

    /// One address.
    pub fn of_address(address: IpAddr) -> Self {
        Self::of_net(IpNet::from(address))
    }

    /// First and last address.
    pub fn ends(self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4 { first, last } => (
                Ipv4Addr::from_bits(first).into(),
                Ipv4Addr::from_bits(last).into(),
            ),
            Self::V6 { first, last } => (
                Ipv6Addr::from_bits(first).into(),
                Ipv6Addr::from_bits(last).into(),
            ),
        }
    }

    /// Whether the range is of IPv4 addresses.
    pub const fn is_ipv4(self) -> bool {
        matches!(self, Self::V4 { .. })
    }

    /// Whether an address lies within.
    pub fn contains(self, address: IpAddr) -> bool {
        self.overlaps(Self::of_address(address))
    }

    /// Whether two ranges have an address in common.
    pub const fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::V4 { first, last }, Self::V4 { first: f, last: l }) => first <= l && f <= last,
            (Self::V6 { first, last }, Self::V6 { first: f, last: l }) => first <= l && f <= last,
            _ => false,
        }
    }

    /// Number of addresses; 2^128 saturates.
    pub const fn count(self) -> u128 {
        match self {
            Self::V4 { first, last } => (last - first) as u128 + 1,
            Self::V6 { first, last } => (last - first).saturating_add(1),
        }
    }
}

/// A range of addresses as a pool lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// The addresses.
    pub span: Span,
    /// How they were written.
    pub written: Written,
}

impl FromStr for AddressRange {
    type Err = RangeProblem;

    fn from_str(text: &str) -> Result<Self, RangeProblem> {
        let text = text.trim();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self {
                span: Span::of_address(address),
                written: Written::Single,
            });
        }
        if let Ok(net) = text.parse::<IpNet>() {
            if net.addr() != net.network() {
                return Err(RangeProblem::HostBits);
            }
            return Ok(Self {
                span: Span::of_net(net),
                written: Written::Cidr,
            });
        }
        let (from, to) = text.split_once('-').ok_or(RangeProblem::Malformed)?;
        let parse = |end: &str| {
            end.trim()
                .parse::<IpAddr>()
                .map_err(|_| RangeProblem::Malformed)
        };
        let span = match (parse(from)?, parse(to)?) {
            (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => Span::V4 {
                first: a.to_bits(),
                last: b.to_bits(),
            },
            (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => Span::V6 {
                first: a.to_bits(),
                last: b.to_bits(),
            },
            (a, b) if a.is_ipv4() == b.is_ipv4() => return Err(RangeProblem::Reversed),
            _ => return Err(RangeProblem::MixedFamilies),
        };
        Ok(Self {
            span,
            written: Written::Range,
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ends() {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.span, f)
    }
}

#[cfg(test)]
mod tests;
