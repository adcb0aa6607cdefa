//! Peers come, change, and go.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{Rig, config, open, originate, peer};
use crate::router::{Event, Input};
use crate::session::{
    Direction, DownReason, Mode, NotificationRecord, PeerConfig, RemoteAsn, State,
};
use crate::types::{Asn, HoldTime, RouterId};
use crate::wire::{Message, Notification};

#[test]
fn a_change_that_is_not_part_of_open_leaves_the_session_alone() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.give(Input::SetPeer(Box::new(PeerConfig {
        description: Some(Arc::from("top of rack")),
        drain_wait: Duration::from_secs(7),
        max_prefixes_in: Some(10),
        connect_retry: Duration::from_secs(2),
        ..config()
    })));
    assert!(rig.closes().is_empty());
    rig.say(conn, &Message::Keepalive);
    assert_eq!(rig.stats().state, State::Established);
}

#[test]
fn a_change_of_open_resets_with_6_6_and_starts_over() {
    let (mut rig, conn) = Rig::established(config(), &open());
    let hold_time = HoldTime::from_secs(30).unwrap();
    rig.give(Input::SetPeer(Box::new(PeerConfig {
        hold_time,
        ..config()
    })));
    assert_eq!(rig.last_words(conn), Some((6, 6)));
    assert_eq!(
        rig.stats().last_down,
        Some(DownReason::ConfigurationChanged)
    );
    let conn = rig.establish(&open());
    rig.hear(conn);
    assert_eq!(rig.stats().negotiated.unwrap().hold_time, hold_time);
    assert_eq!(rig.stats().flaps, 1, "its history stays with the peer");
}

#[test]
fn another_keepalive_interval_is_kept_from_the_next_keepalive_on() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.hear(conn);
    rig.give(Input::SetPeer(Box::new(PeerConfig {
        keepalive: Some(Duration::from_secs(5)),
        ..config()
    })));
    assert!(rig.closes().is_empty());
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.hear(conn), [Message::Keepalive]);
    let agreed = rig.stats().negotiated.unwrap();
    assert_eq!(agreed.keepalive, Some(Duration::from_secs(5)));
    rig.give(Input::SetPeer(Box::new(config())));
    rig.pass(Duration::from_secs(20));
    assert!(rig.hear(conn).is_empty(), "a third of 90 s again");
}

#[test]
fn every_change_that_peers_or_sockets_see_needs_a_reset() {
    let base = config();
    let changed = [
        PeerConfig {
            remote_asn: RemoteAsn::Exactly(Asn(7)),
            ..config()
        },
        PeerConfig {
            local_asn: Some(Asn(7)),
            ..config()
        },
        PeerConfig {
            router_id: RouterId::new(7),
            ..config()
        },
        PeerConfig {
            port: 1179,
            ..config()
        },
        PeerConfig {
            hold_time: HoldTime::OFF,
            ..config()
        },
        PeerConfig {
            password: Some(crate::types::Secret::new(Arc::from(&b"s"[..]))),
            ..config()
        },
        PeerConfig {
            hops: crate::session::Hops::Multihop,
            ..config()
        },
    ];
    assert!(changed.iter().all(|next| base.needs_reset(next)));
    assert!(!base.needs_reset(&config()));
}

#[test]
fn a_removed_peer_is_told_6_3_and_forgotten() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.give(Input::RemovePeer { peer: peer() });
    assert_eq!(rig.last_words(conn), Some((6, 3)));
    assert!(rig.router.stats().peers.is_empty());
    assert_eq!(rig.router.next_deadline(), None);
    rig.give(Input::Closed { conn });
}

#[test]
fn a_reset_says_why_and_the_session_comes_back() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.give(Input::ResetPeer {
        peer: peer(),
        reason: Arc::from("new cable"),
    });
    let Some(Message::Notification(said)) = rig.hear(conn).pop() else {
        panic!("a NOTIFICATION ends it");
    };
    assert_eq!(
        (said.code.octets(), said.text().as_deref()),
        ((6, 4), Some("new cable"))
    );
    rig.pass(Duration::from_secs(2));
    rig.establish(&open());
    assert_eq!(rig.stats().state, State::Established);
}

#[test]
fn a_reset_costs_the_first_delay_and_a_new_configuration_forgives() {
    let active = || PeerConfig {
        mode: Mode::Active,
        ..config()
    };
    let mut rig = Rig::new(active());
    rig.establish(&open());
    rig.give(Input::ResetPeer {
        peer: peer(),
        reason: Arc::from("new cable"),
    });
    let (at, _) = rig.router.next_deadline().unwrap();
    assert!(at <= rig.now + Duration::from_secs(1), "not twice as long");
    for _ in 0..5 {
        rig.pass(Duration::from_secs(40));
        let conn = *rig.dials().last().unwrap();
        rig.give(Input::DialFailed { conn });
    }
    rig.give(Input::SetPeer(Box::new(PeerConfig {
        port: 1_179,
        ..active()
    })));
    let conn = *rig.dials().last().unwrap();
    rig.give(Input::DialFailed { conn });
    let (at, _) = rig.router.next_deadline().unwrap();
    assert!(
        at <= rig.now + Duration::from_secs(1),
        "what failed before was another configuration"
    );
}

#[test]
fn what_the_peer_said_last_is_kept_for_people() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.events();
    rig.say(
        conn,
        &Message::Notification(Notification::shutdown("bye\n")),
    );
    let record = NotificationRecord {
        direction: Direction::Received,
        code: 6,
        subcode: 2,
        text: Some(Arc::from("bye\\n")),
        cause: None,
    };
    let events = rig.events();
    let said = Event::Notification {
        peer: peer(),
        record: record.clone(),
    };
    assert_eq!(events[0], said);
    let reason = DownReason::NotificationReceived(record.clone());
    assert_eq!(
        events[1],
        Event::Down {
            peer: peer(),
            reason: reason.clone()
        }
    );
    assert_eq!(rig.stats().last_notification, Some(record));
    assert_eq!(rig.stats().last_down, Some(reason));
    assert!(rig.hear(conn).is_empty(), "a NOTIFICATION is not answered");
}

#[test]
fn inputs_about_what_does_not_exist_are_ignored() {
    let mut rig = Rig::bare();
    let conn = crate::types::ConnId(77);
    let ends = ([10, 0, 0, 1], 179).into();
    rig.give(Input::RemovePeer { peer: peer() });
    rig.give(Input::ResetPeer {
        peer: peer(),
        reason: Arc::from("x"),
    });
    rig.give(Input::RefreshPeer { peer: peer() });
    rig.give(Input::Dialled {
        conn,
        local: ends,
        remote: ends,
        next_hops: super::rig::next_hops(),
    });
    rig.give(Input::DialFailed { conn });
    rig.give(Input::Bytes {
        conn,
        bytes: &[1, 2, 3],
    });
    rig.give(Input::Sent { conn, bytes: 3 });
    rig.give(Input::Closed { conn });
    rig.give(Input::SetNextHops {
        conn,
        next_hops: super::rig::next_hops(),
    });
    assert!(rig.outputs.is_empty());
    assert!(rig.hear(conn).is_empty());
}

#[test]
fn counters_add_up() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    rig.give(Input::OriginationsComplete);
    let heard = rig.hear(conn);
    let counters = rig.stats().counters;
    assert_eq!(counters.messages_out, u64::try_from(heard.len()).unwrap());
    assert_eq!(counters.updates_out, 3);
    assert_eq!(counters.messages_in, 2);
}
