//! Capabilities: what a speaker says it can do (RFC 5492 §4).
//!
//! ```text
//!  +------+--------+------
//!  | code | length | value
//!  +------+--------+------
//! ```
//!
//! A capability this speaker does not know, or whose value has a length its definition does not
//! allow, is kept as bytes and means nothing: peers send many that we have never heard of, and one
//! that is broken is no better than one that is absent.

use bytes::{BufMut, BytesMut};

use super::reader::{Reader, exact};
use super::writer::counted_u8;
use crate::types::{AfiSafi, Asn, Family};

#[cfg(test)]
mod tests;

/// Longest restart time the field holds, in seconds (RFC 4724 §3: twelve bits).
pub const RESTART_TIME_MAX_S: u16 = 4_095;

/// One capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Code 1: carries this family (RFC 4760 §8).
    Multiprotocol(AfiSafi),
    /// Code 2 (RFC 2918).
    RouteRefresh,
    /// Code 5: prefixes of one family with next hops of another (RFC 8950 §4).
    ExtendedNextHop(Vec<ExtendedNextHop>),
    /// Code 6 (RFC 8654).
    ExtendedMessage,
    /// Code 64 (RFC 4724 §3, RFC 8538 §2).
    GracefulRestart(GracefulRestart),
    /// Code 65: the speaker's true AS number (RFC 6793 §3).
    FourOctetAs(Asn),
    /// Code 70 (RFC 7313).
    EnhancedRouteRefresh,
    /// Any other code, and known codes with a value that does not parse.
    Unknown {
        /// The capability code.
        code: u8,
        /// The value, at most 255 octets.
        bytes: Vec<u8>,
    },
}

/// One entry of the extended next hop capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedNextHop {
    /// The prefixes' family.
    pub prefixes: AfiSafi,
    /// The next hops' address family identifier.
    pub next_hop_afi: u16,
}

impl ExtendedNextHop {
    /// IPv4 prefixes with IPv6 next hops: the only entry this speaker uses.
    pub const IPV4_OVER_IPV6: Self = Self {
        prefixes: Family::Ipv4Unicast.afi_safi(),
        next_hop_afi: 2,
    };
}

/// The graceful restart capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GracefulRestart {
    /// R: the speaker has restarted, do not wait for its peers' End-of-RIB.
    pub restarting: bool,
    /// N: NOTIFICATIONs other than Hard Reset keep routes too (RFC 8538).
    pub notifications: bool,
    /// How long the speaker may be away, in seconds; at most [`RESTART_TIME_MAX_S`].
    pub restart_time_s: u16,
    /// Families whose routes are to be kept; none for a speaker that only helps others.
    pub families: Vec<GracefulFamily>,
}

/// One family of the graceful restart capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GracefulFamily {
    /// The family.
    pub family: AfiSafi,
    /// F: forwarding went on during the restart.
    pub forwarding: bool,
}

impl Capability {
    /// The capability code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Multiprotocol(_) => 1,
            Self::RouteRefresh => 2,
            Self::ExtendedNextHop(_) => 5,
            Self::ExtendedMessage => 6,
            Self::GracefulRestart(_) => 64,
            Self::FourOctetAs(_) => 65,
            Self::EnhancedRouteRefresh => 70,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// Reads one capability; `None` when it does not fit in what is left.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let code = reader.u8()?;
        let length = reader.u8()?;
        let value = reader.bytes(usize::from(length))?;
        let known = match code {
            1 => multiprotocol(value).map(Self::Multiprotocol),
            2 if value.is_empty() => Some(Self::RouteRefresh),
            5 => extended_next_hop(value).map(Self::ExtendedNextHop),
            6 if value.is_empty() => Some(Self::ExtendedMessage),
            64 => graceful_restart(value).map(Self::GracefulRestart),
            65 => exact(value).map(|number| Self::FourOctetAs(Asn(u32::from_be_bytes(number)))),
            70 if value.is_empty() => Some(Self::EnhancedRouteRefresh),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Self::Unknown {
            code,
            bytes: value.to_vec(),
        }))
    }

    /// Appends the capability; one whose value exceeds 255 octets cannot be sent and is left out.
    pub(crate) fn encode(&self, buf: &mut BytesMut) {
        let start = buf.len();
        buf.put_u8(self.code());
        if !counted_u8(buf, |buf| self.encode_value(buf)) {
            buf.truncate(start);
        }
    }

    fn encode_value(&self, buf: &mut BytesMut) {
        match self {
            Self::Multiprotocol(family) => {
                buf.put_u16(family.afi);
                buf.put_u8(0);
                buf.put_u8(family.safi);
            }
            Self::RouteRefresh | Self::ExtendedMessage | Self::EnhancedRouteRefresh => {}
            Self::ExtendedNextHop(entries) => {
                for entry in entries {
                    buf.put_u16(entry.prefixes.afi);
                    buf.put_u16(u16::from(entry.prefixes.safi));
                    buf.put_u16(entry.next_hop_afi);
                }
            }
            Self::GracefulRestart(graceful) => graceful.encode(buf),
            Self::FourOctetAs(asn) => buf.put_u32(asn.0),
            Self::Unknown { bytes, .. } => buf.put_slice(bytes),
        }
    }
}

const FLAG_RESTARTING: u16 = 0x8000;
const FLAG_NOTIFICATIONS: u16 = 0x4000;
const FLAG_FORWARDING: u8 = 0x80;

impl GracefulRestart {
    fn encode(&self, buf: &mut BytesMut) {
        let mut first = self.restart_time_s.min(RESTART_TIME_MAX_S);
        if self.restarting {
            first |= FLAG_RESTARTING;
        }
        if self.notifications {
            first |= FLAG_NOTIFICATIONS;
        }
        buf.put_u16(first);
        for entry in &self.families {
            buf.put_u16(entry.family.afi);
            buf.put_u8(entry.family.safi);
            buf.put_u8(if entry.forwarding { FLAG_FORWARDING } else { 0 });
        }
    }
}

fn multiprotocol(value: &[u8]) -> Option<AfiSafi> {
    let [high, low, _reserved, safi] = exact(value)?;
    Some(AfiSafi {
        afi: u16::from_be_bytes([high, low]),
        safi,
    })
}

fn extended_next_hop(value: &[u8]) -> Option<Vec<ExtendedNextHop>> {
    let mut reader = Reader::new(value);
    let mut entries = Vec::new();
    while !reader.is_empty() {
        let afi = reader.u16()?;
        // The SAFI takes two octets here (RFC 8950 §4); none above 255 is defined.
        let safi = u8::try_from(reader.u16()?).ok()?;
        let next_hop_afi = reader.u16()?;
        entries.push(ExtendedNextHop {
            prefixes: AfiSafi { afi, safi },
            next_hop_afi,
        });
    }
    Some(entries)
}

fn graceful_restart(value: &[u8]) -> Option<GracefulRestart> {
    let mut reader = Reader::new(value);
    let first = reader.u16()?;
    let mut families = Vec::new();
    while !reader.is_empty() {
        let family = AfiSafi {
            afi: reader.u16()?,
            safi: reader.u8()?,
        };
        families.push(GracefulFamily {
            family,
            forwarding: reader.u8()? & FLAG_FORWARDING != 0,
        });
    }
    Some(GracefulRestart {
        restarting: first & FLAG_RESTARTING != 0,
        notifications: first & FLAG_NOTIFICATIONS != 0,
        restart_time_s: first & RESTART_TIME_MAX_S,
        families,
    })
}
