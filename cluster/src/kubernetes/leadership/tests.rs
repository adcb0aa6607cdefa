//! The decision of a candidate, instant by instant.

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A candidate that leads since 5 s, renewed at 5 s.
fn leading() -> Term {
    let mut term = Term::new();
    term.answered(s(0), Answer::Ours, s(0));
    term.answered(s(5), Answer::Ours, s(5));
    term
}

#[test]
fn the_first_answer_is_not_enough_to_work() {
    let mut term = Term::new();
    term.answered(s(0), Answer::Ours, s(1));
    assert_eq!(
        term.standing(s(1)),
        Standing::Gained {
            until: s(12),
            pause: TICK
        }
    );
    assert_eq!(term.until(), None);
    term.answered(s(5), Answer::Ours, s(6));
    assert_eq!(term.standing(s(6)), Standing::Leading { until: s(17) });
}

#[test]
fn a_lease_that_two_have_gained_is_worked_on_by_the_one_it_names() {
    let (mut one, mut two) = (Term::new(), Term::new());
    one.answered(s(0), Answer::Ours, s(0));
    two.answered(s(0), Answer::Ours, s(0));
    one.answered(s(5), Answer::Others, s(5));
    two.answered(s(5), Answer::Ours, s(5));
    assert_eq!(one.standing(s(5)), Standing::Following);
    assert_eq!(two.standing(s(5)), Standing::Leading { until: s(17) });
}

#[test]
fn a_renewal_of_another_ones_lease_ends_the_right() {
    let mut term = leading();
    term.answered(s(10), Answer::Others, s(10));
    assert_eq!(term.standing(s(10)), Standing::Following);
}

#[test]
fn the_right_ends_before_others_may_take_the_lease() {
    let mut term = leading();
    term.answered(s(10), Answer::Unknown, s(14));
    term.answered(s(15), Answer::Unknown, s(16));
    assert_eq!(term.standing(s(16)), Standing::Leading { until: s(17) });
    assert_eq!(term.standing(s(17)), Standing::Following);
}

#[test]
fn the_right_counts_from_the_question_and_not_from_the_answer() {
    let mut term = leading();
    term.answered(s(10), Answer::Ours, s(14));
    assert_eq!(term.until(), Some(s(22)));
}

#[test]
fn a_right_that_ran_out_is_gained_anew() {
    let mut term = leading();
    term.answered(s(20), Answer::Ours, s(20));
    assert_eq!(
        term.standing(s(20)),
        Standing::Gained {
            until: s(32),
            pause: TICK
        }
    );
}

#[test]
fn a_lease_is_over_when_it_has_not_changed_for_longer_than_any_holder_waits() {
    let mut stillness = Stillness::default();
    assert!(!stillness.is_over(Some("1"), s(100)));
    assert!(!stillness.is_over(Some("1"), s(119)));
    assert!(!stillness.is_over(Some("2"), s(120)));
    assert!(!stillness.is_over(Some("2"), s(139)));
    assert!(stillness.is_over(Some("2"), s(140)));
}

#[test]
fn a_lease_that_was_given_back_is_worked_on_when_it_was_seen_twice() {
    let mut term = Term::new();
    term.answered(s(0), Answer::Taken, s(0));
    let gained = Standing::Gained {
        until: s(12),
        pause: SOON,
    };
    assert_eq!(term.standing(s(0)), gained);
    assert_eq!(term.until(), None);
    term.answered(s(1), Answer::Ours, s(1));
    assert_eq!(term.standing(s(1)), Standing::Leading { until: s(13) });
}
