//! MRT dumps (RFC 6396) as BGP messages: what was received (BGP4MP), and tables (TABLE_DUMP_V2),
//! whose entries become the UPDATE that would say the same.
//!
//! ```text
//!  +--------+--------+-----------+----------+----------
//!  | time:4 | type:2 | subtype:2 | length:4 | record
//!  +--------+--------+-----------+----------+----------
//! ```
//!
//! State changes are no messages and are gone past. Records with path identifiers, and those of
//! other protocols, are refused by name.

use std::io::BufRead;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use ringbolt_bgp::types::Asn;
use ringbolt_bgp::wire::AsnWidth;
use thiserror::Error;

use super::decode;
use super::octets::Octets;
use super::read::{ReadProblem, Source};
use super::report::{Place, Report};
use super::terms::Terms;

mod table;

#[cfg(test)]
mod tests;

use table::Table;

/// The longest record that is believed: more than an index of 65,535 peers takes.
const RECORD_MAX: u64 = 16 << 20;

const TABLE_DUMP_V2: u16 = 13;
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;

/// Why a record is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum RecordProblem {
    #[error("the record ends inside a field")]
    CutOff,
    #[error(
        "NotImplemented: {0}: the decoder does not know path identifiers (RFC 7911) in this version"
    )]
    AddPath(&'static str),
    #[error("NotImplemented: {0}: only IPv4 and IPv6 unicast tables are read")]
    Table(&'static str),
    #[error("MRT type {kind}, subtype {subtype} is not read")]
    Kind { kind: u16, subtype: u16 },
    #[error("address family {0} of a peer is not known")]
    Family(u16),
    #[error("peer {0} is not in the index before it")]
    Peer(u16),
    #[error("a prefix of {0} bits cannot be")]
    Prefix(u8),
    #[error("the attribute list ends inside an attribute")]
    Attributes,
    #[error("an IPv6 prefix without MP_REACH_NLRI")]
    NoNextHop,
    #[error("attributes of {0} octets do not fit in a message")]
    TooLarge(usize),
}

/// A record as the file has it.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    /// The first is 1.
    number: u64,
    at: Option<Timestamp>,
    kind: u16,
    subtype: u16,
    body: &'a [u8],
}

/// Whether a file that starts so is a dump: nothing else of text has a zero in its type.
pub(super) fn recognises(start: &[u8]) -> bool {
    let mut octets = Octets::new(start);
    octets.take(4).is_some()
        && octets
            .u16()
            .is_some_and(|kind| matches!(kind, 11..=17 | 32 | 33 | 48 | 49))
        && octets.u16().is_some_and(|subtype| subtype < 64)
}

/// Reads a whole file, and tells after each record.
pub(super) fn read<R: BufRead>(
    source: &mut Source<R>,
    terms: &Terms,
    tell: &mut dyn FnMut(Report),
) -> Result<(), ReadProblem> {
    let mut table = Table::default();
    let mut number = 0;
    while !source.at_end()? {
        let header: [u8; 12] = source.array()?;
        let mut fields = Octets::new(&header);
        let seconds = fields.u32().unwrap_or(0);
        let kind = fields.u16().unwrap_or(0);
        let subtype = fields.u16().unwrap_or(0);
        let length = fields.u32().unwrap_or(0);
        let body = source.octets(u64::from(length), RECORD_MAX)?;
        number += 1;
        let record = Record {
            number,
            at: Timestamp::new(i64::from(seconds), 0).ok(),
            kind,
            subtype,
            body: &body,
        };
        let mut report = Report::default();
        if let Err(problem) = tell_of(record, &mut table, terms, &mut report) {
            report.trouble(&place(&record, None), None, &problem);
        }
        tell(report);
    }
    Ok(())
}

