//! The malformed-input table (docs/reference/bgp-malformed.md), rows 30-84: UPDATE.
//!
//! Rows 54, 55 and 59 depend on configuration and belong to the session; 87-91 to the router.

use super::super::*;
use super::{CTX, INTERNAL, decode_one, hex, message};
use crate::types::Prefix;

mod cases;

/// What must come of the bytes.
#[derive(Debug, PartialEq)]
enum Expect {
    /// The route stands and nothing was wrong.
    Accept,
    /// The route stands without an attribute.
    Discard,
    /// The route is withdrawn.
    Withdraw,
    /// A NOTIFICATION with these two codes.
    Reset(u8, u8),
}
/// The row's number and words, the bytes, the outcome.
type Row = (&'static str, Vec<u8>, Expect);

use Expect::{Accept, Discard, Reset, Withdraw};

const ORIGIN: &str = "40 01 01 00";
const PATH: &str = "40 02 06 02 01 0000fdea";
const HOP: &str = "40 03 04 0a630002";
/// 203.0.113.0/24.
const ROUTE: &str = "18 cb0071";
/// 2001:db8:1::/48, in front of which a next hop is missing.
const ROUTE_6: &str = "30 20010db80001";
const GLOBAL_6: &str = "20010db8000000000000000000000002";

fn update_of(withdrawn: &str, attributes: &str, nlri: &str) -> Vec<u8> {
    let (withdrawn, attributes) = (hex(withdrawn), hex(attributes));
    let mut body = u16::try_from(withdrawn.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    body.extend(withdrawn);
    body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend(attributes);
    body.extend(hex(nlri));
    message(2, &body)
}

/// The valid route with one more attribute.
fn with(attribute: &str) -> Vec<u8> {
    update_of("", &[ORIGIN, PATH, HOP, attribute].concat(), ROUTE)
}

/// The valid route with exactly these attributes.
fn only(attributes: &[&str]) -> Vec<u8> {
    update_of("", &attributes.concat(), ROUTE)
}

/// An MP_REACH_NLRI with this value among valid attributes, no classic prefixes.
fn reach(value: &str) -> Vec<u8> {
    let length = u8::try_from(hex(value).len()).unwrap();
    let attribute = format!("80 0e {length:02x} {value}");
    update_of("", &[ORIGIN, PATH, &attribute].concat(), "")
}

fn reach_6(next_hop_length: &str, next_hop: &str) -> Vec<u8> {
    reach(&["0002 01", next_hop_length, next_hop, "00", ROUTE_6].concat())
}

fn unreach(value: &str) -> Vec<u8> {
    let length = u8::try_from(hex(value).len()).unwrap();
    update_of("", &format!("80 0f {length:02x} {value}"), "")
}

fn sections(body: &str) -> Vec<u8> {
    message(2, &hex(body))
}

fn outcome(bytes: &[u8], ctx: &DecodeCtx) -> (Expect, Option<Update>) {
    match decode_one(bytes, ctx) {
        Err(error) => {
            let (code, subcode) = error.notification().code.octets();
            (Reset(code, subcode), None)
        }
        Ok(Message::Update(update)) => {
            let expect = match update.reaction() {
                Reaction::Accept => Accept,
                Reaction::Discard => Discard,
                Reaction::Withdraw => Withdraw,
                Reaction::Reset => panic!("a reset is an error"),
            };
            (expect, Some(update))
        }
        Ok(other) => panic!("not an UPDATE: {other:?}"),
    }
}

fn assert_rows(rows: Vec<Row>, ctx: &DecodeCtx) {
    let routes: [Prefix; 2] = [
        "203.0.113.0/24".parse().unwrap(),
        "2001:db8:1::/48".parse().unwrap(),
    ];
    for (row, bytes, expect) in rows {
        let (seen, update) = outcome(&bytes, ctx);
        assert_eq!(seen, expect, "row {row}");
        let Some(update) = update else { continue };
        if expect == Withdraw {
            assert!(
                update.announced.is_none(),
                "row {row}: nothing is announced"
            );
            let [route] = &*update.withdrawn else {
                panic!("row {row}: {update:?}")
            };
            assert!(routes.contains(route), "row {row}: {route}");
        } else {
            assert!(update.announced.is_some(), "row {row}: the route stands");
            assert!(update.withdrawn.is_empty(), "row {row}: {update:?}");
        }
        assert_eq!(update.end_of_rib, None, "row {row}");
    }
}

#[test]
fn framing_rows_end_the_session() {
    assert_rows(cases::framing_rows(), &CTX);
}

#[test]
fn mandatory_attribute_rows_have_their_reaction() {
    assert_rows(cases::basic_rows(), &CTX);
}

#[test]
fn optional_attribute_rows_have_their_reaction() {
    assert_rows(cases::optional_rows(), &CTX);
}

#[test]
fn rows_inside_an_as_have_their_reaction() {
    assert_rows(cases::internal_rows(), &INTERNAL);
}

#[test]
fn row_56_a_path_of_sixteen_thousand_ases_is_read() {
    let ctx = DecodeCtx {
        limit: MessageLimit::Extended,
        ..CTX
    };
    let segment = format!("02 ff {}", "0000fdea".repeat(255));
    let value = segment.repeat(62);
    let path = format!("50 02 {:04x} {value}", hex(&value).len());
    let (seen, update) = outcome(&only(&[ORIGIN, &path, HOP]), &ctx);
    assert_eq!(seen, Accept);
    let announced = update.unwrap().announced.unwrap();
    assert_eq!(announced.attributes.as_path.length(), 255 * 62);
}

#[test]
fn row_70_keeps_the_first_origin() {
    let announced = outcome(&with("40 01 01 02"), &CTX)
        .1
        .unwrap()
        .announced
        .unwrap();
    assert_eq!(announced.attributes.origin, Origin::Igp);
}

#[test]
fn row_75_keeps_transitive_strangers_and_marks_them_partial() {
    let bytes = with("80 62 01 00 c0 63 02 0102");
    let announced = outcome(&bytes, &CTX).1.unwrap().announced.unwrap();
    let kept = UnknownAttribute {
        code: 0x63,
        flags: 0xe0,
        bytes: [1, 2].into(),
    };
    assert_eq!(announced.attributes.unknown, [kept]);
}

#[test]
fn row_84_picks_the_address_that_can_be_used() {
    let link_local = format!("fe80000000000000{}02", "00".repeat(7));
    let zeros = "00".repeat(16);
    for (sent, used) in [
        (zeros.clone() + &link_local, "fe80::2"),
        (link_local.repeat(2), "fe80::2"),
        (GLOBAL_6.to_owned() + &zeros, "2001:db8::2"),
    ] {
        let announced = outcome(&reach_6("20", &sent), &CTX)
            .1
            .unwrap()
            .announced
            .unwrap();
        assert_eq!(
            announced.reaches[0].next_hop,
            NextHop::V6(used.parse().unwrap())
        );
    }
}

#[test]
fn a_withdrawal_stands_whatever_the_attributes_say() {
    let update = outcome(&update_of(ROUTE, &[PATH, "40 01 01 03"].concat(), ""), &CTX)
        .1
        .unwrap();
    assert_eq!(
        update.withdrawn,
        ["203.0.113.0/24".parse::<Prefix>().unwrap()]
    );
    assert_eq!(update.reaction(), Reaction::Withdraw);
}

#[test]
fn a_faulty_update_without_prefixes_is_a_no_op_unless_prefixes_may_be_lost() {
    let (seen, update) = outcome(&update_of("", "40 01 01 03", ""), &CTX);
    assert_eq!(seen, Withdraw);
    let update = update.unwrap();
    assert!(update.withdrawn.is_empty() && update.announced.is_none());
    let cut_reach = update_of("", &[ORIGIN, PATH, "80 0e ff 0002 01"].concat(), "");
    assert_eq!(outcome(&cut_reach, &CTX).0, Reset(3, 1));
}

#[test]
fn a_broken_classic_next_hop_does_not_hurt_multiprotocol_routes() {
    let attribute = format!("80 0e 1c 0002 01 10 {GLOBAL_6} 00 {ROUTE_6}");
    let bytes = update_of(
        "",
        &[ORIGIN, PATH, "40 03 04 00000000", &attribute].concat(),
        "",
    );
    assert_eq!(outcome(&bytes, &CTX).0, Accept);
}

#[test]
fn prefixes_of_families_not_negotiated_are_ignored() {
    let only_6 = FamilySet::only(crate::types::Family::Ipv6Unicast);
    let (seen, update) = outcome(
        &with(""),
        &DecodeCtx {
            families: only_6,
            ..CTX
        },
    );
    assert_eq!(seen, Discard);
    let update = update.unwrap();
    assert!(update.announced.is_none() && update.withdrawn.is_empty());
}

#[test]
fn ipv4_over_ipv6_needs_to_be_negotiated() {
    let bytes = reach(&format!("0001 01 10 {GLOBAL_6} 00 {ROUTE}"));
    assert_eq!(outcome(&bytes, &CTX).0, Withdraw);
    let both = DecodeCtx {
        extended_next_hop: FamilySet::ALL,
        ..CTX
    };
    assert_eq!(outcome(&bytes, &both).0, Accept);
}
