//! What a line may look like, and that whatever it is, something is said about it.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::bgp::samples::terms;

fn told(text: &str) -> (Vec<Value>, Vec<String>) {
    let mut report = Report::default();
    line(7, text.as_bytes(), &terms(), &mut report);
    let values = report
        .lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (values, report.complaints)
}

const MARKER: &str = "ffffffffffffffffffffffffffffffff";

#[test]
fn digits_may_be_spaced_prefixed_and_commented() {
    for text in [
        "0a0B",
        " 0x0a0b\r\n",
        "0a 0b",
        "0a:0b # ten, eleven",
        "0 a 0 b\n",
    ] {
        assert_eq!(octets(text.as_bytes()), Ok(vec![10, 11]), "{text:?}");
    }
    for text in ["", "\n", "   ", "# nothing"] {
        assert_eq!(octets(text.as_bytes()), Ok(Vec::new()), "{text:?}");
    }
}

#[test]
fn what_is_no_digit_is_named_by_its_column() {
    assert_eq!(octets(b"  0x12g4"), Err(HexProblem::Digit { column: 7 }));
    assert_eq!(octets(b"123"), Err(HexProblem::Odd));
    assert_eq!(octets(&[b'0'; LINE_MAX + 1]), Err(HexProblem::TooLong));
    let (values, complaints) = told("zz");
    assert_eq!(complaints, ["line 7: column 1: not a hexadecimal digit"]);
    assert_eq!(values[0]["type"], Value::Null);
    assert_eq!(values[0]["line"], 7);
}

#[test]
fn a_line_may_hold_several_messages_and_an_empty_one_holds_none() {
    let (values, complaints) = told(&format!("{MARKER}001304 {MARKER}001304"));
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(values.len(), 2);
    assert!(values.iter().all(|value| value["type"] == "keepalive"));
    assert_eq!(told("# a comment"), (Vec::new(), Vec::new()));
}

#[test]
fn a_message_that_is_cut_off_is_told_with_both_lengths() {
    let (values, complaints) = told(&format!("{MARKER}001702 0000"));
    assert_eq!(complaints, ["line 7: cut off: 21 of 23 octets"]);
    assert_eq!(values[0]["type"], "update");
    assert_eq!(values[0]["reaction"], Value::Null);
    assert_eq!(
        told("ffff").1,
        ["line 7: cut off inside the header: 2 octets"]
    );
}

#[test]
fn a_broken_message_does_not_hide_the_next_of_its_line() {
    // An OPEN of version 3, then a KEEPALIVE.
    let open = format!("{MARKER}001d01 03 fde8 00b4 0a000001 00");
    let (values, complaints) = told(&format!("{open}{MARKER}001304"));
    assert_eq!(complaints, ["line 7: BGP version 3 is not 4"]);
    assert_eq!(values[0]["notification"]["code"], 2);
    assert_eq!(values[0]["notification"]["data"], "0004");
    assert_eq!(values[1]["type"], "keepalive");
}

#[test]
fn a_broken_header_ends_its_line() {
    let (values, complaints) = told(&format!("{MARKER}001204{MARKER}001304"));
    assert_eq!(complaints.len(), 1);
    assert_eq!(values.len(), 1);
    assert_eq!(values[0]["type"], "keepalive");
    assert_eq!(values[0]["reaction"], "reset");
}

proptest! {
    #[test]
    fn any_line_is_answered(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut report = Report::default();
        line(1, &text, &terms(), &mut report);
        let blank = octets(&text) == Ok(Vec::new());
        prop_assert_eq!(blank, report.lines.is_empty());
    }

    #[test]
    fn any_body_is_answered_and_what_decodes_survives_encoding(
        kind in 0_u8..7,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let length = u16::try_from(body.len() + 19).unwrap();
        let digits = format!("{MARKER}{length:04x}{kind:02x}{}", text(&body));
        let (values, complaints) = told(&digits);
        prop_assert_eq!(values.len(), 1);
        let reset = values[0]["reaction"] == "reset";
        prop_assert_eq!(reset, !complaints.is_empty(), "{:?}", complaints);
    }

    #[test]
    fn any_attribute_list_is_answered_and_what_is_left_of_it_survives_encoding(
        parts in prop::collection::vec(
            (any::<u8>(), 0_u8..36, prop::collection::vec(0_u8..40, 0..24)), 0..8,
        ),
    ) {
        let mut list = vec![0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 192, 0, 2, 1];
        for (flags, code, value) in parts {
            list.extend([flags & 0xe0, code, u8::try_from(value.len()).unwrap()]);
            list.extend(value);
        }
        let length = u16::try_from(list.len()).unwrap();
        let total = length + 23 + 2;
        let digits = format!("{MARKER}{total:04x}020000{length:04x}{}080a", text(&list));
        let (values, complaints) = told(&digits);
        let reset = values[0]["reaction"] == "reset";
        prop_assert_eq!(reset, !complaints.is_empty(), "{:?}", complaints);
    }
}
