//! From a TCP connection to Established, or not.

use super::rig::{OUR_AS, PEER_AS, Rig, config, open, peer};
use crate::router::{Event, Flush, Input};
use crate::session::{DownReason, GracefulRestart, Mode, PeerConfig, Refresh, RemoteAsn, State};
use crate::types::{Asn, Family, FamilySet, HoldTime, Peering, RouterId};
use crate::wire::{AsnWidth, Capability, Message, Notification, Open, Update};

#[test]
fn a_session_comes_up_and_says_what_was_agreed() {
    let (mut rig, conn) = Rig::established(config(), &open());
    assert_eq!(rig.stats().state, State::Established);
    let agreed = rig.stats().negotiated.unwrap();
    assert_eq!(agreed.families, FamilySet::ALL);
    assert_eq!(agreed.peering, Peering::External);
    assert_eq!(agreed.refresh, Refresh::Enhanced);
    assert_eq!(agreed.asn_width, AsnWidth::FourOctets);
    let heard = rig.hear(conn);
    assert!(
        matches!(heard[..], [Message::Open(_), Message::Keepalive]),
        "{heard:?}"
    );
    let up = Event::Up {
        peer: peer(),
        conn,
        asn: PEER_AS,
        router_id: open().router_id,
    };
    assert_eq!(rig.events(), [up]);
}

#[test]
fn an_active_peer_is_dialled_at_once_and_a_passive_one_never() {
    let rig = Rig::new(PeerConfig {
        mode: Mode::Active,
        ..config()
    });
    assert_eq!(rig.dials().len(), 1);
    assert_eq!(rig.stats().state, State::Connect);
    let mut rig = Rig::new(config());
    rig.pass(std::time::Duration::from_secs(600));
    assert!(rig.dials().is_empty());
    assert_eq!(rig.stats().state, State::Active);
}

#[test]
fn our_open_offers_what_is_configured() {
    let graceful = Some(GracefulRestart { restart_time_s: 60 });
    let mut rig = Rig::new(PeerConfig {
        graceful_restart: graceful,
        ..config()
    });
    let conn = rig.connect();
    let [Message::Open(ours)] = &rig.hear(conn)[..] else {
        panic!("OPEN comes first and alone");
    };
    assert_eq!(ours.asn, OUR_AS);
    assert_eq!(ours.families(), FamilySet::ALL);
    assert!(ours.four_octet_as() && ours.route_refresh() && ours.enhanced_route_refresh());
    assert!(!ours.ipv4_over_ipv6(), "of no use over IPv4");
    let graceful = ours.graceful_restart().unwrap();
    assert!(graceful.restarting, "this process has not been up before");
    assert!(graceful.families.iter().all(|family| family.forwarding));
}

#[test]
fn a_local_as_is_shown_instead_of_ours() {
    let mut rig = Rig::new(PeerConfig {
        local_asn: Some(Asn(4_200_000_001)),
        ..config()
    });
    let conn = rig.connect();
    let [Message::Open(ours)] = &rig.hear(conn)[..] else {
        panic!("OPEN comes first and alone");
    };
    assert_eq!(ours.asn, Asn(4_200_000_001));
}

#[test]
fn each_peer_may_be_shown_an_identifier_of_its_own() {
    let shown = RouterId::new(0x0a09_0909).unwrap();
    let own = PeerConfig {
        router_id: Some(shown),
        remote_asn: RemoteAsn::Exactly(OUR_AS),
        ..config()
    };
    let mut rig = Rig::new(own.clone());
    let conn = rig.connect();
    let [Message::Open(ours)] = &rig.hear(conn)[..] else {
        panic!("OPEN comes first and alone");
    };
    assert_eq!(ours.router_id, shown);
    // RFC 6286 §2.2 is about what this peer is shown: that, and not what others see, it must not be.
    let internal = |router_id| Open {
        asn: OUR_AS,
        capabilities: Vec::new(),
        router_id,
        ..open()
    };
    assert_eq!(refusal(own, internal(shown)), Some((2, 3)));
    let of_others = RouterId::new(0x0a00_0001).unwrap();
    rig.say(conn, &Message::Open(internal(of_others)));
    assert_eq!(rig.stats().state, State::OpenConfirm);
}

/// What refuses an OPEN from a peer that is configured like this.
fn refusal(config: PeerConfig, open: Open) -> Option<(u8, u8)> {
    let mut rig = Rig::new(config);
    let conn = rig.connect();
    rig.say(conn, &Message::Open(open));
    assert_eq!(rig.closes(), [(conn, Flush::Drain)]);
    rig.last_words(conn)
}

