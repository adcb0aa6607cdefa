//! The malformed-input table (docs/reference/bgp-malformed.md), rows 1-29 and 85-86: framing, OPEN, NOTIFICATION, ROUTE-REFRESH.
//!
//! Rows 9, 27, 28 and 89 are about states and time and belong to the session.

use super::super::*;
use super::{CTX, decode_one, hex, message};

/// What must come of the bytes.
enum Expect {
    /// Decoded, whatever it says.
    Message,
    /// A NOTIFICATION with these two codes and this data.
    Reset(u8, u8, &'static [u8]),
}
use Expect::{Message as Accepted, Reset};

fn open(my_as: u16, hold: u16, id: u32, parameters: &[u8]) -> Vec<u8> {
    let mut body = vec![4];
    body.extend(my_as.to_be_bytes());
    body.extend(hold.to_be_bytes());
    body.extend(id.to_be_bytes());
    body.extend(parameters);
    message(1, &body)
}

/// An OPEN that is right but for its capabilities.
fn capable(capabilities: &str) -> Vec<u8> {
    let capabilities = hex(capabilities);
    let length = u8::try_from(capabilities.len()).unwrap();
    let parameters = [&[length + 2, 2, length][..], &capabilities].concat();
    open(65_001, 90, 1, &parameters)
}

fn with_length(mut bytes: Vec<u8>, length: u16) -> Vec<u8> {
    bytes[16..18].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The outcome of the first message of a stream.
fn outcome(bytes: &[u8], ctx: &DecodeCtx) -> Result<Message, DecodeError> {
    match frame(bytes, ctx.limit)? {
        Some(framed) => decode(framed, ctx),
        None => panic!("an incomplete message has no outcome"),
    }
}

fn framing_rows() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let keepalive = || message(4, &[]);
    let mut bad_marker = keepalive();
    bad_marker[0] = 0;
    rows! {
        "1 marker octet 0 is 00": bad_marker => Reset(1, 1, &[]);
        "2 length 18": with_length(keepalive(), 18) => Reset(1, 2, &[0, 18]);
        "2 length 0": with_length(keepalive(), 0) => Reset(1, 2, &[0, 0]);
        "2 length 1": with_length(keepalive(), 1) => Reset(1, 2, &[0, 1]);
        "3 length 4097": with_length(message(2, &[0; 4]), 4_097) => Reset(1, 2, &[0x10, 1]);
        "3 length 65535": with_length(message(2, &[0; 4]), 65_535) => Reset(1, 2, &[0xff, 0xff]);
        "4 type 0": message(0, &[0; 4]) => Reset(1, 3, &[0]);
        "4 type 6": message(6, &[0; 4]) => Reset(1, 3, &[6]);
        "4 type 9": message(9, &[0; 4]) => Reset(1, 3, &[9]);
        "4 type 255": message(255, &[0; 4]) => Reset(1, 3, &[255]);
        "5 KEEPALIVE of 20 octets": message(4, &[0]) => Reset(1, 2, &[0, 20]);
        "6 UPDATE of 22 octets": message(2, &[0; 3]) => Reset(1, 2, &[0, 22]);
        "6 OPEN of 28 octets": message(1, &[4; 9]) => Reset(1, 2, &[0, 28]);
        "6 NOTIFICATION of 20 octets": message(3, &[6]) => Reset(1, 2, &[0, 20]);
        "8 ROUTE-REFRESH for AFI 99": message(5, &[0, 99, 0, 1]) => Accepted;
        "29 CAPABILITY message": message(6, &[0, 1, 0, 200, 9]) => Reset(1, 3, &[6]);
        "86 NOTIFICATION with code 99": message(3, &[99, 1]) => Accepted;
        "86 Hard Reset without its cause": message(3, &[6, 9, 6]) => Accepted;
    }
}

fn open_rows() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let version_3 = {
        let mut bytes = open(65_001, 90, 1, &[0]);
        bytes[19] = 3;
        bytes
    };
    let plain = |my_as, hold, id| open(my_as, hold, id, &[0]);
    rows! {
        "11 version 3": version_3 => Reset(2, 1, &[0, 4]);
        "12 My-AS 0": plain(0, 90, 1) => Reset(2, 2, &[]);
        "12 capability 65 with AS 0": capable("41 04 00000000") => Reset(2, 2, &[]);
        "13 router id 0": plain(65_001, 90, 0) => Reset(2, 3, &[]);
        "14 router id 224.0.0.1": plain(65_001, 90, 0xe000_0001) => Accepted;
        "15 hold time 1": plain(65_001, 1, 1) => Reset(2, 6, &[]);
        "15 hold time 2": plain(65_001, 2, 1) => Reset(2, 6, &[]);
        "16 hold time 0": plain(65_001, 0, 1) => Accepted;
        "17 parameter length 200, 8 octets present":
            open(65_001, 90, 1, &hex("08 02 c8 01 04 0001 00 01")) => Reset(2, 0, &[]);
        "17 parameters length 200, 8 octets present":
            open(65_001, 90, 1, &hex("c8 02 06 01 04 0001 00 01")) => Reset(2, 0, &[]);
        "17 one stray octet": open(65_001, 90, 1, &[0, 7]) => Reset(2, 0, &[]);
        "17 capability past its parameter": capable("01 08 0001 00 01") => Reset(2, 0, &[]);
        "18 multiprotocol capability of 3 octets": capable("01 03 0001 00") => Accepted;
        "19 capability 65 of 0 octets, then another": capable("41 00 02 00") => Accepted;
        "20 graceful restart of 3 octets": capable("40 03 0078 00") => Accepted;
        "20 long-lived graceful restart of 5 octets": capable("47 05 0001 01 80 00") => Accepted;
        "21 FQDN host length past its end": capable("49 03 10 61 62") => Accepted;
        "22 software version of 0 octets": capable("4b 00") => Accepted;
        "22 software version past its end": capable("4b 02 20 61") => Accepted;
        "23 optional parameter 1": open(65_001, 90, 1, &[4, 1, 2, 0, 0]) => Reset(2, 4, &[]);
        "24 no capabilities": plain(65_001, 90, 1) => Accepted;
        "24 capabilities twice": capable("01 04 0001 00 01 01 04 0001 00 01") => Accepted;
        "24 unknown capability 200": capable("c8 03 010203") => Accepted;
        "25 extended parameters":
            open(65_001, 90, 1, &hex("ff ff 0009 02 0006 01 04 0001 00 01")) => Accepted;
        "26 extended parameters with the header cut":
            open(65_001, 90, 1, &hex("ff ff 0002 02 00")) => Reset(2, 0, &[]);
        "26 extended parameters without their length":
            open(65_001, 90, 1, &hex("ff ff 00")) => Reset(2, 0, &[]);
    }
}

