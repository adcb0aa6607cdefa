//! A burst, then one a second.

use ringbolt_cluster::EventType;
use ringbolt_config::ServiceKey;

use super::*;

#[test]
fn after_a_burst_one_event_is_told_a_second() {
    let start = Instant::now();
    let mut events = Events::new(start);
    for _ in 0..BURST + 3 {
        assert!(events.push(event()));
    }
    let told = |events: &mut Events, now| std::iter::from_fn(|| events.pop(now)).count();
    assert_eq!(told(&mut events, start), BURST as usize);
    assert_eq!(events.next_deadline(), Some(start + PER_EVENT));
    assert_eq!(told(&mut events, start + PER_EVENT / 2), 0);
    assert_eq!(told(&mut events, start + PER_EVENT), 1);
    assert_eq!(told(&mut events, start + 10 * PER_EVENT), 2);
    assert_eq!(events.next_deadline(), None);
}

#[test]
fn what_does_not_fit_is_dropped() {
    let mut events = Events::new(Instant::now());
    let kept = (0..QUEUE_MAX + 5).filter(|_| events.push(event())).count();
    assert_eq!(kept, QUEUE_MAX);
}

fn event() -> Event {
    Event {
        regarding: (&ServiceKey::new("default", "web").unwrap()).into(),
        event_type: EventType::Normal,
        reason: "IPAllocated",
        note: String::new(),
    }
}
