//! What is counted, what is news, and the names of events.

use ringbolt_config::{Kind, ObjectRef};

use super::*;
use crate::writer::EventType;

fn event(name: &str) -> Event {
    Event {
        regarding: ObjectRef::new(Kind::Service, Some("default"), name).unwrap(),
        event_type: EventType::Warning,
        reason: "AllocationFailed",
        note: "no pool has a free address".to_owned(),
    }
}

#[test]
fn what_is_told_again_soon_is_counted_and_later_it_is_news() {
    let (mut series, began) = (Series::default(), Instant::now());
    assert_eq!(series.again(&event("web"), began), None);
    series.first(event("web"), "web.1".to_owned(), began);
    assert_eq!(series.again(&event("other"), began), None);
    let soon = began + SOON / 2;
    assert_eq!(
        series.again(&event("web"), soon),
        Some(("web.1".to_owned(), 2))
    );
    // The time counts from the last telling.
    let later = soon + SOON / 2;
    assert_eq!(
        series.again(&event("web"), later),
        Some(("web.1".to_owned(), 3))
    );
    assert_eq!(series.again(&event("web"), later + SOON), None);
}

#[test]
fn another_note_is_another_event() {
    let (mut series, now) = (Series::default(), Instant::now());
    series.first(event("web"), "web.1".to_owned(), now);
    let other = Event {
        note: "the address is taken".to_owned(),
        ..event("web")
    };
    assert_eq!(series.again(&other, now), None);
}

#[test]
fn the_oldest_make_room_for_new_ones() {
    let (mut series, now) = (Series::default(), Instant::now());
    for number in 0..=MAX {
        series.first(event(&format!("web-{number}")), number.to_string(), now);
    }
    assert_eq!(series.again(&event("web-0"), now), None);
    assert!(series.again(&event("web-1"), now).is_some());
}

#[test]
fn the_longest_name_of_an_object_makes_a_name_for_its_event() {
    let long = ObjectRef::new(Kind::IPAddressPool, None, &format!("{}.x", "a".repeat(219)));
    let event = Event {
        regarding: long.unwrap(),
        ..event("web")
    };
    let name = name(&event);
    assert!(name.len() <= 253, "{name}");
    assert!(
        ObjectRef::new(Kind::IPAddressPool, None, &name).is_ok(),
        "{name}"
    );
}
