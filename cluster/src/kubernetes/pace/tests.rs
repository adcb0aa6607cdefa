//! When writes may be sent, before and after a complaint.

use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// How many writes are sent within a second of a time, by somebody who has many.
fn rate(pace: &mut Pace, from: Duration) -> usize {
    (0..1_000)
        .map(|_| pace.admit(from))
        .take_while(|at| *at < from + ms(1_000))
        .count()
}

#[test]
fn nobody_who_is_not_complained_of_waits() {
    let mut pace = Pace::default();
    for now in [ms(0), ms(0), ms(5), ms(5)] {
        assert_eq!(pace.admit(now), now);
    }
}

#[test]
fn everybody_waits_for_as_long_as_the_server_asks() {
    let mut pace = Pace::default();
    pace.throttled(ms(100), Some(ms(2_000)));
    assert_eq!(pace.admit(ms(100)), ms(2_100));
    assert_eq!(pace.admit(ms(100)), ms(2_120));
}

#[test]
fn one_that_asks_for_an_hour_does_not_stop_all_for_an_hour() {
    let mut pace = Pace::default();
    pace.throttled(ms(0), Some(ms(3_600_000)));
    assert_eq!(pace.admit(ms(0)), LONGEST_PAUSE);
}

#[test]
fn the_rate_falls_to_what_large_clusters_bear_and_no_further() {
    let mut pace = Pace::default();
    pace.throttled(ms(0), None);
    assert_eq!(rate(&mut pace, ms(1_000)), 50);
    for _ in 0..10 {
        pace.throttled(ms(2_000), None);
    }
    let mut pace = Pace {
        next: ms(0),
        ..pace
    };
    assert_eq!(rate(&mut pace, ms(3_000)), 20);
}

#[test]
fn a_rate_that_nobody_complains_of_rises_until_it_is_forgotten() {
    let mut pace = Pace::default();
    pace.throttled(ms(0), None);
    let mut rates = Vec::new();
    for now in [1_000, 11_000, 21_000] {
        pace.next = ms(0);
        rates.push(rate(&mut pace, ms(now)));
    }
    assert_eq!(rates, [50, 100, 200]);
    pace.next = ms(0);
    assert_eq!(pace.admit(ms(60_000)), ms(60_000));
    assert_eq!(pace.admit(ms(60_000)), ms(60_000));
}

#[tokio::test(start_paused = true)]
async fn ten_are_under_way_and_the_next_one_waits_for_a_place() {
    let gate = Gate::new();
    let deadline = Instant::now() + ms(5_000);
    let mut places = Vec::new();
    for _ in 0..AT_ONCE {
        places.push(gate.pass(deadline).await.unwrap());
    }
    assert_eq!(gate.pass(deadline).await.err(), Some(Late::Crowded));
    places.pop();
    assert!(gate.pass(Instant::now() + ms(1)).await.is_ok());
}

#[test]
fn a_write_that_is_not_let_through_takes_no_turn() {
    let mut pace = Pace::default();
    let second = Duration::from_secs(1);
    pace.throttled(Duration::ZERO, Some(20 * second));
    for _ in 0..1_000 {
        assert_eq!(pace.admit_before(second, 10 * second), None);
    }
    assert_eq!(pace.admit(second), 20 * second);
}
