//! Hold, keepalive, send hold, handshake and back-off, in virtual time.

use std::time::Duration;

use super::rig::{Rig, config, open, originate, peer};
use crate::router::{Event, Input, Wake};
use crate::session::{DownReason, Mode, PeerConfig, State, Timer};
use crate::types::HoldTime;
use crate::wire::{Message, Open};

const SECOND: Duration = Duration::from_secs(1);

fn hold(seconds: u16) -> Open {
    Open {
        hold_time: HoldTime::from_secs(seconds).unwrap(),
        ..open()
    }
}

#[test]
fn a_silent_peer_is_left_with_4_0_after_the_hold_time() {
    let (mut rig, conn) = Rig::established(config(), &hold(9));
    rig.pass(8 * SECOND);
    assert_eq!(rig.stats().state, State::Established);
    rig.pass(SECOND);
    assert_eq!(rig.last_words(conn), Some((4, 0)));
    let reason = DownReason::HoldTimerExpired;
    assert!(rig.events().contains(&Event::Down {
        peer: peer(),
        reason
    }));
}

#[test]
fn half_a_message_is_no_sign_of_life() {
    let (mut rig, conn) = Rig::established(config(), &hold(9));
    for octet in [0xff_u8; 9] {
        rig.give(Input::Bytes {
            conn,
            bytes: &[octet],
        });
        rig.pass(SECOND);
    }
    assert_eq!(rig.last_words(conn), Some((4, 0)));
}

#[test]
fn hold_time_zero_arms_no_timer() {
    let (mut rig, conn) = Rig::established(config(), &hold(0));
    rig.hear(conn);
    assert_eq!(rig.router.next_deadline(), None);
    rig.pass(3600 * SECOND);
    assert_eq!(rig.stats().state, State::Established);
    assert!(rig.hear(conn).is_empty());
}

#[test]
fn keepalives_come_at_a_third_of_the_hold_time_with_jitter() {
    let (mut rig, conn) = Rig::established(config(), &hold(90));
    rig.hear(conn);
    let heard = rig.pass_alive(conn, 300 * SECOND);
    let keepalives = heard
        .iter()
        .filter(|message| **message == Message::Keepalive)
        .count();
    // 30 s times 0.75 to 1, met by steps of a second.
    assert!((10..=13).contains(&keepalives), "{keepalives} in 300 s");
}

#[test]
fn a_configured_keepalive_interval_can_only_shorten_it() {
    let short = PeerConfig {
        keepalive: Some(5 * SECOND),
        ..config()
    };
    let (rig, _) = Rig::established(short, &hold(90));
    assert_eq!(rig.stats().negotiated.unwrap().keepalive, Some(5 * SECOND));
    let long = PeerConfig {
        keepalive: Some(80 * SECOND),
        ..config()
    };
    let (rig, _) = Rig::established(long, &hold(9));
    assert_eq!(rig.stats().negotiated.unwrap().keepalive, Some(3 * SECOND));
}

#[test]
fn an_update_takes_the_place_of_a_keepalive() {
    let (mut rig, conn) = Rig::established(config(), &hold(9));
    rig.hear(conn);
    for number in 0..20 {
        rig.give(Input::Originate(vec![originate(&format!(
            "192.0.2.{number}/32"
        ))]));
        let heard = rig.pass_alive(conn, SECOND);
        assert!(!heard.contains(&Message::Keepalive), "{heard:?}");
    }
}

#[test]
fn a_peer_that_takes_no_bytes_is_left_after_the_send_hold_time() {
    let (mut rig, conn) = Rig::established(config(), &hold(90));
    // Given to the driver, never reported as written.
    assert!(!rig.bytes(conn).is_empty());
    for _ in 0..479 {
        rig.pass(SECOND);
        rig.say(conn, &Message::Keepalive);
        rig.bytes(conn);
    }
    assert_eq!(rig.stats().state, State::Established);
    assert_eq!(rig.stats().send_stalled, Some(479 * SECOND));
    rig.pass(SECOND);
    assert_eq!(rig.last_words(conn), Some((8, 0)));
    assert_eq!(
        rig.stats().last_down,
        Some(DownReason::SendHoldTimerExpired)
    );
}

#[test]
fn a_peer_that_takes_a_byte_at_a_time_is_borne_with() {
    let (mut rig, conn) = Rig::established(config(), &hold(90));
    rig.bytes(conn);
    for _ in 0..60 {
        rig.pass(10 * SECOND);
        rig.say(conn, &Message::Keepalive);
        rig.bytes(conn);
        rig.give(Input::Sent { conn, bytes: 1 });
    }
    assert_eq!(rig.stats().state, State::Established);
}

