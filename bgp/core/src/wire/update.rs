//! UPDATE: three sections in, one judged value out; and the way back, packed (RFC 4271 §4.3).
//!
//! ```text
//!  +----------+------------------+----------+-----------------+------
//!  | length:2 | withdrawn (IPv4) | length:2 | path attributes | NLRI (IPv4)
//!  +----------+------------------+----------+-----------------+------
//! ```
//!
//! The two lengths locate the IPv4 prefixes whatever the attributes say. A decoded [`Update`] has
//! had its faults carried out: prefixes whose attributes cannot be used stand under `withdrawn`,
//! so that a reader cannot forget that they replace an earlier path (RFC 7606 §2).

use bytes::BytesMut;

use super::attr::{Collected, PathAttributes, code};
use super::fault::{AttrFault, DecodeError, FaultCause, Reaction};
use super::reader::{Reader, exact};
use super::{DecodeCtx, EncodeCtx, NextHop, nlri};
use crate::types::{Family, Prefix};

mod build;

#[cfg(test)]
mod tests;

use build::Purpose;
pub use build::{AttributeBlock, BlockRefusal, Room, UpdateBuilder, encode_end_of_rib};

/// A decoded UPDATE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Prefixes of any family that the peer no longer reaches, or says so unusably.
    pub withdrawn: Vec<Prefix>,
    /// New paths.
    pub announced: Option<Announcement>,
    /// The message says nothing but that this family's table is complete (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// What was wrong, for counters and logs; already acted upon.
    pub faults: Vec<AttrFault>,
}

/// Prefixes and what is said about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Said about all of them.
    pub attributes: PathAttributes,
    /// At least one; two when a message carries classic and multiprotocol prefixes.
    pub reaches: Vec<Reach>,
}

/// Prefixes of one family with their next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The prefixes' family.
    pub family: Family,
    /// Where packets for them go.
    pub next_hop: NextHop,
    /// At least one, canonical.
    pub prefixes: Vec<Prefix>,
}

impl Update {
    /// The strongest reaction that the message's faults led to.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        self.faults
            .iter()
            .map(|fault| fault.reaction)
            .max()
            .unwrap_or(Reaction::Accept)
    }

    /// Reads the body of an UPDATE.
    ///
    /// # Errors
    /// Its prefixes cannot be told for certain (RFC 7606 §3 j).
    pub fn decode(body: &[u8], ctx: &DecodeCtx) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let mut section = || {
            reader
                .u16()
                .and_then(|length| reader.bytes(usize::from(length)))
        };
        let (Some(withdrawn), Some(attributes)) = (section(), section()) else {
            return Err(DecodeError::UpdateSections);
        };
        let withdrawn = classic(withdrawn)?;
        let announced = classic(reader.rest())?;
        Judge {
            withdrawn,
            announced,
            collected: Collected::decode(attributes, ctx),
            ctx,
        }
        .judge()
    }

    /// Appends the value as one message per part: withdrawals and announcements of each family.
    ///
    /// # Errors
    /// [`BlockRefusal`] when attributes leave no room for a prefix or contradict it.
    pub fn encode(&self, ctx: &EncodeCtx, buf: &mut BytesMut) -> Result<(), BlockRefusal> {
        for family in Family::ALL {
            let prefixes = self
                .withdrawn
                .iter()
                .filter(|prefix| Family::of(prefix) == family);
            build::fill(prefixes, Purpose::Withdraw(family, ctx.limit), buf);
        }
        if let Some(Announcement {
            attributes,
            reaches,
        }) = &self.announced
        {
            for reach in reaches {
                let block = AttributeBlock::new(attributes, reach.family, reach.next_hop, ctx)?;
                build::fill(reach.prefixes.iter(), Purpose::Announce(&block), buf);
            }
        }
        if let Some(family) = self.end_of_rib {
            encode_end_of_rib(family, buf);
        }
        Ok(())
    }
}

fn classic(bytes: &[u8]) -> Result<Vec<Prefix>, DecodeError> {
    nlri::decode(bytes, Family::Ipv4Unicast).map_err(|bad| DecodeError::Nlri { bits: bad.bits })
}

/// All parts of a message, about to be understood together.
struct Judge<'a> {
    withdrawn: Vec<Prefix>,
    announced: Vec<Prefix>,
    collected: Collected<'a>,
    ctx: &'a DecodeCtx,
}

