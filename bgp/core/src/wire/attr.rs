//! Path attributes: one table row per attribute, one loop to read and one to write them.
//!
//! ```text
//!  +-------+------+-----------+------
//!  | flags | code | length    | value
//!  |   1   |  1   | 1, or 2 with flag 0x10
//!  +-------+------+-----------+------
//! ```
//!
//! A row in `table` says which flags an attribute has, who may send it, what a malformed one
//! leads to (RFC 7606 §7), and how its value is read and written. Reading collects everything an
//! UPDATE's attributes say, and every fault, before anybody decides what they mean together; that
//! is the job of [`super::update`]. Order does not matter when reading and is ascending when
//! writing.

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use super::fault::{AttrFault, FaultCause, Reaction};
use super::reader::Reader;
use super::{DecodeCtx, EncodeCtx};
use crate::types::Asn;

pub mod as_path;
pub mod community;
pub mod mp;
mod table;
mod value;

#[cfg(test)]
mod tests;

use as_path::AsPath;
use community::{Community, ExtendedCommunity, LargeCommunity};
use table::{Class, Row};

/// Attribute codes that code outside the table must name.
pub(crate) mod code {
    pub(crate) const ORIGIN: u8 = 1;
    pub(crate) const AS_PATH: u8 = 2;
    pub(crate) const NEXT_HOP: u8 = 3;
    pub(crate) const MP_REACH: u8 = 14;
    pub(crate) const MP_UNREACH: u8 = 15;
}

pub(crate) const FLAG_OPTIONAL: u8 = 0x80;
pub(crate) const FLAG_TRANSITIVE: u8 = 0x40;
pub(crate) const FLAG_PARTIAL: u8 = 0x20;
pub(crate) const FLAG_EXTENDED: u8 = 0x10;

/// Where a route entered BGP (RFC 4271 §5.1.1), most preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// From the originating AS itself.
    Igp,
    /// From EGP, which is extinct.
    Egp,
    /// From elsewhere.
    Incomplete,
}

/// Who aggregated a route (RFC 4271 §5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aggregator {
    /// Its AS.
    pub asn: Asn,
    /// Its identifier.
    pub router: Ipv4Addr,
}

/// An optional transitive attribute this speaker does not know and passes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownAttribute {
    /// The attribute code.
    pub code: u8,
    /// Optional, transitive and partial bits; the extended-length bit follows from the value.
    pub flags: u8,
    /// The value.
    pub bytes: Box<[u8]>,
}

/// What is said about a route, next hop aside. Valid as a set: the mandatory ones are there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, with AS4_PATH merged in.
    pub as_path: AsPath,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; from iBGP peers only.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR, with AS4_AGGREGATOR merged in.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES (RFC 1997).
    pub communities: Vec<Community>,
    /// ORIGINATOR_ID (RFC 4456); from iBGP peers only.
    pub originator_id: Option<Ipv4Addr>,
    /// CLUSTER_LIST (RFC 4456); from iBGP peers only.
    pub cluster_list: Vec<Ipv4Addr>,
    /// EXTENDED COMMUNITIES (RFC 4360).
    pub extended_communities: Vec<ExtendedCommunity>,
    /// LARGE_COMMUNITY (RFC 8092).
    pub large_communities: Vec<LargeCommunity>,
    /// Passed on as received, in ascending order of code.
    pub unknown: Vec<UnknownAttribute>,
}

