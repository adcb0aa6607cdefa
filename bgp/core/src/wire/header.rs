//! The common header, and cutting a byte stream into messages (RFC 4271 §4.1).
//!
//! ```text
//!  0                  16      18     19
//!  +------------------+-------+------+------
//!  | marker: 16 x FF  | length| type | body
//!  +------------------+-------+------+------
//! ```
//!
//! A header that cannot be right is refused as soon as its bytes are there: nobody waits for, or
//! makes room for, a message of 65,535 octets that will be rejected.

use bytes::{BufMut, BytesMut};

use super::fault::DecodeError;
use super::reader::Reader;

#[cfg(test)]
mod tests;

/// Octets of the header.
pub const HEADER_LEN: usize = 19;
const MARKER: [u8; 16] = [0xff; 16];

/// The five message types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageType {
    /// Type 1.
    Open,
    /// Type 2.
    Update,
    /// Type 3.
    Notification,
    /// Type 4.
    Keepalive,
    /// Type 5 (RFC 2918).
    RouteRefresh,
}

impl MessageType {
    /// The type octet.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Update => 2,
            Self::Notification => 3,
            Self::Keepalive => 4,
            Self::RouteRefresh => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Open),
            2 => Some(Self::Update),
            3 => Some(Self::Notification),
            4 => Some(Self::Keepalive),
            5 => Some(Self::RouteRefresh),
            _ => None,
        }
    }

    /// Whether a message of this type can be `length` octets long, header included.
    fn admits(self, length: usize, limit: MessageLimit) -> bool {
        let standard = MessageLimit::Standard.octets();
        match self {
            // RFC 8654 §4 leaves OPEN and KEEPALIVE at the old limit.
            Self::Open => (29..=standard).contains(&length),
            Self::Keepalive => length == HEADER_LEN,
            Self::Update => (23..=limit.octets()).contains(&length),
            Self::Notification => (21..=limit.octets()).contains(&length),
            // Its true length is judged by the decoder: RFC 7313 has its own error for it.
            Self::RouteRefresh => (HEADER_LEN..=limit.octets()).contains(&length),
        }
    }
}

/// The longest message a session carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageLimit {
    /// 4,096 octets.
    Standard,
    /// 65,535 octets, once both sides sent capability 6 (RFC 8654).
    Extended,
}

impl MessageLimit {
    /// The limit in octets, header included.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Standard => 4_096,
            Self::Extended => 65_535,
        }
    }
}

/// One complete message, still in the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    kind: MessageType,
    bytes: &'a [u8],
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The type of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageType {
        self.kind
    }

    /// Octets the message takes in the stream, header included.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a message has at least its header"
    )]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What follows the header.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The whole message.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The first message of `stream`, or `None` when more bytes are needed.
///
/// # Errors
/// The header is wrong: marker, length or type (RFC 4271 §6.1).
pub fn frame(stream: &[u8], limit: MessageLimit) -> Result<Option<Frame<'_>>, DecodeError> {
    let mut reader = Reader::new(stream);
    let marker = reader.rest_up_to(MARKER.len());
    if marker.iter().any(|octet| *octet != 0xff) {
        return Err(DecodeError::Marker);
    }
    let (Some(length), Some(kind)) = (reader.u16(), reader.u8()) else {
        return Ok(None);
    };
    let octets = usize::from(length);
    if octets < HEADER_LEN || octets > limit.octets() {
        return Err(DecodeError::Length { length });
    }
    let kind = MessageType::from_code(kind).ok_or(DecodeError::Type { kind })?;
    if !kind.admits(octets, limit) {
        return Err(DecodeError::Length { length });
    }
    let (Some(bytes), Some(body)) = (stream.get(..octets), stream.get(HEADER_LEN..octets)) else {
        return Ok(None);
    };
    Ok(Some(Frame { kind, bytes, body }))
}

/// Starts a message of `kind` at the end of `buf`; [`finish`] fills in its length.
pub(crate) fn begin(kind: MessageType, buf: &mut BytesMut) -> usize {
    let start = buf.len();
    buf.put_slice(&MARKER);
    buf.put_u16(0);
    buf.put_u8(kind.code());
    start
}

/// Completes the message that [`begin`] started at `start`.
pub(crate) fn finish(start: usize, buf: &mut BytesMut) {
    let length = u16::try_from(buf.len() - start).expect("writers keep to the message limit");
    super::writer::patch_u16(buf, start + MARKER.len(), length);
}

/// Appends a KEEPALIVE.
pub fn encode_keepalive(buf: &mut BytesMut) {
    let start = begin(MessageType::Keepalive, buf);
    finish(start, buf);
}
