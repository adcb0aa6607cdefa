//! Lengths that are known only after what they measure has been written.
//!
//! Writers append to a `BytesMut`; a length field is written as zero and filled in afterwards.

use bytes::{BufMut, BytesMut};

/// Overwrites two octets that were written before.
pub(crate) fn patch_u16(buf: &mut BytesMut, at: usize, value: u16) {
    let field = buf
        .get_mut(at..at + 2)
        .expect("the field was written before");
    field.copy_from_slice(&value.to_be_bytes());
}

/// Overwrites one octet that was written before.
pub(crate) fn patch_u8(buf: &mut BytesMut, at: usize, value: u8) {
    *buf.get_mut(at).expect("the field was written before") = value;
}

/// Writes a one-octet length followed by what `body` appends.
///
/// Returns `false`, with nothing appended, when that is longer than 255 octets.
pub(crate) fn counted_u8(buf: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) -> bool {
    let at = buf.len();
    buf.put_u8(0);
    body(buf);
    match u8::try_from(buf.len() - at - 1) {
        Ok(length) => {
            patch_u8(buf, at, length);
            true
        }
        Err(_) => {
            buf.truncate(at);
            false
        }
    }
}

/// Writes a two-octet length followed by what `body` appends, which fits by the caller's care.
pub(crate) fn counted_u16(buf: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let at = buf.len();
    buf.put_u16(0);
    body(buf);
    let length = u16::try_from(buf.len() - at - 2).expect("callers stay within a message");
    patch_u16(buf, at, length);
}

/// Writes a one-octet count followed by at most `max` elements; `element` appends one and tells
/// whether there was one.
pub(crate) fn counted_u8_elements(
    buf: &mut BytesMut,
    max: usize,
    mut element: impl FnMut(&mut BytesMut) -> bool,
) {
    let at = buf.len();
    buf.put_u8(0);
    let written = (0..max).take_while(|_| element(buf)).count();
    patch_u8(buf, at, u8::try_from(written).expect("max is at most 255"));
}