#[test]
fn a_connection_without_an_open_is_given_up_after_30_seconds() {
    let mut rig = Rig::new(config());
    let conn = rig.connect();
    assert_eq!(
        rig.router.next_deadline(),
        Some((rig.now + 30 * SECOND, Wake::Session(Timer::Handshake)))
    );
    rig.pass(30 * SECOND);
    assert_eq!(rig.last_words(conn), Some((4, 0)));
    assert_eq!(rig.stats().last_down, Some(DownReason::HandshakeTimedOut));
}

#[test]
fn a_dial_without_an_answer_is_given_up_after_30_seconds() {
    let mut rig = Rig::new(PeerConfig {
        mode: Mode::Active,
        ..config()
    });
    let dialled = rig.dials()[0];
    rig.pass(30 * SECOND);
    assert_eq!(rig.closes()[0].0, dialled);
    assert_eq!(rig.stats().last_down, Some(DownReason::DialTimedOut));
}

/// The delays between the attempts of an active peer whose attempts all end like this.
fn delays(attempts: usize, end: impl Fn(&mut Rig)) -> Vec<Duration> {
    let mut rig = Rig::new(PeerConfig {
        mode: Mode::Active,
        ..config()
    });
    let mut delays = Vec::new();
    for attempt in 1..=attempts {
        end(&mut rig);
        let start = rig.now;
        while rig.dials().len() == attempt {
            let (at, _) = rig.router.next_deadline().expect("another attempt comes");
            rig.pass(at.saturating_duration_since(rig.now));
        }
        delays.push(rig.now - start);
    }
    delays
}

fn refuse(rig: &mut Rig) {
    let conn = *rig.dials().last().unwrap();
    rig.give(Input::DialFailed { conn });
}

/// Established at once, and lost at once.
fn flap(rig: &mut Rig) {
    let conn = *rig.dials().last().unwrap();
    let ends = (([10, 0, 0, 1], 50_000).into(), ([10, 0, 0, 2], 179).into());
    let next_hops = super::rig::next_hops();
    rig.give(Input::Dialled {
        conn,
        local: ends.0,
        remote: ends.1,
        next_hops,
    });
    rig.say(conn, &Message::Open(hold(3)));
    rig.say(conn, &Message::Keepalive);
    assert_eq!(rig.stats().state, State::Established);
    rig.give(Input::Bytes {
        conn,
        bytes: &[0; 19],
    });
    assert_eq!(rig.last_words(conn), Some((1, 1)));
}

/// Established for longer than twice the hold time, then lost.
fn last(rig: &mut Rig) {
    let conn = *rig.dials().last().unwrap();
    let ends = (([10, 0, 0, 1], 50_000).into(), ([10, 0, 0, 2], 179).into());
    let next_hops = super::rig::next_hops();
    rig.give(Input::Dialled {
        conn,
        local: ends.0,
        remote: ends.1,
        next_hops,
    });
    rig.say(conn, &Message::Open(hold(3)));
    rig.say(conn, &Message::Keepalive);
    rig.pass_alive(conn, 7 * SECOND);
    rig.give(Input::Closed { conn });
}

#[test]
fn attempts_back_off_from_one_second_to_thirty() {
    let expected = [1, 2, 4, 8, 16, 30, 30, 30].map(Duration::from_secs);
    for (delay, nominal) in delays(8, refuse).into_iter().zip(expected) {
        assert!(
            delay <= nominal && delay >= nominal * 3 / 4,
            "{delay:?} for {nominal:?}"
        );
    }
}

#[test]
fn a_retry_time_of_nothing_is_no_busy_loop() {
    let connect_retry = Duration::ZERO;
    let mut rig = Rig::new(PeerConfig {
        mode: Mode::Active,
        connect_retry,
        ..config()
    });
    refuse(&mut rig);
    let (at, wake) = rig.router.next_deadline().unwrap();
    assert!(at >= rig.now + Duration::from_millis(75));
    assert_eq!(wake, Wake::Retry);
}

#[test]
fn reaching_established_alone_does_not_reset_the_back_off() {
    let delays = delays(6, flap);
    assert!(
        delays.windows(2).all(|pair| pair[0] < pair[1]),
        "{delays:?}"
    );
}

#[test]
fn a_session_that_stood_for_twice_its_hold_time_does() {
    let delays = delays(5, last);
    assert!(delays.iter().all(|delay| *delay <= SECOND), "{delays:?}");
}

#[test]
fn a_tick_at_any_other_time_is_harmless() {
    let (mut rig, conn) = Rig::established(config(), &hold(9));
    rig.hear(conn);
    for _ in 0..1000 {
        rig.give(Input::Tick);
    }
    assert!(rig.hear(conn).is_empty());
    assert_eq!(rig.stats().state, State::Established);
}
