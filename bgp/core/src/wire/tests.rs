//! The codec as a whole: decoding is total. What single files promise is tested beside them, with the
//! makers of bytes and values below; the malformed-input table is played in `bgp/core/tests/malformed`.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::types::Family;

pub(super) mod values;

/// An eBGP session with everything this speaker negotiates.
pub(super) const CTX: DecodeCtx = DecodeCtx {
    asn_width: AsnWidth::FourOctets,
    families: FamilySet::ALL,
    extended_next_hop: FamilySet::EMPTY,
    peering: Peering::External,
    refresh: RefreshForm::Enhanced,
    limit: MessageLimit::Standard,
};

/// The same inside an AS.
pub(super) const INTERNAL: DecodeCtx = DecodeCtx {
    peering: Peering::Internal,
    ..CTX
};

/// A message of any type octet around `body`.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    bytes.extend(u16::try_from(body.len() + 19).unwrap().to_be_bytes());
    bytes.push(kind);
    bytes.extend(body);
    bytes
}

/// Decodes the only message in `bytes`.
pub(super) fn decode_one(bytes: &[u8], ctx: &DecodeCtx) -> Result<Message, DecodeError> {
    let framed = frame(bytes, ctx.limit)?.expect("the message is complete");
    assert_eq!(framed.len(), bytes.len(), "nothing may be left over");
    decode(framed, ctx)
}

/// Octets written in hexadecimal, spaces ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let octet = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// What a value encodes to.
pub(super) fn encoded(message: &Message, ctx: &EncodeCtx) -> Vec<u8> {
    let mut buf = BytesMut::new();
    encode(message, ctx, &mut buf).unwrap();
    buf.to_vec()
}

/// Reads bytes as a value and writes the value as bytes.
pub(super) fn both_ways(bytes: &str, value: &Message) {
    let bytes = hex(bytes);
    assert_eq!(decode_one(&bytes, &CTX).as_ref(), Ok(value));
    assert_eq!(encoded(value, &EncodeCtx::USUAL), bytes);
}

/// Cuts a message at every length: the stream form waits for more, and a body of that length in a
/// header that claims it is decoded without a panic.
pub(super) fn cut_at_every_length(bytes: &[u8]) {
    for length in 0..bytes.len() {
        assert_eq!(
            frame(&bytes[..length], CTX.limit),
            Ok(None),
            "{length} octets"
        );
    }
    let (header, body) = bytes.split_at(19);
    for length in 0..body.len() {
        let shorter = message(header[18], &body[..length]);
        if let Ok(Some(framed)) = frame(&shorter, CTX.limit) {
            let _ = decode(framed, &CTX);
            let _ = decode(framed, &DecodeCtx::before_open());
        }
    }
}

proptest! {
    #[test]
    fn any_stream_is_split_without_a_panic(stream in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = frame(&stream, MessageLimit::Standard);
    }

    #[test]
    fn any_body_of_any_type_is_decoded_without_a_panic(
        kind in 1_u8..=5,
        body in prop::collection::vec(any::<u8>(), 0..300),
        internal in any::<bool>(),
        wide in any::<bool>(),
    ) {
        let ctx = DecodeCtx {
            asn_width: if wide { AsnWidth::FourOctets } else { AsnWidth::TwoOctets },
            peering: if internal { Peering::Internal } else { Peering::External },
            ..CTX
        };
        if let Ok(Some(framed)) = frame(&message(kind, &body), ctx.limit) {
            let outcome = decode(framed, &ctx);
            if let Err(error) = outcome {
                let notification = error.notification();
                let known = !matches!(notification.code, ErrorCode::Unknown { .. });
                prop_assert!(known, "{error}");
            }
        }
    }

    #[test]
    fn any_flipped_octet_of_an_update_is_survived(
        update in values::update(),
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
    ) {
        let mut bytes = encoded(&Message::Update(update), &EncodeCtx::USUAL);
        let at = at.index(bytes.len());
        bytes[at] = octet;
        if let Ok(Some(framed)) = frame(&bytes, CTX.limit)
            && let Ok(Message::Update(update)) = decode(framed, &CTX)
        {
            let valid = update.announced.is_none_or(|announced| {
                announced.reaches.iter().all(|reach| !reach.prefixes.is_empty())
            });
            prop_assert!(valid);
        }
    }
}

#[test]
fn a_stream_of_several_messages_is_read_one_by_one() {
    let mut stream = BytesMut::new();
    header::encode_keepalive(&mut stream);
    encode_end_of_rib(Family::Ipv6Unicast, &mut stream);
    header::encode_keepalive(&mut stream);
    let mut rest = &*stream;
    let mut kinds = Vec::new();
    while let Some(framed) = frame(rest, CTX.limit).unwrap() {
        kinds.push(framed.kind());
        rest = &rest[framed.len()..];
    }
    assert_eq!(
        kinds,
        [
            MessageType::Keepalive,
            MessageType::Update,
            MessageType::Keepalive
        ]
    );
    assert!(rest.is_empty());
}

#[test]
fn a_keepalive_is_nineteen_octets() {
    both_ways(
        "ffffffffffffffffffffffffffffffff 0013 04",
        &Message::Keepalive,
    );
}
