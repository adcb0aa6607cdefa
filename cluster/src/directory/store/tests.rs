//! Kill a writer before every system call; fail every system call; let writers race.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::*;

const ROOT: &str = "RINGBOLT_TEST_STORE";
const POINT: &str = "RINGBOLT_TEST_POINT";
const OPERATION: &str = "RINGBOLT_TEST_OPERATION";
const CHILD: &str = "directory::store::tests::a_child_is_killed_at_a_point";

#[test]
fn a_put_killed_at_any_system_call_leaves_the_old_or_the_new_object() {
    for (index, point) in Point::PUT.iter().enumerate() {
        let folder = TempDir::new().unwrap();
        let store = Store::new(folder.path().to_owned());
        put(&store, "old").unwrap();
        run_child(folder.path(), "put", index);
        let found = content(&store).expect("the object never vanishes");
        let renamed = *point > Point::Rename;
        assert_eq!(
            found,
            if renamed { "new" } else { "old" },
            "killed before {point:?}"
        );
        put(&store, "next").unwrap();
        assert_eq!(
            content(&store).as_deref(),
            Some("next"),
            "killed before {point:?}"
        );
        assert!(
            !folder.path().join("services").join(NEW).exists(),
            "left by {point:?}"
        );
    }
}

#[test]
fn a_create_killed_at_any_system_call_leaves_nothing_or_the_object() {
    for (index, point) in Point::PUT.iter().enumerate() {
        let folder = TempDir::new().unwrap();
        let store = Store::new(folder.path().to_owned());
        run_child(folder.path(), "put", index);
        let renamed = *point > Point::Rename;
        assert_eq!(
            content(&store).as_deref(),
            renamed.then_some("new"),
            "before {point:?}"
        );
        put(&store, "next").unwrap();
        assert_eq!(
            content(&store).as_deref(),
            Some("next"),
            "killed before {point:?}"
        );
    }
}

#[test]
fn a_removal_killed_at_any_system_call_leaves_the_object_or_nothing() {
    for (index, point) in Point::REMOVE.iter().enumerate() {
        let folder = TempDir::new().unwrap();
        let store = Store::new(folder.path().to_owned());
        put(&store, "old").unwrap();
        run_child(folder.path(), "remove", index);
        let unlinked = *point > Point::Unlink;
        assert_eq!(
            content(&store).as_deref(),
            (!unlinked).then_some("old"),
            "before {point:?}"
        );
        store.transact(&web(), |_| Ok(Verdict::Remove)).unwrap();
        assert_eq!(content(&store), None, "killed before {point:?}");
    }
}

/// Not a test of its own: the writer that the tests above kill.
#[test]
#[ignore = "run by the tests that kill it"]
fn a_child_is_killed_at_a_point() {
    let root = std::env::var(ROOT).unwrap();
    let fatal: usize = std::env::var(POINT).unwrap().parse().unwrap();
    let passed = AtomicU64::new(0);
    let faults = FaultPlan::new(move |_| {
        if passed.fetch_add(1, Ordering::Relaxed) == fatal as u64 {
            std::process::abort();
        }
        Ok(())
    });
    let store = Store::with_faults(root.into(), faults);
    match std::env::var(OPERATION).unwrap().as_str() {
        "put" => put(&store, "new").map(drop),
        _ => store.transact(&web(), |_| Ok(Verdict::Remove)).map(drop),
    }
    .unwrap();
    panic!("the write was not killed");
}

#[test]
fn a_failure_of_any_system_call_is_told_and_leaves_the_old_or_the_new_object() {
    for fatal in Point::PUT {
        let folder = TempDir::new().unwrap();
        put(&Store::new(folder.path().to_owned()), "old").unwrap();
        let failing = FaultPlan::new(move |point| match point == fatal {
            true => Err(ErrorKind::StorageFull.into()),
            false => Ok(()),
        });
        let store = Store::with_faults(folder.path().to_owned(), failing);
        assert_eq!(
            put(&store, "new").unwrap_err(),
            WriteError::Unavailable {
                object: web(),
                cause: UnavailableCause::Io(ErrorKind::StorageFull)
            },
            "{fatal:?}"
        );
        let store = Store::new(folder.path().to_owned());
        let renamed = fatal > Point::Rename;
        assert_eq!(
            content(&store).unwrap(),
            if renamed { "new" } else { "old" },
            "{fatal:?}"
        );
        put(&store, "next").unwrap();
    }
}

