//! How loud a NOTIFICATION is told, and how often.

use std::sync::Arc;

use ringbolt_bgp::router::Event;
use ringbolt_bgp::session::Direction;
use ringbolt_bgp::types::{Asn, ConnId, RouterId};

use super::*;

fn tor() -> PeerId {
    PeerId::new("tor")
}

fn record(code: u8, subcode: u8, cause: Option<&str>) -> NotificationRecord {
    NotificationRecord {
        direction: Direction::Sent,
        code,
        subcode,
        text: None,
        cause: cause.map(Arc::from),
    }
}

#[test]
fn the_same_words_are_told_loud_once() {
    let mut log = Log::default();
    let first = record(2, 2, Some("it says AS 64521, configured is 65000"));
    assert_eq!(log.volume(&tor(), &first), Volume::Warn);
    assert_eq!(log.volume(&tor(), &first), Volume::Debug);
    let other = record(2, 2, Some("it says AS 64522, configured is 65000"));
    assert_eq!(log.volume(&tor(), &other), Volume::Warn);
    assert_eq!(log.volume(&PeerId::new("other"), &other), Volume::Warn);
}

#[test]
fn what_somebody_wanted_is_no_warning() {
    let mut log = Log::default();
    assert_eq!(log.volume(&tor(), &record(6, 2, None)), Volume::Info);
    assert_eq!(log.volume(&tor(), &record(6, 5, None)), Volume::Warn);
}

#[test]
fn a_session_that_came_up_or_a_peer_that_went_ends_the_story() {
    let mut log = Log::default();
    let words = record(2, 3, None);
    log.volume(&tor(), &words);
    log.write(&Event::Up {
        peer: tor(),
        conn: ConnId(1),
        asn: Asn(65_000),
        router_id: RouterId::new(1).unwrap(),
    });
    assert_eq!(log.volume(&tor(), &words), Volume::Warn);
    log.retain(|_| false);
    assert_eq!(log.volume(&tor(), &words), Volume::Warn);
}
