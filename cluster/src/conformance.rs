//! What every back end must do, tried through the public face alone.
//!
//! A back end is tried on a [`Ground`]: something that plays the people and programs who own the
//! objects. Each check takes a fresh ground and panics where the back end fails; a test per check
//! is made with [`for_each_conformance_check!`](crate::for_each_conformance_check).
//!
//! Nothing here knows files or HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringbolt_config::{Kind, Object, ObjectRef, Uid};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{Change, Cluster, EventType, Watch};

mod claims;
mod services;
mod watching;

pub use claims::*;
pub use services::*;
pub use watching::*;

/// Nothing that a check waits for takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// A place where objects live, with somebody who owns them.
pub trait Ground: Sync {
    /// A controller's view of the place; every call is another process, as it were.
    fn controller(&self) -> Cluster;
    /// A speaker's view of the place.
    fn speaker(&self) -> Cluster;
    /// A view for which nothing is refused, where the others have the rights of their processes.
    fn person(&self) -> Cluster {
        self.controller()
    }
    /// Somebody makes an object what `manifest` says.
    fn apply(&self, manifest: &Value) -> impl Future<Output = ()> + Send;
    /// Somebody deletes an object.
    fn delete(&self, object: &ObjectRef) -> impl Future<Output = ()> + Send;
    /// Somebody looks at the events there are: reason, type, how often.
    fn events(&self) -> impl Future<Output = Vec<(String, EventType, u32)>> + Send {
        async {
            let listing = self.controller().read_all().await;
            let events = listing.expect("the place is readable").events;
            let told = events.into_iter();
            told.map(|event| (event.reason, event.event_type, event.count))
                .collect()
        }
    }
}

/// Calls a macro with the names of all checks, so that a test can be made of each.
#[macro_export]
macro_rules! for_each_conformance_check {
    ($make:ident) => {
        $make! {
            a_watch_begins_with_what_exists_and_says_when_that_is_all,
            an_object_that_comes_later_arrives,
            a_watch_hears_of_its_kinds_alone,
            an_object_that_did_not_change_is_not_delivered_again,
            a_deleted_object_is_deleted,
            a_slow_consumer_finds_the_newest_state,
            every_watch_hears_of_a_change,
            a_service_with_a_finalizer_terminates_until_it_is_removed,
            a_name_taken_again_while_terminating_becomes_another_object,
            a_service_keeps_its_identity_when_it_changes,
            a_status_is_written_under_the_version_that_was_read,
            a_status_is_seen_by_every_reader,
            conditions_are_replaced_by_type,
            a_status_of_our_kinds_is_merged,
            a_claim_is_created_once,
            a_claim_is_changed_under_the_version_that_was_read,
            a_claim_is_deleted_by_uid_and_version,
            no_acknowledged_change_of_a_claim_is_lost,
            claims_are_watched,
            a_speaker_object_is_written_when_it_differs,
            the_speaker_key_is_made_once,
            a_drain_mark_is_seen_on_the_node,
            one_controller_leads,
            events_are_kept,
        }
    };
}

/// What a watch has told so far; checks the promises of a watch on the way.
#[derive(Debug)]
struct Seen {
    watch: Watch,
    objects: BTreeMap<ObjectRef, Object>,
    synced: BTreeSet<Kind>,
    /// Every change so far, as one line each.
    history: Vec<String>,
}

impl Seen {
    fn new(cluster: &Cluster, kinds: &[Kind]) -> Self {
        Self {
            watch: cluster.watch(kinds),
            objects: BTreeMap::new(),
            synced: BTreeSet::new(),
            history: Vec::new(),
        }
    }

    /// Follows the watch until `enough`, and fails when that takes too long.
    async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        let follow = async {
            while !enough(self) {
                let changes = self.watch.next().await;
                self.take(changes);
            }
        };
        let in_time = timeout(LIMIT, follow).await.is_ok();
        assert!(
            in_time,
            "waited in vain for {what}; seen: {:#?}",
            self.history
        );
    }

    fn take(&mut self, changes: Vec<Change>) {
        assert!(
            !changes.is_empty(),
            "a watch returns when it has something to say"
        );
        for change in changes {
            match change {
                Change::Apply(object) => {
                    let name = object.object_ref();
                    self.history.push(format!("apply {name}"));
                    let before = self.objects.insert(name.clone(), object.clone());
                    assert_ne!(
                        before.as_ref(),
                        Some(&object),
                        "{name} is delivered unchanged"
                    );
                    if let (Some(before), Some(after)) =
                        (before.as_ref().and_then(uid), uid(&object))
                    {
                        assert_eq!(
                            before, after,
                            "{name} becomes another object without a deletion"
                        );
                    }
                }
                Change::Delete(name) => {
                    self.history.push(format!("delete {name}"));
                    let known = self.objects.remove(&name).is_some();
                    assert!(known, "{name} is deleted before it was delivered");
                }
                Change::Synced(kind) => {
                    self.history.push(format!("synced {kind}"));
                    assert!(self.synced.insert(kind), "{kind} is synced twice");
                }
                Change::Restored(kind) => {
                    self.history.push(format!("restored {kind}"));
                    assert!(!self.synced.contains(&kind), "{kind} is restored too late");
                }
            }
        }
    }

    fn object(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&reference(kind, name))
    }

    /// How often something was said of an object.
    fn changes_of(&self, kind: Kind, name: &str) -> usize {
        let name = reference(kind, name).to_string();
        self.history
            .iter()
            .filter(|line| line.ends_with(&name))
            .count()
    }
}

/// The uid of a Service, once it is given one; other kinds have nothing that could be mixed up.
fn uid(object: &Object) -> Option<&str> {
    match object {
        Object::Service(view) if view.uid != Uid::unassigned() => Some(view.uid.as_str()),
        _ => None,
    }
}

/// An object in namespace `default`, or in none.
fn reference(kind: Kind, name: &str) -> ObjectRef {
    ObjectRef::new(kind, None, name).expect("the checks use DNS names")
}

fn service(name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"], "ports": [{"port": port}]},
    })
}

fn pool(name: &str, addresses: &str) -> Value {
    json!({
        "apiVersion": "ringbolt.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": name},
        "spec": {"addresses": [addresses]},
    })
}

fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"a": "b"}}})
}
