//! What is remembered of those who ask.
use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::test_time::origin;

fn vip(index: u32) -> IpAddr {
    Ipv4Addr::from(0xc000_0200 + index).into()
}

fn asker(index: u32, at: Instant) -> Asker {
    let [a, b, c, d] = index.to_be_bytes();
    Asker {
        address: Ipv4Addr::from(index).into(),
        mac: MacAddr([2, 0, a, b, c, d]),
        at,
    }
}

#[test]
fn the_latest_comes_first_and_each_stands_once() {
    let mut askers = Askers::new(1);
    let now = origin();
    for index in [1, 2, 3, 1] {
        askers.note(vip(0), asker(index, now));
    }
    let order: Vec<IpAddr> = askers.recent(vip(0), now).map(|one| one.address).collect();
    assert_eq!(
        order,
        [1, 3, 2].map(|index| IpAddr::from(Ipv4Addr::from(index)))
    );
    assert_eq!(askers.len(), 3);
    askers.forget(vip(0));
    assert_eq!((askers.len(), askers.recent(vip(0), now).count()), (0, 0));
}

#[test]
fn who_asked_long_ago_is_not_written_to() {
    let mut askers = Askers::new(1);
    let now = origin();
    askers.note(vip(0), asker(1, now));
    assert_eq!(askers.recent(vip(0), now + AGE_MAX).count(), 1);
    assert_eq!(
        askers
            .recent(vip(0), now + AGE_MAX + Duration::from_secs(1))
            .count(),
        0
    );
    assert!(
        askers
            .some_recent(now + AGE_MAX + Duration::from_secs(1), 4)
            .is_empty()
    );
    assert_eq!(askers.some_recent(now, 4), [asker(1, now)]);
}

#[test]
fn memory_is_bounded_per_address_and_altogether() {
    let mut askers = Askers::new(1);
    let now = origin();
    for index in 0..10_000 {
        askers.note(vip(0), asker(index, now));
    }
    assert_eq!(askers.len(), PER_ADDRESS_MAX);
    for address in 0..5_000 {
        for index in 0..64 {
            askers.note(vip(address), asker(index, now));
        }
    }
    assert_eq!(askers.len(), PER_INTERFACE_MAX);
    let counted: usize = (0..5_000)
        .map(|one| askers.recent(vip(one), now).count())
        .sum();
    assert_eq!(counted, askers.len());
}

#[test]
fn both_families_are_kept_alike() {
    let mut askers = Askers::new(1);
    let now = origin();
    let address = IpAddr::from(Ipv6Addr::LOCALHOST);
    askers.note(address, asker(1, now));
    assert_eq!(askers.last_asked(address), Some(now));
    assert_eq!(askers.last_asked(vip(0)), None);
}
