//! TABLE_DUMP_V2 (RFC 6396 §4.3): an index of peers, then per prefix the attributes that each of
//! them gave it.
//!
//! An entry becomes the UPDATE that says the same, and that is decoded: MP_REACH_NLRI, which a
//! table shortens to its next hop, is made whole, and the prefix is put where it belongs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringbolt_bgp::types::{Asn, Peering};
use ringbolt_bgp::wire::AsnWidth;

use super::{Record, RecordProblem, messages, place};
use crate::bgp::octets::Octets;
use crate::bgp::report::Report;
use crate::bgp::terms::Terms;

const MP_REACH: u8 = 14;
const FLAG_EXTENDED: u8 = 0x10;
/// Octets of a message before its body, of which an UPDATE is the second type.
const MARKER: [u8; 16] = [0xff; 16];
const UPDATE: u8 = 2;
/// Octets of an UPDATE without withdrawals, attributes and prefixes.
const EMPTY_UPDATE: usize = 23;

/// The peers of the last index.
#[derive(Debug, Default)]
pub(super) struct Table {
    peers: Vec<(Asn, IpAddr)>,
}

/// The family of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Table {
    /// Reads a record: an index replaces the one before, a prefix is reported.
    pub(super) fn record(
        &mut self,
        record: &Record<'_>,
        terms: &Terms,
        report: &mut Report,
    ) -> Result<(), RecordProblem> {
        match record.subtype {
            1 => {
                self.peers = index(record.body).ok_or(RecordProblem::CutOff)?;
                Ok(())
            }
            2 => self.entries(record, Family::V4, terms, report),
            4 => self.entries(record, Family::V6, terms, report),
            3 => Err(RecordProblem::Table("RIB_IPV4_MULTICAST")),
            5 => Err(RecordProblem::Table("RIB_IPV6_MULTICAST")),
            6 => Err(RecordProblem::Table("RIB_GENERIC")),
            8 => Err(RecordProblem::AddPath("RIB_IPV4_UNICAST_ADDPATH")),
            9 => Err(RecordProblem::AddPath("RIB_IPV4_MULTICAST_ADDPATH")),
            10 => Err(RecordProblem::AddPath("RIB_IPV6_UNICAST_ADDPATH")),
            11 => Err(RecordProblem::AddPath("RIB_IPV6_MULTICAST_ADDPATH")),
            12 => Err(RecordProblem::AddPath("RIB_GENERIC_ADDPATH")),
            subtype => Err(RecordProblem::Kind {
                kind: record.kind,
                subtype,
            }),
        }
    }

    fn entries(
        &self,
        record: &Record<'_>,
        family: Family,
        terms: &Terms,
        report: &mut Report,
    ) -> Result<(), RecordProblem> {
        let terms = terms_of_a_table(terms);
        let mut fields = Octets::new(record.body);
        let bits = fields
            .u32()
            .and_then(|_sequence| fields.u8())
            .ok_or(RecordProblem::CutOff)?;
        let longest = match family {
            Family::V4 => 32,
            Family::V6 => 128,
        };
        if bits > longest {
            return Err(RecordProblem::Prefix(bits));
        }
        let packed = fields
            .take(usize::from(bits).div_ceil(8))
            .ok_or(RecordProblem::CutOff)?;
        let prefix = [&[bits], packed].concat();
        let count = fields.u16().ok_or(RecordProblem::CutOff)?;
        for _ in 0..count {
            let (number, attributes) = entry(&mut fields).ok_or(RecordProblem::CutOff)?;
            let peer = usize::from(number);
            let peer = self.peers.get(peer).ok_or(RecordProblem::Peer(number))?;
            let place = place(record, Some(*peer));
            match update(family, &prefix, attributes) {
                Ok(update) => messages(&update, &place, &terms, report),
                Err(problem) => report.trouble(&place, Some("update"), &problem),
            }
        }
        Ok(())
    }
}

/// AS numbers are wide, whatever the session was; attributes that live inside an AS stand in a
/// table with the others.
fn terms_of_a_table(terms: &Terms) -> Terms {
    terms
        .with_width(AsnWidth::FourOctets)
        .with_longest_messages()
        .unless_told(Peering::Internal)
}

