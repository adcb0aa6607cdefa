//! Frames are cut where the length says, and impossible headers are refused at once.

use super::super::tests::message;
use super::*;

#[test]
fn a_frame_ends_where_its_length_says() {
    let stream = [message(4, &[]), message(5, &[0, 1, 0, 1])].concat();
    let first = frame(&stream, MessageLimit::Standard).unwrap().unwrap();
    assert_eq!(
        (first.kind(), first.len(), first.body()),
        (MessageType::Keepalive, 19, &[][..])
    );
    let second = frame(&stream[19..], MessageLimit::Standard)
        .unwrap()
        .unwrap();
    assert_eq!(
        (second.kind(), second.body()),
        (MessageType::RouteRefresh, &[0, 1, 0, 1][..])
    );
    assert_eq!(second.bytes(), &stream[19..]);
}

#[test]
fn a_wrong_marker_is_refused_at_its_first_octet() {
    assert_eq!(
        frame(&[0xff, 0xfe], MessageLimit::Standard),
        Err(DecodeError::Marker)
    );
    assert_eq!(frame(&[], MessageLimit::Standard), Ok(None));
}

#[test]
fn long_messages_need_to_be_negotiated_and_never_apply_to_open_and_keepalive() {
    for (kind, extended) in [(1, false), (2, true), (3, true), (4, false), (5, true)] {
        let long = message(kind, &[0; 4_078]);
        let refused = Err(DecodeError::Length { length: 4_097 });
        assert_eq!(frame(&long, MessageLimit::Standard), refused, "type {kind}");
        let accepted = frame(&long, MessageLimit::Extended).is_ok();
        assert_eq!(accepted, extended, "type {kind}");
    }
}

#[test]
fn every_type_has_its_own_least_length() {
    for (kind, least) in [(1, 29), (2, 23), (3, 21), (4, 19), (5, 19)] {
        let body = vec![0; least - 19];
        assert!(
            frame(&message(kind, &body), MessageLimit::Standard).is_ok(),
            "type {kind}"
        );
        if least > 19 {
            let short = message(kind, &body[1..]);
            let length = u16::try_from(least - 1).unwrap();
            let refused = Err(DecodeError::Length { length });
            assert_eq!(
                frame(&short, MessageLimit::Standard),
                refused,
                "type {kind}"
            );
        }
    }
}
