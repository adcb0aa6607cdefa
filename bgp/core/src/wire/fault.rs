//! What is wrong with bytes, and what must happen because of it.
//!
//! Two kinds, kept apart. A [`DecodeError`] ends the session with exactly one NOTIFICATION
//! ([`DecodeError::notification`] is total). An [`AttrFault`] is one attribute's defect under
//! RFC 7606, with an ordered [`Reaction`]; the strongest one of an UPDATE decides.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::notification::{
    ErrorCode, HeaderError, Notification, OpenError, RefreshError, UpdateError,
};

#[cfg(test)]
mod tests;

/// The message cannot be used and the session must end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The marker is not all ones (RFC 4271 §6.1).
    #[error("marker is not all ones")]
    Marker,
    /// The length field is impossible for this message type.
    #[error("message length {length} is not possible here")]
    Length {
        /// The length field as received.
        length: u16,
    },
    /// No such message type.
    #[error("message type {kind} is not known")]
    Type {
        /// The type field as received.
        kind: u8,
    },
    /// OPEN of another protocol version.
    #[error("BGP version {version} is not 4")]
    Version {
        /// The version field as received.
        version: u8,
    },
    /// OPEN with AS 0, in My-AS or in the four-octet capability (RFC 7607).
    #[error("the peer's AS number is zero")]
    PeerAsZero,
    /// OPEN with BGP identifier 0 (RFC 6286).
    #[error("the peer's BGP identifier is zero")]
    RouterIdZero,
    /// OPEN with a hold time of one or two seconds.
    #[error("hold time {seconds} s is neither zero nor at least 3 s")]
    HoldTime {
        /// The hold time as received.
        seconds: u16,
    },
    /// OPEN with an optional parameter that is not capabilities.
    #[error("optional parameter {kind} is not known")]
    OptionalParameter {
        /// The parameter type as received.
        kind: u8,
    },
    /// The optional parameters of an OPEN overrun one another.
    #[error("optional parameters do not fit their lengths")]
    OpenParameters,
    /// UPDATE whose sections overrun the message.
    #[error("sections of the UPDATE do not fit its length")]
    UpdateSections,
    /// A prefix that is longer than its family allows, or cut off.
    #[error("prefix of length {bits} cannot be read")]
    Nlri {
        /// The prefix length as received.
        bits: u8,
    },
    /// An attribute so broken that the UPDATE's prefixes cannot be trusted (RFC 7606).
    #[error("{0}")]
    Attribute(AttrFault),
    /// ROUTE-REFRESH of the wrong length from a peer that speaks RFC 7313.
    #[error("ROUTE-REFRESH of {} octets", message.len())]
    RefreshLength {
        /// The whole message, which the NOTIFICATION quotes.
        message: Bytes,
    },
}

impl DecodeError {
    /// The NOTIFICATION that ends the session.
    #[must_use]
    pub fn notification(&self) -> Notification {
        use ErrorCode::{MessageHeader, OpenMessage, RouteRefreshMessage, UpdateMessage};
        let (code, data) = match self {
            Self::Marker => (MessageHeader(HeaderError::NotSynchronised), Vec::new()),
            Self::Length { length } => (
                MessageHeader(HeaderError::BadLength),
                length.to_be_bytes().to_vec(),
            ),
            Self::Type { kind } => (MessageHeader(HeaderError::BadType), vec![*kind]),
            Self::Version { .. } => (
                OpenMessage(OpenError::UnsupportedVersion),
                4_u16.to_be_bytes().to_vec(),
            ),
            Self::PeerAsZero => (OpenMessage(OpenError::BadPeerAs), Vec::new()),
            Self::RouterIdZero => (OpenMessage(OpenError::BadIdentifier), Vec::new()),
            Self::HoldTime { .. } => (OpenMessage(OpenError::UnacceptableHoldTime), Vec::new()),
            Self::OptionalParameter { .. } => {
                (OpenMessage(OpenError::UnsupportedParameter), Vec::new())
            }
            Self::OpenParameters => (OpenMessage(OpenError::Unspecific), Vec::new()),
            Self::UpdateSections => (UpdateMessage(UpdateError::MalformedAttributes), Vec::new()),
            Self::Nlri { .. } => (UpdateMessage(UpdateError::InvalidNetwork), Vec::new()),
            Self::Attribute(fault) => (UpdateMessage(fault.cause.subcode()), Vec::new()),
            Self::RefreshLength { message } => (
                RouteRefreshMessage(RefreshError::InvalidLength),
                message.to_vec(),
            ),
        };
        Notification::new(code, data)
    }
}

