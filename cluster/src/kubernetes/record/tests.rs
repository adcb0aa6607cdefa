//! The last view on disk: what is written is read back, and what is old, torn or of others is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use jiff::SignedDuration;
use ringbolt_config::Object;
use serde_json::json;
use tempfile::TempDir;

use super::disk::tests::Narrow;
use super::*;

fn owner() -> Owner {
    Owner {
        server: "https://192.0.2.1:6443".to_owned(),
        node: "n1".to_owned(),
    }
}

fn record(folder: &TempDir, kind: Kind) -> Record {
    Record::new(folder.path(), kind, owner())
}

fn namespace(name: &str) -> (ObjectRef, Value) {
    let reference = ObjectRef::new(Kind::Namespace, None, name).unwrap();
    (reference, json!({"metadata": {"name": name}}))
}

fn put(record: &mut Record, name: &str) {
    let (reference, object) = namespace(name);
    record.put(&reference, &object);
}

fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn hours(hours: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(hours)
}

/// A folder with the view of two namespaces.
fn two() -> (TempDir, Record) {
    let folder = TempDir::new().unwrap();
    let mut record = record(&folder, Kind::Namespace);
    record.begin();
    put(&mut record, "a");
    put(&mut record, "b");
    let job = record.complete(noon(), Some("uid".to_owned()));
    carry_out(&mut record, job);
    (folder, record)
}

/// Does what is to be done, on a disk that has room.
fn carry_out(record: &mut Record, job: Option<Job>) {
    carry_out_on(&Narrow::wide(), record, job).unwrap();
}

fn carry_out_on(disk: &Narrow, record: &mut Record, job: Option<Job>) -> Result<(), NotStored> {
    let outcome = job.unwrap().carry_out_on(disk);
    record.done(&outcome);
    outcome
}

fn confirm(record: &mut Record, hour: i64) {
    let job = record.confirm(hours(hour), None);
    carry_out(record, job);
}

fn read(record: &Record, hour: i64) -> Vec<String> {
    names(&record.place().read(hours(hour)).unwrap())
}

fn names(view: &View) -> Vec<String> {
    let name = |object: &Object| object.object_ref().name.to_string();
    view.objects.iter().map(name).collect()
}

#[test]
fn what_was_listed_is_read_back() {
    let (_folder, record) = two();
    let view = record.place().read(noon()).unwrap();
    assert_eq!(names(&view), ["a", "b"]);
    assert_eq!(view.cluster.as_deref(), Some("uid"));
}

#[test]
fn changes_are_appended() {
    let (_folder, mut record) = two();
    put(&mut record, "c");
    record.gone(&namespace("a").0);
    confirm(&mut record, 1);
    assert_eq!(names(&record.place().read(hours(1)).unwrap()), ["b", "c"]);
}

#[test]
fn a_list_that_breaks_off_leaves_the_old_view() {
    let (_folder, mut record) = two();
    record.begin();
    put(&mut record, "c");
    assert!(record.confirm(hours(1), None).is_none());
    assert_eq!(names(&record.place().read(hours(1)).unwrap()), ["a", "b"]);
}

#[test]
fn what_was_not_confirmed_is_not_believed() {
    let (folder, mut record) = two();
    let path = path(folder.path(), Kind::Namespace);
    let whole = fs::read_to_string(&path).unwrap();
    put(&mut record, "c");
    confirm(&mut record, 1);
    let longer = fs::read_to_string(&path).unwrap();
    // Wherever a kill cuts the file, the view is the old one or the new one.
    for length in whole.len()..longer.len() {
        fs::write(&path, &longer[..length]).unwrap();
        let names = names(&record.place().read(hours(1)).unwrap());
        let new = length + 1 == longer.len();
        assert_eq!(names.len(), if new { 3 } else { 2 }, "cut at {length}");
    }
}

#[test]
fn an_old_view_is_not_used_and_a_confirmed_one_is_not_old() {
    let (_folder, mut record) = two();
    assert!(matches!(
        record.place().read(hours(25)),
        Err(Unusable::Age(_))
    ));
    assert!(matches!(
        record.place().read(hours(-1)),
        Err(Unusable::Age(_))
    ));
    confirm(&mut record, 23);
    assert_eq!(names(&record.place().read(hours(25)).unwrap()), ["a", "b"]);
}

#[test]
fn a_view_of_another_node_or_server_is_not_used() {
    let (folder, _) = two();
    for other in [
        Owner {
            node: "n2".to_owned(),
            ..owner()
        },
        Owner {
            server: "https://192.0.2.2:6443".to_owned(),
            ..owner()
        },
    ] {
        let record = Record::new(folder.path(), Kind::Namespace, other);
        assert!(matches!(
            record.place().read(noon()),
            Err(Unusable::Owner(_))
        ));
    }
}

#[test]
fn a_damaged_file_is_refused_by_name() {
    let (folder, record) = two();
    let path = path(folder.path(), Kind::Namespace);
    for (text, name) in [
        ("", "it is not of format 2"),
        ("\u{0}\u{1}\n{}", "it is not of format 2"),
        (
            "{\"format\":1,\"server\":\"\",\"node\":\"\"}",
            "it is not of format 2",
        ),
        (
            "{\"format\":2,\"server\":\"https://192.0.2.1:6443\",\"node\":\"n1\"}\nodd",
            "it is damaged or was not finished",
        ),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(record.place().read(noon()).unwrap_err().to_string(), name);
    }
}

