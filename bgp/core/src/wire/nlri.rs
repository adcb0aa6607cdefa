//! Prefixes as the wire packs them (RFC 4271 §4.3): a length in bits, then as few octets as hold
//! that many bits.
//!
//! Bits beyond the length are cleared on the way in and never sent. The octets available are the
//! only thing that decides how much is stored: one octet makes at most one prefix.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::reader::Reader;
use crate::types::{Family, Prefix};

#[cfg(test)]
mod tests;

/// Octets of the longest prefix of a family.
pub(crate) const fn longest(family: Family) -> usize {
    match family {
        Family::Ipv4Unicast => 5,
        Family::Ipv6Unicast => 17,
    }
}

/// A prefix that is too long for its family, or that its bytes do not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPrefix {
    /// The length as received.
    pub(crate) bits: u8,
}

/// Reads prefixes until the bytes end.
pub(crate) fn decode(bytes: &[u8], family: Family) -> Result<Vec<Prefix>, BadPrefix> {
    let mut reader = Reader::new(bytes);
    let mut prefixes = Vec::new();
    while let Some(bits) = reader.u8() {
        let prefix = match family {
            Family::Ipv4Unicast => octets::<4>(&mut reader, bits)
                .and_then(|octets| Ipv4Net::new(Ipv4Addr::from(octets), bits).ok())
                .map(|net| IpNet::V4(net.trunc())),
            Family::Ipv6Unicast => octets::<16>(&mut reader, bits)
                .and_then(|octets| Ipv6Net::new(Ipv6Addr::from(octets), bits).ok())
                .map(|net| IpNet::V6(net.trunc())),
        };
        prefixes.push(prefix.ok_or(BadPrefix { bits })?);
    }
    Ok(prefixes)
}

/// The octets that `bits` bits take, followed by zeros.
fn octets<const N: usize>(reader: &mut Reader<'_>, bits: u8) -> Option<[u8; N]> {
    let taken = reader.bytes(usize::from(bits).div_ceil(8))?;
    let mut octets = [0; N];
    octets.get_mut(..taken.len())?.copy_from_slice(taken);
    Some(octets)
}

/// Octets that [`encode`] appends for this prefix.
pub(crate) fn encoded_len(prefix: &Prefix) -> usize {
    1 + usize::from(prefix.prefix_len()).div_ceil(8)
}

/// Appends one canonical prefix.
pub(crate) fn encode(prefix: &Prefix, buf: &mut BytesMut) {
    buf.put_u8(prefix.prefix_len());
    let len = usize::from(prefix.prefix_len()).div_ceil(8);
    match prefix {
        IpNet::V4(net) => buf.put_slice(Reader::new(&net.addr().octets()).rest_up_to(len)),
        IpNet::V6(net) => buf.put_slice(Reader::new(&net.addr().octets()).rest_up_to(len)),
    }
}
