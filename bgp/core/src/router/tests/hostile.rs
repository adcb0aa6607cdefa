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
use crate::wire::{self, EncodeCtx, Message};

/// One deed; numbers choose among what exists, or does not.
#[derive(Clone, Debug)]
enum Deed {
    SetPeer(u8),
    RemovePeer,
    ResetPeer,
    RefreshPeer,
    Dialled(u64),
    DialFailed(u64),
    Accepted(u64),
    Bytes(u64, Vec<u8>),
    Say(u64, u8),
    Sent(u64, usize),
    Closed(u64),
    Originate(u8),
    Withdraw(u8),
    Complete,
    Drain(bool),
    Shutdown(u8),
    Tick,
    Pass(u64),
    Fill(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let conn = 0_u64..4;
    prop_oneof![
        3 => any::<u8>().prop_map(Deed::SetPeer),
        1 => Just(Deed::RemovePeer),
        1 => Just(Deed::ResetPeer),
        1 => Just(Deed::RefreshPeer),
        4 => conn.clone().prop_map(Deed::Dialled),
        2 => conn.clone().prop_map(Deed::DialFailed),
        6 => conn.clone().prop_map(Deed::Accepted),
        4 => (conn.clone(), vec(any::<u8>(), 0..64)).prop_map(|(conn, bytes)| Deed::Bytes(conn, bytes)),
        20 => (conn.clone(), any::<u8>()).prop_map(|(conn, what)| Deed::Say(conn, what)),
        3 => (conn.clone(), any::<usize>()).prop_map(|(conn, bytes)| Deed::Sent(conn, bytes)),
        3 => conn.clone().prop_map(Deed::Closed),
        4 => any::<u8>().prop_map(Deed::Originate),
        3 => any::<u8>().prop_map(Deed::Withdraw),
        1 => Just(Deed::Complete),
        1 => any::<bool>().prop_map(Deed::Drain),
        1 => (0_u8..40).prop_map(Deed::Shutdown),
        2 => Just(Deed::Tick),
        4 => (0_u64..40_000).prop_map(Deed::Pass),
        6 => conn.prop_map(Deed::Fill),
    ]
}

/// Small numbers are dialled connections, and accepted ones with the same number.
fn conns(number: u64) -> [ConnId; 2] {
    [ConnId(number), accepted_conn(number)]
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
    let ends = (
        SocketAddr::from(([10, 0, 0, 1], 179)),
        SocketAddr::from(([10, 0, 0, 2], 179)),
    );
    let (local, remote) = ends;
    match deed {
        Deed::SetPeer(which) => rig.give(Input::SetPeer(Box::new(PeerConfig {
            mode: if which % 2 == 0 {
                Mode::Active
            } else {
                Mode::Passive
            },
            hold_time: HoldTime::from_secs([0, 3, 90, 90][usize::from(which / 64)]).unwrap(),
            max_prefixes_in: (which % 3 == 0).then_some(0),
            ..config()
        }))),
        Deed::RemovePeer => rig.give(Input::RemovePeer { peer: peer() }),
        Deed::ResetPeer => rig.give(Input::ResetPeer {
            peer: peer(),
            reason: Arc::from(""),
        }),
        Deed::RefreshPeer => rig.give(Input::RefreshPeer { peer: peer() }),
        Deed::Dialled(number) => {
            let conn = ConnId(number);
            rig.give(Input::Dialled {
                conn,
                local,
                remote,
                next_hops: next_hops(),
            });
        }
        Deed::DialFailed(number) => rig.give(Input::DialFailed {
            conn: ConnId(number),
        }),
        Deed::Accepted(number) => {
            let conn = accepted_conn(number);
            rig.give(Input::Accepted {
                conn,
                peer: peer(),
                local,
                remote,
                next_hops: next_hops(),
            });
        }
        Deed::Bytes(number, bytes) => {
            for conn in conns(number) {
                rig.give(Input::Bytes {
                    conn,
                    bytes: &bytes,
                });
            }
        }
        Deed::Say(number, what) => {
            let mut bytes = bytes::BytesMut::new();
            wire::encode(&message(what), &EncodeCtx::USUAL, &mut bytes).unwrap();
            for conn in conns(number) {
                rig.give(Input::Bytes {
                    conn,
                    bytes: &bytes,
                });
            }
        }
        Deed::Sent(number, bytes) => {
            for conn in conns(number) {
                rig.give(Input::Sent { conn, bytes });
            }
        }
        Deed::Closed(number) => {
            for conn in conns(number) {
                rig.give(Input::Closed { conn });
            }
        }
        Deed::Originate(which) => rig.give(Input::Originate(vec![originate(&prefix(which))])),
        Deed::Withdraw(which) => rig.give(Input::Withdraw(vec![key(&prefix(which))])),
        Deed::Complete => rig.give(Input::OriginationsComplete),
        Deed::Drain(drained) => {
            rig.give(Input::Drain(if drained {
                Drain::Drained
            } else {
                Drain::Serving
            }));
        }
        Deed::Shutdown(which) => {
            // Rarely, or there would be little else to see.
            let mode = match which {
                0 => ShutdownMode::Leave,
                1 => ShutdownMode::Plain,
                2 => ShutdownMode::Restart,
                _ => return,
            };
            rig.give(Input::Shutdown {
                mode,
                reason: Arc::from("test"),
            });
        }
        Deed::Tick => rig.give(Input::Tick),
        Deed::Pass(milliseconds) => rig.pass(Duration::from_millis(milliseconds)),
        Deed::Fill(number) => {
            for conn in conns(number) {
                rig.hear(conn);
            }
        }
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
