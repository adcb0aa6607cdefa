//! Routes of any family inside an attribute: MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4),
//! and the next hops they carry (RFC 2545 §3, RFC 8950 §3).
//!
//! ```text
//!  MP_REACH    +-------+------+-----------+----------+----------+------
//!              | AFI:2 | SAFI | NH length | next hop | reserved | NLRI
//!              +-------+------+-----------+----------+----------+------
//!  MP_UNREACH  +-------+------+------
//!              | AFI:2 | SAFI | NLRI
//!              +-------+------+------
//! ```
//!
//! What is for a family that was not negotiated is not looked into: nearly every parser crash of
//! the field sat behind a family nobody had asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::super::DecodeCtx;
use super::super::fault::FaultCause;
use super::super::nlri;
use super::super::reader::{Reader, exact};
use crate::types::{AfiSafi, Family, Prefix};

#[cfg(test)]
mod tests;

/// Where packets for a route go next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// One IPv6 address, global or link-local; 16 octets on the wire.
    V6(Ipv6Addr),
    /// A global address and the link-local one beside it; 32 octets on the wire.
    V6LinkLocal {
        /// The global address, or the link-local one again for peers that want it so.
        global: Ipv6Addr,
        /// The link-local address of the same interface.
        link_local: Ipv6Addr,
    },
}

impl NextHop {
    /// The address that identifies the next hop beyond the link.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        match self {
            Self::V4(address) => IpAddr::V4(*address),
            Self::V6(address)
            | Self::V6LinkLocal {
                global: address, ..
            } => IpAddr::V6(*address),
        }
    }

    /// Reads a next hop of 4, 16 or 32 octets. Of the two addresses in 32 octets those are kept
    /// that can be used: peers fill the other with zeros or repeat one.
    fn decode(bytes: &[u8]) -> Option<Self> {
        if let Some(octets) = exact::<4>(bytes) {
            return Some(Self::V4(Ipv4Addr::from(octets)));
        }
        if let Some(octets) = exact::<16>(bytes) {
            return Some(Self::V6(Ipv6Addr::from(octets)));
        }
        let (first, second) = exact::<32>(bytes)?
            .split_at_checked(16)
            .and_then(|(a, b)| {
                Some((
                    Ipv6Addr::from(exact::<16>(a)?),
                    Ipv6Addr::from(exact::<16>(b)?),
                ))
            })?;
        Some(if first == second || !second.is_unicast_link_local() {
            Self::V6(first)
        } else if first.is_unspecified() || first.is_unicast_link_local() {
            Self::V6(second)
        } else {
            Self::V6LinkLocal {
                global: first,
                link_local: second,
            }
        })
    }

    fn encode(&self, buf: &mut BytesMut) {
        match self {
            Self::V4(address) => {
                buf.put_u8(4);
                buf.put_slice(&address.octets());
            }
            Self::V6(address) => {
                buf.put_u8(16);
                buf.put_slice(&address.octets());
            }
            Self::V6LinkLocal { global, link_local } => {
                buf.put_u8(32);
                buf.put_slice(&global.octets());
                buf.put_slice(&link_local.octets());
            }
        }
    }

    /// Whether packets can be sent there at all: not this host, not loopback, not a group.
    pub(crate) fn is_forwardable(&self) -> bool {
        match self.address() {
            IpAddr::V4(address) => forwardable_v4(address),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => forwardable_v4(mapped),
                None => {
                    !(address.is_unspecified() || address.is_loopback() || address.is_multicast())
                }
            },
        }
    }
}

/// Not 0/8, 127/8, 224/4 or above.
fn forwardable_v4(address: Ipv4Addr) -> bool {
    !matches!(address.octets(), [0 | 127 | 224..=255, ..])
}

/// A decoded MP_REACH_NLRI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MpReach {
    pub(crate) family: Family,
    pub(crate) next_hop: NextHop,
    pub(crate) prefixes: Vec<Prefix>,
    /// The prefixes are right but cannot be used, so earlier paths to them go.
    pub(crate) unusable: Option<FaultCause>,
}

/// A decoded MP_UNREACH_NLRI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MpUnreach {
    pub(crate) family: Family,
    pub(crate) prefixes: Vec<Prefix>,
}

fn family(reader: &mut Reader<'_>, ctx: &DecodeCtx) -> Result<Family, FaultCause> {
    let raw = reader
        .u16()
        .zip(reader.u8())
        .map(|(afi, safi)| AfiSafi { afi, safi });
    Family::from_afi_safi(raw.ok_or(FaultCause::Multiprotocol)?)
        .filter(|family| ctx.families.contains(*family))
        .ok_or(FaultCause::FamilyNotNegotiated)
}

pub(super) fn reach(value: &[u8], ctx: &DecodeCtx) -> Result<MpReach, FaultCause> {
    let mut reader = Reader::new(value);
    let family = family(&mut reader, ctx)?;
    let next_hop = reader
        .u8()
        .and_then(|length| reader.bytes(usize::from(length)))
        .and_then(NextHop::decode)
        .ok_or(FaultCause::Multiprotocol)?;
    let _reserved = reader.u8().ok_or(FaultCause::Multiprotocol)?;
    let unusable = match (family, next_hop) {
        (Family::Ipv6Unicast, NextHop::V4(_)) => return Err(FaultCause::Multiprotocol),
        (Family::Ipv4Unicast, NextHop::V6(_) | NextHop::V6LinkLocal { .. })
            if !ctx.extended_next_hop.contains(family) =>
        {
            Some(FaultCause::NextHopNotNegotiated)
        }
        _ => (!next_hop.is_forwardable()).then_some(FaultCause::NextHop),
    };
    let prefixes =
        nlri::decode(reader.rest(), family).map_err(|_| FaultCause::MultiprotocolNlri)?;
    Ok(MpReach {
        family,
        next_hop,
        prefixes,
        unusable,
    })
}

pub(super) fn unreach(value: &[u8], ctx: &DecodeCtx) -> Result<MpUnreach, FaultCause> {
    let mut reader = Reader::new(value);
    let family = family(&mut reader, ctx)?;
    let prefixes =
        nlri::decode(reader.rest(), family).map_err(|_| FaultCause::MultiprotocolNlri)?;
    Ok(MpUnreach { family, prefixes })
}

/// Appends everything of an MP_REACH_NLRI value that stands before the prefixes.
pub(crate) fn encode_reach_start(family: Family, next_hop: &NextHop, buf: &mut BytesMut) {
    encode_family(family, buf);
    next_hop.encode(buf);
    buf.put_u8(0);
}

/// Appends everything of an MP_UNREACH_NLRI value that stands before the prefixes.
pub(crate) fn encode_family(family: Family, buf: &mut BytesMut) {
    let AfiSafi { afi, safi } = family.afi_safi();
    buf.put_u16(afi);
    buf.put_u8(safi);
}
