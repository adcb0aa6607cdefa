//! OPEN: who a speaker is and what it can do (RFC 4271 §4.2, RFC 9072).
//!
//! ```text
//!  +---------+-------+-----------+-----------+---------+-----------------------
//!  | version | My AS | hold time | router id | length  | parameters
//!  |    1    |   2   |     2     |     4     |    1    | (type, length, value)*
//!  +---------+-------+-----------+-----------+---------+-----------------------
//!                        more than 255 octets of them: FF  FF  length:2  (type, length:2, value)*
//! ```
//!
//! What depends on configuration (the expected AS, an identifier equal to ours) is the session's
//! to judge.

use bytes::{BufMut, BytesMut};

use super::capability::{Capability, ExtendedNextHop, GracefulRestart};
use super::fault::DecodeError;
use super::header::{self, MessageLimit, MessageType};
use super::reader::Reader;
use super::writer::counted_u16;
use crate::types::{Asn, Family, FamilySet, HoldTime, RouterId};

#[cfg(test)]
mod tests;

const VERSION: u8 = 4;
const PARAMETER_CAPABILITIES: u8 = 2;
/// As a parameter type: the extended form follows (RFC 9072 §2).
const PARAMETER_EXTENDED: u8 = 255;

/// An OPEN message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Open {
    /// The speaker's AS: capability 65 where present, else the My-AS field.
    pub asn: Asn,
    /// The hold time offered.
    pub hold_time: HoldTime,
    /// The speaker's identifier.
    pub router_id: RouterId,
    /// In the order of the message, duplicates included.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// Reads the body of an OPEN.
    ///
    /// # Errors
    /// What RFC 4271 §6.2 refuses, as far as it does not depend on configuration.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let fixed = (reader.u8(), reader.u16(), reader.u16(), reader.u32());
        let (Some(version), Some(my_as), Some(hold_time), Some(router_id)) = fixed else {
            return Err(DecodeError::OpenParameters);
        };
        if version != VERSION {
            return Err(DecodeError::Version { version });
        }
        let capabilities = parameters(reader)?;
        let wide = capabilities.iter().find_map(|capability| {
            let Capability::FourOctetAs(asn) = capability else {
                return None;
            };
            Some(*asn)
        });
        let asn = wide.unwrap_or(Asn(u32::from(my_as)));
        if my_as == 0 || asn == Asn::ZERO {
            return Err(DecodeError::PeerAsZero);
        }
        let router_id = RouterId::new(router_id).ok_or(DecodeError::RouterIdZero)?;
        let hold_time = HoldTime::from_secs(hold_time).map_err(|short| DecodeError::HoldTime {
            seconds: short.seconds,
        })?;
        Ok(Self {
            asn,
            hold_time,
            router_id,
            capabilities,
        })
    }

    /// Appends the message: all capabilities in one parameter, in the classic form where they fit.
    /// Capabilities that would exceed a message of 4,096 octets are left out.
    pub fn encode(&self, buf: &mut BytesMut) {
        let start = header::begin(MessageType::Open, buf);
        buf.put_u8(VERSION);
        buf.put_u16(self.asn.in_two_octets());
        buf.put_u16(self.hold_time.as_secs());
        buf.put_u32(self.router_id.get());
        let capabilities = self.encode_capabilities();
        match u8::try_from(capabilities.len()) {
            Ok(0) => buf.put_u8(0),
            Ok(length @ 1..=253) => {
                buf.put_slice(&[length + 2, PARAMETER_CAPABILITIES, length]);
                buf.put_slice(&capabilities);
            }
            _ => {
                buf.put_slice(&[255, PARAMETER_EXTENDED]);
                counted_u16(buf, |buf| {
                    buf.put_u8(PARAMETER_CAPABILITIES);
                    counted_u16(buf, |buf| buf.put_slice(&capabilities));
                });
            }
        }
        header::finish(start, buf);
    }

    fn encode_capabilities(&self) -> BytesMut {
        // Header 19, fixed part 10, extended parameter headers 6.
        let room = MessageLimit::Standard.octets() - 35;
        let mut all = BytesMut::new();
        for capability in &self.capabilities {
            let before = all.len();
            capability.encode(&mut all);
            if all.len() > room {
                all.truncate(before);
            }
        }
        all
    }

    /// The families the speaker carries: those it lists, and IPv4 unicast when it lists none.
    #[must_use]
    pub fn families(&self) -> FamilySet {
        let mut listed = self
            .capabilities
            .iter()
            .filter_map(|capability| {
                let Capability::Multiprotocol(family) = capability else {
                    return None;
                };
                Some(Family::from_afi_safi(*family))
            })
            .peekable();
        if listed.peek().is_none() {
            return FamilySet::only(Family::Ipv4Unicast);
        }
        listed.flatten().collect()
    }

    /// Whether the speaker takes AS numbers in four octets.
    #[must_use]
    pub fn four_octet_as(&self) -> bool {
        self.has(|capability| matches!(capability, Capability::FourOctetAs(_)))
    }

    /// Whether the speaker answers ROUTE-REFRESH.
    #[must_use]
    pub fn route_refresh(&self) -> bool {
        self.has(|capability| matches!(capability, Capability::RouteRefresh))
    }

    /// Whether the speaker knows the brackets of RFC 7313.
    #[must_use]
    pub fn enhanced_route_refresh(&self) -> bool {
        self.has(|capability| matches!(capability, Capability::EnhancedRouteRefresh))
    }

    /// Whether the speaker takes long messages.
    #[must_use]
    pub fn extended_message(&self) -> bool {
        self.has(|capability| matches!(capability, Capability::ExtendedMessage))
    }

    /// Whether the speaker takes IPv4 prefixes with IPv6 next hops.
    #[must_use]
    pub fn ipv4_over_ipv6(&self) -> bool {
        self.has(|capability| {
            let Capability::ExtendedNextHop(entries) = capability else {
                return false;
            };
            entries.contains(&ExtendedNextHop::IPV4_OVER_IPV6)
        })
    }

    /// The graceful restart capability; the last one stands, as the peer's latest word.
    #[must_use]
    pub fn graceful_restart(&self) -> Option<&GracefulRestart> {
        self.capabilities.iter().rev().find_map(|capability| {
            let Capability::GracefulRestart(graceful) = capability else {
                return None;
            };
            Some(graceful)
        })
    }

    fn has(&self, wanted: impl Fn(&Capability) -> bool) -> bool {
        self.capabilities.iter().any(wanted)
    }
}

