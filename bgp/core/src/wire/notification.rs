//! NOTIFICATION: why a session ends (RFC 4271 §4.5, §6).
//!
//! ```text
//!  +------+---------+------
//!  | code | subcode | data
//!  +------+---------+------
//! ```
//!
//! Reading one never fails: unknown codes are kept as numbers, and the text inside a shutdown
//! communication (RFC 9003) is treated as hostile.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::header::{self, HEADER_LEN, MessageLimit, MessageType};
use super::reader::Reader;

#[cfg(test)]
mod tests;

/// The longest reason text that is sent, in octets (RFC 9003 §2).
const REASON_MAX: usize = 255;

/// A NOTIFICATION.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// What happened.
    pub code: ErrorCode,
    /// Depends on `code`; kept as received.
    pub data: Vec<u8>,
}

/// Defines a subcode enum with its numbers and its words, both ways.
macro_rules! subcodes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every defined subcode.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The subcode octet.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The subcode of this octet, when it is defined.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// A stable name for logs and metrics.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

subcodes! {
    /// Message Header Error, code 1 (RFC 4271 §6.1).
    HeaderError {
        /// The marker was not all ones.
        NotSynchronised = 1, "connection not synchronised";
        /// The length field is impossible.
        BadLength = 2, "bad message length";
        /// No such message type.
        BadType = 3, "bad message type";
    }
}
subcodes! {
    /// OPEN Message Error, code 2 (RFC 4271 §6.2, RFC 5492, RFC 9234).
    OpenError {
        /// Nothing more precise applies.
        Unspecific = 0, "unspecific OPEN error";
        /// Not version 4; the data carries ours.
        UnsupportedVersion = 1, "unsupported version";
        /// The AS is not the one expected here.
        BadPeerAs = 2, "bad peer AS";
        /// The identifier is zero, or ours on iBGP.
        BadIdentifier = 3, "bad BGP identifier";
        /// An optional parameter other than capabilities.
        UnsupportedParameter = 4, "unsupported optional parameter";
        /// One or two seconds.
        UnacceptableHoldTime = 6, "unacceptable hold time";
        /// A capability we insist on is missing; the data lists it.
        UnsupportedCapability = 7, "unsupported capability";
        /// The roles of the two sides do not fit.
        RoleMismatch = 11, "role mismatch";
    }
}
subcodes! {
    /// UPDATE Message Error, code 3 (RFC 4271 §6.3).
    UpdateError {
        /// Nothing more precise applies.
        Unspecific = 0, "unspecific UPDATE error";
        /// The sections or the attribute list do not fit.
        MalformedAttributes = 1, "malformed attribute list";
        /// A well-known attribute that is not known.
        UnrecognisedWellKnown = 2, "unrecognised well-known attribute";
        /// A mandatory attribute is not there.
        MissingWellKnown = 3, "missing well-known attribute";
        /// Flags contradict the attribute.
        AttributeFlags = 4, "attribute flags error";
        /// Length contradicts the attribute.
        AttributeLength = 5, "attribute length error";
        /// ORIGIN is none of the three.
        InvalidOrigin = 6, "invalid ORIGIN";
        /// NEXT_HOP cannot be one.
        InvalidNextHop = 8, "invalid NEXT_HOP";
        /// An optional attribute does not parse.
        OptionalAttribute = 9, "optional attribute error";
        /// A prefix cannot be one.
        InvalidNetwork = 10, "invalid network field";
        /// AS_PATH does not parse.
        MalformedAsPath = 11, "malformed AS_PATH";
    }
}
subcodes! {
    /// Finite State Machine Error, code 5 (RFC 6608).
    FsmError {
        /// Nothing more precise applies.
        Unspecific = 0, "unspecific state machine error";
        /// Unexpected message in OpenSent.
        InOpenSent = 1, "unexpected message in OpenSent";
        /// Unexpected message in OpenConfirm.
        InOpenConfirm = 2, "unexpected message in OpenConfirm";
        /// Unexpected message in Established.
        InEstablished = 3, "unexpected message in Established";
    }
}
subcodes! {
    /// Cease, code 6 (RFC 4486, RFC 8538, RFC 9384).
    Cease {
        /// Nothing more precise applies.
        Unspecific = 0, "cease";
        /// More prefixes than allowed.
        MaxPrefixes = 1, "maximum number of prefixes reached";
        /// An operator ended it; may carry a reason (RFC 9003).
        AdministrativeShutdown = 2, "administrative shutdown";
        /// The peer was taken out of the configuration.
        PeerDeconfigured = 3, "peer de-configured";
        /// An operator restarts it; may carry a reason (RFC 9003).
        AdministrativeReset = 4, "administrative reset";
        /// The peer may not connect.
        ConnectionRejected = 5, "connection rejected";
        /// The configuration changed.
        ConfigurationChange = 6, "other configuration change";
        /// The other of two connections is kept (RFC 4271 §6.8).
        CollisionResolution = 7, "connection collision resolution";
        /// Out of memory or the like.
        OutOfResources = 8, "out of resources";
        /// Ends the session for good although graceful restart is on; wraps the real one.
        HardReset = 9, "hard reset";
        /// BFD saw the path fail.
        BfdDown = 10, "BFD down";
    }
}
subcodes! {
    /// ROUTE-REFRESH Message Error, code 7 (RFC 7313 §5).
    RefreshError {
        /// The body is not four octets; the data quotes the message.
        InvalidLength = 1, "invalid ROUTE-REFRESH length";
    }
}