#[test]
fn an_open_that_contradicts_the_configuration_is_refused() {
    let other_as = Open {
        asn: Asn(65_002),
        capabilities: Vec::new(),
        ..open()
    };
    assert_eq!(refusal(config(), other_as), Some((2, 2)));
    let internal = PeerConfig {
        remote_asn: RemoteAsn::Any(Peering::Internal),
        ..config()
    };
    assert_eq!(refusal(internal, open()), Some((2, 2)));
    let external = PeerConfig {
        remote_asn: RemoteAsn::Any(Peering::External),
        ..config()
    };
    let ours = Open {
        asn: OUR_AS,
        capabilities: Vec::new(),
        ..open()
    };
    assert_eq!(refusal(external, ours.clone()), Some((2, 2)));
    let internal = PeerConfig {
        remote_asn: RemoteAsn::Exactly(OUR_AS),
        ..config()
    };
    let twin = Open {
        router_id: RouterId::new(0x0a00_0001).unwrap(),
        ..ours
    };
    assert_eq!(refusal(internal, twin), Some((2, 3)));
    let only_ipv6 = PeerConfig {
        families: FamilySet::only(Family::Ipv6Unicast),
        ..config()
    };
    let only_ipv4 = Open {
        capabilities: vec![Capability::FourOctetAs(PEER_AS)],
        ..open()
    };
    assert_eq!(refusal(only_ipv6, only_ipv4), Some((2, 7)));
}

#[test]
fn what_is_refused_is_told_by_name_and_with_its_value() {
    let mut rig = Rig::bare();
    rig.give(Input::SetPeer(Box::new(config())));
    let conn = rig.connect();
    let other_as = Open {
        asn: Asn(65_002),
        capabilities: Vec::new(),
        ..open()
    };
    rig.say(conn, &Message::Open(other_as));
    let down = rig.stats().last_down.unwrap().to_string();
    assert_eq!(
        down,
        "we sent NOTIFICATION 2/2 (OPEN error, bad peer AS): it says AS 65002, configured is 65001"
    );
}

#[test]
fn what_was_said_at_another_address_is_forgotten() {
    let mut rig = Rig::bare();
    rig.give(Input::SetPeer(Box::new(config())));
    let conn = rig.connect();
    rig.say(conn, &Message::Notification(Notification::shutdown("bye")));
    assert!(rig.stats().last_down.is_some());
    let other_port = PeerConfig {
        port: 1_179,
        ..config()
    };
    rig.give(Input::SetPeer(Box::new(other_port.clone())));
    assert!(rig.stats().last_down.is_some(), "the address is the same");
    rig.give(Input::SetPeer(Box::new(PeerConfig {
        address: [10, 0, 0, 9].into(),
        ..other_port
    })));
    assert_eq!(rig.stats().last_down, None);
    assert_eq!(rig.stats().last_notification, None);
}

#[test]
fn equal_identifiers_are_welcome_between_ases() {
    let twin = Open {
        router_id: RouterId::new(0x0a00_0001).unwrap(),
        ..open()
    };
    let (rig, _) = Rig::established(config(), &twin);
    assert_eq!(rig.stats().state, State::Established);
}

#[test]
fn a_dynamic_as_is_taken_from_the_open() {
    let config = PeerConfig {
        remote_asn: RemoteAsn::Any(Peering::External),
        ..config()
    };
    let (rig, _) = Rig::established(config, &open());
    assert_eq!(rig.stats().negotiated.unwrap().peer_asn, PEER_AS);
}

#[test]
fn a_peer_without_capabilities_gets_ipv4_with_narrow_as_numbers() {
    let old = Open {
        capabilities: Vec::new(),
        ..open()
    };
    let (rig, _) = Rig::established(config(), &old);
    let agreed = rig.stats().negotiated.unwrap();
    assert_eq!(agreed.families, FamilySet::only(Family::Ipv4Unicast));
    assert_eq!(agreed.asn_width, AsnWidth::TwoOctets);
    assert_eq!(agreed.refresh, Refresh::Unsupported);
}

#[test]
fn a_message_out_of_turn_gets_the_fsm_error_of_the_state() {
    let mut rig = Rig::new(config());
    let conn = rig.connect();
    rig.say(conn, &Message::Keepalive);
    assert_eq!(rig.last_words(conn), Some((5, 1)));

    let mut rig = Rig::new(config());
    let conn = rig.connect();
    rig.say(conn, &Message::Open(open()));
    let end_of_rib = Update {
        end_of_rib: Some(Family::Ipv4Unicast),
        ..Update::default()
    };
    rig.say(conn, &Message::Update(end_of_rib));
    assert_eq!(rig.last_words(conn), Some((5, 2)));

    let (mut rig, conn) = Rig::established(config(), &open());
    rig.say(conn, &Message::Open(open()));
    assert_eq!(rig.last_words(conn), Some((5, 3)));
}

#[test]
fn nothing_follows_a_notification() {
    let mut rig = Rig::new(config());
    let conn = rig.connect();
    rig.say(conn, &Message::Keepalive);
    assert!(rig.last_words(conn).is_some());
    rig.say(conn, &Message::Open(open()));
    rig.pass(std::time::Duration::from_secs(100));
    assert!(rig.hear(conn).is_empty());
}

