//! Slots, originations of one prefix, and what compaction may forget.

use super::*;

fn key(number: u8, slot: u16) -> OriginationKey {
    OriginationKey {
        prefix: format!("192.0.2.{number}/32").parse().unwrap(),
        slot,
    }
}

fn route(number: u8, slot: u16, med: u32) -> Origination {
    let attributes = Arc::new(RouteAttributes {
        med: Some(med),
        ..RouteAttributes::default()
    });
    Origination {
        key: key(number, slot),
        attributes,
        peers: PeerSet::All,
    }
}

fn table() -> LocRib {
    LocRib::new(Family::Ipv4Unicast)
}

#[test]
fn only_what_differs_is_a_change() {
    let mut table = table();
    assert!(table.originate(route(1, 0, 5)));
    assert!(!table.originate(route(1, 0, 5)));
    assert!(table.originate(route(1, 0, 6)));
    assert!(table.originate(route(1, 1, 6)));
    assert!(!table.originate(route(1, 1, 6)));
    assert_eq!(table.withdraw(key(1, 7)), None);
    assert_eq!(table.withdraw(key(2, 0)), None);
    assert_eq!(table.len(), 1);
}

#[test]
fn host_bits_do_not_make_another_prefix() {
    let mut table = table();
    let loose = |text: &str| OriginationKey {
        prefix: text.parse().unwrap(),
        slot: 0,
    };
    let origination = |text| Origination {
        key: loose(text),
        ..route(0, 0, 1)
    };
    assert!(table.originate(origination("10.1.2.3/16")));
    assert!(!table.originate(origination("10.1.0.0/16")));
    assert!(table.withdraw(loose("10.1.255.255/16")).is_some());
    assert_eq!(table.len(), 0);
}

#[test]
fn a_prefix_stays_while_one_of_its_originations_does() {
    let mut table = table();
    table.originate(route(1, 0, 5));
    table.originate(route(1, 3, 6));
    let slot = table.withdraw(key(1, 0)).unwrap();
    let left = table.offers_of(slot).unwrap();
    assert_eq!(table.offers().get(left).len(), 1);
    assert_eq!(table.withdraw(key(1, 3)), Some(slot));
    assert_eq!(table.offers_of(slot), None);
    assert_eq!(table.offers().len(), 0);
}

#[test]
fn routes_that_agree_share_one_value() {
    let mut table = table();
    let shared = route(0, 0, 1);
    for number in 0..200 {
        table.originate(Origination {
            key: key(number, 0),
            ..shared.clone()
        });
    }
    // Equal content in another allocation is the same value all the same.
    table.originate(route(201, 0, 1));
    assert_eq!(table.offers().len(), 1);
}

#[test]
fn slots_of_forgotten_prefixes_are_used_again() {
    let mut table = table();
    table.originate(route(1, 0, 1));
    let slot = table.withdraw(key(1, 0)).unwrap();
    table.release(slot);
    table.release(slot);
    table.originate(route(2, 0, 1));
    assert_eq!(table.prefix(slot), key(2, 0).prefix);
    table.originate(route(3, 0, 1));
    assert_eq!(table.len(), 2);
}

#[test]
fn a_slot_in_use_is_not_released() {
    let mut table = table();
    table.originate(route(1, 0, 1));
    table.release(0);
    assert_eq!(table.prefix(0), key(1, 0).prefix);
    assert_eq!(table.withdraw(key(1, 0)), Some(0));
}

#[test]
fn flapping_forever_costs_no_memory_and_keeps_what_somebody_must_hear() {
    let mut table = table();
    table.originate(route(9, 0, 1));
    let needed = table.withdraw(key(9, 0)).unwrap();
    for round in 0..20_000 {
        table.originate(route(1, 0, round));
        table.compact(|slot| slot == needed);
    }
    let entries: Vec<_> = table.log().entries().collect();
    assert!(entries.len() < 3000, "{} entries", entries.len());
    assert!(
        entries
            .iter()
            .any(|(position, slot)| *slot == needed && table.is_latest(*slot, *position))
    );
    assert_eq!(table.prefix(needed), key(9, 0).prefix);
}
