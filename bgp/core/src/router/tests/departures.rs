//! Drain, undrain, and the three ways to leave.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{Rig, config, open, originate, peer, with};
use crate::policy::{RouteAttributes, RouteClass};
use crate::router::{Drain, Event, Flush, Input, ShutdownMode};
use crate::session::{DownReason, GracefulRestart, Mode, PeerConfig, State};
use crate::types::ConnId;
use crate::wire::capability::{Capability, GracefulRestart as GracefulCapability};
use crate::wire::{Community, Message, Notification, Open, Update};

const SECOND: Duration = Duration::from_secs(1);
const SERVICE: &str = "192.0.2.1/32";
const STANDING: &str = "10.244.1.0/24";

/// A session that has been told a Service's address and a pod CIDR.
fn serving(config: PeerConfig, open: &Open) -> (Rig, ConnId) {
    let (mut rig, conn) = Rig::established(config, open);
    let standing = RouteAttributes {
        class: RouteClass::Standing,
        ..RouteAttributes::default()
    };
    rig.give(Input::Originate(vec![
        originate(SERVICE),
        with(STANDING, standing),
    ]));
    rig.give(Input::OriginationsComplete);
    rig.hear(conn);
    rig.events();
    (rig, conn)
}

fn leave(rig: &mut Rig, mode: ShutdownMode) {
    rig.give(Input::Shutdown {
        mode,
        reason: Arc::from("power-off for maintenance"),
    });
}

/// Which prefixes carry GRACEFUL_SHUTDOWN.
fn asked(updates: &[Update]) -> Vec<String> {
    let announcements = updates
        .iter()
        .filter_map(|update| update.announced.as_ref());
    announcements
        .filter(|what| {
            what.attributes
                .communities
                .contains(&Community::GRACEFUL_SHUTDOWN)
        })
        .flat_map(|what| what.reaches.iter().flat_map(|reach| &reach.prefixes))
        .map(ToString::to_string)
        .collect()
}