/// Width of the length fields of optional parameters.
#[derive(Clone, Copy)]
enum ParameterForm {
    Classic,
    Extended,
}

/// Reads from the parameters' length field to the end of the message.
fn parameters(mut reader: Reader<'_>) -> Result<Vec<Capability>, DecodeError> {
    let malformed = || DecodeError::OpenParameters;
    let length = reader.u8().ok_or_else(malformed)?;
    let mut extended = reader;
    if length != 0 && extended.u8() == Some(PARAMETER_EXTENDED) {
        let length = extended.u16().ok_or_else(malformed)?;
        return parameter_list(extended, usize::from(length), ParameterForm::Extended);
    }
    parameter_list(reader, usize::from(length), ParameterForm::Classic)
}

fn parameter_list(
    mut reader: Reader<'_>,
    length: usize,
    form: ParameterForm,
) -> Result<Vec<Capability>, DecodeError> {
    let malformed = || DecodeError::OpenParameters;
    if reader.remaining() != length {
        return Err(malformed());
    }
    let mut capabilities = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8().ok_or_else(malformed)?;
        let length = match form {
            ParameterForm::Classic => reader.u8().map(u16::from),
            ParameterForm::Extended => reader.u16(),
        };
        let mut value = length
            .and_then(|length| reader.sub(usize::from(length)))
            .ok_or_else(malformed)?;
        if kind != PARAMETER_CAPABILITIES {
            return Err(DecodeError::OptionalParameter { kind });
        }
        while !value.is_empty() {
            capabilities.push(Capability::decode(&mut value).ok_or_else(malformed)?);
        }
    }
    Ok(capabilities)
}