impl PathAttributes {
    /// The least a route can say.
    #[must_use]
    pub fn new(origin: Origin, as_path: AsPath) -> Self {
        Self {
            origin,
            as_path,
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Vec::new(),
            originator_id: None,
            cluster_list: Vec::new(),
            extended_communities: Vec::new(),
            large_communities: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Appends the attributes of one side of `split`, in ascending order of code.
    /// `next_hop` is the classic NEXT_HOP, which routes in MP_REACH_NLRI do not have.
    pub(super) fn encode(
        &self,
        next_hop: Option<Ipv4Addr>,
        split: Side,
        ctx: &EncodeCtx,
        buf: &mut BytesMut,
    ) {
        let mut parts: Vec<(u8, u8, BytesMut)> = Vec::new();
        for row in table::ROWS {
            let mut value = BytesMut::new();
            if (row.encode)(self, ctx, &mut value) {
                parts.push((row.code, row.class.flags(), value));
            }
        }
        if let Some(next_hop) = next_hop {
            let value = BytesMut::from(next_hop.octets().as_slice());
            parts.push((code::NEXT_HOP, Class::WellKnown.flags(), value));
        }
        for unknown in &self.unknown {
            let flags = unknown.flags & !FLAG_EXTENDED;
            parts.push((unknown.code, flags, BytesMut::from(&*unknown.bytes)));
        }
        parts.sort_by_key(|(code, ..)| *code);
        for (code, flags, value) in parts.iter().filter(|(code, ..)| split.holds(*code)) {
            encode_attribute(*flags, *code, value, buf);
        }
    }
}

/// The attributes before and after the place where MP_REACH_NLRI goes in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    BeforeMpReach,
    AfterMpReach,
}

impl Side {
    const fn holds(self, code: u8) -> bool {
        match self {
            Self::BeforeMpReach => code < code::MP_REACH,
            Self::AfterMpReach => code > code::MP_REACH,
        }
    }
}

fn encode_attribute(flags: u8, code: u8, value: &[u8], buf: &mut BytesMut) {
    if let Ok(length) = u8::try_from(value.len()) {
        buf.put_slice(&[flags, code, length]);
    } else {
        buf.put_slice(&[flags | FLAG_EXTENDED, code]);
        // A value beyond 65,535 octets makes a block too large for any message; it is refused
        // by its total size, whatever this field says.
        buf.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
    }
    buf.put_slice(value);
}

/// Everything the attributes of one UPDATE say, not yet judged together.
#[derive(Debug, Default)]
pub(super) struct Collected<'a> {
    pub(super) origin: Option<Origin>,
    pub(super) as_path: Option<AsPath>,
    pub(super) next_hop: Option<&'a [u8]>,
    pub(super) med: Option<u32>,
    pub(super) local_pref: Option<u32>,
    pub(super) atomic_aggregate: bool,
    pub(super) aggregator: Option<Aggregator>,
    pub(super) communities: Vec<Community>,
    pub(super) originator_id: Option<Ipv4Addr>,
    pub(super) cluster_list: Vec<Ipv4Addr>,
    pub(super) extended_communities: Vec<ExtendedCommunity>,
    pub(super) large_communities: Vec<LargeCommunity>,
    pub(super) as4_path: Option<AsPath>,
    pub(super) as4_aggregator: Option<Aggregator>,
    pub(super) mp_reach: Option<mp::MpReach>,
    pub(super) mp_unreach: Option<mp::MpUnreach>,
    pub(super) unknown: Vec<UnknownAttribute>,
    pub(super) faults: Vec<AttrFault>,
    seen: Seen,
}

/// Which attribute codes have been met, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    low: u128,
    high: u128,
}

impl Seen {
    const fn contains(self, code: u8) -> bool {
        let half = if code < 128 { self.low } else { self.high };
        half >> (code % 128) & 1 == 1
    }

    const fn insert(&mut self, code: u8) {
        let half = if code < 128 {
            &mut self.low
        } else {
            &mut self.high
        };
        *half |= 1 << (code % 128);
    }

    const fn len(self) -> u32 {
        self.low.count_ones() + self.high.count_ones()
    }
}

impl<'a> Collected<'a> {
    /// Reads an attribute list. Total: what is wrong is in `faults`.
    pub(super) fn decode(list: &'a [u8], ctx: &DecodeCtx) -> Self {
        let mut collected = Self::default();
        let mut reader = Reader::new(list);
        while !reader.is_empty() {
            let Some((flags, code, value)) = attribute(&mut reader) else {
                collected.fault(0, FaultCause::ListOverrun, Reaction::Withdraw);
                break;
            };
            collected.attribute(flags, code, value, ctx);
        }
        collected.unknown.sort_by_key(|unknown| unknown.code);
        collected
    }

    fn attribute(&mut self, flags: u8, code: u8, value: &'a [u8], ctx: &DecodeCtx) {
        if self.seen.contains(code) {
            let (cause, reaction) = match code {
                code::MP_REACH | code::MP_UNREACH => {
                    (FaultCause::MultiprotocolRepeated, Reaction::Reset)
                }
                _ => (FaultCause::Repeated, Reaction::Discard),
            };
            return self.fault(code, cause, reaction);
        }
        self.seen.insert(code);
        match table::row(code) {
            Some(row) => self.known(row, flags, value, ctx),
            None => self.foreign(flags, code, value),
        }
    }