fn withdrawn(updates: &[Update]) -> Vec<String> {
    updates
        .iter()
        .flat_map(|update| &update.withdrawn)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn leaving_asks_waits_withdraws_and_says_why() {
    let (mut rig, conn) = serving(config(), &open());
    leave(&mut rig, ShutdownMode::Leave);
    assert_eq!(asked(&rig.updates(conn)), [SERVICE]);
    rig.pass(Duration::from_millis(2999));
    assert!(rig.updates(conn).is_empty());
    assert!(!rig.events().contains(&Event::ShutdownComplete));
    rig.pass(Duration::from_millis(1));
    let mut gone = withdrawn(&rig.updates(conn));
    gone.sort();
    assert_eq!(gone, [STANDING, SERVICE]);
    // The withdrawals are with the kernel: only then comes the goodbye.
    assert_eq!(rig.closes(), [(conn, Flush::Drain)]);
    let Some(Message::Notification(goodbye)) = rig.hear(conn).pop() else {
        panic!("a NOTIFICATION ends it");
    };
    assert_eq!(goodbye.code.octets(), (6, 2));
    assert_eq!(goodbye.text().as_deref(), Some("power-off for maintenance"));
    assert!(rig.events().contains(&Event::ShutdownComplete));
    assert_eq!(rig.router.next_deadline(), None);
}

#[test]
fn a_peer_that_does_not_read_its_withdrawals_is_left_after_two_seconds() {
    let (mut rig, conn) = serving(config(), &open());
    leave(&mut rig, ShutdownMode::Leave);
    rig.pass(3 * SECOND);
    assert!(rig.closes().is_empty());
    rig.pass(2 * SECOND);
    assert_eq!(rig.closes(), [(conn, Flush::Drain)]);
    assert!(rig.events().contains(&Event::ShutdownComplete));
}

#[test]
fn each_peer_has_its_own_wait_and_zero_means_none() {
    let (mut rig, conn) = serving(
        PeerConfig {
            drain_wait: Duration::ZERO,
            ..config()
        },
        &open(),
    );
    leave(&mut rig, ShutdownMode::Leave);
    let updates = rig.updates(conn);
    assert!(asked(&updates).is_empty());
    assert_eq!(withdrawn(&updates).len(), 2);
    assert_eq!(rig.last_words(conn), Some((6, 2)));
}

#[test]
fn an_endless_wait_ends() {
    let (mut rig, conn) = serving(
        PeerConfig {
            drain_wait: Duration::MAX,
            ..config()
        },
        &open(),
    );
    rig.give(Input::Drain(Drain::Drained));
    rig.hear(conn);
    rig.pass_alive(conn, 3601 * SECOND);
    assert_eq!(rig.stats().prefixes_out.ipv4, 1);
}

#[test]
fn where_nothing_is_announced_leaving_takes_no_time() {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.hear(conn);
    leave(&mut rig, ShutdownMode::Leave);
    assert_eq!(rig.last_words(conn), Some((6, 2)));
    assert!(rig.events().contains(&Event::ShutdownComplete));
}

/// The peer can help us restart.
fn helper() -> (PeerConfig, Open) {
    helper_with(false)
}

/// The same; with the N bit it keeps our routes over a NOTIFICATION as well (RFC 8538).
fn helper_with(notifications: bool) -> (PeerConfig, Open) {
    let graceful = Some(GracefulRestart { restart_time_s: 60 });
    let mut open = open();
    open.capabilities
        .push(Capability::GracefulRestart(GracefulCapability {
            restarting: false,
            notifications,
            restart_time_s: 120,
            families: Vec::new(),
        }));
    (
        PeerConfig {
            graceful_restart: graceful,
            ..config()
        },
        open,
    )
}

#[test]
fn a_restart_leaves_a_helper_without_a_word() {
    let (config, open) = helper();
    let (mut rig, conn) = serving(config, &open);
    leave(&mut rig, ShutdownMode::Restart);
    assert_eq!(rig.closes(), [(conn, Flush::Discard)]);
    assert!(rig.hear(conn).is_empty());
    assert!(rig.events().contains(&Event::ShutdownComplete));
}

#[test]
fn a_restart_leaves_anybody_else_in_order() {
    let (mut rig, conn) = serving(config(), &open());
    leave(&mut rig, ShutdownMode::Restart);
    assert_eq!(asked(&rig.updates(conn)), [SERVICE]);
}

#[test]
fn power_off_leaves_a_helper_in_order_too() {
    let (config, open) = helper();
    let (mut rig, conn) = serving(config, &open);
    leave(&mut rig, ShutdownMode::Leave);
    assert_eq!(asked(&rig.updates(conn)), [SERVICE]);
}

#[test]
fn a_claim_to_have_restarted_ends_with_the_first_whole_view() {
    let (config, open) = helper();
    let (mut rig, conn) = serving(config, &open);
    rig.give(Input::Closed { conn });
    rig.pass(5 * SECOND);
    let conn = rig.connect();
    let Some(Message::Open(ours)) = rig.hear(conn).into_iter().next() else {
        panic!("OPEN comes first");
    };
    assert!(!ours.graceful_restart().unwrap().restarting);
}

/// Whether the OPEN on this connection claims a restart.
fn claims_a_restart(rig: &mut Rig, conn: ConnId) -> bool {
    let Some(Message::Open(ours)) = rig.hear(conn).into_iter().next() else {
        panic!("OPEN comes first");
    };
    ours.graceful_restart().unwrap().restarting
}

#[test]
fn a_restart_is_claimed_for_as_long_as_peers_were_asked_to_wait() {
    let (config, _) = helper();
    let mut rig = Rig::new(config);
    rig.pass(59 * SECOND);
    let early = rig.connect();
    assert!(claims_a_restart(&mut rig, early));
    rig.give(Input::Closed { conn: early });
    rig.pass(SECOND);
    let late = rig.connect();
    assert!(!claims_a_restart(&mut rig, late), "nobody waits any longer");
}

#[test]
fn a_peer_that_is_added_later_hears_of_no_restart() {
    let (config, _) = helper();
    let mut rig = Rig::bare();
    rig.give(Input::OriginationsComplete);
    rig.give(Input::SetPeer(Box::new(config)));
    let conn = rig.connect();
    assert!(!claims_a_restart(&mut rig, conn));
}

/// The NOTIFICATION that comes last on a connection.
fn notification(rig: &mut Rig, conn: ConnId) -> Notification {
    match rig.hear(conn).pop() {
        Some(Message::Notification(notification)) => notification,
        other => panic!("no NOTIFICATION but {other:?}"),
    }
}

#[test]
fn leaving_for_good_takes_the_routes_along() {
    let (config, open) = helper_with(true);
    let patient = PeerConfig {
        drain_wait: Duration::ZERO,
        ..config
    };
    let (mut rig, conn) = serving(patient.clone(), &open);
    leave(&mut rig, ShutdownMode::Leave);
    let withdrawals = rig.bytes(conn).len();
    rig.give(Input::Sent {
        conn,
        bytes: withdrawals,
    });
    rig.pass(3 * SECOND);
    let said = notification(&mut rig, conn);
    assert_eq!(said.code.octets(), (6, 9));
    let wrapped = said.hard_reset_cause().unwrap();
    assert_eq!(wrapped.code.octets(), (6, 2));
    assert_eq!(wrapped.text().unwrap(), "power-off for maintenance");
    let told = rig.stats().last_notification.unwrap().to_string();
    assert_eq!(
        told,
        "NOTIFICATION 6/9 (Cease, hard reset): 6/2 (Cease, administrative shutdown): \
         power-off for maintenance"
    );

    let (mut rig, conn) = serving(patient, &open);
    rig.give(Input::RemovePeer { peer: peer() });
    let said = notification(&mut rig, conn);
    assert_eq!(said.code.octets(), (6, 9));
    assert_eq!(said.hard_reset_cause().unwrap().code.octets(), (6, 3));
}

#[test]
fn leaving_for_a_moment_leaves_the_routes_with_the_peer() {
    let (config, open) = helper_with(true);
    let (mut rig, conn) = serving(config.clone(), &open);
    rig.give(Input::ResetPeer {
        peer: peer(),
        reason: Arc::from("again"),
    });
    assert_eq!(rig.last_words(conn), Some((6, 4)));
    let (mut rig, conn) = serving(config.clone(), &open);
    rig.give(Input::SetPeer(Box::new(PeerConfig {
        port: 1_179,
        ..config
    })));
    assert_eq!(rig.last_words(conn), Some((6, 6)));
}

#[test]
fn a_peer_without_the_n_bit_is_left_with_an_ordinary_cease() {
    let (config, open) = helper();
    let (mut rig, conn) = serving(config, &open);
    rig.give(Input::RemovePeer { peer: peer() });
    assert_eq!(rig.last_words(conn), Some((6, 3)));
}

#[test]
fn plain_closes_everything_at_once() {
    let (mut rig, conn) = serving(config(), &open());
    leave(&mut rig, ShutdownMode::Leave);
    leave(&mut rig, ShutdownMode::Plain);
    assert_eq!(rig.closes(), [(conn, Flush::Discard)]);
    assert!(rig.hear(conn).is_empty());
    let events = rig.events();
    assert_eq!(
        events
            .iter()
            .filter(|event| **event == Event::ShutdownComplete)
            .count(),
        1
    );
}

#[test]
fn nobody_is_dialled_or_let_in_after_the_shutdown() {
    let mut rig = Rig::new(PeerConfig {
        mode: Mode::Active,
        ..config()
    });
    leave(&mut rig, ShutdownMode::Leave);
    assert!(rig.events().contains(&Event::ShutdownComplete));
    let dials = rig.dials().len();
    rig.pass(100 * SECOND);
    rig.give(Input::SetPeer(Box::new(PeerConfig {
        mode: Mode::Active,
        ..config()
    })));
    assert_eq!(rig.dials().len(), dials);
    let conn = rig.connect();
    assert!(rig.closes().contains(&(conn, Flush::Discard)));
}

#[test]
fn a_router_without_peers_is_done_at_once() {
    let mut rig = Rig::bare();
    leave(&mut rig, ShutdownMode::Leave);
    assert_eq!(rig.events(), [Event::ShutdownComplete]);
}

#[test]
fn a_session_lost_on_the_way_out_is_not_waited_for() {
    let (mut rig, conn) = serving(config(), &open());
    leave(&mut rig, ShutdownMode::Leave);
    rig.give(Input::Closed { conn });
    let events = rig.events();
    assert!(events.contains(&Event::Down {
        peer: peer(),
        reason: DownReason::ConnectionClosed
    }));
    assert!(events.contains(&Event::ShutdownComplete));
    assert_eq!(rig.stats().state, State::Idle);
}

#[test]
fn a_drained_node_keeps_its_sessions_and_what_stands_on_it() {
    let (mut rig, conn) = serving(config(), &open());
    rig.give(Input::Drain(Drain::Drained));
    assert_eq!(asked(&rig.updates(conn)), [SERVICE]);
    rig.pass(3 * SECOND);
    assert_eq!(withdrawn(&rig.updates(conn)), [SERVICE]);
    assert_eq!(rig.stats().state, State::Established);
    assert_eq!(rig.stats().prefixes_out.ipv4, 1);
    // What comes meanwhile is held back, whoever connects.
    rig.pass(SECOND);
    rig.give(Input::Originate(vec![originate("192.0.2.9/32")]));
    assert!(rig.updates(conn).is_empty());

    rig.give(Input::Drain(Drain::Serving));
    rig.hear(conn);
    assert_eq!(rig.stats().prefixes_out.ipv4, 3);
}

#[test]
fn a_session_that_comes_up_on_a_drained_node_is_never_asked() {
    let mut rig = Rig::new(config());
    rig.give(Input::Originate(vec![originate(SERVICE)]));
    rig.give(Input::Drain(Drain::Drained));
    rig.give(Input::OriginationsComplete);
    let conn = rig.establish(&open());
    let updates = rig.updates(conn);
    assert_eq!(updates.len(), 2, "End-of-RIB of both families: {updates:?}");
}

#[test]
fn a_drained_node_that_leaves_does_not_wait_again() {
    let (mut rig, conn) = serving(config(), &open());
    rig.give(Input::Drain(Drain::Drained));
    rig.hear(conn);
    rig.pass(3 * SECOND);
    rig.hear(conn);
    leave(&mut rig, ShutdownMode::Leave);
    assert_eq!(withdrawn(&rig.updates(conn)), [STANDING]);
    assert_eq!(rig.last_words(conn), Some((6, 2)));
}
