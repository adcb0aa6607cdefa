//! The newest state of every object, and what each [`Watch`](crate::Watch) has yet to hear of it.
//!
//! A back end publishes complete objects and removals; the hub drops what changes nothing and
//! keeps, per subscription, one entry per object that differs from what was delivered. Memory is
//! therefore bounded by the number of objects, however slow a consumer is.
//!
//! The lock is held for moments and never across an await; no caller's code runs under it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ringbolt_config::{Kind, Object, ObjectRef, Uid};
use tokio::sync::Notify;

use crate::source::Change;

#[cfg(test)]
mod tests;

/// Shared by the one publisher and all subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<ObjectRef, Object>,
    synced: BTreeSet<Kind>,
    /// Kinds that a snapshot has told of and nobody has confirmed.
    restored: BTreeSet<Kind>,
    queues: Vec<Weak<Queue>>,
}

/// What one subscription has yet to hear.
#[derive(Debug)]
struct Queue {
    kinds: BTreeSet<Kind>,
    pending: Mutex<Pending>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    objects: BTreeMap<ObjectRef, Difference>,
    restored: Vec<Kind>,
    synced: Vec<Kind>,
}

/// What a consumer has to hear about one object to be up to date.
#[derive(Debug)]
enum Difference {
    /// It has not heard of the object, or of another content.
    Apply { object: Object, known: Known },
    /// It knows an object that is gone.
    Delete,
    /// It knows an object of this name that was replaced by another one.
    Replace(Object),
}

/// Whether the consumer has the object in an older form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

/// What is published about one object.
#[derive(Debug)]
pub(crate) enum Publication {
    /// The object is this.
    Object(Object),
    /// There is no such object.
    Gone(ObjectRef),
}

impl Hub {
    /// Takes the newest state of some objects, in order, and wakes who waits for them.
    pub(crate) fn publish(&self, publications: impl IntoIterator<Item = Publication>) {
        let mut state = lock(&self.state);
        let queues = state.live_queues();
        for publication in publications {
            match publication {
                Publication::Object(object) => {
                    let name = object.object_ref();
                    let known = match state.objects.entry(name.clone()) {
                        Entry::Occupied(entry) if *entry.get() == object => continue,
                        Entry::Occupied(mut entry) => {
                            let old = entry.insert(object.clone());
                            Some(same_identity(&old, &object))
                        }
                        Entry::Vacant(entry) => {
                            entry.insert(object.clone());
                            None
                        }
                    };
                    for queue in interested(&queues, name.kind) {
                        queue.apply(&name, object.clone(), known);
                    }
                }
                Publication::Gone(name) => {
                    if state.objects.remove(&name).is_some() {
                        for queue in interested(&queues, name.kind) {
                            queue.delete(&name);
                        }
                    }
                }
            }
        }
        for queue in queues {
            queue.wake();
        }
    }

    /// Says that every object of these kinds has been published at least once.
    pub(crate) fn synced(&self, kinds: &[Kind]) {
        let mut state = lock(&self.state);
        let queues = state.live_queues();
        for &kind in kinds {
            state.restored.remove(&kind);
            if state.synced.insert(kind) {
                for queue in interested(&queues, kind) {
                    lock(&queue.pending).synced.push(kind);
                }
            }
        }
        for queue in queues {
            queue.wake();
        }
    }

    /// Says that every object of this kind that a snapshot held has been published.
    pub(crate) fn restored(&self, kind: Kind) {
        let mut state = lock(&self.state);
        if state.synced.contains(&kind) || !state.restored.insert(kind) {
            return;
        }
        let queues = state.live_queues();
        for queue in interested(&queues, kind) {
            lock(&queue.pending).restored.push(kind);
        }
        queues.iter().for_each(|queue| queue.wake());
    }

    /// Begins a subscription that hears of everything that exists, as of something new.
    pub(crate) fn subscribe(&self, kinds: &[Kind]) -> Subscription {
        let mut state = lock(&self.state);
        let kinds: BTreeSet<Kind> = kinds.iter().copied().collect();
        let objects = state
            .objects
            .iter()
            .filter(|(name, _)| kinds.contains(&name.kind))
            .map(|(name, object)| {
                (
                    name.clone(),
                    Difference::Apply {
                        object: object.clone(),
                        known: Known::No,
                    },
                )
            })
            .collect();
        let synced = state.synced.intersection(&kinds).copied().collect();
        let restored = state.restored.intersection(&kinds).copied().collect();
        let queue = Arc::new(Queue {
            kinds,
            pending: Mutex::new(Pending {
                objects,
                restored,
                synced,
            }),
            ready: Notify::new(),
        });
        state.queues.push(Arc::downgrade(&queue));
        Subscription { queue }
    }

    /// Everything, in the order of names.
    pub(crate) fn objects(&self) -> Vec<Object> {
        lock(&self.state).objects.values().cloned().collect()
    }

    /// The names of all objects of a kind.
    pub(crate) fn names(&self, kind: Kind) -> BTreeSet<ObjectRef> {
        let state = lock(&self.state);
        let names = state.objects.keys().filter(|name| name.kind == kind);
        names.cloned().collect()
    }