/// Two writers of 10,000 increments each, and a third that deletes the counter and creates it
/// again with what it held. Every acknowledged increment is in the final count.
#[test]
fn no_acknowledged_increment_is_lost_while_a_third_deletes_and_creates() {
    const INCREMENTS: u64 = 10_000;
    // Atomicity is what is tried here, not durability: memory does, and is 20 times faster.
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .unwrap();
    let root = folder.path().to_owned();
    counter(&Store::new(root.clone()), |_| Some(0)).unwrap();
    let working = Arc::new(AtomicU64::new(2));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (store, working) = (Store::new(root.clone()), Arc::clone(&working));
            scope.spawn(move || {
                for _ in 0..INCREMENTS {
                    increment(&store);
                }
                working.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let (store, working) = (Store::new(root.clone()), Arc::clone(&working));
        scope.spawn(move || {
            let mut rounds = 0;
            while working.load(Ordering::Relaxed) > 0 {
                let held = take(&store);
                let created = counter(&store, |found| found.is_none().then_some(held)).unwrap();
                assert_eq!(created, Some(held), "nobody else creates");
                rounds += 1;
                std::thread::yield_now();
            }
            assert!(rounds > 10, "the third hardly worked: {rounds}");
        });
    });
    assert_eq!(value(&Store::new(root)), Some(2 * INCREMENTS));
    assert!(
        began.elapsed() < Duration::from_secs(120),
        "{:?}",
        began.elapsed()
    );
}

/// Reads, adds one, and writes under the version that was read, until that succeeds once.
fn increment(store: &Store) {
    loop {
        let Some(read) = store.read(&web()).unwrap() else {
            std::thread::yield_now();
            continue;
        };
        let version = read["metadata"]["resourceVersion"].clone();
        let next = read["spec"]["count"].as_u64().unwrap() + 1;
        let written = Cell::new(false);
        store
            .transact(&web(), |current| match current {
                Some(current) if current["metadata"]["resourceVersion"] == version => {
                    written.set(true);
                    Ok(Verdict::Put(count(next)))
                }
                _ => Ok(Verdict::Leave),
            })
            .unwrap();
        if written.get() {
            return;
        }
    }
}

/// Removes the counter and returns what it held.
fn take(store: &Store) -> u64 {
    let held = Cell::new(0);
    store
        .transact(&web(), |current| {
            held.set(current.unwrap()["spec"]["count"].as_u64().unwrap());
            Ok(Verdict::Remove)
        })
        .unwrap();
    held.get()
}

fn counter(
    store: &Store,
    next: impl Fn(Option<u64>) -> Option<u64>,
) -> Result<Option<u64>, WriteError> {
    let written = store.transact(&web(), |current| {
        let found = current.map(|current| current["spec"]["count"].as_u64().unwrap());
        Ok(next(found).map_or(Verdict::Leave, |next| Verdict::Put(count(next))))
    })?;
    Ok(written.map(|value| value["spec"]["count"].as_u64().unwrap()))
}

fn value(store: &Store) -> Option<u64> {
    store
        .read(&web())
        .unwrap()
        .map(|value| value["spec"]["count"].as_u64().unwrap())
}

fn count(count: u64) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"count": count}})
}

#[test]
fn names_that_are_no_dns_names_never_become_paths() {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().to_owned());
    for (namespace, name) in [
        ("default", "../../etc/passwd"),
        ("..", "web"),
        ("default", ""),
        ("default", ".lock"),
        ("a/b", "web"),
        ("default", "Web"),
    ] {
        let object = ObjectRef {
            kind: Kind::Service,
            namespace: Some(namespace.into()),
            name: name.into(),
        };
        assert!(matches!(
            store.transact(&object, |_| Ok(Verdict::Put(json!({})))),
            Err(WriteError::Invalid {
                reason: InvalidReason::NotADnsName,
                ..
            })
        ));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn secrets_are_readable_by_their_owner_alone() {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().to_owned());
    let secret = ObjectRef::new(Kind::Secret, Some("default"), "key").unwrap();
    store
        .transact(&secret, |_| Ok(Verdict::Put(json!({"metadata": {}}))))
        .unwrap();
    let mode = fs::metadata(store.path(&secret).unwrap())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_not_understood_is_not_overwritten() {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().to_owned());
    put(&store, "old").unwrap();
    fs::write(store.path(&web()).unwrap(), b"{").unwrap();
    let corrupt = WriteError::Unavailable {
        object: web(),
        cause: UnavailableCause::Corrupt,
    };
    assert_eq!(put(&store, "new").unwrap_err(), corrupt);
    assert_eq!(store.read(&web()).unwrap_err(), corrupt);
}

#[test]
fn uuids_are_of_version_4_and_differ() {
    let (one, two) = (random_uuid(), random_uuid());
    assert_ne!(one, two);
    assert_eq!(one.len(), 36);
    assert_eq!(one.as_bytes()[14], b'4');
    assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
}

fn web() -> ObjectRef {
    ObjectRef::new(Kind::Service, Some("default"), "web").unwrap()
}

fn put(store: &Store, content: &str) -> Result<Option<Value>, WriteError> {
    let value = json!({"metadata": {"name": "web"}, "spec": {"content": content}});
    store.transact(&web(), |_| Ok(Verdict::Put(value)))
}

fn content(store: &Store) -> Option<String> {
    let value = store.read(&web()).unwrap()?;
    Some(value["spec"]["content"].as_str().unwrap().to_owned())
}

fn run_child(root: &Path, operation: &str, point: usize) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .env(ROOT, root)
        .env(OPERATION, operation)
        .env(POINT, point.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(
        status.signal(),
        Some(6),
        "the child is aborted at {operation} {point}: {status}"
    );
}
