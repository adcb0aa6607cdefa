//! The state folder as others change it.

use serde_json::json;
use tempfile::TempDir;

use super::super::store::Verdict;
use super::*;

#[test]
fn what_is_stored_is_found_and_what_is_removed_is_missed() {
    let (_folder, store, mut mirror) = world();
    put(&store, "a", "1");
    put(&store, "b", "1");
    assert_eq!(rescan(&mut mirror, &store), ["a", "b"]);
    assert_eq!(rescan(&mut mirror, &store), [""; 0]);
    put(&store, "a", "2");
    assert_eq!(rescan(&mut mirror, &store), ["a"]);
    fs::remove_file(store.path(&claim("b")).unwrap()).unwrap();
    assert_eq!(rescan(&mut mirror, &store), ["b"]);
    assert_eq!(mirror.names().count(), 1);
    fs::remove_dir_all(store.root().join("ipallocations")).unwrap();
    assert_eq!(rescan(&mut mirror, &store), ["a"]);
    assert_eq!(mirror.names().count(), 0);
}

#[test]
fn one_file_is_read_again_when_it_is_asked_for() {
    let (_folder, store, mut mirror) = world();
    assert!(!mirror.refresh(&store, &claim("a")));
    put(&store, "a", "1");
    assert!(mirror.refresh(&store, &claim("a")));
    assert!(!mirror.refresh(&store, &claim("a")));
    fs::remove_file(store.path(&claim("a")).unwrap()).unwrap();
    assert!(mirror.refresh(&store, &claim("a")));
}

#[test]
fn a_file_that_says_nothing_is_a_problem_and_what_was_known_stays() {
    let (_folder, store, mut mirror) = world();
    put(&store, "a", "1");
    rescan(&mut mirror, &store);
    fs::write(store.path(&claim("a")).unwrap(), "{").unwrap();
    assert_eq!(rescan(&mut mirror, &store), [""; 0]);
    assert_eq!(mirror.problems().count(), 1);
    assert!(mirror.whole(&claim("a")).is_some());
    fs::remove_file(store.path(&claim("a")).unwrap()).unwrap();
    assert_eq!(rescan(&mut mirror, &store), ["a"]);
    assert_eq!(mirror.problems().count(), 0);
}

#[test]
fn files_that_are_no_objects_are_passed_over() {
    let (_folder, store, mut mirror) = world();
    put(&store, "a", "1");
    fs::write(store.root().join("ipallocations/.new"), "half").unwrap();
    fs::write(store.root().join("ipallocations/_/UPPER"), "{}").unwrap();
    fs::create_dir(store.root().join("ipallocations/strange")).unwrap();
    fs::write(store.root().join("ipallocations/strange/x"), "{}").unwrap();
    assert_eq!(rescan(&mut mirror, &store), ["a"]);
    assert_eq!(mirror.problems().count(), 0);
}

#[test]
fn a_path_names_an_object_or_nothing() {
    let name =
        |path: &str| Mirror::name_of(Path::new("/s"), Path::new(path)).map(|name| name.to_string());
    assert_eq!(
        name("/s/services/default/web").as_deref(),
        Some("Service default/web")
    );
    assert_eq!(
        name("/s/ipallocations/_/v4-192-0-2-1").as_deref(),
        Some("IPAllocation v4-192-0-2-1")
    );
    for path in [
        "/other/services/default/web",
        "/s/services/_/web",
        "/s/ipallocations/default/x",
        "/s/services/default",
        "/s/services/default/web/more",
        "/s/services/default/.new",
        "/s/nothing/default/web",
    ] {
        assert_eq!(name(path), None, "{path}");
    }
}

#[test]
fn the_copy_of_a_document_stays_on_disk() {
    let (_folder, store, mut mirror) = world();
    let name = ObjectRef::new(Kind::Service, None, "web").unwrap();
    let mut record = Record::new(&name);
    record.document = Some(json!({"spec": {}}));
    store
        .transact(&name, |_| Ok(Verdict::Put(record.to_value())))
        .unwrap();
    assert!(mirror.refresh(&store, &name));
    assert_eq!(mirror.record(&name).unwrap().document, None);
}

fn world() -> (TempDir, Store, Mirror) {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().to_owned());
    (folder, store, Mirror::default())
}

fn claim(name: &str) -> ObjectRef {
    ObjectRef::new(Kind::IPAllocation, None, name).unwrap()
}

fn put(store: &Store, name: &str, content: &str) {
    let value = json!({"metadata": {"name": name}, "spec": {"pool": content}});
    store
        .transact(&claim(name), |_| Ok(Verdict::Put(value)))
        .unwrap();
}

fn rescan(mirror: &mut Mirror, store: &Store) -> Vec<String> {
    let touched = mirror.rescan(store, &[Kind::IPAllocation], &mut Notices::off());
    touched
        .into_iter()
        .map(|name| name.name.to_string())
        .collect()
}
