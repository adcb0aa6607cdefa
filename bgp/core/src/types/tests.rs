//! The nouns keep their promises.

use super::*;

#[test]
fn one_and_two_seconds_are_not_hold_times() {
    for seconds in [1, 2] {
        assert_eq!(
            HoldTime::from_secs(seconds),
            Err(HoldTimeTooShort { seconds })
        );
    }
    assert_eq!(HoldTime::from_secs(0).unwrap(), HoldTime::OFF);
    assert_eq!(
        HoldTime::from_secs(3).unwrap().duration(),
        Some(Duration::from_secs(3))
    );
}

#[test]
fn the_smaller_hold_time_wins_and_zero_is_the_smallest() {
    let ninety = HoldTime::from_secs(90).unwrap();
    let nine = HoldTime::from_secs(9).unwrap();
    assert_eq!(ninety.negotiate(nine), nine);
    assert_eq!(ninety.negotiate(HoldTime::OFF).duration(), None);
}

#[test]
fn a_wide_as_number_is_as_trans_in_two_octets() {
    assert_eq!(Asn(65_535).in_two_octets(), 65_535);
    assert_eq!(Asn(65_536).in_two_octets(), 23_456);
    assert!(!Asn(4_200_000_000).fits_two_octets());
}

#[test]
fn router_ids_exclude_zero_and_include_multicast() {
    assert_eq!(RouterId::new(0), None);
    let id = RouterId::try_from(Ipv4Addr::new(224, 0, 0, 1)).unwrap();
    assert_eq!(id.to_string(), "224.0.0.1");
}

#[test]
fn family_sets_behave_like_sets() {
    let mut set: FamilySet = [Family::Ipv6Unicast].into_iter().collect();
    assert!(!set.contains(Family::Ipv4Unicast));
    set.insert(Family::Ipv4Unicast);
    assert_eq!(set, FamilySet::ALL);
    assert_eq!(set.iter().collect::<Vec<_>>(), Family::ALL);
    set.remove(Family::Ipv6Unicast);
    assert_eq!(
        set.intersection(FamilySet::only(Family::Ipv6Unicast)),
        FamilySet::EMPTY
    );
}

#[test]
fn a_secret_is_not_printed() {
    let printed = format!("{:?}", Some(Secret::new("hunter2")));
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn peer_ids_print_their_instance_only_where_there_is_one() {
    assert_eq!(PeerId::new("tor").to_string(), "tor");
    assert_eq!(
        PeerId::with_instance("mesh", "node-b").to_string(),
        "mesh/node-b"
    );
}