    /// Whether every object of this kind has been published at least once.
    pub(crate) fn is_synced(&self, kind: Kind) -> bool {
        lock(&self.state).synced.contains(&kind)
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, name: &ObjectRef) -> bool {
        lock(&self.state).objects.contains_key(name)
    }

    /// One object as it was last published.
    pub(crate) fn get(&self, name: &ObjectRef) -> Option<Object> {
        lock(&self.state).objects.get(name).cloned()
    }
}

impl State {
    /// Subscriptions that are still held; forgets the others.
    fn live_queues(&mut self) -> Vec<Arc<Queue>> {
        let live: Vec<_> = self.queues.iter().filter_map(Weak::upgrade).collect();
        self.queues.retain(|queue| queue.strong_count() > 0);
        live
    }
}

impl Queue {
    /// `known`: `None` when the object is new to the hub, else whether it is still the same one.
    fn apply(&self, name: &ObjectRef, object: Object, known: Option<Identity>) {
        let mut pending = lock(&self.pending);
        let next = match (pending.objects.remove(name), known) {
            (None, None) => Difference::Apply {
                object,
                known: Known::No,
            },
            (None, Some(Identity::Same)) => Difference::Apply {
                object,
                known: Known::Yes,
            },
            (None, Some(Identity::Other))
            | (Some(Difference::Delete | Difference::Replace(_)), _) => Difference::Replace(object),
            (
                Some(Difference::Apply {
                    known: Known::Yes, ..
                }),
                Some(Identity::Other),
            ) => Difference::Replace(object),
            (Some(Difference::Apply { known, .. }), _) => Difference::Apply { object, known },
        };
        pending.objects.insert(name.clone(), next);
    }

    fn delete(&self, name: &ObjectRef) {
        let mut pending = lock(&self.pending);
        match pending.objects.remove(name) {
            Some(Difference::Apply {
                known: Known::No, ..
            }) => {}
            Some(Difference::Apply {
                known: Known::Yes, ..
            })
            | Some(Difference::Delete | Difference::Replace(_))
            | None => {
                pending.objects.insert(name.clone(), Difference::Delete);
            }
        }
    }

    fn wake(&self) {
        if !lock(&self.pending).is_empty() {
            self.ready.notify_one();
        }
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.restored.is_empty() && self.synced.is_empty()
    }

    fn take(&mut self) -> Vec<Change> {
        let mut changes =
            Vec::with_capacity(self.objects.len() + self.restored.len() + self.synced.len());
        for (name, difference) in std::mem::take(&mut self.objects) {
            match difference {
                Difference::Apply { object, .. } => changes.push(Change::Apply(object)),
                Difference::Delete => changes.push(Change::Delete(name)),
                Difference::Replace(object) => {
                    changes.push(Change::Delete(name));
                    changes.push(Change::Apply(object));
                }
            }
        }
        changes.extend(self.restored.drain(..).map(Change::Restored));
        changes.extend(self.synced.drain(..).map(Change::Synced));
        changes
    }
}

/// One consumer's end.
#[derive(Debug)]
pub(crate) struct Subscription {
    queue: Arc<Queue>,
}

impl Subscription {
    /// All differences since the last call; never empty. Cancel safe: nothing is taken before the
    /// future is ready.
    pub(crate) async fn next(&mut self) -> Vec<Change> {
        loop {
            let changes = lock(&self.queue.pending).take();
            if !changes.is_empty() {
                return changes;
            }
            self.queue.ready.notified().await;
        }
    }
}

/// Whether two objects of one name are one object over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    Same,
    Other,
}

/// Objects without a uid, and those whose uid is not given yet, are what their name says.
fn same_identity(old: &Object, new: &Object) -> Identity {
    match (uid(old), uid(new)) {
        (Some(old), Some(new)) if old != new => Identity::Other,
        _ => Identity::Same,
    }
}

fn uid(object: &Object) -> Option<&str> {
    let ours = match object {
        Object::Service(view) => {
            return Some(view.uid.as_str()).filter(|_| view.uid != Uid::unassigned());
        }
        Object::Node(view) => return view.uid.as_ref().map(Uid::as_str),
        Object::Namespace(_) | Object::Secret(_) | Object::EndpointSlice(_) => return None,
        Object::IPAddressPool(object) => &object.metadata,
        Object::IPAllocation(object) => &object.metadata,
        Object::L2Advertisement(object) => &object.metadata,
        Object::BGPAdvertisement(object) => &object.metadata,
        Object::BGPPeer(object) => &object.metadata,
        Object::BGPPeerTemplate(object) => &object.metadata,
        Object::BFDProfile(object) => &object.metadata,
        Object::Community(object) => &object.metadata,
        Object::RouteImport(object) => &object.metadata,
        Object::Speaker(object) => &object.metadata,
    };
    ours.uid.as_deref()
}

fn interested(queues: &[Arc<Queue>], kind: Kind) -> impl Iterator<Item = &Arc<Queue>> {
    queues
        .iter()
        .filter(move |queue| queue.kinds.contains(&kind))
}

/// No code of others runs under these locks, so a poisoned one still holds a consistent value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