#[test]
fn a_peer_that_broke_the_protocol_is_kept_out_for_the_back_off() {
    let mut rig = Rig::new(config());
    let conn = rig.connect();
    rig.say(conn, &Message::Keepalive);
    rig.give(Input::Closed { conn });
    assert_eq!(rig.stats().state, State::Idle);
    let conn = rig.connect();
    assert!(rig.closes().contains(&(conn, Flush::Discard)));
    rig.pass(std::time::Duration::from_secs(1));
    assert_eq!(rig.stats().state, State::Active);
    rig.establish(&open());
    assert_eq!(rig.stats().state, State::Established);
}

#[test]
fn a_stranger_is_closed_before_anything_is_kept_of_it() {
    let mut rig = Rig::bare();
    let conn = rig.connect();
    assert_eq!(rig.closes(), [(conn, Flush::Discard)]);
    rig.say(conn, &Message::Open(open()));
    assert!(rig.hear(conn).is_empty());
}

#[test]
fn another_connection_beside_an_established_session_loses() {
    let (mut rig, first) = Rig::established(config(), &open());
    let second = rig.connect();
    assert_eq!(rig.closes(), [(second, Flush::Drain)]);
    assert_eq!(rig.last_words(second), Some((6, 7)));
    rig.say(first, &Message::Keepalive);
    assert_eq!(rig.stats().state, State::Established);
    assert_eq!(rig.stats().flaps, 0);
}

#[test]
fn another_connection_makes_us_probe_the_established_one_once_a_second() {
    for hold_time in [HoldTime::OFF, open().hold_time] {
        let theirs = Open {
            hold_time,
            ..open()
        };
        let (mut rig, first) = Rig::established(config(), &theirs);
        rig.pass(std::time::Duration::from_secs(2));
        rig.hear(first);
        rig.connect();
        assert_eq!(rig.hear(first), [Message::Keepalive]);
        rig.connect();
        assert!(rig.hear(first).is_empty(), "RFC 4271 §4.4: one a second");
        rig.pass(std::time::Duration::from_secs(1));
        rig.connect();
        assert_eq!(rig.hear(first), [Message::Keepalive]);
    }
}

/// Both sides have dialled: the OPENs have been exchanged on both connections.
fn collision(
    peer_id: u32,
) -> (
    Vec<(crate::types::ConnId, Flush)>,
    [crate::types::ConnId; 2],
) {
    let mut rig = Rig::new(PeerConfig {
        mode: Mode::Active,
        ..config()
    });
    let dialled = rig.dials()[0];
    let local = ([10, 0, 0, 1], 50_000).into();
    let remote = ([10, 0, 0, 2], 179).into();
    let next_hops = super::rig::next_hops();
    rig.give(Input::Dialled {
        conn: dialled,
        local,
        remote,
        next_hops,
    });
    let accepted = rig.connect();
    let theirs = Open {
        router_id: RouterId::new(peer_id).unwrap(),
        ..open()
    };
    rig.say(dialled, &Message::Open(theirs.clone()));
    rig.say(accepted, &Message::Open(theirs));
    (rig.closes(), [dialled, accepted])
}

#[test]
fn of_two_connections_the_one_dialled_by_the_higher_identifier_stays() {
    let (closed, [_, accepted]) = collision(1);
    assert_eq!(closed, [(accepted, Flush::Drain)]);
    let (closed, [dialled, _]) = collision(0x0b00_0000);
    assert_eq!(closed, [(dialled, Flush::Drain)]);
    // Equal identifiers: the higher AS is the peer's.
    let (closed, [dialled, _]) = collision(0x0a00_0001);
    assert_eq!(closed, [(dialled, Flush::Drain)]);
}

#[test]
fn a_dial_that_is_not_needed_any_longer_is_cancelled() {
    let mut rig = Rig::new(PeerConfig {
        mode: Mode::Active,
        ..config()
    });
    let dialled = rig.dials()[0];
    rig.establish(&open());
    assert_eq!(rig.closes(), [(dialled, Flush::Discard)]);
    // It succeeds nevertheless, too late.
    let ends = (([10, 0, 0, 1], 50_000).into(), ([10, 0, 0, 2], 179).into());
    let next_hops = super::rig::next_hops();
    rig.give(Input::Dialled {
        conn: dialled,
        local: ends.0,
        remote: ends.1,
        next_hops,
    });
    assert_eq!(rig.stats().state, State::Established);
    assert!(rig.hear(dialled).is_empty());
}

#[test]
fn a_closed_connection_is_reported_with_its_reason() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.events();
    rig.give(Input::Closed { conn });
    let reason = DownReason::ConnectionClosed;
    assert_eq!(
        rig.events(),
        [Event::Down {
            peer: peer(),
            reason
        }]
    );
    assert_eq!(rig.stats().flaps, 1);
    assert_eq!(rig.stats().state, State::Active);
}
