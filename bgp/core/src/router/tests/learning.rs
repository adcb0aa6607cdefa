//! What a peer tells us: counted, limited, and taken out again.

use super::rig::{OUR_AS, PEER_AS, Rig, config, open, peer};
use crate::router::{Event, Input};
use crate::session::{DownReason, PeerConfig, State};
use crate::types::{Asn, ConnId, Family, Prefix};
use crate::wire::{
    Announcement, AsPath, FaultCause, Message, NextHop, Origin, PathAttributes, Reach, Update,
};

fn update(prefixes: &[&str], path: &[Asn], next_hop: [u8; 4]) -> Message {
    let prefixes: Vec<Prefix> = prefixes
        .iter()
        .map(|prefix| prefix.parse().unwrap())
        .collect();
    let reach = Reach {
        family: Family::Ipv4Unicast,
        next_hop: NextHop::V4(next_hop.into()),
        prefixes,
    };
    Message::Update(Update {
        announced: Some(Announcement {
            attributes: PathAttributes::new(Origin::Igp, AsPath::sequence(path)),
            reaches: vec![reach],
        }),
        ..Update::default()
    })
}

const PEER: [u8; 4] = [10, 0, 0, 2];

fn known(rig: &Rig) -> usize {
    rig.stats().prefixes_in.ipv4
}

fn ready() -> (Rig, ConnId) {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.hear(conn);
    rig.events();
    (rig, conn)
}

#[test]
fn prefixes_are_counted_once_and_until_they_are_withdrawn() {
    let (mut rig, conn) = ready();
    rig.say(
        conn,
        &update(&["10.1.0.0/16", "10.2.0.0/16"], &[PEER_AS], PEER),
    );
    rig.say(conn, &update(&["10.2.0.0/16"], &[PEER_AS, Asn(7)], PEER));
    assert_eq!(known(&rig), 2);
    let gone = vec!["10.1.0.0/16".parse().unwrap()];
    rig.say(
        conn,
        &Message::Update(Update {
            withdrawn: gone,
            ..Update::default()
        }),
    );
    assert_eq!(known(&rig), 1);
    rig.give(Input::Closed { conn });
    assert_eq!(known(&rig), 0);
}

#[test]
fn a_path_that_leads_back_to_us_takes_the_earlier_one_along() {
    let (mut rig, conn) = ready();
    rig.say(conn, &update(&["10.1.0.0/16"], &[PEER_AS], PEER));
    rig.say(conn, &update(&["10.1.0.0/16"], &[PEER_AS, OUR_AS], PEER));
    assert_eq!(known(&rig), 0);
    assert_eq!(rig.stats().loops_in, 1);
    assert!(
        rig.events().is_empty(),
        "reflection of our own routes is no news"
    );
}

#[test]
fn a_next_hop_that_is_our_own_address_is_no_route() {
    let (mut rig, conn) = ready();
    rig.say(conn, &update(&["10.1.0.0/16"], &[PEER_AS], PEER));
    rig.say(conn, &update(&["10.1.0.0/16"], &[PEER_AS], [10, 0, 0, 1]));
    assert_eq!(known(&rig), 0);
    assert_eq!(rig.stats().state, State::Established);
}

#[test]
fn one_prefix_too_many_ends_the_session_once_with_6_1() {
    let limited = PeerConfig {
        max_prefixes_in: Some(2),
        ..config()
    };
    let (mut rig, conn) = Rig::established(limited, &open());
    rig.hear(conn);
    rig.say(
        conn,
        &update(&["10.1.0.0/16", "10.2.0.0/16"], &[PEER_AS], PEER),
    );
    assert_eq!(rig.stats().state, State::Established);
    rig.say(conn, &update(&["10.3.0.0/16"], &[PEER_AS], PEER));
    rig.say(conn, &update(&["10.4.0.0/16"], &[PEER_AS], PEER));
    assert_eq!(rig.last_words(conn), Some((6, 1)));
    assert_eq!(
        rig.stats().last_down,
        Some(DownReason::TooManyPrefixes { limit: 2 })
    );
    assert_eq!(rig.stats().flaps, 1);
    assert_eq!(rig.stats().state, State::Idle, "kept out for the back-off");
}

#[test]
fn a_faulty_attribute_withdraws_counts_and_is_told_once() {
    let (mut rig, conn) = ready();
    rig.say(conn, &update(&["10.1.0.0/16"], &[PEER_AS], PEER));
    // AS 0 in the path (RFC 7607): treat-as-withdraw.
    for _ in 0..3 {
        rig.say(conn, &update(&["10.1.0.0/16"], &[PEER_AS, Asn::ZERO], PEER));
    }
    assert_eq!(known(&rig), 0);
    assert_eq!(rig.stats().counters.treated_as_withdraw, 3);
    let events = rig.events();
    let [Event::FaultyUpdate { peer: from, fault }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*from, peer());
    assert_eq!(fault.cause, FaultCause::AsZero);
    assert_eq!(rig.stats().state, State::Established);
}

#[test]
fn an_update_that_cannot_be_located_ends_the_session() {
    let (mut rig, conn) = ready();
    let mut bytes = vec![0xff; 16];
    bytes.extend([0, 23, 2, 0x0f, 0xa0, 0, 0]);
    rig.give(Input::Bytes {
        conn,
        bytes: &bytes,
    });
    assert_eq!(rig.last_words(conn), Some((3, 1)));
    assert_eq!(rig.stats().counters.resets, 1);
}

#[test]
fn end_of_rib_is_noticed() {
    let (mut rig, conn) = ready();
    let end = Update {
        end_of_rib: Some(Family::Ipv4Unicast),
        ..Update::default()
    };
    rig.say(conn, &Message::Update(end));
    assert!(rig.stats().end_of_rib_received.ipv4);
    assert!(!rig.stats().end_of_rib_received.ipv6);
}

#[test]
fn endless_withdrawals_of_nothing_leave_nothing_behind() {
    let (mut rig, conn) = ready();
    for number in 0..1000_u32 {
        let prefix = Prefix::new(std::net::Ipv4Addr::from(number << 8).into(), 24).unwrap();
        let gone = Update {
            withdrawn: vec![prefix],
            ..Update::default()
        };
        rig.say(conn, &Message::Update(gone));
    }
    assert_eq!(known(&rig), 0);
    assert!(rig.events().is_empty());
}
