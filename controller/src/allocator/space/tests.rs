//! Counting by arithmetic against counting one by one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{Space, buggy, is_anycast, is_buggy, starts_of_64};
use crate::Family;

proptest! {
    #[test]
    fn buggy_addresses_are_counted_as_if_one_by_one(start in any::<u32>(), span in 0u32..2_000) {
        let last = start.saturating_add(span);
        let each = (start..=last).filter(|n| is_buggy(IpAddr::V4(Ipv4Addr::from_bits(*n)))).count();
        prop_assert_eq!(buggy(start, last), each as u128);
    }

    #[test]
    fn anycast_addresses_are_counted_as_if_one_by_one(net in 0u128..4, low in 0u128..3, nets in 0u128..4) {
        let first = (net << 64) + low;
        let last = first + (nets << 64) + 1;
        let each = (0..12u128).map(|n| n << 64).filter(|n| (first..=last).contains(n)).count();
        prop_assert_eq!(starts_of_64(first, last), each as u128);
    }
}

#[test]
fn only_the_first_address_of_a_slash_64_is_anycast() {
    assert!(is_anycast("2001:db8::".parse().unwrap()));
    assert!(!is_anycast("2001:db8::1".parse().unwrap()));
    assert!(!is_anycast("192.0.2.0".parse().unwrap()));
}

#[test]
fn a_pair_of_two_families_is_no_interval() {
    let mut space = Space::new();
    let (v4, v6) = (
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    );
    space.insert(v4, v6);
    assert_eq!((space.len(Family::Ipv4), space.len(Family::Ipv6)), (0, 0));
}