/// Error code and subcode together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// Code 1.
    MessageHeader(HeaderError),
    /// Code 2.
    OpenMessage(OpenError),
    /// Code 3.
    UpdateMessage(UpdateError),
    /// Code 4: nothing heard within the hold time.
    HoldTimerExpired,
    /// Code 5.
    FiniteStateMachine(FsmError),
    /// Code 6.
    Cease(Cease),
    /// Code 7.
    RouteRefreshMessage(RefreshError),
    /// Code 8: the peer took no byte for the send hold time (RFC 9687).
    SendHoldTimerExpired,
    /// A pair this speaker does not know.
    Unknown {
        /// The code octet.
        code: u8,
        /// The subcode octet.
        subcode: u8,
    },
}

impl ErrorCode {
    /// The two octets.
    #[must_use]
    pub const fn octets(self) -> (u8, u8) {
        match self {
            Self::MessageHeader(sub) => (1, sub.code()),
            Self::OpenMessage(sub) => (2, sub.code()),
            Self::UpdateMessage(sub) => (3, sub.code()),
            Self::HoldTimerExpired => (4, 0),
            Self::FiniteStateMachine(sub) => (5, sub.code()),
            Self::Cease(sub) => (6, sub.code()),
            Self::RouteRefreshMessage(sub) => (7, sub.code()),
            Self::SendHoldTimerExpired => (8, 0),
            Self::Unknown { code, subcode } => (code, subcode),
        }
    }

    /// The meaning of the two octets.
    #[must_use]
    pub fn from_octets(code: u8, subcode: u8) -> Self {
        let known = match code {
            1 => HeaderError::from_code(subcode).map(Self::MessageHeader),
            2 => OpenError::from_code(subcode).map(Self::OpenMessage),
            3 => UpdateError::from_code(subcode).map(Self::UpdateMessage),
            4 if subcode == 0 => Some(Self::HoldTimerExpired),
            5 => FsmError::from_code(subcode).map(Self::FiniteStateMachine),
            6 => Cease::from_code(subcode).map(Self::Cease),
            7 => RefreshError::from_code(subcode).map(Self::RouteRefreshMessage),
            8 if subcode == 0 => Some(Self::SendHoldTimerExpired),
            _ => None,
        };
        known.unwrap_or(Self::Unknown { code, subcode })
    }

    /// What the code octet alone says, as the RFCs name it.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::MessageHeader(_) => "message header error",
            Self::OpenMessage(_) => "OPEN error",
            Self::UpdateMessage(_) => "UPDATE error",
            Self::HoldTimerExpired => "hold timer expired",
            Self::FiniteStateMachine(_) => "state machine error",
            Self::Cease(_) => "Cease",
            Self::RouteRefreshMessage(_) => "ROUTE-REFRESH error",
            Self::SendHoldTimerExpired => "send hold timer expired",
            Self::Unknown { .. } => "unknown error code",
        }
    }

    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::MessageHeader(sub) => sub.reason(),
            Self::OpenMessage(sub) => sub.reason(),
            Self::UpdateMessage(sub) => sub.reason(),
            Self::HoldTimerExpired => "hold timer expired",
            Self::FiniteStateMachine(sub) => sub.reason(),
            Self::Cease(sub) => sub.reason(),
            Self::RouteRefreshMessage(sub) => sub.reason(),
            Self::SendHoldTimerExpired => "send hold timer expired",
            Self::Unknown { .. } => "unknown error code",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, subcode) = self.octets();
        let (class, reason) = (self.class(), self.reason());
        // A subcode that names nothing adds nothing.
        if subcode == 0 || reason == class {
            write!(f, "{code}/{subcode} ({class})")
        } else {
            write!(f, "{code}/{subcode} ({class}, {reason})")
        }
    }
}

