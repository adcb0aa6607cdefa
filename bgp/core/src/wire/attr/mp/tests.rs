//! Multiprotocol attributes in both directions, and every shape of next hop met in the field.

use proptest::prelude::*;

use super::super::super::tests::{CTX, hex, values};
use super::*;
use crate::types::FamilySet;

fn written(family: Family, next_hop: &NextHop, prefixes: &[Prefix]) -> Vec<u8> {
    let mut buf = BytesMut::new();
    encode_reach_start(family, next_hop, &mut buf);
    prefixes
        .iter()
        .for_each(|prefix| nlri::encode(prefix, &mut buf));
    buf.to_vec()
}

#[test]
fn next_hops_of_every_size_read_both_ways() {
    let global: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let link_local: Ipv6Addr = "fe80::1".parse().unwrap();
    let address = "20010db8000000000000000000000001";
    let cases = [
        (
            "0001 01 04 0a000001 00 08 0a".to_owned(),
            Family::Ipv4Unicast,
            NextHop::V4(Ipv4Addr::new(10, 0, 0, 1)),
            "10.0.0.0/8",
        ),
        (
            format!("0002 01 10 {address} 00 08 20"),
            Family::Ipv6Unicast,
            NextHop::V6(global),
            "2000::/8",
        ),
        (
            format!("0002 01 20 {address} fe800000000000000000000000000001 00 08 20"),
            Family::Ipv6Unicast,
            NextHop::V6LinkLocal { global, link_local },
            "2000::/8",
        ),
    ];
    for (bytes, family, next_hop, prefix) in cases {
        let prefixes = vec![prefix.parse().unwrap()];
        assert_eq!(written(family, &next_hop, &prefixes), hex(&bytes));
        let expected = MpReach {
            family,
            next_hop,
            prefixes,
            unusable: None,
        };
        assert_eq!(reach(&hex(&bytes), &CTX), Ok(expected));
    }
}

#[test]
fn unreach_reads_what_the_prologue_and_prefixes_write() {
    let mut buf = BytesMut::new();
    encode_family(Family::Ipv6Unicast, &mut buf);
    assert_eq!(buf, hex("0002 01"));
    let prefix: Prefix = "2001:db8::/32".parse().unwrap();
    nlri::encode(&prefix, &mut buf);
    let expected = MpUnreach {
        family: Family::Ipv6Unicast,
        prefixes: vec![prefix],
    };
    assert_eq!(unreach(&buf, &CTX), Ok(expected));
}

#[test]
fn next_hops_nobody_can_forward_to_are_known() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.5",
        "255.255.255.255",
    ] {
        assert!(
            !NextHop::V4(address.parse().unwrap()).is_forwardable(),
            "{address}"
        );
    }
    for address in ["::", "::1", "ff02::1", "::ffff:127.0.0.1"] {
        assert!(
            !NextHop::V6(address.parse().unwrap()).is_forwardable(),
            "{address}"
        );
    }
    for address in ["fe80::1", "2001:db8::1", "::ffff:10.0.0.1"] {
        assert!(
            NextHop::V6(address.parse().unwrap()).is_forwardable(),
            "{address}"
        );
    }
}

#[test]
fn a_family_that_was_not_negotiated_is_not_looked_into() {
    let ctx = DecodeCtx {
        families: FamilySet::only(Family::Ipv4Unicast),
        ..CTX
    };
    for garbage in ["0002 01", "0002 01 ff", "0019 46 05 ffffff"] {
        assert_eq!(
            reach(&hex(garbage), &ctx),
            Err(FaultCause::FamilyNotNegotiated)
        );
        assert_eq!(
            unreach(&hex(garbage), &ctx),
            Err(FaultCause::FamilyNotNegotiated)
        );
    }
}

proptest! {
    #[test]
    fn reaches_survive_the_wire_and_cuts_are_refused_or_shorter(
        next_hop in values::next_hop(Family::Ipv6Unicast),
        prefixes in prop::collection::vec(values::prefix(Family::Ipv6Unicast), 0..5),
    ) {
        let bytes = written(Family::Ipv6Unicast, &next_hop, &prefixes);
        for length in 0..bytes.len() {
            if let Ok(read) = reach(&bytes[..length], &CTX) {
                prop_assert!(read.prefixes.len() < prefixes.len());
            }
        }
        let expected =
            MpReach { family: Family::Ipv6Unicast, next_hop, prefixes, unusable: None };
        prop_assert_eq!(reach(&bytes, &CTX), Ok(expected));
    }
}
