//! The three kinds of community: lists of fixed-size tags (RFC 1997, RFC 4360, RFC 8092).
//!
//! Their order is kept as received; a sender that wants a set sorts it. Extended communities stay
//! opaque.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::super::fault::FaultCause;

#[cfg(test)]
mod tests;

/// A standard community (RFC 1997): by custom an AS number and a value of two octets each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// The route is about to go away: prefer others (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xffff_0000);
    /// Not beyond this AS (RFC 1997).
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// Not to any other peer (RFC 1997).
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);

    /// `high:low`.
    #[must_use]
    pub const fn new(high: u16, low: u16) -> Self {
        Self((high as u32) << 16 | low as u32)
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// A large community (RFC 8092).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// The AS whose meaning the rest has.
    pub global: u32,
    /// First local part.
    pub local_1: u32,
    /// Second local part.
    pub local_2: u32,
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local_1, self.local_2)
    }
}

/// An extended community as its eight octets (RFC 4360).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

/// The elements of a list attribute: at least one, and nothing left over (RFC 7606 §7.8, §7.14;
/// RFC 8092 §6).
fn list<const N: usize, T>(
    value: &[u8],
    element: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, FaultCause> {
    let (elements, left_over) = value.as_chunks::<N>();
    if elements.is_empty() || !left_over.is_empty() {
        return Err(FaultCause::Length);
    }
    Ok(elements.iter().map(|octets| element(*octets)).collect())
}

pub(super) fn communities(value: &[u8]) -> Result<Vec<Community>, FaultCause> {
    list(value, |octets| Community(u32::from_be_bytes(octets)))
}

pub(super) fn encode_communities(communities: &[Community], buf: &mut BytesMut) {
    communities
        .iter()
        .for_each(|community| buf.put_u32(community.0));
}

pub(super) fn extended(value: &[u8]) -> Result<Vec<ExtendedCommunity>, FaultCause> {
    list(value, ExtendedCommunity)
}

pub(super) fn encode_extended(communities: &[ExtendedCommunity], buf: &mut BytesMut) {
    communities
        .iter()
        .for_each(|community| buf.put_slice(&community.0));
}

pub(super) fn large(value: &[u8]) -> Result<Vec<LargeCommunity>, FaultCause> {
    list(value, |octets: [u8; 12]| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
        LargeCommunity {
            global: u32::from_be_bytes([a, b, c, d]),
            local_1: u32::from_be_bytes([e, f, g, h]),
            local_2: u32::from_be_bytes([i, j, k, l]),
        }
    })
}

pub(super) fn encode_large(communities: &[LargeCommunity], buf: &mut BytesMut) {
    for community in communities {
        buf.put_u32(community.global);
        buf.put_u32(community.local_1);
        buf.put_u32(community.local_2);
    }
}

/// IPv6-address-specific extended communities (RFC 5701) are only checked for their length.
pub(super) fn ipv6_extended(value: &[u8]) -> Result<(), FaultCause> {
    list(value, |_: [u8; 20]| ()).map(drop)
}

/// A list of four-octet identifiers: CLUSTER_LIST (RFC 4456 §8).
pub(super) fn identifiers(value: &[u8]) -> Result<Vec<std::net::Ipv4Addr>, FaultCause> {
    list(value, |octets: [u8; 4]| std::net::Ipv4Addr::from(octets))
}
