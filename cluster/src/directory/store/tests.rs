//! Kill a writer before every system call; fail every system call; let writers race.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringbolt_config::Kind;
use serde_json::json;
use tempfile::TempDir;

use super::*;

const ROOT: &str = "RINGBOLT_TEST_STORE";
const POINT: &str = "RINGBOLT_TEST_POINT";
const OPERATION: &str = "RINGBOLT_TEST_OPERATION";
const CHILD: &str = "directory::store::tests::a_write_passes_every_point_in_order";

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
        assert_eq!(leftovers(folder.path()), 0, "left by {point:?}");
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

#[test]
fn a_round_of_many_killed_at_any_system_call_leaves_each_object_old_or_new() {
    // Three objects, each at most through every point of a put.
    let mut acknowledged = 0;
    for fatal in 0..3 * Point::PUT.len() {
        let folder = TempDir::new().unwrap();
        let store = Store::new(folder.path().to_owned());
        put_three(&store, "old");
        acknowledged += usize::from(!run_child_to_the_end(folder.path(), "round", fatal));
        for name in ["a", "b", "c"] {
            let found = store
                .read(&service(name))
                .unwrap()
                .expect("no object vanishes");
            let content = found["spec"]["content"].as_str().unwrap();
            assert!(
                ["old", "new"].contains(&content),
                "{name} is {content} at {fatal}"
            );
        }
        put_three(&store, "next");
        assert_eq!(leftovers(folder.path()), 0, "left by {fatal}");
    }
    assert!(
        (1..20).contains(&acknowledged),
        "most points are reached: {acknowledged}"
    );
}

#[test]
fn operations_on_one_object_are_done_in_their_order() {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().to_owned());
    let add = |_| Operation {
        object: web(),
        decide: Box::new(|current| {
            let held = current.map_or(0, |current| current["spec"]["count"].as_u64().unwrap());
            Ok(Verdict::Put(count(held + 1)))
        }),
    };
    let outcomes = store.transact_all((0..10).map(add).collect());
    let counts: Vec<u64> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap().unwrap()["spec"]["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, (1..=10).collect::<Vec<u64>>());
}

#[test]
fn a_refusal_of_one_operation_leaves_the_others_alone() {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().to_owned());
    let refusal = WriteError::Conflict {
        object: service("b"),
    };
    let operation = |name: &'static str| {
        let refusal = refusal.clone();
        Operation {
            object: service(name),
            decide: Box::new(move |_| match name {
                "b" => Err(refusal),
                _ => Ok(Verdict::Put(count(1))),
            }),
        }
    };
    let outcomes = store.transact_all(["a", "b", "c"].map(operation).into());
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err(), &refusal);
    assert_eq!(store.read(&service("b")), Ok(None));
}

/// The order of the system calls, which the tests above count on. Under their environment this is
/// the writer they kill instead.
#[test]
fn a_pipe_in_place_of_an_object_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let refused = read_json(&pipe).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::InvalidData));
    assert_eq!(read_json(&folder.path().join("none")).unwrap(), None);
}

#[test]
fn a_write_passes_every_point_in_order() {
    if let Ok(root) = std::env::var(ROOT) {
        return be_killed(root.into());
    }
    let folder = TempDir::new().unwrap();
    let passed = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&passed);
    let faults = FaultPlan::new(move |point| {
        noted.lock().unwrap().push(point);
        Ok(())
    });
    let store = Store::with_faults(folder.path().to_owned(), faults);
    put(&store, "new").unwrap();
    assert_eq!(std::mem::take(&mut *passed.lock().unwrap()), Point::PUT);
    store.transact(&web(), |_| Ok(Verdict::Remove)).unwrap();
    assert_eq!(*passed.lock().unwrap(), Point::REMOVE);
}

fn be_killed(root: PathBuf) {
    let fatal: usize = std::env::var(POINT).unwrap().parse().unwrap();
    let passed = AtomicUsize::new(0);
    let faults = FaultPlan::new(move |_| {
        if passed.fetch_add(1, Ordering::Relaxed) == fatal {
            std::process::abort();
        }
        Ok(())
    });
    let store = Store::with_faults(root, faults);
    match std::env::var(OPERATION).unwrap().as_str() {
        "put" => drop(put(&store, "new")),
        "round" => put_three(&store, "new"),
        _ => drop(store.transact(&web(), |_| Ok(Verdict::Remove))),
    }
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
        let written = AtomicU64::new(0);
        store
            .transact(&web(), |current| match current {
                Some(current) if current["metadata"]["resourceVersion"] == version => {
                    written.store(1, Ordering::Relaxed);
                    Ok(Verdict::Put(count(next)))
                }
                _ => Ok(Verdict::Leave),
            })
            .unwrap();
        if written.into_inner() == 1 {
            return;
        }
    }
}

/// Removes the counter and returns what it held.
fn take(store: &Store) -> u64 {
    let held = AtomicU64::new(0);
    store
        .transact(&web(), |current| {
            let count = current.unwrap()["spec"]["count"].as_u64().unwrap();
            held.store(count, Ordering::Relaxed);
            Ok(Verdict::Remove)
        })
        .unwrap();
    held.into_inner()
}

fn counter(
    store: &Store,
    next: impl Fn(Option<u64>) -> Option<u64> + Send,
) -> Result<Option<u64>, WriteError> {
    let written = store.transact(&web(), move |current| {
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
    for content in ["{", "", "[]", "5", "null", "{} {}", "\0\0"] {
        let folder = TempDir::new().unwrap();
        let store = Store::new(folder.path().to_owned());
        put(&store, "old").unwrap();
        fs::write(store.path(&web()).unwrap(), content).unwrap();
        let corrupt = WriteError::Unavailable {
            object: web(),
            cause: UnavailableCause::Corrupt,
        };
        assert_eq!(put(&store, "new").unwrap_err(), corrupt, "{content:?}");
        assert_eq!(store.read(&web()).unwrap_err(), corrupt, "{content:?}");
    }
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

/// What killed writers have left in the folder of the kind.
fn leftovers(root: &Path) -> usize {
    let entries = fs::read_dir(root.join("services")).unwrap();
    entries
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with(NEW)
        })
        .count()
}

fn service(name: &str) -> ObjectRef {
    ObjectRef::new(Kind::Service, Some("default"), name).unwrap()
}

fn put_three(store: &Store, content: &str) {
    let operation = |name: &str| {
        let value = json!({"metadata": {"name": name}, "spec": {"content": content}});
        Operation {
            object: service(name),
            decide: Box::new(|_| Ok(Verdict::Put(value))),
        }
    };
    for outcome in store.transact_all(["a", "b", "c"].map(operation).into()) {
        outcome.unwrap();
    }
}

fn run_child(root: &Path, operation: &str, point: usize) {
    assert!(
        run_child_to_the_end(root, operation, point),
        "{operation} was not killed at {point}"
    );
}

/// Whether the child was killed, and did not come to its end before that.
fn run_child_to_the_end(root: &Path, operation: &str, point: usize) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture"])
        .env(ROOT, root)
        .env(OPERATION, operation)
        .env(POINT, point.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(
        status.success() || status.signal() == Some(6),
        "{operation} {point}: {status}"
    );
    !status.success()
}
