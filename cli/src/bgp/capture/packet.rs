//! The TCP segment inside a captured packet: link header, IPv4 or IPv6, TCP.
//!
//! Checksums are not looked at: a capture on the sending machine has them wrong. Fragments are
//! left out; what they carried shows up as a gap of the stream.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::bgp::octets::Octets;

#[cfg(test)]
mod tests;

/// How packets of an interface start (the numbers of tcpdump.org/linktypes.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// A family in four octets of the capturing host's order (0), or of network order (108).
    Loopback,
    /// 1.
    Ethernet,
    /// 12, 14, 101, 228, 229: the IP header comes first.
    Raw,
    /// 113: Linux "any", first version.
    Cooked,
    /// 276: Linux "any", second version.
    Cooked2,
}

impl Link {
    pub(super) const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 | 108 => Some(Self::Loopback),
            1 => Some(Self::Ethernet),
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            _ => None,
        }
    }
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Of the first octet of `payload`, the SYN counted.
    pub(super) sequence: u32,
    pub(super) syn: bool,
    /// What the sender has of the other direction: everything before this octet.
    pub(super) acknowledged: Option<u32>,
    /// As far as it was captured.
    pub(super) payload: &'a [u8],
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// VLAN tags of 802.1Q and 802.1ad.
const ETHERTYPE_VLAN: [u16; 2] = [0x8100, 0x88a8];
const PROTOCOL_TCP: u8 = 6;

/// The TCP segment that `packet` carries; `None` for anything else.
pub(super) fn segment(link: Link, packet: &[u8]) -> Option<Segment<'_>> {
    let mut octets = Octets::new(packet);
    match link {
        Link::Raw => {}
        Link::Loopback => {
            octets.take(4)?;
        }
        Link::Ethernet => {
            octets.take(12)?;
            let mut kind = octets.u16()?;
            while ETHERTYPE_VLAN.contains(&kind) {
                octets.take(2)?;
                kind = octets.u16()?;
            }
            ip_type(kind)?;
        }
        Link::Cooked => {
            octets.take(14)?;
            ip_type(octets.u16()?)?;
        }
        Link::Cooked2 => {
            ip_type(octets.u16()?)?;
            octets.take(18)?;
        }
    }
    match octets.rest().first()? >> 4 {
        4 => ipv4(octets.rest()),
        6 => ipv6(octets.rest()),
        _ => None,
    }
}

fn ip_type(kind: u16) -> Option<()> {
    (kind == ETHERTYPE_IPV4 || kind == ETHERTYPE_IPV6).then_some(())
}

fn ipv4(packet: &[u8]) -> Option<Segment<'_>> {
    let mut octets = Octets::new(packet);
    let header = usize::from(octets.u8()? & 0x0f) * 4;
    octets.take(1)?;
    let total = usize::from(octets.u16()?);
    octets.take(2)?;
    // More fragments, or an offset: a part of a segment.
    if octets.u16()? & 0x3fff != 0 {
        return None;
    }
    octets.take(1)?;
    let protocol = octets.u8()?;
    octets.take(2)?;
    let from = Ipv4Addr::from(octets.array::<4>()?);
    let to = Ipv4Addr::from(octets.array::<4>()?);
    // Segments that the card cuts are captured whole, some with a length of zero.
    let total = if total == 0 { packet.len() } else { total };
    let inside = packet.get(..total).unwrap_or(packet).get(header..)?;
    (protocol == PROTOCOL_TCP).then(|| tcp(inside, from.into(), to.into()))?
}

fn ipv6(packet: &[u8]) -> Option<Segment<'_>> {
    let mut octets = Octets::new(packet);
    octets.take(4)?;
    let length = usize::from(octets.u16()?);
    let mut next = octets.u8()?;
    octets.take(1)?;
    let from = Ipv6Addr::from(octets.array::<16>()?);
    let to = Ipv6Addr::from(octets.array::<16>()?);
    let inside = octets.rest();
    let length = if length == 0 { inside.len() } else { length };
    let mut octets = Octets::new(inside.get(..length).unwrap_or(inside));
    // Each header takes octets, so that the loop ends with the packet.
    while next != PROTOCOL_TCP {
        match next {
            // Hop-by-hop options, routing, destination options.
            0 | 43 | 60 => {
                next = octets.u8()?;
                let length = usize::from(octets.u8()?);
                octets.take(length * 8 + 6)?;
            }
            _ => return None,
        }
    }
    tcp(octets.rest(), from.into(), to.into())
}

fn tcp(bytes: &[u8], from: IpAddr, to: IpAddr) -> Option<Segment<'_>> {
    let mut octets = Octets::new(bytes);
    let from = SocketAddr::new(from, octets.u16()?);
    let to = SocketAddr::new(to, octets.u16()?);
    let sequence = octets.u32()?;
    let acknowledged = octets.u32()?;
    let header = usize::from(octets.u8()? >> 4) * 4;
    let flags = octets.u8()?;
    let syn = flags & 0x02 != 0;
    Some(Segment {
        from,
        to,
        sequence: sequence.wrapping_add(u32::from(syn)),
        syn,
        acknowledged: (flags & 0x10 != 0).then_some(acknowledged),
        payload: bytes.get(header.max(20)..).unwrap_or_default(),
    })
}