    fn known(&mut self, row: &Row, flags: u8, value: &'a [u8], ctx: &DecodeCtx) {
        if !row.scope.admits(ctx) {
            return self.fault(row.code, FaultCause::NotFromThisPeer, Reaction::Discard);
        }
        if flags & (FLAG_OPTIONAL | FLAG_TRANSITIVE) != row.class.flags() {
            self.fault(row.code, FaultCause::Flags, row.on_wrong_flags());
            // The prefixes of a multiprotocol attribute are needed to withdraw them.
            if !matches!(row.code, code::MP_REACH | code::MP_UNREACH) {
                return;
            }
        }
        if let Err(cause) = (row.decode)(self, flags, value, ctx) {
            self.fault(row.code, cause, row.reaction(cause));
        }
    }

    /// An attribute without a row (RFC 4271 §5, §9): transitive ones travel on, marked as not
    /// understood on the way.
    fn foreign(&mut self, flags: u8, code: u8, value: &[u8]) {
        if flags & FLAG_OPTIONAL == 0 {
            self.fault(code, FaultCause::UnknownWellKnown, Reaction::Withdraw);
        } else if flags & FLAG_TRANSITIVE != 0 {
            self.keep(flags | FLAG_PARTIAL, code, value);
        }
    }

    fn keep(&mut self, flags: u8, code: u8, value: &[u8]) {
        let flags = flags & (FLAG_OPTIONAL | FLAG_TRANSITIVE | FLAG_PARTIAL);
        self.unknown.push(UnknownAttribute {
            code,
            flags,
            bytes: value.into(),
        });
    }

    pub(super) fn fault(&mut self, code: u8, cause: FaultCause, reaction: Reaction) {
        self.faults.push(AttrFault {
            code,
            cause,
            reaction,
        });
    }

    /// Whether the attribute stood in the list, well-formed or not.
    pub(super) const fn saw(&self, code: u8) -> bool {
        self.seen.contains(code)
    }

    /// How many different attributes stood in the list.
    pub(super) const fn count(&self) -> u32 {
        self.seen.len()
    }

    /// The attributes as a valid set; `None` when a mandatory one is not there.
    pub(super) fn into_attributes(self) -> Option<PathAttributes> {
        let (as_path, aggregator) = self.merge_as4()?;
        Some(PathAttributes {
            origin: self.origin?,
            as_path,
            med: self.med,
            local_pref: self.local_pref,
            atomic_aggregate: self.atomic_aggregate,
            aggregator,
            communities: self.communities,
            originator_id: self.originator_id,
            cluster_list: self.cluster_list,
            extended_communities: self.extended_communities,
            large_communities: self.large_communities,
            unknown: self.unknown,
        })
    }

    /// AS_PATH and AGGREGATOR with their four-octet companions (RFC 6793 §4.2.3): a true AS in
    /// AGGREGATOR beside an AS4_AGGREGATOR shows that an old speaker aggregated again, and the
    /// companions are stale.
    fn merge_as4(&self) -> Option<(AsPath, Option<Aggregator>)> {
        let as_path = self.as_path.as_ref()?;
        let again = |aggregator: Aggregator| aggregator.asn != Asn::TRANS;
        if self.as4_aggregator.is_some() && self.aggregator.is_some_and(again) {
            return Some((as_path.clone(), self.aggregator));
        }
        let aggregator = self
            .aggregator
            .map(|narrow| self.as4_aggregator.unwrap_or(narrow));
        let as_path = match &self.as4_path {
            Some(as4) => as_path.merge_as4(as4),
            None => as_path.clone(),
        };
        Some((as_path, aggregator))
    }
}

/// Cuts the next attribute off: flags, code, value.
fn attribute<'a>(reader: &mut Reader<'a>) -> Option<(u8, u8, &'a [u8])> {
    let flags = reader.u8()?;
    let code = reader.u8()?;
    let length = if flags & FLAG_EXTENDED == 0 {
        usize::from(reader.u8()?)
    } else {
        usize::from(reader.u16()?)
    };
    Some((flags, code, reader.bytes(length)?))
}
