//! Lines: who is offered what came free.

use super::*;

#[test]
fn what_comes_free_is_offered_in_the_order_of_arrival() {
    let mut lines = Lines::default();
    for (second, name) in [(3, "a"), (1, "z"), (2, "m")] {
        lines.stand(&key(name), at(second), BTreeSet::from([line("192.0.2.1")]));
    }
    assert_eq!(lines.offer(line("192.0.2.1")), Some(key("z")));
    assert_eq!(lines.pass_on(&key("z"), |_| true), [key("m")]);
    assert_eq!(lines.pass_on(&key("m"), |_| false), []);
    assert_eq!(
        lines.pass_on(&key("a"), |_| true),
        [],
        "it was not its turn"
    );
    assert_eq!(lines.offer(line("192.0.2.2")), None);
}

#[test]
fn who_leaves_after_its_turn_does_not_end_the_line() {
    let mut lines = Lines::default();
    for (second, name) in [(1, "a"), (2, "b"), (3, "c")] {
        lines.stand(&key(name), at(second), BTreeSet::from([line("192.0.2.1")]));
    }
    lines.offer(line("192.0.2.1"));
    lines.leave(&key("a"));
    assert_eq!(lines.pass_on(&key("a"), |_| true), [key("b")]);
    lines.leave(&key("c"));
    assert_eq!(lines.pass_on(&key("b"), |_| true), []);
    let everybody: Vec<_> = lines.everybody().cloned().collect();
    assert_eq!(everybody, [key("b")]);
}

#[test]
fn a_second_release_begins_at_the_head_again() {
    let mut lines = Lines::default();
    for (second, name) in [(1, "a"), (2, "b")] {
        lines.stand(&key(name), at(second), BTreeSet::from([line("192.0.2.1")]));
    }
    lines.offer(line("192.0.2.1"));
    assert_eq!(lines.pass_on(&key("a"), |_| true), [key("b")]);
    assert_eq!(lines.offer(line("192.0.2.1")), Some(key("a")));
    assert_eq!(
        lines.pass_on(&key("b"), |_| true),
        [],
        "the head comes first"
    );
    assert_eq!(lines.pass_on(&key("a"), |_| true), [key("b")]);
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn line(address: &str) -> Line {
    Line::Address(address.parse().unwrap())
}