impl Notification {
    /// A NOTIFICATION with data; what does not fit in a message of 4,096 octets is cut off.
    #[must_use]
    pub fn new(code: ErrorCode, mut data: Vec<u8>) -> Self {
        data.truncate(MessageLimit::Standard.octets() - HEADER_LEN - 2);
        Self { code, data }
    }

    /// Cease without a text.
    #[must_use]
    pub fn cease(subcode: Cease) -> Self {
        Self::new(ErrorCode::Cease(subcode), Vec::new())
    }

    /// Administrative shutdown with a reason for the operator at the other end (RFC 9003). A text
    /// longer than 255 octets is cut at a character.
    #[must_use]
    pub fn shutdown(reason: &str) -> Self {
        Self::with_text(Cease::AdministrativeShutdown, reason)
    }

    /// Administrative reset with a reason, like [`Notification::shutdown`].
    #[must_use]
    pub fn reset(reason: &str) -> Self {
        Self::with_text(Cease::AdministrativeReset, reason)
    }

    fn with_text(subcode: Cease, reason: &str) -> Self {
        let text = &reason
            .as_bytes()
            .split_at(reason.floor_char_boundary(REASON_MAX))
            .0;
        let mut data = vec![u8::try_from(text.len()).expect("cut at 255 octets")];
        data.extend_from_slice(text);
        Self::new(ErrorCode::Cease(subcode), data)
    }

    /// The same, for good: a peer in graceful restart must not keep our routes (RFC 8538 §3).
    #[must_use]
    pub fn into_hard_reset(self) -> Self {
        let (code, subcode) = self.code.octets();
        let mut data = vec![code, subcode];
        data.extend_from_slice(&self.data);
        Self::new(ErrorCode::Cease(Cease::HardReset), data)
    }

    /// What a Hard Reset wraps; `None` when this is none or its data is cut off.
    #[must_use]
    pub fn hard_reset_cause(&self) -> Option<Self> {
        (self.code == ErrorCode::Cease(Cease::HardReset)).then_some(())?;
        let mut reader = Reader::new(&self.data);
        let code = ErrorCode::from_octets(reader.u8()?, reader.u8()?);
        Some(Self::new(code, reader.rest().to_vec()))
    }

    /// The shutdown communication (RFC 9003), fit for a log line: control characters are escaped,
    /// broken UTF-8 is replaced, a text shorter than its length field is shown as far as it goes.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let carries_text = matches!(
            self.code,
            ErrorCode::Cease(Cease::AdministrativeShutdown | Cease::AdministrativeReset)
        );
        let mut reader = Reader::new(&self.data);
        let length = carries_text.then(|| reader.u8())??;
        let text = String::from_utf8_lossy(reader.rest_up_to(usize::from(length)));
        (!text.is_empty()).then(|| text.chars().flat_map(escaped).collect())
    }

    /// Reads the body of a NOTIFICATION, of which the frame guarantees the two codes.
    #[must_use]
    pub fn decode(body: &[u8]) -> Self {
        let mut reader = Reader::new(body);
        let code = reader.u8().unwrap_or(0);
        let subcode = reader.u8().unwrap_or(0);
        Self {
            code: ErrorCode::from_octets(code, subcode),
            data: reader.rest().to_vec(),
        }
    }

    /// Appends the message.
    pub fn encode(&self, buf: &mut BytesMut) {
        let start = header::begin(MessageType::Notification, buf);
        let (code, subcode) = self.code.octets();
        buf.put_u8(code);
        buf.put_u8(subcode);
        let room = MessageLimit::Standard.octets() - HEADER_LEN - 2;
        buf.put_slice(Reader::new(&self.data).rest_up_to(room));
        header::finish(start, buf);
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        match self.text() {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

/// The character, or its escape when a terminal could take it for a command.
fn escaped(character: char) -> impl Iterator<Item = char> {
    // Bidirectional overrides are not control characters, yet they reorder a log line.
    let hostile = character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = (!hostile).then_some(character);
    let escape = hostile.then(|| character.escape_default());
    plain.into_iter().chain(escape.into_iter().flatten())
}
