//! ROUTE-REFRESH: asking for a table again (RFC 2918 §3), and the brackets around the answer
//! (RFC 7313 §3.2).
//!
//! ```text
//!  +-------+---------+------+
//!  | AFI:2 | subtype | SAFI |
//!  +-------+---------+------+
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::RefreshForm;
use super::fault::DecodeError;
use super::header::{self, Frame, MessageType};
use super::reader::exact;
use crate::types::AfiSafi;

#[cfg(test)]
mod tests;

/// A ROUTE-REFRESH message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteRefresh {
    /// Which table; possibly one this speaker does not carry, then the message is ignored.
    pub family: AfiSafi,
    /// What about it.
    pub kind: RefreshKind,
}

/// The message subtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefreshKind {
    /// Subtype 0: send the table again.
    Request,
    /// Subtype 1: the repetition starts.
    BeginOfRib,
    /// Subtype 2: the repetition is complete.
    EndOfRib,
    /// Any other subtype, to be ignored (RFC 7313 §5).
    Unknown(u8),
}

impl RefreshKind {
    const fn code(self) -> u8 {
        match self {
            Self::Request => 0,
            Self::BeginOfRib => 1,
            Self::EndOfRib => 2,
            Self::Unknown(code) => code,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Request,
            1 => Self::BeginOfRib,
            2 => Self::EndOfRib,
            other => Self::Unknown(other),
        }
    }
}

impl RouteRefresh {
    /// Reads the message. Outbound route filters (RFC 5291) would follow the four octets; they are
    /// never negotiated, so whatever follows is a wrong length.
    pub(crate) fn decode(frame: Frame<'_>, form: RefreshForm) -> Result<Self, DecodeError> {
        let Some([high, low, subtype, safi]) = exact(frame.body()) else {
            return Err(match form {
                RefreshForm::Enhanced => DecodeError::RefreshLength {
                    message: Bytes::copy_from_slice(frame.bytes()),
                },
                RefreshForm::Plain => DecodeError::Length {
                    length: u16::try_from(frame.len()).unwrap_or(u16::MAX),
                },
            });
        };
        Ok(Self {
            family: AfiSafi {
                afi: u16::from_be_bytes([high, low]),
                safi,
            },
            kind: RefreshKind::from_code(subtype),
        })
    }

    /// Appends the message.
    pub fn encode(&self, buf: &mut BytesMut) {
        let start = header::begin(MessageType::RouteRefresh, buf);
        buf.put_u16(self.family.afi);
        buf.put_u8(self.kind.code());
        buf.put_u8(self.family.safi);
        header::finish(start, buf);
    }
}