impl Judge<'_> {
    fn judge(mut self) -> Result<Update, DecodeError> {
        if let Some(family) = self.end_of_rib() {
            return Ok(Update {
                end_of_rib: Some(family),
                ..Update::default()
            });
        }
        self.leave_out_unwanted_ipv4();
        let reaches = self.reaches();
        self.check_mandatory(&reaches);
        self.check_overrun(&reaches);

        let mut faults = std::mem::take(&mut self.collected.faults);
        let worst = faults.iter().max_by_key(|fault| fault.reaction).copied();
        if let Some(fault) = worst.filter(|fault| fault.reaction == Reaction::Reset) {
            return Err(DecodeError::Attribute(fault));
        }
        let mut withdrawn = self.withdrawn;
        if let Some(unreach) = self.collected.mp_unreach.take() {
            withdrawn.extend(unreach.prefixes);
        }
        let usable = worst.is_none_or(|fault| fault.reaction < Reaction::Withdraw);
        let attributes = self.collected.into_attributes().filter(|_| usable);
        let announced = match attributes {
            Some(attributes) if !reaches.is_empty() => Some(Announcement {
                attributes,
                reaches,
            }),
            _ => {
                withdrawn.extend(reaches.into_iter().flat_map(|reach| reach.prefixes));
                None
            }
        };
        faults.shrink_to_fit();
        Ok(Update {
            withdrawn,
            announced,
            end_of_rib: None,
            faults,
        })
    }

    /// An empty message, or one whose only attribute is an empty MP_UNREACH_NLRI.
    fn end_of_rib(&self) -> Option<Family> {
        let collected = &self.collected;
        if !(self.withdrawn.is_empty() && self.announced.is_empty() && collected.faults.is_empty())
        {
            return None;
        }
        match (collected.count(), &collected.mp_unreach) {
            (0, None) => Some(Family::Ipv4Unicast),
            (1, Some(unreach)) if unreach.prefixes.is_empty() => Some(unreach.family),
            _ => None,
        }
    }

    /// The classic sections are IPv4 unicast, which the sides may not have agreed on.
    fn leave_out_unwanted_ipv4(&mut self) {
        let unwanted = !self.ctx.families.contains(Family::Ipv4Unicast);
        if unwanted && !(self.withdrawn.is_empty() && self.announced.is_empty()) {
            self.withdrawn.clear();
            self.announced.clear();
            self.collected
                .fault(0, FaultCause::FamilyNotNegotiated, Reaction::Discard);
        }
    }

    /// Brings prefixes and next hops together, and judges next hops where they matter: the
    /// classic NEXT_HOP of a message without classic prefixes is ignored (RFC 7606 §7.3; field
    /// values include 0.0.0.0).
    fn reaches(&mut self) -> Vec<Reach> {
        let mut reaches = Vec::new();
        let prefixes = std::mem::take(&mut self.announced);
        if !prefixes.is_empty() {
            let address = self.classic_next_hop();
            let next_hop = NextHop::V4(address.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED));
            reaches.push(Reach {
                family: Family::Ipv4Unicast,
                next_hop,
                prefixes,
            });
        }
        if let Some(reach) = self.collected.mp_reach.take()
            && !reach.prefixes.is_empty()
        {
            if let Some(cause) = reach.unusable {
                self.collected
                    .fault(code::MP_REACH, cause, Reaction::Withdraw);
            }
            let super::attr::mp::MpReach {
                family,
                next_hop,
                prefixes,
                ..
            } = reach;
            reaches.push(Reach {
                family,
                next_hop,
                prefixes,
            });
        }
        reaches
    }

    /// `None`, with a fault recorded, where there is none that packets could be sent to.
    fn classic_next_hop(&mut self) -> Option<std::net::Ipv4Addr> {
        let Some(value) = self.collected.next_hop else {
            if !self.collected.saw(code::NEXT_HOP) {
                self.collected
                    .fault(code::NEXT_HOP, FaultCause::Missing, Reaction::Withdraw);
            }
            return None;
        };
        let Some(octets) = exact::<4>(value) else {
            self.collected
                .fault(code::NEXT_HOP, FaultCause::Length, Reaction::Withdraw);
            return None;
        };
        let address = std::net::Ipv4Addr::from(octets);
        if !NextHop::V4(address).is_forwardable() {
            self.collected
                .fault(code::NEXT_HOP, FaultCause::NextHop, Reaction::Withdraw);
        }
        Some(address)
    }

    /// RFC 7606 §3 d. One that is there but malformed has its own fault already.
    fn check_mandatory(&mut self, reaches: &[Reach]) {
        if reaches.is_empty() {
            return;
        }
        for mandatory in [code::ORIGIN, code::AS_PATH] {
            if !self.collected.saw(mandatory) {
                self.collected
                    .fault(mandatory, FaultCause::Missing, Reaction::Withdraw);
            }
        }
    }

    /// An attribute list that ends inside an attribute may have swallowed an MP_REACH_NLRI, whose
    /// prefixes would then keep stale paths; with no prefix in sight, only a reset is safe.
    ///
    /// Deviation: RFC 7606 §5.2 resets for *any* fault of an UPDATE with attributes and without
    /// prefixes. Where the list itself is sound nothing can have been lost, and the fault is a
    /// no-op: a peer that sends attributes for nothing does not deserve to lose its session.
    fn check_overrun(&mut self, reaches: &[Reach]) {
        let overrun = self
            .collected
            .faults
            .iter()
            .any(|fault| fault.cause == FaultCause::ListOverrun);
        let nothing =
            reaches.is_empty() && self.withdrawn.is_empty() && self.collected.mp_unreach.is_none();
        if overrun && nothing {
            self.collected
                .fault(0, FaultCause::ListOverrunWithoutNlri, Reaction::Reset);
        }
    }
}
