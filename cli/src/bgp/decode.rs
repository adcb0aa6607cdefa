//! One message off the front of a stream, with the type it claims to have. Owns how far a broken
//! one is skipped; what is in a message is the codec's knowledge.

use ringbolt_bgp::wire::{self, DecodeCtx, DecodeError, Message, MessageType};

/// Octets of marker and length, and where the type stands.
const TYPE_AT: usize = 18;
/// Where the length stands.
const LENGTH_AT: usize = 16;

/// A message, or why it is none.
#[derive(Debug)]
pub(super) struct Decoded {
    /// As the header says, whatever else is wrong.
    pub(super) kind: Option<MessageType>,
    pub(super) outcome: Result<Message, DecodeError>,
    /// Octets it takes; `None` where the header is broken, and where the next message starts is
    /// not known.
    pub(super) octets: Option<usize>,
}

/// The first message of `stream`; `None` when it is not complete.
pub(super) fn next(stream: &[u8], ctx: &DecodeCtx) -> Option<Decoded> {
    match wire::frame(stream, ctx.limit) {
        Ok(None) => None,
        Ok(Some(frame)) => Some(Decoded {
            kind: Some(frame.kind()),
            outcome: wire::decode(frame, ctx),
            octets: Some(frame.len()),
        }),
        Err(error) => Some(Decoded {
            kind: kind(stream).filter(|_| error != DecodeError::Marker),
            outcome: Err(error),
            octets: None,
        }),
    }
}

/// The type octet of the message that `stream` starts with.
pub(super) fn kind(stream: &[u8]) -> Option<MessageType> {
    use MessageType::{Keepalive, Notification, Open, RouteRefresh, Update};
    let code = *stream.get(TYPE_AT)?;
    [Open, Update, Notification, Keepalive, RouteRefresh]
        .into_iter()
        .find(|kind| kind.code() == code)
}

/// The length that the header of `stream` claims.
pub(super) fn claimed(stream: &[u8]) -> Option<usize> {
    let field = stream.get(LENGTH_AT..TYPE_AT)?;
    Some(usize::from(u16::from_be_bytes(field.try_into().ok()?)))
}
