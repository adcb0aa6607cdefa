//! Why sessions end, as values: one vocabulary for events, statistics and tests.

use std::sync::Arc;

use thiserror::Error;

use crate::wire::ErrorCode;

/// Why an attempt or a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DownReason {
    /// The TCP connection could not be made.
    #[error("the connection could not be made")]
    DialFailed,
    /// It was not made in time.
    #[error("no connection within 30 s")]
    DialTimedOut,
    /// The peer, or the network, closed the connection.
    #[error("the connection was closed")]
    ConnectionClosed,
    /// OPEN and KEEPALIVE did not arrive in time.
    #[error("no session within 30 s of the connection")]
    HandshakeTimedOut,
    /// Nothing arrived for the hold time.
    #[error("hold timer expired")]
    HoldTimerExpired,
    /// The kernel took no bytes for the send hold time (RFC 9687).
    #[error("send hold timer expired")]
    SendHoldTimerExpired,
    /// The peer said so.
    #[error("the peer sent {0}")]
    NotificationReceived(NotificationRecord),
    /// We found fault with what the peer sent.
    #[error("we sent {0}")]
    NotificationSent(NotificationRecord),
    /// The other connection of the pair won (RFC 4271 §6.8).
    #[error("another connection to the same peer won")]
    CollisionLost,
    /// The peer's configuration changed in a way that needs a new OPEN.
    #[error("the peer's configuration changed")]
    ConfigurationChanged,
    /// The peer was removed.
    #[error("the peer is not configured any more")]
    Deconfigured,
    /// An operator asked for it.
    #[error("an operator reset the session")]
    OperatorReset,
    /// We are shutting down.
    #[error("shutdown")]
    Shutdown,
    /// The peer announced more prefixes than allowed.
    #[error("the peer announced more than {limit} prefixes of one family")]
    TooManyPrefixes {
        /// The configured limit.
        limit: u32,
    },
}

impl DownReason {
    /// Whether we shall not be back, so that a peer must not keep our routes.
    pub(super) const fn is_for_good(&self) -> bool {
        matches!(self, Self::Deconfigured | Self::Shutdown)
    }

    /// The word used in conditions and metric labels.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::DialFailed => "DialFailed",
            Self::DialTimedOut => "DialTimedOut",
            Self::ConnectionClosed => "ConnectionClosed",
            Self::HandshakeTimedOut => "HandshakeTimedOut",
            Self::HoldTimerExpired => "HoldTimerExpired",
            Self::SendHoldTimerExpired => "SendHoldTimerExpired",
            Self::NotificationReceived(_) => "NotificationReceived",
            Self::NotificationSent(_) => "NotificationSent",
            Self::CollisionLost => "CollisionLost",
            Self::ConfigurationChanged => "ConfigurationChanged",
            Self::Deconfigured => "Deconfigured",
            Self::OperatorReset => "OperatorReset",
            Self::Shutdown => "Shutdown",
            Self::TooManyPrefixes { .. } => "TooManyPrefixes",
        }
    }
}

/// A NOTIFICATION as it is remembered, by its numbers and by the names the RFCs give them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "NOTIFICATION {}{}{}",
    ErrorCode::from_octets(*code, *subcode),
    after_colon(cause.as_deref()),
    after_colon(text.as_deref())
)]
pub struct NotificationRecord {
    /// Who sent it.
    pub direction: Direction,
    /// Error code (RFC 4271 §4.5).
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// The reason in words (RFC 9003), escaped: safe to print.
    pub text: Option<Arc<str>>,
    /// What the numbers leave out: of one that we sent, the values that were at odds; of a Hard
    /// Reset, the NOTIFICATION that it wraps (RFC 8538 §3).
    pub cause: Option<Arc<str>>,
}

fn after_colon(words: Option<&str>) -> String {
    words.map(|words| format!(": {words}")).unwrap_or_default()
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us to the peer.
    Sent,
    /// From the peer to us.
    Received,
}
