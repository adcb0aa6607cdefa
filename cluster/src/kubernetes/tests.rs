//! What an API server can do to a reader, a writer and a candidate, on the fake one and a clock that
//! turns by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use ringbolt_config::{Kind, Object, ObjectRef};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::{Api, Kubernetes, KubernetesOptions, Link};
use crate::calls::{CallOutcome, Verb};
use crate::fake::{Cut, FakeApi, Fault, On, Refusal};
use crate::source::{Change, Cluster, Role, SourceProblem, Trouble, Watch};

mod leading;
mod reading;
mod restoring;
mod troubles;
mod writing;

/// Longer than anything here takes, on the clock of the test.
const LIMIT: Duration = Duration::from_secs(300);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn service(name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": port}]},
    })
}

fn peer_with_password(secret: &str) -> Value {
    json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "BGPPeer", "metadata": {"name": "a"},
        "spec": {
            "myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1",
            "passwordSecret": {"name": secret},
        },
    })
}

fn object(kind: Kind, name: &str) -> ObjectRef {
    ObjectRef::new(kind, None, name).unwrap()
}

/// What a watch has told.
struct Seen {
    watch: Watch,
    objects: BTreeMap<ObjectRef, Object>,
    synced: usize,
    restored: usize,
    deleted: Vec<ObjectRef>,
}

impl Seen {
    fn new(cluster: &Cluster, kinds: &[Kind]) -> Self {
        Self {
            watch: cluster.watch(kinds),
            objects: BTreeMap::new(),
            synced: 0,
            restored: 0,
            deleted: Vec::new(),
        }
    }

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
            "waited in vain for {what}; deleted: {:?}",
            self.deleted
        );
    }

    /// Follows the watch for a while.
    async fn during(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(changes) = tokio::time::timeout_at(end, self.watch.next()).await {
            self.take(changes);
        }
    }

    fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Apply(object) => {
                    self.objects.insert(object.object_ref(), object);
                }
                Change::Delete(name) => {
                    self.objects.remove(&name);
                    self.deleted.push(name);
                }
                Change::Synced(_) => self.synced += 1,
                Change::Restored(_) => self.restored += 1,
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        self.objects.keys().map(|name| &*name.name).collect()
    }
}

/// Waits until a problem of the source is such a one.
async fn named(cluster: &Cluster, what: &str, such: impl Fn(&SourceProblem) -> bool) {
    let mut problems = cluster.problems();
    let named = problems.wait_for(|problems| problems.iter().any(&such));
    let named = timeout(LIMIT, named).await.is_ok();
    let said = problems.borrow();
    assert!(named, "waited in vain for {what}; named: {said:?}");
}

/// Waits until nothing is wrong with the source.
async fn no_problem(cluster: &Cluster) {
    let mut problems = cluster.problems();
    let clean = problems.wait_for(|problems| problems.is_empty());
    let clean = timeout(LIMIT, clean).await.is_ok();
    let said = problems.borrow();
    assert!(clean, "what is over is named still: {said:?}");
}

/// How many calls had this outcome.
fn calls(cluster: &Cluster, verb: Verb, plural: &'static str, outcome: CallOutcome) -> u64 {
    let key = (verb, plural, outcome);
    cluster.calls().get(&key).copied().unwrap_or_default()
}

/// How much was written.
fn writes(cluster: &Cluster) -> u64 {
    let calls = cluster.calls();
    let writes = calls.iter().filter(|((verb, _, _), _)| verb.writes());
    writes.map(|(_, count)| count).sum()
}
