//! How often we send, and how times change: RFC 5880 §6.5, §6.8.2, §6.8.3, §6.8.7.

use std::time::Duration;

use super::{Bench, config, packet};
use crate::session::Event;
use crate::session::config::{Config, Interval};
use crate::wire::{Packet, State};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn with_tx(ms: u32) -> Config {
    Config {
        desired_min_tx: Interval::from_millis(ms).unwrap(),
        ..config()
    }
}

fn with_rx(ms: u32) -> Config {
    Config {
        required_min_rx: Interval::from_millis(ms).unwrap(),
        ..config()
    }
}

fn answer() -> Packet {
    Packet {
        finished: true,
        ..packet(State::Up)
    }
}

/// Up, and the Poll Sequence of coming up is over.
fn settled() -> Bench {
    let mut bench = Bench::at(State::Up, config());
    bench.hear(answer());
    bench.hear(packet(State::Up));
    bench.pass(MS(400));
    assert!(!bench.last().poll);
    bench.sent.clear();
    bench
}

#[test]
fn packets_are_at_least_three_quarters_of_a_second_apart_until_up() {
    let mut bench = Bench::new(config());
    bench.pass(MS(10_000));
    assert!(
        (10..=14).contains(&bench.sent.len()),
        "{}",
        bench.sent.len()
    );
    assert!(
        bench
            .sent
            .iter()
            .all(|packet| packet.desired_min_tx_us == 1_000_000)
    );
}

#[test]
fn coming_up_polls_at_the_configured_pace_until_a_final_comes() {
    let mut bench = Bench::at(State::Up, config());
    bench.pass(MS(600));
    assert!(bench.sent.len() >= 2);
    for packet in &bench.sent {
        assert!(packet.poll && !packet.finished);
        assert_eq!(packet.desired_min_tx_us, 300_000);
    }
    bench.hear(answer());
    bench.sent.clear();
    bench.pass(MS(600));
    assert!(!bench.sent.is_empty() && bench.sent.iter().all(|packet| !packet.poll));
}

#[test]
fn a_poll_is_answered_at_once_by_a_final_without_a_poll() {
    // In the middle of a Poll Sequence of ours.
    let mut bench = Bench::at(State::Up, config());
    let poll = Packet {
        poll: true,
        ..packet(State::Up)
    };
    bench.hear(poll);
    assert_eq!(bench.sent.len(), 1);
    assert!(bench.last().finished && !bench.last().poll);
}

#[test]
fn the_slower_of_what_we_want_and_the_other_end_takes_counts() {
    let mut bench = settled();
    assert_eq!(bench.session.transmit_interval(), MS(300));
    let slow = Packet {
        required_min_rx_us: 2_000_000,
        ..packet(State::Up)
    };
    bench.hear(slow);
    assert_eq!(bench.session.transmit_interval(), MS(2000));
    // And in the other direction it counts from the packet that was sent last.
    bench.pass(MS(500));
    bench.sent.clear();
    bench.hear(packet(State::Up));
    assert_eq!(bench.sent.len(), 1, "more than 300 ms have passed");
}

#[test]
fn sending_more_slowly_waits_for_the_final() {
    let mut bench = settled();
    bench.event(Event::Configure(with_tx(1000)));
    assert_eq!(
        (bench.last().poll, bench.last().desired_min_tx_us),
        (true, 1_000_000)
    );
    assert_eq!(bench.session.transmit_interval(), MS(300));
    bench.hear(answer());
    assert_eq!(bench.session.transmit_interval(), MS(1000));
}

#[test]
fn sending_faster_begins_at_once() {
    let mut bench = settled();
    bench.event(Event::Configure(with_tx(150)));
    assert!(bench.last().poll);
    assert_eq!(bench.session.transmit_interval(), MS(150));
}

#[test]
fn less_patience_waits_for_the_final_and_more_does_not() {
    let mut bench = settled();
    bench.event(Event::Configure(with_rx(500)));
    assert_eq!(bench.session.detection_time(), MS(2000));
    bench.hear(answer());
    bench.hear(packet(State::Up));
    bench.event(Event::Configure(with_rx(200)));
    assert_eq!(
        (bench.last().poll, bench.last().required_min_rx_us),
        (true, 200_000)
    );
    assert_eq!(bench.session.detection_time(), MS(2000));
    bench.hear(answer());
    assert_eq!(bench.session.detection_time(), MS(800));
}

#[test]
fn a_change_during_a_poll_is_polled_for_after_a_packet_without_final() {
    let mut bench = settled();
    bench.event(Event::Configure(with_tx(400)));
    bench.event(Event::Configure(with_tx(500)));
    assert_eq!(bench.last().desired_min_tx_us, 400_000);
    bench.hear(answer());
    // A second answer to the same Poll must not be taken for one to the next.
    bench.hear(answer());
    assert_eq!(bench.session.transmit_interval(), MS(400));
    bench.hear(packet(State::Up));
    assert_eq!(
        (bench.last().poll, bench.last().desired_min_tx_us),
        (true, 500_000)
    );
    bench.hear(answer());
    assert_eq!(bench.session.transmit_interval(), MS(500));
}

#[test]
fn settings_that_are_the_same_start_no_poll() {
    let mut bench = settled();
    bench.event(Event::Configure(config()));
    assert!(bench.sent.is_empty());
}

#[test]
fn going_down_returns_to_the_slow_pace() {
    let mut bench = settled();
    bench.hear(packet(State::Down));
    let last = bench.last();
    assert_eq!(
        (last.state, last.poll, last.desired_min_tx_us),
        (State::Down, false, 1_000_000)
    );
    assert_eq!(bench.session.transmit_interval(), MS(1000));
}

#[test]
fn a_peer_that_takes_no_packets_gets_none_but_answers() {
    let mut bench = settled();
    let mute = Packet {
        required_min_rx_us: 0,
        poll: true,
        ..packet(State::Up)
    };
    bench.hear(mute);
    bench.pass(MS(1000));
    assert_eq!(bench.sent.len(), 1);
    assert!(bench.last().finished);
}

#[test]
fn a_peer_in_demand_mode_gets_periodic_packets_only_while_we_poll() {
    let mut bench = settled();
    let quiet = Packet {
        demand: true,
        ..packet(State::Up)
    };
    bench.hear(quiet);
    bench.pass(MS(1000));
    assert!(bench.sent.is_empty());
    bench.hear(quiet);
    bench.event(Event::Configure(with_tx(200)));
    bench.pass(MS(700));
    assert!(bench.sent.len() >= 3 && bench.sent.iter().all(|packet| packet.poll));
}