#[test]
fn framing_and_open_rows_have_their_reaction() {
    for (row, bytes, expect) in framing_rows().into_iter().chain(open_rows()) {
        match (outcome(&bytes, &CTX), expect) {
            (Ok(_), Accepted) => {}
            (Err(error), Reset(code, subcode, data)) => {
                let notification = error.notification();
                assert_eq!(
                    notification.code.octets(),
                    (code, subcode),
                    "row {row}: {error}"
                );
                assert_eq!(notification.data, data, "row {row}");
            }
            (Ok(message), Reset(..)) => panic!("row {row}: accepted as {message:?}"),
            (Err(error), Accepted) => panic!("row {row}: refused: {error}"),
        }
    }
}

#[test]
fn row_3_is_refused_before_its_body_arrives() {
    let header = &with_length(message(2, &[]), 65_535)[..19];
    assert_eq!(
        frame(header, CTX.limit),
        Err(DecodeError::Length { length: 65_535 })
    );
    assert_eq!(frame(header, MessageLimit::Extended), Ok(None));
}

#[test]
fn row_7_depends_on_enhanced_route_refresh() {
    let short = message(5, &[0, 1, 0]);
    let enhanced = decode_one(&short, &CTX).unwrap_err().notification();
    assert_eq!(
        (enhanced.code.octets(), enhanced.data),
        ((7, 1), short.clone())
    );
    let ctx = DecodeCtx {
        refresh: RefreshForm::Plain,
        ..CTX
    };
    let plain = decode_one(&short, &ctx).unwrap_err().notification();
    assert_eq!((plain.code.octets(), plain.data), ((1, 2), vec![0, 22]));

    let with_filters = message(5, &hex("0001 00 01 01 80 ffff 00"));
    let notification = decode_one(&with_filters, &CTX).unwrap_err().notification();
    assert_eq!(notification.code.octets(), (7, 1));
}

#[test]
fn row_10_a_header_split_anywhere_is_waited_for() {
    let keepalive = message(4, &[]);
    for at in 0..19 {
        assert_eq!(frame(&keepalive[..at], CTX.limit), Ok(None), "{at} octets");
    }
}

#[test]
fn row_19_does_not_borrow_the_next_octets() {
    let Ok(Message::Open(open)) = decode_one(&capable("41 00 02 00"), &CTX) else {
        panic!("the capability is ignored");
    };
    assert!(!open.four_octet_as());
    assert!(open.route_refresh());
    assert_eq!(open.asn, crate::types::Asn(65_001));
}

#[test]
fn row_85_reasons_are_shown_without_harm() {
    let long = Notification::decode(&[&[6, 2, 255][..], b"bye"].concat());
    assert_eq!(long.text().as_deref(), Some("bye"));
    let hostile = Notification::decode(&[&[6, 2, 9][..], b"a\nb\x1b[2J\xff\xfe"].concat());
    assert_eq!(
        hostile.text().as_deref(),
        Some("a\\nb\\u{1b}[2J\u{fffd}\u{fffd}")
    );
    assert_eq!(Notification::decode(&[6, 2]).text(), None);
}

#[test]
fn row_86_a_truncated_hard_reset_has_no_cause() {
    for body in [&[6, 9][..], &[6, 9, 6]] {
        assert_eq!(Notification::decode(body).hard_reset_cause(), None);
    }
    let whole = Notification::decode(&[6, 9, 6, 2, 0])
        .hard_reset_cause()
        .unwrap();
    assert_eq!(whole.code, ErrorCode::Cease(Cease::AdministrativeShutdown));
}
