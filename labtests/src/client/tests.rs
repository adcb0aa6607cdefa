//! Answers read, and streams accounted for.

use std::time::{Duration, Instant};

use super::{Answer, account};

#[test]
fn an_answer_names_the_pod_the_client_and_what_was_said() {
    let (answer, said) = Answer::parse("web-1 [fd00::5]:4711 17\n").expect("an answer");
    assert_eq!(
        (answer.pod.as_str(), answer.seen.to_string().as_str(), said),
        ("web-1", "fd00::5", "17")
    );
    assert!(Answer::parse("Bad Gateway").is_err());
}

#[test]
fn a_gap_is_between_sends_that_were_answered() {
    let start = Instant::now();
    let sends: Vec<Instant> = (0..10)
        .map(|n| start + Duration::from_millis(n * 10))
        .collect();
    let found = account(&sends, &[0, 1, 2, 7, 8, 9, 9, 99]);
    assert_eq!((found.sent, found.answered, found.lost()), (10, 6, 4));
    assert_eq!(found.gap, Duration::from_millis(50));
}
