//! A Kubernetes API server in this process, for tests: storage, versions, watches, and faults on demand.
//!
//! ```text
//! kube::Client ──► FakeApi (tower service) ──► faults ──► store ──► answer or stream
//! ```
//!
//! It keeps what Ringbolt reads and writes, with the rules of a real server as far as Ringbolt relies on
//! them; [`crate::conformance`] holds the back end against both. Where the two differ, the real one is
//! right. It does not know accounts, schemas or the controllers of Kubernetes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Request;
use http_body_util::channel::Channel;
use kube::client::{Body, Client};
use ringbolt_config::ObjectRef;
use serde_json::Value;
use tokio::sync::{broadcast, watch};

use crate::kubernetes::KubernetesOptions;
use crate::source::{Cluster, Role};
use crate::writer::SPEAKER_KEY_NAMESPACE;
use fault::Faults;
use leases::Leases;
use request::{Part, Resource};
use store::{Edit, Key, PatchKind, Store};

mod fault;
mod leases;
mod merge;
mod refusal;
mod request;
mod server;
mod store;
mod stream;
#[cfg(test)]
mod tests;

pub use fault::{Cut, Fault, On, Stall};
pub use refusal::Refusal;
pub use store::{Checkpoint, Step};

/// Cuts that a stream which is slow to hear of them may miss.
const CUTS: usize = 64;

/// An API server. Clones are the same one. Made and used inside a tokio runtime.
#[derive(Clone)]
pub struct FakeApi {
    shared: Arc<Shared>,
}

struct Shared {
    store: Mutex<Store>,
    /// The newest version; streams wake by it.
    moved: watch::Sender<u64>,
    cuts: broadcast::Sender<(Option<&'static str>, Cut)>,
    faults: Faults,
    leases: Leases,
    /// Lists of which pages are still to be asked for.
    pages: Mutex<server::Pages>,
}

type FakeBody = Channel<Bytes, std::io::Error>;

impl fmt::Debug for FakeApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeApi").finish_non_exhaustive()
    }
}

impl Default for FakeApi {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeApi {
    /// A server with the namespaces that every cluster has, and Ringbolt's own.
    pub fn new() -> Self {
        let store = Store::new();
        let shared = Shared {
            moved: watch::channel(store.version()).0,
            store: Mutex::new(store),
            cuts: broadcast::channel(CUTS).0,
            faults: Faults::default(),
            leases: Leases::new(),
            pages: Mutex::default(),
        };
        let fake = Self {
            shared: Arc::new(shared),
        };
        for name in ["default", "kube-system", SPEAKER_KEY_NAMESPACE] {
            fake.apply(&serde_json::json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
            }));
        }
        fake
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { fake.answer(request).await }
        });
        Client::new(service, "default")
    }

    /// A cluster over this server; every call is another process, as it were.
    pub fn cluster(&self, options: KubernetesOptions) -> Cluster {
        Cluster::over(self.client(), options)
    }

    /// The same with the usual options of a role.
    pub fn cluster_of(&self, role: Role) -> Cluster {
        self.cluster(KubernetesOptions::new(role))
    }

    /// Somebody makes an object what `manifest` says; what the manifest leaves out stays.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn apply(&self, manifest: &Value) {
        let key = key_of(manifest);
        let mut store = self.store();
        let applied = match store.get(&key) {
            Ok(_) => {
                let edit = Edit::Patch(PatchKind::Merge, manifest);
                store.edit(&key, Part::Main, edit, "somebody")
            }
            Err(_) => store.create(&key, manifest.clone()),
        };
        let applied = applied.map_err(|refusal| refusal.message);
        applied.expect("the server takes the manifest");
        self.told(&store);
    }

    /// Somebody merges `patch` into an object's `/status`, metadata included, under another name than ours.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn patch_status(&self, object: &ObjectRef, patch: &Value) {
        let mut store = self.store();
        let edit = Edit::Patch(PatchKind::Merge, patch);
        let patched = store.edit(&key(object), Part::Status, edit, "somebody");
        let patched = patched.map_err(|refusal| refusal.message);
        patched.expect("the server takes the patch");
        self.told(&store);
    }

    /// Somebody deletes an object. One that is not there is deleted enough.
    pub fn delete(&self, object: &ObjectRef) {
        let mut store = self.store();
        let _gone_either_way = store.delete(&key(object), &Value::Null);
        self.told(&store);
    }

    /// An object as it is stored.
    pub fn object(&self, object: &ObjectRef) -> Option<Value> {
        let found = self.store().get(&key(object)).ok();
        found.map(|object| (*object).clone())
    }

    /// All objects of the kind with this plural, in the order of their names.
    pub fn objects(&self, plural: &str) -> Vec<Value> {
        let resource = Resource::all().find(|resource| resource.plural == plural);
        let Some(resource) = resource else {
            return Vec::new();
        };
        let everything = request::Selection::everything();
        let listed = self.store().list(resource, &everything);
        listed.iter().map(|object| (**object).clone()).collect()
    }

    /// Every change since the last compaction, in order: for tests that hold each state against a rule.
    pub fn history(&self) -> Vec<Step> {
        self.store().history().collect()
    }

    /// From here on this happens to these requests. The first fault that applies is the one.
    pub fn inject(&self, on: On, fault: Fault) {
        self.shared.faults.add(on, fault);
    }

    /// These requests wait until the returned guard is dropped.
    pub fn stall(&self, on: On) -> Stall {
        self.shared.faults.stall(on)
    }

    /// Nothing goes wrong any more. Streams that are frozen stay so.
    pub fn heal(&self) {
        self.shared.faults.clear();
    }

    /// This happens to streams that are open: of the kind with this plural, or all.
    pub fn cut(&self, plural: Option<&'static str>, cut: Cut) {
        // Without a stream there is nothing to cut.
        let _streams = self.shared.cuts.send((plural, cut));
    }

    /// Versions before the present one are not kept any more, nor are lists that are half read.
    pub fn compact(&self) {
        self.store().compact();
        self.pages().clear();
    }

    /// How everything is.
    pub fn checkpoint(&self) -> Checkpoint {
        self.store().checkpoint()
    }

    /// Everything is as it was then, versions too, as after a backup of the store was put back: the
    /// server begins anew, and all connections break.
    pub fn restore(&self, checkpoint: &Checkpoint) {
        self.store().restore(checkpoint);
        self.pages().clear();
        self.cut(None, Cut::Break);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.shared.store)
    }

    fn pages(&self) -> MutexGuard<'_, server::Pages> {
        lock(&self.shared.pages)
    }

    /// Wakes streams.
    fn told(&self, store: &Store) {
        self.shared.moved.send_replace(store.version());
    }
}

/// What a merge patch (RFC 7396) makes of a document.
pub fn merged(document: &Value, patch: &Value) -> Value {
    let mut made = document.clone();
    merge::merge(&mut made, patch);
    made
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(object: &ObjectRef) -> Key {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    (
        Resource::of(object.kind),
        namespace.to_owned(),
        object.name.to_string(),
    )
}

fn key_of(manifest: &Value) -> Key {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or_default();
    let resource = Resource::all().find(|resource| resource.kind == kind);
    let resource = resource.expect("the kind is one that the fake keeps");
    let namespace = match text("/metadata/namespace") {
        Some(namespace) => namespace,
        None if resource.namespaced => "default",
        None => "",
    };
    let name = text("/metadata/name").unwrap_or_default();
    (resource, namespace.to_owned(), name.to_owned())
}
