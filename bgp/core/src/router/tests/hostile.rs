//! Bytes and inputs from people who mean no good, in any order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::rig::{Rig, config, key, next_hops, open, originate, peer};
use crate::router::{Drain, Input, Output, ShutdownMode, accepted_conn};
use crate::session::{Mode, PeerConfig};
use crate::types::{ConnId, HoldTime};
use crate::wire::{self, Message};

/// One deed; numbers choose among what exists, or does not.
#[derive(Clone, Debug)]
enum Deed {
    SetPeer(u8),
    RemovePeer,
    ResetPeer,
    RefreshPeer,
    Originate(u8),
    Withdraw(u8),
    Complete,
    Drain(Drain),
    Shutdown(Option<ShutdownMode>),
    Tick,
    Pass(u64),
    Link(u64, OnLink),
}

#[derive(Clone, Debug)]
enum OnLink {
    Dialled,
    DialFailed,
    Accepted,
    Bytes(Vec<u8>),
    Say(u8),
    Sent(usize),
    Closed,
    Fill,
}

fn deed() -> impl Strategy<Value = Deed> {
    let drain = prop_oneof![Just(Drain::Serving), Just(Drain::Drained)];
    // Rarely, or there would be little else to see.
    let shutdown = prop_oneof![
        40 => Just(None),
        1 => Just(Some(ShutdownMode::Leave)),
        1 => Just(Some(ShutdownMode::Plain)),
        1 => Just(Some(ShutdownMode::Restart)),
    ];
    prop_oneof![
        3 => any::<u8>().prop_map(Deed::SetPeer),
        1 => Just(Deed::RemovePeer),
        1 => Just(Deed::ResetPeer),
        1 => Just(Deed::RefreshPeer),
        4 => any::<u8>().prop_map(Deed::Originate),
        3 => any::<u8>().prop_map(Deed::Withdraw),
        1 => Just(Deed::Complete),
        1 => drain.prop_map(Deed::Drain),
        1 => shutdown.prop_map(Deed::Shutdown),
        2 => Just(Deed::Tick),
        4 => (0_u64..40_000).prop_map(Deed::Pass),
        48 => (0_u64..4, on_link()).prop_map(|(number, what)| Deed::Link(number, what)),
    ]
}

fn on_link() -> impl Strategy<Value = OnLink> {
    prop_oneof![
        4 => Just(OnLink::Dialled),
        2 => Just(OnLink::DialFailed),
        6 => Just(OnLink::Accepted),
        4 => vec(any::<u8>(), 0..64).prop_map(OnLink::Bytes),
        20 => any::<u8>().prop_map(OnLink::Say),
        3 => any::<usize>().prop_map(OnLink::Sent),
        3 => Just(OnLink::Closed),
        6 => Just(OnLink::Fill),
    ]
}

fn message(what: u8) -> Message {
    match what % 6 {
        0 | 1 => Message::Open(open()),
        2 | 3 => Message::Keepalive,
        4 => Message::Update(wire::Update {
            withdrawn: vec![key("10.0.0.0/8").prefix],
            ..wire::Update::default()
        }),
        _ => Message::RouteRefresh(wire::RouteRefresh {
            family: crate::types::Family::Ipv4Unicast.afi_safi(),
            kind: wire::RefreshKind::Request,
        }),
    }
}

fn prefix(number: u8) -> String {
    if number < 128 {
        format!("192.0.2.{}/32", number % 8)
    } else {
        format!("2001:db8::{}/128", number % 8)
    }
}

