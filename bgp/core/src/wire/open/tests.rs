//! OPEN in both directions.

use proptest::prelude::*;

use super::super::tests::{CTX, values};
use super::super::tests::{both_ways, cut_at_every_length, decode_one, encoded, hex, message};
use super::super::{DecodeCtx, EncodeCtx, Message};
use super::*;
use crate::types::AfiSafi;

fn id(a: u8, b: u8, c: u8, d: u8) -> RouterId {
    RouterId::try_from(std::net::Ipv4Addr::new(a, b, c, d)).unwrap()
}

#[test]
fn an_open_with_the_usual_capabilities_reads_both_ways() {
    let open = Open {
        asn: Asn(4_200_000_001),
        hold_time: HoldTime::from_secs(90).unwrap(),
        router_id: id(10, 0, 0, 1),
        capabilities: vec![
            Capability::Multiprotocol(AfiSafi { afi: 1, safi: 1 }),
            Capability::Multiprotocol(AfiSafi { afi: 2, safi: 1 }),
            Capability::RouteRefresh,
            Capability::FourOctetAs(Asn(4_200_000_001)),
        ],
    };
    both_ways(
        "ffffffffffffffffffffffffffffffff 0033 01 04 5ba0 005a 0a000001 16 02 14
         0104 0001 00 01  0104 0002 00 01  0200  4104 fa56ea01",
        &Message::Open(open),
    );
}

#[test]
fn an_open_without_capabilities_reads_both_ways() {
    let open = Open {
        asn: Asn(65_001),
        hold_time: HoldTime::OFF,
        router_id: id(224, 0, 0, 1),
        capabilities: Vec::new(),
    };
    let bytes = "ffffffffffffffffffffffffffffffff 001d 01 04 fde9 0000 e0000001 00";
    both_ways(bytes, &Message::Open(open));
}

#[test]
fn one_capability_per_parameter_is_read_too() {
    let bytes = message(
        1,
        &hex("04 fde9 005a 00000001 0c 02 06 01 04 0001 00 01 02 02 02 00"),
    );
    let Ok(Message::Open(open)) = decode_one(&bytes, &CTX) else {
        panic!("valid")
    };
    assert_eq!(open.families(), FamilySet::only(Family::Ipv4Unicast));
    assert!(open.route_refresh());
}

#[test]
fn more_than_253_octets_of_capabilities_take_the_extended_form() {
    for (size, extended) in [(251, false), (252, true)] {
        let bytes = vec![0; size];
        let open = Open {
            asn: Asn(65_001),
            hold_time: HoldTime::OFF,
            router_id: id(1, 1, 1, 1),
            capabilities: vec![Capability::Unknown { code: 200, bytes }],
        };
        let bytes = encoded(&Message::Open(open.clone()), &EncodeCtx::USUAL);
        assert_eq!(bytes[28..30] == [255, 255], extended, "{size} octets");
        assert_eq!(decode_one(&bytes, &CTX), Ok(Message::Open(open)));
    }
}

#[test]
fn capabilities_beyond_a_message_are_left_out() {
    let large = |code| Capability::Unknown {
        code,
        bytes: vec![0; 255],
    };
    let open = Open {
        asn: Asn(65_001),
        hold_time: HoldTime::OFF,
        router_id: id(1, 1, 1, 1),
        capabilities: (100..130).map(large).collect(),
    };
    let bytes = encoded(&Message::Open(open), &EncodeCtx::USUAL);
    let Ok(Message::Open(read)) = decode_one(&bytes, &CTX) else {
        panic!("fits a message")
    };
    assert_eq!(read.capabilities.len(), 15);
}

#[test]
fn a_peer_that_lists_no_family_carries_ipv4() {
    let with = |capabilities| Open {
        asn: Asn(1),
        hold_time: HoldTime::OFF,
        router_id: id(1, 1, 1, 1),
        capabilities,
    };
    let ipv4 = FamilySet::only(Family::Ipv4Unicast);
    assert_eq!(with(vec![Capability::RouteRefresh]).families(), ipv4);
    let vpn = Capability::Multiprotocol(AfiSafi { afi: 25, safi: 70 });
    assert_eq!(with(vec![vpn.clone()]).families(), FamilySet::EMPTY);
    let ipv6 = Capability::Multiprotocol(Family::Ipv6Unicast.afi_safi());
    assert_eq!(
        with(vec![vpn, ipv6]).families(),
        FamilySet::only(Family::Ipv6Unicast)
    );
}

#[test]
fn the_wide_as_number_counts_and_as_trans_stands_in_for_it() {
    let bytes = message(1, &hex("04 5ba0 005a 00000001 08 02 06 41 04 00010000"));
    let Ok(Message::Open(open)) = decode_one(&bytes, &CTX) else {
        panic!("valid")
    };
    assert_eq!(open.asn, Asn(65_536));
}

proptest! {
    #[test]
    fn opens_survive_the_wire(open in values::open()) {
        let message = Message::Open(open);
        let bytes = encoded(&message, &EncodeCtx::USUAL);
        prop_assert_eq!(decode_one(&bytes, &DecodeCtx::before_open()), Ok(message));
    }

    #[test]
    fn opens_can_be_cut_anywhere(open in values::open()) {
        cut_at_every_length(&encoded(&Message::Open(open), &EncodeCtx::USUAL));
    }
}