/// What a fault in an attribute leads to (RFC 7606 §2), weakest first: the maximum wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reaction {
    /// Counted, nothing else.
    Accept,
    /// The attribute is left out, the routes stand.
    Discard,
    /// The routes of the UPDATE are withdrawn, earlier paths included.
    Withdraw,
    /// The session ends.
    Reset,
}

/// One attribute's defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttrFault {
    /// The attribute's code; zero where the attribute list itself is broken.
    pub code: u8,
    /// What is wrong.
    pub cause: FaultCause,
    /// What it leads to.
    pub reaction: Reaction,
}

impl fmt::Display for AttrFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attribute {}: {}", self.code, self.cause.reason())
    }
}

/// What can be wrong with an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultCause {
    /// The optional or transitive bit contradicts the attribute's definition.
    Flags,
    /// The value has an impossible length.
    Length,
    /// The value is not one of those defined.
    Value,
    /// An AS_PATH whose segments do not parse.
    AsPath,
    /// AS 0 where an AS must be (RFC 7607).
    AsZero,
    /// Confederation segments from a plain eBGP peer (RFC 5065).
    ConfederationFromOutside,
    /// A next hop nobody can forward to: this host, loopback or multicast.
    NextHop,
    /// An IPv6 next hop for IPv4 prefixes that was not negotiated (RFC 8950).
    NextHopNotNegotiated,
    /// The attribute stands more than once; the first one counts.
    Repeated,
    /// MP_REACH_NLRI or MP_UNREACH_NLRI stands more than once (RFC 7606 §3 g).
    MultiprotocolRepeated,
    /// MP_REACH_NLRI or MP_UNREACH_NLRI cut off inside its fixed part, or its next hop.
    Multiprotocol,
    /// A prefix inside MP_REACH_NLRI or MP_UNREACH_NLRI that cannot be read.
    MultiprotocolNlri,
    /// A mandatory attribute is not there.
    Missing,
    /// The attribute list ends inside an attribute.
    ListOverrun,
    /// The same, and no prefix was found: it may be in what was lost (RFC 7606 §5.2).
    ListOverrunWithoutNlri,
    /// A well-known attribute that this speaker does not know.
    UnknownWellKnown,
    /// An attribute that a peer of this kind must not send.
    NotFromThisPeer,
    /// Prefixes of a family that was not negotiated.
    FamilyNotNegotiated,
}

impl FaultCause {
    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Flags => "wrong flags",
            Self::Length => "wrong length",
            Self::Value => "undefined value",
            Self::AsPath => "AS_PATH does not parse",
            Self::AsZero => "AS 0",
            Self::ConfederationFromOutside => "confederation segment from outside",
            Self::NextHop => "unusable next hop",
            Self::NextHopNotNegotiated => "IPv6 next hop not negotiated",
            Self::Repeated => "repeated",
            Self::MultiprotocolRepeated => "multiprotocol attribute repeated",
            Self::Multiprotocol => "multiprotocol attribute does not parse",
            Self::MultiprotocolNlri => "prefix in a multiprotocol attribute does not parse",
            Self::Missing => "mandatory attribute missing",
            Self::ListOverrun => "attribute list overrun",
            Self::ListOverrunWithoutNlri => "attribute list overrun, no prefixes found",
            Self::UnknownWellKnown => "unknown well-known attribute",
            Self::NotFromThisPeer => "attribute not allowed from this peer",
            Self::FamilyNotNegotiated => "family not negotiated",
        }
    }

    /// The UPDATE error subcode (RFC 4271 §6.3), should the fault end the session.
    #[must_use]
    pub const fn subcode(self) -> UpdateError {
        match self {
            Self::Flags => UpdateError::AttributeFlags,
            Self::Length => UpdateError::AttributeLength,
            Self::Value => UpdateError::InvalidOrigin,
            Self::AsPath | Self::AsZero | Self::ConfederationFromOutside => {
                UpdateError::MalformedAsPath
            }
            Self::NextHop | Self::NextHopNotNegotiated => UpdateError::InvalidNextHop,
            Self::Multiprotocol => UpdateError::OptionalAttribute,
            Self::MultiprotocolNlri => UpdateError::InvalidNetwork,
            Self::Missing => UpdateError::MissingWellKnown,
            Self::UnknownWellKnown => UpdateError::UnrecognisedWellKnown,
            Self::Repeated
            | Self::MultiprotocolRepeated
            | Self::ListOverrun
            | Self::ListOverrunWithoutNlri
            | Self::NotFromThisPeer
            | Self::FamilyNotNegotiated => UpdateError::MalformedAttributes,
        }
    }
}
