//! The last view on disk: what is written is read back, and what is old, torn or of others is not.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tempfile::TempDir;

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
    job.unwrap().carry_out();
    (folder, record)
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
    record.confirm(hours(1), None).unwrap().carry_out();
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
    record.confirm(hours(1), None).unwrap().carry_out();
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
    record.confirm(hours(23), None).unwrap().carry_out();
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
        ("", "it is not of format 1"),
        ("\u{0}\u{1}\n{}", "it is not of format 1"),
        (
            "{\"format\":2,\"server\":\"\",\"node\":\"\"}",
            "it is not of format 1",
        ),
        (
            "{\"format\":1,\"server\":\"https://192.0.2.1:6443\",\"node\":\"n1\"}\nodd",
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
    record.complete(noon(), None).unwrap().carry_out();
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
