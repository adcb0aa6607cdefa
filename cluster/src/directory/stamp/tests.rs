//! A record over the life of its object, one step at a time.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::super::manifest::{Format, read};
use super::super::store::Store;
use super::*;

#[test]
fn identity_is_given_once_and_kept_over_changes() {
    let life = Life::new();
    let first = life.stamp(Some(80)).unwrap();
    assert_eq!(first.metadata.generation, Some(1));
    assert!(first.metadata.uid.is_some() && first.document.is_some());
    assert_eq!(
        life.stamp(Some(80)).unwrap(),
        first,
        "the same document is no change"
    );
    let second = life.stamp(Some(81)).unwrap();
    assert_eq!(second.metadata.generation, Some(2));
    assert_eq!(second.metadata.uid, first.metadata.uid);
    assert_eq!(
        second.metadata.creation_timestamp,
        first.metadata.creation_timestamp
    );
    assert_ne!(
        second.metadata.resource_version,
        first.metadata.resource_version
    );
}

#[test]
fn a_record_that_holds_nothing_goes_with_its_document() {
    let life = Life::new();
    life.stamp(Some(80));
    assert_eq!(life.stamp(None), None);
}

#[test]
fn a_record_with_a_finalizer_is_marked_and_waits() {
    let life = Life::new();
    let first = life.stamp(Some(80)).unwrap();
    life.edit(|record| record.metadata.finalizers.push("f".to_owned()));
    let marked = life.stamp(None).unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    assert!(marked.document.is_some(), "what it was is still known");
    assert_eq!(life.stamp(None).unwrap(), marked, "a mark is set once");
    assert_eq!(life.stamp(Some(81)).unwrap(), marked, "a successor waits");
    life.edit(|record| record.metadata.finalizers.clear());
    let second = life.stamp(Some(81)).unwrap();
    assert_ne!(second.metadata.uid, first.metadata.uid);
    assert_eq!(second.metadata.deletion_timestamp, None);
    assert_eq!(second.status, None);
}

#[test]
fn what_was_kept_before_an_identity_was_given_stays() {
    let life = Life::new();
    life.edit(|record| {
        record.status = Some(Value::from(1));
        record
            .metadata
            .annotations
            .insert("a".to_owned(), "b".into());
    });
    let record = life.stamp(Some(80)).unwrap();
    assert!(record.metadata.uid.is_some());
    assert_eq!(record.status, Some(Value::from(1)));
    assert_eq!(record.metadata.annotations.len(), 1);
}

#[test]
fn is_due_agrees_with_what_stamp_does() {
    let life = Life::new();
    for document in [None, Some(80), Some(80), Some(81), None, None] {
        let before = life.read();
        let due = is_due(&life.name, before.as_ref(), document.map(parse).as_deref());
        let after = life.stamp(document);
        assert_eq!(due, before != after, "{document:?}");
    }
    let node = ObjectRef::new(Kind::Node, None, "n").unwrap();
    assert!(
        !is_due(&node, None, Some(&*parse(80))),
        "Nodes have no age that matters"
    );
}

struct Life {
    _folder: TempDir,
    store: Store,
    name: ObjectRef,
}

impl Life {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::new(folder.path().to_owned());
        let name = ObjectRef::new(Kind::Service, None, "web").unwrap();
        Self {
            _folder: folder,
            store,
            name,
        }
    }

    fn stamp(&self, port: Option<u16>) -> Option<Record> {
        let stamp = stamp(&self.name, port.map(parse), Timestamp::now());
        self.store.transact_all(vec![stamp]).remove(0).unwrap();
        self.read()
    }

    fn read(&self) -> Option<Record> {
        self.store
            .read(&self.name)
            .unwrap()
            .map(|value| Record::from_value(value).unwrap())
    }

    fn edit(&self, edit: impl Fn(&mut Record) + Send) {
        self.store
            .transact(&self.name, move |current| {
                let record = current.and_then(Record::from_value);
                let mut record = record.unwrap_or_else(|| Record::new(&self.name));
                edit(&mut record);
                Ok(Verdict::Put(record.to_value()))
            })
            .unwrap();
    }
}

#[test]
fn a_stored_file_that_is_no_record_is_not_taken_for_none() {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().to_owned());
    let name = ObjectRef::new(Kind::Service, Some("default"), "web").unwrap();
    let path = store.path(&name).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let strange = r#"{"kind": "Service", "metadata": 5}"#;
    std::fs::write(&path, strange).unwrap();
    let operation = stamp(&name, Some(parse(80)), Timestamp::UNIX_EPOCH);
    let outcome = store.transact_all(vec![operation]).pop().unwrap();
    assert!(outcome.is_err(), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), strange);
}

fn parse(port: u16) -> Arc<Document> {
    let text = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{ports: [{{port: {port}}}]}}\n"
    );
    let mut segment = read(&text, Format::Yaml).unwrap();
    segment.objects.remove(0).1
}
