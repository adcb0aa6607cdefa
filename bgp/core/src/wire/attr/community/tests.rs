//! Community lists in both directions. Wrong lengths are rows 64-69 of the malformed-input table.

use proptest::prelude::*;

use super::super::super::tests::hex;
use super::*;

fn written<T>(list: &[T], encode: impl Fn(&[T], &mut BytesMut)) -> Vec<u8> {
    let mut buf = BytesMut::new();
    encode(list, &mut buf);
    buf.to_vec()
}

#[test]
fn every_kind_reads_both_ways() {
    let standard = [Community::new(65_001, 7), Community::GRACEFUL_SHUTDOWN];
    let bytes = hex("fde90007 ffff0000");
    assert_eq!(communities(&bytes).unwrap(), standard);
    assert_eq!(written(&standard, encode_communities), bytes);

    let large_ones = [LargeCommunity {
        global: 4_200_000_001,
        local_1: 1,
        local_2: 2,
    }];
    let bytes = hex("fa56ea01 00000001 00000002");
    assert_eq!(large(&bytes).unwrap(), large_ones);
    assert_eq!(written(&large_ones, encode_large), bytes);

    let extended_ones = [ExtendedCommunity([
        0x40, 4, 0xfd, 0xe9, 0x49, 0x98, 0x96, 0x80,
    ])];
    let bytes = hex("4004fde949989680");
    assert_eq!(extended(&bytes).unwrap(), extended_ones);
    assert_eq!(written(&extended_ones, encode_extended), bytes);
}

#[test]
fn communities_print_as_operators_write_them() {
    assert_eq!(Community::NO_EXPORT.to_string(), "65535:65281");
    assert_eq!(Community::NO_ADVERTISE.to_string(), "65535:65282");
    let large = LargeCommunity {
        global: 4_200_000_001,
        local_1: 1,
        local_2: 2,
    };
    assert_eq!(large.to_string(), "4200000001:1:2");
}

proptest! {
    #[test]
    fn only_whole_lists_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let whole = |size: usize| !bytes.is_empty() && bytes.len().is_multiple_of(size);
        prop_assert_eq!(communities(&bytes).is_ok(), whole(4));
        prop_assert_eq!(identifiers(&bytes).is_ok(), whole(4));
        prop_assert_eq!(extended(&bytes).is_ok(), whole(8));
        prop_assert_eq!(large(&bytes).is_ok(), whole(12));
        prop_assert_eq!(ipv6_extended(&bytes).is_ok(), whole(20));
    }

    #[test]
    fn lists_survive_the_wire(bytes in prop::collection::vec(any::<[u8; 24]>(), 1..5)) {
        let bytes = bytes.concat();
        prop_assert_eq!(&written(&communities(&bytes).unwrap(), encode_communities), &bytes);
        prop_assert_eq!(&written(&extended(&bytes).unwrap(), encode_extended), &bytes);
        prop_assert_eq!(&written(&large(&bytes).unwrap(), encode_large), &bytes);
    }
}
