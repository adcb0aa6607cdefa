//! What a row of the table leaves behind, where the reaction alone does not say it: the octets that are
//! kept, the address that is chosen, the words that are shown.

use ringbolt_bgp::types::{Asn, Family, FamilySet, Prefix};
use ringbolt_bgp::wire::{
    self, Cease, DecodeCtx, DecodeError, ErrorCode, Message, MessageLimit, NextHop, Notification,
    Origin, Reaction, RefreshForm, UnknownAttribute, Update,
};

use super::CTX;
use super::table::bytes::{
    GLOBAL_6, HOP, ORIGIN, PATH, ROUTE, ROUTE_6, capable, hex, long_path, message, only, reach,
    reach_6, update_of, with, with_length,
};

/// Decodes the only message in `bytes`.
fn decode_one(bytes: &[u8], ctx: &DecodeCtx) -> Result<Message, DecodeError> {
    let framed = wire::frame(bytes, ctx.limit)?.expect("the message is complete");
    assert_eq!(framed.len(), bytes.len(), "nothing may be left over");
    wire::decode(framed, ctx)
}

/// The UPDATE in `bytes`, which is one whatever is wrong with its attributes.
fn update(bytes: &[u8], ctx: &DecodeCtx) -> Update {
    match decode_one(bytes, ctx) {
        Ok(Message::Update(update)) => update,
        other => panic!("not an UPDATE: {other:?}"),
    }
}

#[test]
fn row_3_is_refused_before_its_body_arrives() {
    let header = &with_length(message(2, &[]), 65_535)[..19];
    assert_eq!(
        wire::frame(header, CTX.limit),
        Err(DecodeError::Length { length: 65_535 })
    );
    assert_eq!(wire::frame(header, MessageLimit::Extended), Ok(None));
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
        assert_eq!(
            wire::frame(&keepalive[..at], CTX.limit),
            Ok(None),
            "{at} octets"
        );
    }
}

#[test]
fn row_19_does_not_borrow_the_next_octets() {
    let Ok(Message::Open(open)) = decode_one(&capable("41 00 02 00"), &CTX) else {
        panic!("the capability is ignored");
    };
    assert!(!open.four_octet_as());
    assert!(open.route_refresh());
    assert_eq!(open.asn, Asn(65_001));
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

#[test]
fn row_56_a_path_of_sixteen_thousand_ases_is_read() {
    let ctx = DecodeCtx {
        limit: MessageLimit::Extended,
        ..CTX
    };
    let update = update(&only(&[ORIGIN, &long_path(62), HOP]), &ctx);
    let announced = update.announced.unwrap();
    assert_eq!(announced.attributes.as_path.length(), 255 * 62);
}

#[test]
fn row_70_keeps_the_first_origin() {
    let announced = update(&with("40 01 01 02"), &CTX).announced.unwrap();
    assert_eq!(announced.attributes.origin, Origin::Igp);
}

#[test]
fn row_75_keeps_transitive_strangers_and_marks_them_partial() {
    let bytes = with("80 62 01 00 c0 63 02 0102");
    let announced = update(&bytes, &CTX).announced.unwrap();
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
        let announced = update(&reach_6("20", &sent), &CTX).announced.unwrap();
        let used = NextHop::V6(used.parse().unwrap());
        assert_eq!(announced.reaches[0].next_hop, used);
    }
}

#[test]
fn a_withdrawal_stands_whatever_the_attributes_say() {
    let bytes = update_of(ROUTE, &[PATH, "40 01 01 03"].concat(), "");
    let update = update(&bytes, &CTX);
    let route: Prefix = "203.0.113.0/24".parse().unwrap();
    assert_eq!(update.withdrawn, [route]);
    assert_eq!(update.reaction(), Reaction::Withdraw);
}

#[test]
fn a_faulty_update_without_prefixes_is_a_no_op_unless_prefixes_may_be_lost() {
    let update = update(&update_of("", "40 01 01 03", ""), &CTX);
    assert_eq!(update.reaction(), Reaction::Withdraw);
    assert!(update.withdrawn.is_empty() && update.announced.is_none());
    let cut_reach = update_of("", &[ORIGIN, PATH, "80 0e ff 0002 01"].concat(), "");
    let notification = decode_one(&cut_reach, &CTX).unwrap_err().notification();
    assert_eq!(notification.code.octets(), (3, 1));
}

#[test]
fn a_broken_classic_next_hop_does_not_hurt_multiprotocol_routes() {
    let attribute = format!("80 0e 1c 0002 01 10 {GLOBAL_6} 00 {ROUTE_6}");
    let attributes = [ORIGIN, PATH, "40 03 04 00000000", &attribute].concat();
    let update = update(&update_of("", &attributes, ""), &CTX);
    assert_eq!(update.reaction(), Reaction::Accept);
    assert!(update.announced.is_some());
}

#[test]
fn prefixes_of_families_not_negotiated_are_ignored() {
    let ctx = DecodeCtx {
        families: FamilySet::only(Family::Ipv6Unicast),
        ..CTX
    };
    let update = update(&with(""), &ctx);
    assert_eq!(update.reaction(), Reaction::Discard);
    assert!(update.announced.is_none() && update.withdrawn.is_empty());
}

#[test]
fn ipv4_over_ipv6_needs_to_be_negotiated() {
    let bytes = reach(&format!("0001 01 10 {GLOBAL_6} 00 {ROUTE}"));
    assert_eq!(update(&bytes, &CTX).reaction(), Reaction::Withdraw);
    let both = DecodeCtx {
        extended_next_hop: FamilySet::ALL,
        ..CTX
    };
    assert_eq!(update(&bytes, &both).reaction(), Reaction::Accept);
}
