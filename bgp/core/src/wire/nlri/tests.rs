//! Prefixes in both directions.

use proptest::prelude::*;

use super::super::tests::{hex, values};
use super::*;

fn written(prefixes: &[Prefix]) -> Vec<u8> {
    let mut buf = BytesMut::new();
    for prefix in prefixes {
        let before = buf.len();
        encode(prefix, &mut buf);
        assert_eq!(buf.len() - before, encoded_len(prefix), "{prefix}");
    }
    buf.to_vec()
}

#[test]
fn prefixes_of_every_octet_count_read_both_ways() {
    let cases = [
        (Family::Ipv4Unicast, "00", "0.0.0.0/0"),
        (Family::Ipv4Unicast, "01 80", "128.0.0.0/1"),
        (Family::Ipv4Unicast, "08 0a", "10.0.0.0/8"),
        (Family::Ipv4Unicast, "09 0a80", "10.128.0.0/9"),
        (Family::Ipv4Unicast, "18 cb0071", "203.0.113.0/24"),
        (Family::Ipv4Unicast, "20 cb007105", "203.0.113.5/32"),
        (Family::Ipv6Unicast, "00", "::/0"),
        (Family::Ipv6Unicast, "2f 20010db8fffe", "2001:db8:fffe::/47"),
        (
            Family::Ipv6Unicast,
            "80 20010db8000000000000000000000001",
            "2001:db8::1/128",
        ),
    ];
    for (family, bytes, prefix) in cases {
        let prefix: Prefix = prefix.parse().unwrap();
        assert_eq!(decode(&hex(bytes), family), Ok(vec![prefix]));
        assert_eq!(written(&[prefix]), hex(bytes));
        assert!(encoded_len(&prefix) <= longest(family));
    }
}

#[test]
fn bits_beyond_the_length_are_cleared() {
    let prefixes = decode(&hex("09 0aff"), Family::Ipv4Unicast).unwrap();
    assert_eq!(prefixes, ["10.128.0.0/9".parse::<Prefix>().unwrap()]);
}

#[test]
fn impossible_lengths_are_refused_even_with_octets_for_them() {
    let long = [&[33][..], &[0; 32]].concat();
    assert_eq!(
        decode(&long, Family::Ipv4Unicast),
        Err(BadPrefix { bits: 33 })
    );
    let long = [&[129][..], &[0; 32]].concat();
    assert_eq!(
        decode(&long, Family::Ipv6Unicast),
        Err(BadPrefix { bits: 129 })
    );
    assert_eq!(
        decode(&[255], Family::Ipv6Unicast),
        Err(BadPrefix { bits: 255 })
    );
}

proptest! {
    #[test]
    fn ipv4_prefixes_survive_the_wire(
        prefixes in prop::collection::vec(values::prefix(Family::Ipv4Unicast), 0..50),
    ) {
        prop_assert_eq!(decode(&written(&prefixes), Family::Ipv4Unicast), Ok(prefixes));
    }

    #[test]
    fn ipv6_prefixes_survive_the_wire(
        prefixes in prop::collection::vec(values::prefix(Family::Ipv6Unicast), 0..50),
    ) {
        prop_assert_eq!(decode(&written(&prefixes), Family::Ipv6Unicast), Ok(prefixes));
    }

    #[test]
    fn one_octet_makes_at_most_one_prefix(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        for family in Family::ALL {
            if let Ok(prefixes) = decode(&bytes, family) {
                prop_assert!(prefixes.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_prefix_cut_anywhere_is_refused(prefix in values::prefix(Family::Ipv6Unicast)) {
        let bytes = written(&[prefix]);
        for length in 1..bytes.len() {
            let bits = prefix.prefix_len();
            prop_assert_eq!(decode(&bytes[..length], Family::Ipv6Unicast), Err(BadPrefix { bits }));
        }
    }
}
