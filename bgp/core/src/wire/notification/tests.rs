//! NOTIFICATION in both directions, and the texts inside it.

use proptest::prelude::*;

use super::super::EncodeCtx;
use super::super::Message;
use super::super::tests::CTX;
use super::super::tests::{both_ways, cut_at_every_length, decode_one, encoded, hex};
use super::*;

#[test]
fn a_shutdown_with_a_reason_reads_both_ways() {
    both_ways(
        "ffffffffffffffffffffffffffffffff 0019 03 06 02 03 627965",
        &Message::Notification(Notification::shutdown("bye")),
    );
}

#[test]
fn every_pair_of_codes_reads_both_ways() {
    for code in 0..=u8::MAX {
        for subcode in 0..=u8::MAX {
            assert_eq!(
                ErrorCode::from_octets(code, subcode).octets(),
                (code, subcode)
            );
        }
    }
}

#[test]
fn subcodes_have_the_numbers_of_their_registry() {
    assert_eq!(
        HeaderError::ALL
            .iter()
            .map(|sub| sub.code())
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let open: Vec<u8> = OpenError::ALL.iter().map(|sub| sub.code()).collect();
    assert_eq!(open, [0, 1, 2, 3, 4, 6, 7, 11]);
    let update: Vec<u8> = UpdateError::ALL.iter().map(|sub| sub.code()).collect();
    assert_eq!(update, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11]);
    let cease: Vec<u8> = Cease::ALL.iter().map(|sub| sub.code()).collect();
    assert_eq!(cease, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(FsmError::ALL.len(), 4);
    assert_eq!(RefreshError::ALL.len(), 1);
}

#[test]
fn every_error_is_told_by_number_and_name_and_none_twice() {
    for (octets, words) in [
        ((2, 2), "2/2 (OPEN error, bad peer AS)"),
        ((3, 3), "3/3 (UPDATE error, missing well-known attribute)"),
        ((4, 0), "4/0 (hold timer expired)"),
        ((6, 0), "6/0 (Cease)"),
        ((6, 2), "6/2 (Cease, administrative shutdown)"),
        ((8, 0), "8/0 (send hold timer expired)"),
        ((9, 7), "9/7 (unknown error code)"),
    ] {
        assert_eq!(
            ErrorCode::from_octets(octets.0, octets.1).to_string(),
            words
        );
    }
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let reason = "é".repeat(200);
    let notification = Notification::shutdown(&reason);
    assert_eq!(notification.data.len(), 255);
    assert_eq!(notification.text().unwrap(), "é".repeat(127));
}

#[test]
fn only_shutdown_and_reset_carry_a_text() {
    let data = b"\x02hi".to_vec();
    for cease in Cease::ALL {
        let text = Notification::new(ErrorCode::Cease(*cease), data.clone()).text();
        let expected = matches!(
            cease,
            Cease::AdministrativeShutdown | Cease::AdministrativeReset
        );
        assert_eq!(text.is_some(), expected, "{cease:?}");
    }
    assert_eq!(Notification::shutdown("").text(), None);
}

#[test]
fn text_direction_marks_are_escaped() {
    let text = Notification::reset("a\u{202e}b").text().unwrap();
    assert_eq!(text, "a\\u{202e}b");
}

#[test]
fn a_hard_reset_wraps_and_unwraps_its_cause() {
    let cause = Notification::shutdown("moving");
    let wrapped = cause.clone().into_hard_reset();
    assert_eq!(wrapped.code.octets(), (6, 9));
    assert_eq!(wrapped.data, hex("06 02 06 6d6f76696e67"));
    assert_eq!(wrapped.hard_reset_cause(), Some(cause.clone()));
    assert_eq!(cause.hard_reset_cause(), None);
}

#[test]
fn a_printed_notification_names_codes_and_reason() {
    let printed = Notification::shutdown("bye").to_string();
    assert_eq!(printed, "6/2 (Cease, administrative shutdown): bye");
}

proptest! {
    #[test]
    fn notifications_survive_the_wire(
        code in any::<u8>(),
        subcode in any::<u8>(),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let code = ErrorCode::from_octets(code, subcode);
        let message = Message::Notification(Notification::new(code, data));
        let bytes = encoded(&message, &EncodeCtx::USUAL);
        prop_assert_eq!(decode_one(&bytes, &CTX), Ok(message));
        cut_at_every_length(&bytes);
    }

    #[test]
    fn whatever_a_peer_writes_is_printed_on_one_line(
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let body = [&[6, 2][..], &data].concat();
        let printed = Notification::decode(&body).to_string();
        prop_assert!(!printed.chars().any(char::is_control));
    }
}

#[test]
fn data_beyond_a_message_is_cut_off() {
    let code = ErrorCode::Unknown {
        code: 99,
        subcode: 0,
    };
    let bytes = encoded(
        &Message::Notification(Notification {
            code,
            data: vec![1; 9_000],
        }),
        &EncodeCtx::USUAL,
    );
    assert_eq!(bytes.len(), 4_096);
}
