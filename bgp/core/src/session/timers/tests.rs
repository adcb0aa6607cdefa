//! Spans, back-off and jitter.

use super::*;

fn hold(seconds: u16) -> HoldTime {
    HoldTime::from_secs(seconds).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time has to start somewhere"
)]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_send_hold_time_is_eight_minutes_or_twice_the_hold_time() {
    assert_eq!(
        Spans::new(hold(90), None).send_hold(),
        Duration::from_secs(480)
    );
    assert_eq!(
        Spans::new(hold(300), None).send_hold(),
        Duration::from_secs(600)
    );
    assert_eq!(
        Spans::new(HoldTime::OFF, None).send_hold(),
        Duration::from_secs(480)
    );
}

#[test]
fn a_keepalive_interval_of_nothing_does_not_flood() {
    let spans = Spans::new(hold(3), Some(Duration::ZERO));
    assert_eq!(spans.keepalive(), Some(Duration::from_millis(100)));
}

#[test]
fn hold_time_zero_has_neither_hold_nor_keepalive() {
    let spans = Spans::new(HoldTime::OFF, Some(Duration::from_secs(10)));
    assert_eq!((spans.hold(), spans.keepalive()), (None, None));
    assert!(spans.stable() > Duration::ZERO);
}

#[test]
fn jitter_stays_between_three_quarters_and_the_whole() {
    let mut jitter = Jitter::new(42);
    let span = Duration::from_secs(100);
    let spread: Vec<Duration> = (0..10_000).map(|_| jitter.spread(span)).collect();
    assert!(
        spread
            .iter()
            .all(|one| *one >= Duration::from_secs(75) && *one <= span)
    );
    assert!(spread.iter().any(|one| *one < Duration::from_secs(76)));
    assert!(spread.iter().any(|one| *one > Duration::from_secs(99)));
    assert_eq!(jitter.spread(Duration::ZERO), Duration::ZERO);
    assert!(jitter.spread(Duration::MAX) <= Duration::MAX);
}

#[test]
fn equal_seeds_spread_alike() {
    let run = |seed| {
        let mut jitter = Jitter::new(seed);
        [0; 8].map(|_| jitter.spread(Duration::from_secs(30)))
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn the_back_off_never_overflows() {
    let mut backoff = Backoff::new();
    let mut jitter = Jitter::new(1);
    for _ in 0..100 {
        assert!(backoff.next(Duration::from_secs(1), &mut jitter) <= RETRY_MAX);
        assert!(backoff.next(Duration::MAX, &mut jitter) <= RETRY_MAX);
    }
}

#[test]
fn of_several_due_timers_the_gravest_comes_first_and_each_once() {
    let now = now();
    let mut timers = Timers::default();
    timers.arm(Timer::Keepalive, now);
    timers.arm(Timer::Hold, now);
    assert_eq!(timers.take_due(now), Some(Timer::Hold));
    assert_eq!(timers.take_due(now), Some(Timer::Keepalive));
    assert_eq!(timers.take_due(now), None);
    assert_eq!(timers.next(), None);
}

#[test]
fn arming_again_replaces_and_disarming_forgets() {
    let now = now();
    let later = now + Duration::from_secs(1);
    let mut timers = Timers::default();
    timers.arm(Timer::Hold, now);
    timers.arm(Timer::Hold, later);
    assert_eq!(timers.next(), Some((later, Timer::Hold)));
    timers.disarm(Timer::Hold);
    assert_eq!(timers.next(), None);
}
