//! What follows from two OPENs; refusals are among the Router's handshake stories.

use super::*;
use crate::session::config::{GracefulRestart, RemoteAsn};
use crate::types::PeerId;

fn us() -> Identity {
    Identity {
        router_id: RouterId::new(1).unwrap(),
        asn: Asn(65_000),
    }
}

fn config(families: FamilySet) -> PeerConfig {
    let address = IpAddr::from([10, 0, 0, 2]);
    let any = RemoteAsn::Any(Peering::External);
    PeerConfig {
        families,
        ..PeerConfig::new(PeerId::new("tor"), any, address)
    }
}

fn ipv6() -> IpAddr {
    "fd00::1".parse().unwrap()
}

fn ipv4() -> IpAddr {
    IpAddr::from([10, 0, 0, 1])
}

/// Our own OPEN, said by somebody else.
fn mirrored(config: &PeerConfig, local: IpAddr) -> Open {
    let them = Identity {
        router_id: RouterId::new(2).unwrap(),
        asn: Asn(4_200_000_000),
    };
    our_open(config, them, local, Restart::Settled)
}

#[test]
fn ipv4_over_ipv6_needs_both_sides_and_a_session_over_ipv6() {
    let config = config(FamilySet::ALL);
    let over_ipv6 = negotiate(&config, us(), ipv6(), &mirrored(&config, ipv6())).unwrap();
    assert_eq!(
        over_ipv6.extended_next_hop,
        FamilySet::only(Family::Ipv4Unicast)
    );
    let theirs_alone = negotiate(&config, us(), ipv4(), &mirrored(&config, ipv6())).unwrap();
    assert!(theirs_alone.extended_next_hop.is_empty());
    let ours_alone = negotiate(&config, us(), ipv6(), &mirrored(&config, ipv4())).unwrap();
    assert!(ours_alone.extended_next_hop.is_empty());
}

#[test]
fn the_smaller_hold_time_counts_and_zero_is_smallest() {
    let config = config(FamilySet::ALL);
    let with = |seconds| {
        let hold_time = HoldTime::from_secs(seconds).unwrap();
        let theirs = Open {
            hold_time,
            ..mirrored(&config, ipv4())
        };
        negotiate(&config, us(), ipv4(), &theirs).unwrap()
    };
    assert_eq!(with(9).hold_time.as_secs(), 9);
    assert_eq!(with(240).hold_time.as_secs(), 90);
    assert_eq!(with(240).keepalive, Some(Duration::from_secs(30)));
    assert_eq!(
        (with(0).hold_time, with(0).keepalive),
        (HoldTime::OFF, None)
    );
}

#[test]
fn graceful_restart_needs_both_offers() {
    let plain = config(FamilySet::ALL);
    let graceful = PeerConfig {
        graceful_restart: Some(GracefulRestart { restart_time_s: 60 }),
        ..plain.clone()
    };
    let agreed = |ours: &PeerConfig, theirs: &PeerConfig| {
        negotiate(ours, us(), ipv4(), &mirrored(theirs, ipv4()))
            .unwrap()
            .graceful_restart
    };
    assert_eq!(agreed(&graceful, &graceful).unwrap().restart_time_s, 60);
    assert_eq!(agreed(&graceful, &plain), None);
    assert_eq!(agreed(&plain, &graceful), None);
}

#[test]
fn a_refusal_for_want_of_a_family_lists_those_we_carry() {
    let ours = config(FamilySet::only(Family::Ipv6Unicast));
    let theirs = mirrored(&config(FamilySet::only(Family::Ipv4Unicast)), ipv4());
    let refusal = negotiate(&ours, us(), ipv4(), &theirs).unwrap_err();
    assert_eq!(refusal.to_string(), "it carries none of ipv6-unicast");
    let refusal = refusal.notification();
    assert_eq!(refusal.code.octets(), (2, 7));
    assert_eq!(refusal.data, [1, 4, 0, 2, 0, 1]);
}

#[test]
fn a_wrong_as_is_told_with_the_one_that_is_configured() {
    let against = |remote_asn| {
        let config = PeerConfig {
            remote_asn,
            ..config(FamilySet::ALL)
        };
        let theirs = Open {
            asn: Asn(65_000),
            ..mirrored(&config, ipv4())
        };
        negotiate(&config, us(), ipv4(), &theirs)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        against(RemoteAsn::Exactly(Asn(64_511))),
        "it says AS 65000, configured is 64511"
    );
    assert_eq!(
        against(RemoteAsn::Any(Peering::External)),
        "it says AS 65000, configured is any but ours, 65000"
    );
}

#[test]
fn enhanced_refresh_without_plain_refresh_is_no_refresh() {
    let config = config(FamilySet::ALL);
    let mut theirs = mirrored(&config, ipv4());
    theirs
        .capabilities
        .retain(|capability| *capability != Capability::RouteRefresh);
    let agreed = negotiate(&config, us(), ipv4(), &theirs).unwrap();
    assert_eq!(agreed.refresh, Refresh::Unsupported);
}