fn perform(rig: &mut Rig, deed: Deed) {
    match deed {
        Deed::SetPeer(which) => rig.give(Input::SetPeer(Box::new(variant(which)))),
        Deed::RemovePeer => rig.give(Input::RemovePeer { peer: peer() }),
        Deed::ResetPeer => rig.give(Input::ResetPeer {
            peer: peer(),
            reason: Arc::from(""),
        }),
        Deed::RefreshPeer => rig.give(Input::RefreshPeer { peer: peer() }),
        Deed::Originate(which) => rig.give(Input::Originate(vec![originate(&prefix(which))])),
        Deed::Withdraw(which) => rig.give(Input::Withdraw(vec![key(&prefix(which))])),
        Deed::Complete => rig.give(Input::OriginationsComplete),
        Deed::Drain(drain) => rig.give(Input::Drain(drain)),
        Deed::Shutdown(None) => {}
        Deed::Shutdown(Some(mode)) => {
            rig.give(Input::Shutdown {
                mode,
                reason: Arc::from("test"),
            });
        }
        Deed::Tick => rig.give(Input::Tick),
        Deed::Pass(milliseconds) => rig.pass(Duration::from_millis(milliseconds)),
        Deed::Link(number, what) => {
            for conn in [ConnId(number), accepted_conn(number)] {
                touch(rig, conn, &what);
            }
        }
    }
}

fn variant(which: u8) -> PeerConfig {
    let hold_time = [0, 3, 90, 90][usize::from(which / 64)];
    PeerConfig {
        mode: if which.is_multiple_of(2) {
            Mode::Active
        } else {
            Mode::Passive
        },
        hold_time: HoldTime::from_secs(hold_time).unwrap(),
        max_prefixes_in: which.is_multiple_of(3).then_some(0),
        ..config()
    }
}

/// Small numbers are dialled connections, and accepted ones with the same number.
fn touch(rig: &mut Rig, conn: ConnId, what: &OnLink) {
    let local = SocketAddr::from(([10, 0, 0, 1], 179));
    let remote = SocketAddr::from(([10, 0, 0, 2], 179));
    let next_hops = next_hops();
    match what {
        OnLink::Dialled => rig.give(Input::Dialled {
            conn,
            local,
            remote,
            next_hops,
        }),
        OnLink::DialFailed => rig.give(Input::DialFailed { conn }),
        OnLink::Accepted if conn.0 < 1 << 63 => {}
        OnLink::Accepted => {
            rig.give(Input::Accepted {
                conn,
                peer: peer(),
                local,
                remote,
                next_hops,
            });
        }
        OnLink::Bytes(bytes) => rig.give(Input::Bytes { conn, bytes }),
        OnLink::Say(what) => rig.say(conn, &message(*what)),
        OnLink::Sent(bytes) => rig.give(Input::Sent {
            conn,
            bytes: *bytes,
        }),
        OnLink::Closed => rig.give(Input::Closed { conn }),
        OnLink::Fill => drop(rig.hear(conn)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_inputs_panics_or_breaks_a_rule(deeds in vec(deed(), 1..80)) {
        let mut rig = Rig::bare();
        for deed in deeds {
            perform(&mut rig, deed);
            let wakes = rig.router.next_deadline();
            rig.give(Input::Tick);
            if let Some((at, wake)) = rig.router.next_deadline() {
                prop_assert!(at > rig.now, "{wake:?} is due after its Tick, before it {wakes:?}");
            }
            let live = rig.router.stats();
            prop_assert!(live.peers.len() <= 1);
        }
        // Every connection is closed at most once, and dialled ones have numbers of their own.
        let closes = rig.closes();
        let dials = rig.dials();
        for dial in &dials {
            prop_assert!(closes.iter().filter(|(conn, _)| conn == dial).count() <= 1);
            prop_assert!(dial.0 < 1 << 63);
        }
        let unique: std::collections::BTreeSet<_> = dials.iter().collect();
        prop_assert_eq!(unique.len(), dials.len());
    }

    #[test]
    fn no_bytes_make_an_established_session_panic(bytes in vec(any::<u8>(), 0..600), cut in 1_usize..64) {
        let (mut rig, conn) = Rig::established(config(), &open());
        let mut stream = vec![0xff; 16];
        stream.extend(&bytes);
        for chunk in stream.chunks(cut) {
            rig.give(Input::Bytes { conn, bytes: chunk });
        }
        rig.hear(conn);
        let notifications = rig.outputs.iter().filter(|output| matches!(output, Output::Close { .. }));
        prop_assert!(notifications.count() <= 1);
    }
}
