//! What the mirror believes when the watch, writes and reads overtake each other.

use std::time::Duration;

use super::*;

/// An object that is nothing but its version.
#[derive(Debug, PartialEq, Eq)]
struct Thing(&'static str);

impl Versioned for Thing {
    fn version(&self) -> ResourceVersion {
        self.0.parse().unwrap()
    }
}

#[test]
fn the_age_of_an_absence_is_known_for_a_while_and_then_nothing_is_kept() {
    let (mut mirror, now) = mirror();
    mirror.begin(&());
    mirror.read(&(), None, now);
    assert_eq!(mirror.confirmed(&()), Some(now));
    mirror.forget_absences(now);
    assert_eq!(mirror.confirmed(&()), Some(now));
    mirror.forget_absences(now + Duration::from_secs(1));
    assert_eq!(mirror.confirmed(&()), None);
    assert!(mirror.entries.is_empty());
}

#[test]
fn an_absence_whose_echo_is_missing_is_not_forgotten() {
    let (mut mirror, now) = mirror();
    mirror.watched(&(), thing("1"));
    mirror.begin(&());
    mirror.written(&(), None, now);
    mirror.forget_absences(now + Duration::from_secs(1));
    assert_eq!(mirror.watched(&(), None), Effect::Unchanged);
    assert!(mirror.entries.is_empty());
}

#[test]
fn what_a_read_found_beyond_the_watch_is_known_as_such() {
    let (mut mirror, now) = mirror();
    mirror.begin(&());
    mirror.read(&(), thing("1"), now);
    assert!(mirror.is_unwatched(&()));
    mirror.watched(&(), thing("1"));
    assert!(!mirror.is_unwatched(&()), "the watch tells of it");
}

#[test]
fn the_watch_is_believed_while_nothing_was_written() {
    let (mut mirror, _) = mirror();
    assert_eq!(mirror.watched(&(), thing("1")), Effect::Changed);
    assert_eq!(mirror.watched(&(), thing("1")), Effect::Unchanged);
    assert_eq!(mirror.watched(&(), thing("2")), Effect::Changed);
    assert_eq!(mirror.watched(&(), None), Effect::Changed);
    assert_eq!(version(&mirror), None);
}

#[test]
fn what_was_written_is_kept_once_its_source_keeps_it() {
    let (mut mirror, now) = mirror();
    let told_after = thing("1");
    mirror.begin(&());
    mirror.written(&(), thing("1"), now);
    mirror.watched(&(), told_after.clone());
    assert!(is_kept(&mirror, told_after.as_ref()));
    let told_before = thing("2");
    mirror.begin(&());
    mirror.watched(&(), told_before.clone());
    mirror.written(&(), thing("2"), now);
    assert!(is_kept(&mirror, told_before.as_ref()));
}

#[test]
fn an_echo_of_an_earlier_write_does_not_undo_a_later_one() {
    let (mut mirror, now) = mirror();
    mirror.begin(&());
    mirror.written(&(), thing("1"), now);
    mirror.begin(&());
    mirror.written(&(), thing("2"), now);
    assert_eq!(mirror.watched(&(), thing("1")), Effect::Unchanged);
    assert_eq!(version(&mirror), Some("2"));
    assert_eq!(mirror.watched(&(), thing("2")), Effect::Unchanged);
    assert_eq!(mirror.watched(&(), thing("3")), Effect::Changed);
    assert_eq!(version(&mirror), Some("3"));
}

#[test]
fn the_echo_of_a_deletion_does_not_undo_a_creation() {
    let (mut mirror, now) = mirror();
    mirror.watched(&(), thing("1"));
    mirror.begin(&());
    mirror.written(&(), None, now);
    mirror.begin(&());
    mirror.written(&(), thing("2"), now);
    assert_eq!(mirror.watched(&(), None), Effect::Unchanged);
    assert_eq!(version(&mirror), Some("2"));
}

#[test]
fn a_state_that_cannot_be_placed_is_doubted() {
    let (mut mirror, now) = mirror();
    mirror.begin(&());
    mirror.written(&(), thing("2"), now);
    assert_eq!(mirror.watched(&(), thing("x")), Effect::Doubt);
    assert_eq!(version(&mirror), Some("2"), "until it is read");
    mirror.begin(&());
    assert_eq!(mirror.read(&(), thing("x"), now), Effect::Changed);
    assert_eq!(
        mirror.watched(&(), thing("3")),
        Effect::Changed,
        "the watch leads again"
    );
}

#[test]
fn an_answer_that_the_watch_has_overtaken_is_doubted() {
    let (mut mirror, now) = mirror();
    mirror.watched(&(), thing("1"));
    mirror.begin(&());
    mirror.watched(&(), thing("2"));
    assert_eq!(mirror.read(&(), thing("1"), now), Effect::Doubt);
    mirror.begin(&());
    assert_eq!(mirror.read(&(), thing("2"), now), Effect::Changed);
    assert_eq!(version(&mirror), Some("2"));
}

#[test]
fn a_write_that_its_echo_has_overtaken_is_certain() {
    let (mut mirror, now) = mirror();
    mirror.begin(&());
    assert_eq!(mirror.watched(&(), thing("1")), Effect::Unchanged);
    assert_eq!(mirror.written(&(), thing("1"), now), Effect::Changed);
    assert_eq!(mirror.watched(&(), thing("2")), Effect::Changed);
}

#[test]
fn a_failed_write_leaves_what_the_watch_said_in_the_meantime() {
    let (mut mirror, _) = mirror();
    mirror.watched(&(), thing("1"));
    mirror.begin(&());
    mirror.watched(&(), thing("2"));
    mirror.failed(&());
    assert_eq!(version(&mirror), Some("2"));
    assert!(!mirror.is_pending(&()));
}

#[test]
fn only_writes_and_reads_confirm() {
    let (mut mirror, now) = mirror();
    mirror.watched(&(), thing("1"));
    assert_eq!(mirror.confirmed(&()), None);
    mirror.begin(&());
    mirror.read(&(), thing("1"), now);
    assert_eq!(mirror.confirmed(&()), Some(now));
    mirror.begin(&());
    let later = now + Duration::from_secs(1);
    mirror.read(&(), None, later);
    assert_eq!(
        mirror.confirmed(&()),
        Some(later),
        "absence is confirmed, too"
    );
}

/// Whether it is this very object and no copy.
fn is_kept(mirror: &Mirror<(), Thing>, object: Option<&Arc<Thing>>) -> bool {
    mirror.get(&()).map(Arc::as_ptr) == object.map(Arc::as_ptr)
}

fn thing(version: &'static str) -> Option<Arc<Thing>> {
    Some(Arc::new(Thing(version)))
}

fn mirror() -> (Mirror<(), Thing>, Instant) {
    (Mirror::default(), Instant::now())
}

fn version(mirror: &Mirror<(), Thing>) -> Option<&'static str> {
    mirror.get(&()).map(|thing| thing.0)
}