/// Collector, view, and the peers with their addresses and ASes.
fn index(body: &[u8]) -> Option<Vec<(Asn, IpAddr)>> {
    let mut fields = Octets::new(body);
    fields.take(4)?;
    let name = fields.u16()?;
    fields.take(usize::from(name))?;
    let count = fields.u16()?;
    let mut peers = Vec::new();
    for _ in 0..count {
        let kind = fields.u8()?;
        fields.take(4)?;
        let address = if kind & 1 == 0 {
            IpAddr::V4(Ipv4Addr::from(fields.array::<4>()?))
        } else {
            IpAddr::V6(Ipv6Addr::from(fields.array::<16>()?))
        };
        let asn = if kind & 2 == 0 {
            u32::from(fields.u16()?)
        } else {
            fields.u32()?
        };
        peers.push((Asn(asn), address));
    }
    Some(peers)
}

/// Which peer, since when, and the attributes.
fn entry<'a>(fields: &mut Octets<'a>) -> Option<(u16, &'a [u8])> {
    let peer = fields.u16()?;
    fields.take(4)?;
    let length = fields.u16()?;
    Some((peer, fields.take(usize::from(length))?))
}

/// The whole message that says what an entry says.
fn update(family: Family, prefix: &[u8], list: &[u8]) -> Result<Vec<u8>, RecordProblem> {
    let mut fields = Octets::new(list);
    let mut attributes = Vec::new();
    let mut reached = false;
    while !fields.rest().is_empty() {
        let before = fields.rest();
        let (code, value) = attribute(&mut fields).ok_or(RecordProblem::Attributes)?;
        let taken = before.len() - fields.rest().len();
        if code == MP_REACH {
            reached = true;
            let reach = reach(family, value, prefix);
            let length = u16::try_from(reach.len());
            attributes.extend([0x80 | FLAG_EXTENDED, MP_REACH]);
            attributes.extend(length.unwrap_or(u16::MAX).to_be_bytes());
            attributes.extend(reach);
        } else {
            let mut whole = before.get(..taken).unwrap_or_default().to_vec();
            if let Some(flags) = whole.first_mut() {
                *flags = defined(code, *flags);
            }
            attributes.extend(whole);
        }
    }
    if family == Family::V6 && !reached {
        return Err(RecordProblem::NoNextHop);
    }
    let after: &[u8] = if reached { &[] } else { prefix };
    let total = EMPTY_UPDATE + attributes.len() + after.len();
    let too_large = |_| RecordProblem::TooLarge(attributes.len());
    let total = u16::try_from(total).map_err(too_large)?;
    let length = u16::try_from(attributes.len()).map_err(too_large)?;
    let mut message = MARKER.to_vec();
    message.extend(total.to_be_bytes());
    message.extend([UPDATE, 0, 0]);
    message.extend(length.to_be_bytes());
    message.extend(&attributes);
    message.extend(after);
    Ok(message)
}

/// BIRD writes attributes that it set itself, NEXT_HOP and LOCAL_PREF among them, without flags.
/// No attribute is neither optional nor transitive: such flags stand for those of its definition.
const fn defined(code: u8, flags: u8) -> u8 {
    if flags & 0xc0 != 0 {
        return flags;
    }
    let definition = match code {
        1 | 2 | 3 | 5 | 6 => 0x40,
        4 | 9 | 10 => 0x80,
        7 | 8 | 16 | 32 => 0xc0,
        _ => 0,
    };
    flags | definition
}

fn attribute<'a>(fields: &mut Octets<'a>) -> Option<(u8, &'a [u8])> {
    let flags = fields.u8()?;
    let code = fields.u8()?;
    let length = if flags & FLAG_EXTENDED == 0 {
        usize::from(fields.u8()?)
    } else {
        usize::from(fields.u16()?)
    };
    Some((code, fields.take(length)?))
}

/// MP_REACH_NLRI from the next hop with its length, or, as some write it against the standard,
/// from the whole attribute: that starts with the zero of its family, and no next hop is empty.
fn reach(family: Family, value: &[u8], prefix: &[u8]) -> Vec<u8> {
    let hop = match value.first() {
        Some(0) => value.get(3..).and_then(|rest| {
            let length = usize::from(*rest.first()?);
            rest.get(..=length)
        }),
        _ => Some(value),
    };
    let afi = match family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    [&[0, afi, 1], hop.unwrap_or(value), &[0], prefix].concat()
}