fn tell_of(
    record: Record<'_>,
    table: &mut Table,
    terms: &Terms,
    report: &mut Report,
) -> Result<(), RecordProblem> {
    match record.kind {
        TABLE_DUMP_V2 => table.record(&record, terms, report),
        BGP4MP => received(&record, terms, report),
        BGP4MP_ET => {
            let mut fields = Octets::new(record.body);
            let microseconds = fields.u32().ok_or(RecordProblem::CutOff)?;
            let fraction = i64::from(microseconds);
            let at = record
                .at
                .and_then(|at| Timestamp::from_microsecond(at.as_microsecond() + fraction).ok());
            let record = Record {
                at,
                body: fields.rest(),
                ..record
            };
            received(&record, terms, report)
        }
        kind => Err(RecordProblem::Kind {
            kind,
            subtype: record.subtype,
        }),
    }
}

fn place(record: &Record<'_>, peer: Option<(Asn, IpAddr)>) -> Place {
    Place::Record {
        record: record.number,
        at: record.at.map(|at| at.to_string()),
        peer: peer.map(|(_, address)| address),
        peer_as: peer.map(|(asn, _)| asn.0),
    }
}

/// A message with the two ends of its session (RFC 6396 §4.4).
fn received(record: &Record<'_>, terms: &Terms, report: &mut Report) -> Result<(), RecordProblem> {
    let width = match record.subtype {
        // State changes, narrow and wide.
        0 | 5 => return Ok(()),
        1 | 6 => AsnWidth::TwoOctets,
        4 | 7 => AsnWidth::FourOctets,
        8 => return Err(RecordProblem::AddPath("BGP4MP_MESSAGE_ADDPATH")),
        9 => return Err(RecordProblem::AddPath("BGP4MP_MESSAGE_AS4_ADDPATH")),
        10 => return Err(RecordProblem::AddPath("BGP4MP_MESSAGE_LOCAL_ADDPATH")),
        11 => return Err(RecordProblem::AddPath("BGP4MP_MESSAGE_AS4_LOCAL_ADDPATH")),
        subtype => {
            return Err(RecordProblem::Kind {
                kind: record.kind,
                subtype,
            });
        }
    };
    let mut fields = Octets::new(record.body);
    let (peer, local) = asn(&mut fields, width)
        .zip(asn(&mut fields, width))
        .ok_or(RecordProblem::CutOff)?;
    let family = fields
        .u16()
        .and_then(|_interface| fields.u16())
        .ok_or(RecordProblem::CutOff)?;
    let mut address = || match family {
        1 => fields
            .array()
            .map(|four: [u8; 4]| IpAddr::V4(Ipv4Addr::from(four))),
        _ => fields
            .array()
            .map(|six: [u8; 16]| IpAddr::V6(Ipv6Addr::from(six))),
    };
    if !matches!(family, 1 | 2) {
        return Err(RecordProblem::Family(family));
    }
    let (far, _near) = address().zip(address()).ok_or(RecordProblem::CutOff)?;
    let place = place(record, Some((peer, far)));
    // In a record of what the collector sent the roles are the other way round, which is the same.
    let terms = terms.of_ases(peer, local).with_width(width);
    messages(fields.rest(), &place, &terms, report);
    Ok(())
}

fn asn(fields: &mut Octets<'_>, width: AsnWidth) -> Option<Asn> {
    match width {
        AsnWidth::TwoOctets => fields.u16().map(|number| Asn(u32::from(number))),
        AsnWidth::FourOctets => fields.u32().map(Asn),
    }
}

/// Reports the messages of a record; one, as a rule.
fn messages(mut stream: &[u8], place: &Place, terms: &Terms, report: &mut Report) {
    while !stream.is_empty() {
        let Some(decoded) = decode::next(stream, &terms.ctx) else {
            return report.cut_off(place, stream);
        };
        report.message(place, &decoded, terms);
        stream = decoded
            .octets
            .and_then(|octets| stream.get(octets..))
            .unwrap_or_default();
    }
}