#[test]
fn of_a_peer_with_a_password_the_name_alone_is_kept() {
    let folder = TempDir::new().unwrap();
    let mut record = record(&folder, Kind::BGPPeer);
    let reference = ObjectRef::new(Kind::BGPPeer, None, "tor").unwrap();
    let peer = json!({
        "apiVersion": "ringbolt.io/v1beta1",
        "kind": "BGPPeer",
        "metadata": {"name": "tor"},
        "spec": {"myASN": 65000, "peerASN": 65001, "peerAddress": "192.0.2.9", "password": "open-sesame"},
    });
    record.begin();
    record.put(&reference, &peer);
    let job = record.complete(noon(), None);
    carry_out(&mut record, job);
    let path = path(folder.path(), Kind::BGPPeer);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("open-sesame"), "{text}");
    let view = record.place().read(noon()).unwrap();
    assert_eq!(names(&view), Vec::<String>::new());
    assert_eq!(view.withheld, [reference], "it is known that it exists");
}

#[test]
fn the_file_is_its_owners_alone() {
    let (folder, _) = two();
    let path = path(folder.path(), Kind::Namespace);
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn changes_that_find_no_room_leave_the_view_and_are_written_when_there_is_room() {
    let (folder, mut record) = two();
    let before = fs::read(path(folder.path(), Kind::Namespace)).unwrap();
    put(&mut record, "c");
    put(&mut record, "d");
    // Wherever the room ends, even before the first octet.
    let mut room = 0;
    loop {
        let job = record.confirm(hours(1), None);
        let needed = job.as_ref().unwrap().text.len();
        let full = Narrow::with_room(room);
        let error = carry_out_on(&full, &mut record, job).unwrap_err();
        assert_eq!(error.cause.kind(), std::io::ErrorKind::StorageFull);
        let after = fs::read(path(folder.path(), Kind::Namespace)).unwrap();
        assert!(after == before, "room for {room} octets");
        room += 1;
        if room == needed {
            break;
        }
    }
    // What happens meanwhile is newer than what waits.
    record.gone(&namespace("d").0);
    confirm(&mut record, 2);
    assert_eq!(read(&record, 2), ["a", "b", "c"]);
    put(&mut record, "e");
    confirm(&mut record, 3);
    assert_eq!(read(&record, 3), ["a", "b", "c", "e"]);
}

#[test]
fn a_list_that_finds_no_room_leaves_the_view_whatever_part_of_it_was_too_much() {
    // Two pages and the end, each of some hundred octets.
    let mut refused = 0;
    for room in (0..600).step_by(7) {
        let (folder, mut record) = two();
        let full = Narrow::with_room(room);
        record.begin();
        put(&mut record, "c");
        let job = record.stage();
        let first = carry_out_on(&full, &mut record, job);
        put(&mut record, "d");
        let job = record.stage();
        assert_eq!(job.is_some(), first.is_ok(), "half a list is given up");
        let second = job.map(|job| {
            let outcome = job.carry_out_on(&full);
            record.done(&outcome);
            outcome
        });
        record.gone(&namespace("a").0);
        let third = record.complete(hours(1), None).map(|job| {
            let outcome = job.carry_out_on(&full);
            record.done(&outcome);
            outcome
        });
        let done = matches!((&second, &third), (Some(Ok(())), Some(Ok(()))));
        refused += usize::from(!done);
        let expected: &[&str] = if done { &["c", "d"] } else { &["a", "b"] };
        assert_eq!(read(&record, 1), expected, "room for {room} octets");
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "half a list takes no room");
        // Changes mean nothing without the list; the next one is kept.
        put(&mut record, "e");
        assert_eq!(record.confirm(hours(2), None).is_some(), done);
        record.done(&Err(NotStored::unfinished()));
        record.begin();
        put(&mut record, "f");
        let job = record.complete(hours(2), None);
        carry_out(&mut record, job);
        assert_eq!(read(&record, 2), ["f"]);
    }
    assert!(refused > 20 && refused < 80, "{refused}");
}

#[test]
fn nothing_is_put_behind_what_somebody_else_has_written() {
    let (folder, mut record) = two();
    let path = path(folder.path(), Kind::Namespace);
    let theirs = format!("{}odd", fs::read_to_string(&path).unwrap());
    fs::write(&path, &theirs).unwrap();
    put(&mut record, "c");
    let job = record.confirm(hours(1), None);
    carry_out_on(&Narrow::wide(), &mut record, job).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
    assert_eq!(read(&record, 1), ["a", "b"]);
    put(&mut record, "d");
    assert!(
        record.confirm(hours(2), None).is_none(),
        "until the next list"
    );
}

#[test]
fn changes_that_wait_for_a_full_disk_are_bounded() {
    let (_folder, mut record) = two();
    let full = Narrow::with_room(0);
    let (_, mut large) = namespace("large");
    large["metadata"]["annotations"] = json!({"note": "x".repeat(1 << 20)});
    for number in 0..40 {
        let (name, _) = namespace(&format!("n{number}"));
        record.put(&name, &large);
        if let Some(job) = record.confirm(hours(1), None) {
            let outcome = job.carry_out_on(&full);
            record.done(&outcome);
        }
        assert!(record.octets <= MOST_PENDING);
    }
    assert!(
        record.confirm(hours(1), None).is_none(),
        "until the next list"
    );
    assert_eq!(read(&record, 1), ["a", "b"]);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let record = record(&folder, Kind::Namespace);
    fs::create_dir(path(folder.path(), Kind::Namespace)).unwrap();
    assert!(matches!(record.place().read(noon()), Err(Unusable::NoFile)));
}
