//! Bytes to messages and back (RFC 4271 §4).
//!
//! Owns the syntax of BGP and the reactions to broken syntax; refuses to know sessions, timers and
//! tables. Decoding is total: every byte string is a message, or a [`DecodeError`] that names the
//! one NOTIFICATION it deserves, or an incomplete prefix of a message. It borrows from its input,
//! never indexes and never allocates on the strength of a length it has not seen the bytes of.
//!
//! The way in is [`frame`] (split the stream), then [`decode`]. The ways out are [`encode`] for
//! single messages and, for tables, [`AttributeBlock`] with [`UpdateBuilder`]: attributes are
//! encoded once per attribute set, then prefixes are appended until the message is full.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use bytes::BytesMut;

use crate::types::{FamilySet, Peering};

pub mod attr;
pub mod capability;
pub mod fault;
pub mod header;
pub mod nlri;
pub mod notification;
pub mod open;
pub(crate) mod reader;
pub mod route_refresh;
pub mod update;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

pub use attr::as_path::{AsPath, Segment, SegmentKind};
pub use attr::community::{Community, ExtendedCommunity, LargeCommunity};
pub use attr::mp::NextHop;
pub use attr::{Aggregator, Origin, PathAttributes, UnknownAttribute};
pub use capability::Capability;
pub use fault::{AttrFault, DecodeError, FaultCause, Reaction};
pub use header::{Frame, MessageLimit, MessageType, frame};
pub use notification::{Cease, ErrorCode, Notification};
pub use open::Open;
pub use route_refresh::{RefreshKind, RouteRefresh};
pub use update::{
    Announcement, AttributeBlock, BlockRefusal, Reach, Room, Update, UpdateBuilder,
    encode_end_of_rib,
};

/// Any BGP message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "UPDATE is the usual message and moves once"
)]
pub enum Message {
    /// Opens a session (RFC 4271 §4.2).
    Open(Open),
    /// Routes come and go (RFC 4271 §4.3).
    Update(Update),
    /// Ends a session (RFC 4271 §4.5).
    Notification(Notification),
    /// Nothing but life (RFC 4271 §4.4).
    Keepalive,
    /// Asks for the table again, or brackets its repetition (RFC 2918, RFC 7313).
    RouteRefresh(RouteRefresh),
}

/// How AS numbers are written in AS_PATH and AGGREGATOR (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AsnWidth {
    /// Capability 65 was not negotiated.
    TwoOctets,
    /// Both sides sent capability 65.
    FourOctets,
}

/// Which ROUTE-REFRESH rules the peer is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefreshForm {
    /// RFC 2918 alone.
    Plain,
    /// RFC 7313 as well: a bad length is an error of its own.
    Enhanced,
}

/// What the meaning of incoming bytes depends on: the outcome of the OPEN exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeCtx {
    /// Width of AS numbers.
    pub asn_width: AsnWidth,
    /// Families both sides announced; what comes for others is ignored undecoded.
    pub families: FamilySet,
    /// Families whose prefixes may carry an IPv6 next hop although they are IPv4 (RFC 8950).
    pub extended_next_hop: FamilySet,
    /// eBGP peers may not set attributes that live inside an AS.
    pub peering: Peering,
    /// Rules for ROUTE-REFRESH.
    pub refresh: RefreshForm,
    /// Longest message the peer may send.
    pub limit: MessageLimit,
}

impl DecodeCtx {
    /// The context before OPENs have been exchanged.
    #[must_use]
    pub const fn before_open() -> Self {
        Self {
            asn_width: AsnWidth::TwoOctets,
            families: FamilySet::EMPTY,
            extended_next_hop: FamilySet::EMPTY,
            peering: Peering::External,
            refresh: RefreshForm::Plain,
            limit: MessageLimit::Standard,
        }
    }
}

/// What the form of outgoing bytes depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeCtx {
    /// Width of AS numbers.
    pub asn_width: AsnWidth,
    /// Longest message the peer takes.
    pub limit: MessageLimit,
}

impl EncodeCtx {
    /// What every current peer negotiates: wide AS numbers, messages of 4096 octets.
    pub const USUAL: Self = Self {
        asn_width: AsnWidth::FourOctets,
        limit: MessageLimit::Standard,
    };
}

/// Decodes one complete message.
///
/// Faults in single attributes do not fail the message: they are in [`Update::faults`], and their
/// reaction has been carried out on the value.
///
/// # Errors
/// The session must end with [`DecodeError::notification`].
pub fn decode(frame: Frame<'_>, ctx: &DecodeCtx) -> Result<Message, DecodeError> {
    Ok(match frame.kind() {
        MessageType::Open => Message::Open(Open::decode(frame.body())?),
        MessageType::Update => Message::Update(Update::decode(frame.body(), ctx)?),
        MessageType::Notification => Message::Notification(Notification::decode(frame.body())),
        MessageType::Keepalive => Message::Keepalive,
        MessageType::RouteRefresh => {
            Message::RouteRefresh(RouteRefresh::decode(frame, ctx.refresh)?)
        }
    })
}

/// Appends `message` to `buf`; an UPDATE whose parts may not share a message becomes several.
///
/// # Errors
/// [`BlockRefusal`] when the attributes of an UPDATE cannot be sent with its prefixes.
pub fn encode(message: &Message, ctx: &EncodeCtx, buf: &mut BytesMut) -> Result<(), BlockRefusal> {
    match message {
        Message::Open(open) => open.encode(buf),
        Message::Update(update) => update.encode(ctx, buf)?,
        Message::Notification(notification) => notification.encode(buf),
        Message::Keepalive => header::encode_keepalive(buf),
        Message::RouteRefresh(refresh) => refresh.encode(buf),
    }
    Ok(())
}
