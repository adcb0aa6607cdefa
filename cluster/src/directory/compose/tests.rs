//! What each role sees of one object.

use std::sync::Arc;

use ringbolt_config::names::allocation_name;
use tempfile::TempDir;

use super::super::manifest::{Format, read};
use super::super::notices::Notices;
use super::super::store::Verdict;
use super::*;

const POOL: &str = "apiVersion: ringbolt.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: p}\nspec: {addresses: [192.0.2.0/24]}\n";
const SLICE: &str = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\nendpoints: [{addresses: [192.0.2.1]}]\n";

#[test]
fn a_controller_sees_nothing_without_an_identity_and_others_see_it_at_once() {
    let world = World::new();
    let (name, document) = parse(POOL);
    assert_eq!(world.see(Role::Controller, &name, Some(&document)), None);
    for role in [Role::Speaker, Role::Reader] {
        assert!(
            world.see(role, &name, Some(&document)).is_some(),
            "{role:?}"
        );
    }
}

#[test]
fn a_speaker_sees_of_a_pool_what_changes_its_announcements_and_a_controller_sees_all() {
    let mut world = World::new();
    let (name, document) = parse(POOL);
    world.keep(&name, |record| {
        record.metadata.uid = Some("u".to_owned());
        record.status = Some(json!({"assignedIPv4": 1}));
    });
    let pool = |role| match world.see(role, &name, Some(&document)) {
        Some(Object::IPAddressPool(pool)) => pool,
        other => panic!("{other:?}"),
    };
    assert!(pool(Role::Controller).status.is_some());
    assert!(pool(Role::Speaker).status.is_none());
    assert_eq!(pool(Role::Speaker).metadata.uid.as_deref(), Some("u"));
    assert_eq!(pool(Role::Speaker).metadata.resource_version, None);
}

#[test]
fn a_generation_counts_the_form_of_the_document_it_was_given_for() {
    let mut world = World::new();
    let (name, document) = parse(SLICE);
    world.stamp(&name, &document);
    let generation = |document: &Document| match world.see(Role::Speaker, &name, Some(document)) {
        Some(Object::EndpointSlice(view)) => view.generation,
        other => panic!("{other:?}"),
    };
    assert_eq!(generation(&document), 1);
    let (_, newer) = parse(&SLICE.replace("192.0.2.1", "192.0.2.2"));
    assert_eq!(
        generation(&newer),
        0,
        "unknown until the controller has counted it"
    );
}

#[test]
fn a_pool_that_is_held_outlives_its_document_for_every_role() {
    let mut world = World::new();
    let (name, document) = parse(POOL);
    world.stamp(&name, &document);
    for role in [Role::Controller, Role::Speaker] {
        assert_eq!(world.see(role, &name, None), None, "nothing holds it");
    }
    world.keep(&name, |record| {
        record.metadata.finalizers = vec!["f".to_owned()];
    });
    for role in [Role::Controller, Role::Speaker, Role::Reader] {
        let Some(Object::IPAddressPool(pool)) = world.see(role, &name, None) else {
            panic!("{role:?} sees no pool")
        };
        assert!(pool.metadata.deletion_timestamp.is_some(), "{role:?}");
        assert_eq!(pool.spec.addresses, ["192.0.2.0/24"]);
    }
}

#[test]
fn a_reservation_is_laid_over_a_claim_and_taken_off_again() {
    let name = allocation_name("192.0.2.1".parse().unwrap());
    let stored = json!({"metadata": {"name": name, "resourceVersion": "7"}, "spec": {"address": "192.0.2.1", "pool": "p"}});
    let document = json!({"metadata": {"name": name}, "spec": {"address": "192.0.2.1", "reservedFor": {"namespace": "a", "name": "b"}}});
    let document = document.to_string();
    let document = Some(document.as_bytes());
    assert_eq!(merge_reservation(None, None), None);
    assert_eq!(
        merge_reservation(Some(stored.clone()), None),
        Some(stored.clone())
    );
    let bare = merge_reservation(None, document).unwrap();
    assert_eq!(bare["metadata"]["resourceVersion"], UNWRITTEN);
    let both = merge_reservation(Some(stored), document).unwrap();
    assert_eq!(both["metadata"]["resourceVersion"], "7");
    assert_eq!(both["spec"]["pool"], "p");
    assert_eq!(both["spec"]["reservedFor"]["name"], "b");
}

struct World {
    _folder: TempDir,
    store: Store,
    mirror: Mirror,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::new(folder.path().to_owned());
        Self {
            _folder: folder,
            store,
            mirror: Mirror::default(),
        }
    }

    fn keep(&mut self, name: &ObjectRef, edit: impl Fn(&mut Record) + Send) {
        self.store
            .transact(name, move |current| {
                let record = current.and_then(Record::from_value);
                let mut record = record.unwrap_or_else(|| Record::new(name));
                edit(&mut record);
                Ok(Verdict::Put(record.to_value()))
            })
            .unwrap();
        self.look(name);
    }

    fn stamp(&mut self, name: &ObjectRef, document: &Arc<Document>) {
        let stamp = stamp::stamp(name, Some(Arc::clone(document)), jiff::Timestamp::now());
        self.store.transact_all(vec![stamp]).remove(0).unwrap();
        self.look(name);
    }

    fn look(&mut self, name: &ObjectRef) {
        self.mirror
            .rescan(&self.store, &[name.kind], &mut Notices::off());
    }

    fn see(&self, role: Role, name: &ObjectRef, document: Option<&Document>) -> Option<Object> {
        let sources = Sources {
            doubted: &BTreeSet::new(),
            role,
            store: &self.store,
            mirror: &self.mirror,
        };
        sources.object(name, document)
    }
}

fn parse(text: &str) -> (ObjectRef, Arc<Document>) {
    read(text, Format::Yaml).unwrap().objects.remove(0)
}
