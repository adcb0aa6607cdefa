//! Events come back in order, bounded, and whole.

use ringbolt_config::Kind;
use tempfile::TempDir;

use super::*;

#[test]
fn events_come_back_oldest_first_and_repetitions_are_counted() {
    let folder = TempDir::new().unwrap();
    for reason in ["A", "B", "B", "B", "A"] {
        append(folder.path(), &event(reason, "note"), Timestamp::now()).unwrap();
    }
    let told: Vec<_> = read(folder.path())
        .into_iter()
        .map(|event| (event.reason, event.count))
        .collect();
    assert_eq!(
        told,
        [
            ("A".to_owned(), 1),
            ("B".to_owned(), 3),
            ("A".to_owned(), 1)
        ]
    );
}

#[test]
fn the_journal_is_bounded() {
    let folder = TempDir::new().unwrap();
    let note = "x".repeat(100_000);
    for number in 0..3_000 {
        let note = format!("{number} {note}");
        append(folder.path(), &event("A", &note), Timestamp::now()).unwrap();
    }
    let size: u64 = [FILE, BEFORE]
        .iter()
        .map(|name| fs::metadata(folder.path().join(name)).unwrap().len())
        .sum();
    assert!(size < 2 * MAX_SIZE + 4_096, "{size}");
    let events = read(folder.path());
    assert!(events.len() > 800);
    let last = events.last().unwrap();
    assert!(last.note.starts_with("2999 ") && last.note.len() == MAX_NOTE);
}

#[test]
fn a_torn_line_is_passed_over() {
    let folder = TempDir::new().unwrap();
    append(folder.path(), &event("A", "note"), Timestamp::now()).unwrap();
    let path = folder.path().join(FILE);
    let mut text = fs::read(&path).unwrap();
    text.extend(b"{\"time\": \"20");
    fs::write(&path, text).unwrap();
    assert_eq!(read(folder.path()).len(), 1);
}

#[test]
fn a_folder_without_a_journal_has_no_events() {
    assert_eq!(read(Path::new("/nowhere")), []);
}

fn event(reason: &'static str, note: &str) -> Event {
    Event {
        regarding: ObjectRef::new(Kind::Service, None, "web").unwrap(),
        event_type: EventType::Normal,
        reason,
        note: note.to_owned(),
    }
}
