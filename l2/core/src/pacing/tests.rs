//! Rates and their deadlines.
use super::*;
use crate::test_time::origin;

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
    let start = origin();
    let mut bucket = Bucket::new(100, 5);
    let mut taken = |at: Instant| {
        (0..1_000)
            .take_while(|_| bucket.take(at) == Taken::Token)
            .count()
    };
    assert_eq!(taken(start), 5);
    assert_eq!(taken(start + 9 * MS), 0);
    assert_eq!(taken(start + 10 * MS), 1);
    assert_eq!(taken(start + 50 * MS), 4);
    // A long pause fills it once, not more.
    assert_eq!(taken(start + Duration::from_secs(100)), 5);
}

#[test]
fn a_bucket_says_when_it_will_have_tokens() {
    let start = origin();
    let mut bucket = Bucket::new(100, 5);
    assert_eq!(bucket.ready_at(start, 5), start);
    while bucket.take(start) == Taken::Token {}
    assert_eq!(bucket.ready_at(start, 1), start + 10 * MS);
    assert_eq!(bucket.ready_at(start, 3), start + 30 * MS);
    // More than it can hold are never there at once.
    assert_eq!(bucket.ready_at(start, 50), start + 50 * MS);
    assert_eq!(bucket.take(start + 10 * MS), Taken::Token);
}

#[test]
fn once_is_once_per_period() {
    let start = origin();
    let mut once = Once::default();
    assert_eq!(once.ready_at(10 * MS, start), start);
    assert_eq!(once.per(10 * MS, start), Taken::Token);
    assert_eq!(once.per(10 * MS, start + 9 * MS), Taken::Empty);
    assert_eq!(once.ready_at(10 * MS, start), start + 10 * MS);
    assert_eq!(once.per(10 * MS, start + 10 * MS), Taken::Token);
}

#[test]
fn jitter_stays_in_its_bounds_and_uses_them() {
    let mut jitter = Jitter::new(3);
    let drawn: Vec<Duration> = (0..1_000)
        .map(|_| jitter.around(2_000 * MS, 400 * MS))
        .collect();
    assert!(
        drawn
            .iter()
            .all(|one| *one >= 1_600 * MS && *one < 2_400 * MS)
    );
    assert!(drawn.iter().any(|one| *one < 1_650 * MS) && drawn.iter().any(|one| *one > 2_350 * MS));
    assert_eq!(jitter.below(Duration::ZERO), Duration::ZERO);
}
