//! The objects of the fake API server, their versions and their past: what may be created, changed and
//! deleted, by whom who has read which version.
//!
//! Rules are those of a real API server as far as Ringbolt relies on them; the same suite
//! ([`crate::conformance`]) runs on both. Knows no HTTP and no faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::merge;
use super::refusal::Refusal;
use super::request::{Part, Resource, Selection};

mod admission;

/// Which object: kind, namespace (empty for none), name.
pub(super) type Key = (Resource, String, String);

/// The first version.
const FIRST: u64 = 100;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<Key, Arc<Value>>,
    version: u64,
    past: Vec<Past>,
    /// Versions up to this one are not kept.
    compacted: u64,
    uids: u64,
}

/// One change.
#[derive(Clone, Debug)]
struct Past {
    version: u64,
    resource: Resource,
    before: Option<Arc<Value>>,
    after: Option<Arc<Value>>,
    /// The object as it is told: for a deletion, the last state with the version of the deletion.
    shown: Arc<Value>,
}

/// All objects at one time.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    objects: BTreeMap<Key, Arc<Value>>,
    pub(super) version: u64,
}

/// One change of the store.
#[derive(Clone, Debug)]
pub struct Step {
    /// The object as it became, or as it was when it ended.
    pub object: Arc<Value>,
    /// Whether it exists since.
    pub exists: bool,
}

/// What a watch is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) event: &'static str,
    pub(super) object: Arc<Value>,
    pub(super) version: u64,
}

/// Which kind of patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatchKind {
    Merge,
    Strategic,
}

/// A change to an object that exists.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit<'a> {
    Patch(PatchKind, &'a Value),
    /// A whole object in the place of the stored one.
    Replace(&'a Value),
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            version: FIRST,
            compacted: FIRST,
            ..Self::default()
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, key: &Key) -> Result<Arc<Value>, Refusal> {
        let found = self.objects.get(key).cloned();
        found.ok_or_else(|| Refusal::not_found(&key.2))
    }

    /// Objects in the order of their names.
    pub(super) fn list(&self, resource: Resource, selection: &Selection) -> Vec<Arc<Value>> {
        listed(&self.objects, resource, selection)
    }

    pub(super) fn create(&mut self, key: &Key, mut object: Value) -> Result<Arc<Value>, Refusal> {
        let (resource, namespace, name) = key;
        admission::may_be_created(&object, key)?;
        if self.objects.contains_key(key) {
            return Err(Refusal::already_exists(name));
        }
        if resource.namespaced && namespace.is_empty() {
            return Err(Refusal::bad_request(
                "an object of this kind needs a namespace",
            ));
        }
        self.uids += 1;
        object["apiVersion"] = resource.api_version.into();
        object["kind"] = resource.kind.into();
        let metadata = &mut object["metadata"];
        metadata["uid"] = format!("00000000-0000-4000-8000-{:012x}", self.uids).into();
        // Seconds are what the API keeps.
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        metadata["creationTimestamp"] = now.into();
        if resource.namespaced {
            metadata["namespace"] = namespace.as_str().into();
        }
        if resource.is_custom() {
            metadata["generation"] = 1.into();
        }
        if resource.has_status()
            && let Some(object) = object.as_object_mut()
        {
            object.remove("status");
        }
        admission::fill_defaults(*resource, &mut object);
        Ok(self.put(key, None, object))
    }

    /// Changes an object; `manager` is who is recorded for it.
    pub(super) fn edit(
        &mut self,
        key: &Key,
        part: Part,
        edit: Edit<'_>,
        manager: &str,
    ) -> Result<Arc<Value>, Refusal> {
        let before = self.get(key)?;
        let mut object = (*before).clone();
        match edit {
            Edit::Patch(PatchKind::Merge, patch) => merge::merge(&mut object, patch),
            Edit::Patch(PatchKind::Strategic, _) if key.0.is_custom() => {
                return Err(Refusal::media());
            }
            Edit::Patch(PatchKind::Strategic, patch) => merge::strategic(&mut object, patch),
            Edit::Replace(whole) => object.clone_from(whole),
        }
        admission::settle(key.0, part, &before, &mut object, manager)?;
        if object == *before {
            return Ok(before);
        }
        if admission::is_over(&object) {
            return Ok(self.end(key, before, object));
        }
        Ok(self.put(key, Some(before), object))
    }

    /// Deletes an object that meets the preconditions, or marks it as being deleted.
    pub(super) fn delete(&mut self, key: &Key, options: &Value) -> Result<Arc<Value>, Refusal> {
        let before = self.get(key)?;
        let metadata = &before["metadata"];
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != metadata[field] {
                return Err(Refusal::conflict(&key.2));
            }
        }
        let held = metadata["finalizers"].as_array();
        if held.is_none_or(Vec::is_empty) {
            let object = (*before).clone();
            return Ok(self.end(key, before, object));
        }
        if metadata["deletionTimestamp"].is_string() {
            return Ok(before);
        }
        let mut object = (*before).clone();
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        object["metadata"]["deletionTimestamp"] = now.into();
        object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        Ok(self.put(key, Some(before), object))
    }

    fn put(&mut self, key: &Key, before: Option<Arc<Value>>, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let object = Arc::new(object);
        self.objects.insert(key.clone(), Arc::clone(&object));
        self.past.push(Past {
            version: self.version,
            resource: key.0,
            before,
            after: Some(Arc::clone(&object)),
            shown: Arc::clone(&object),
        });
        object
    }

    fn end(&mut self, key: &Key, before: Arc<Value>, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.remove(key);
        let shown = Arc::new(object);
        self.past.push(Past {
            version: self.version,
            resource: key.0,
            before: Some(before),
            after: None,
            shown: Arc::clone(&shown),
        });
        shown
    }

    /// What happened to selected objects of a kind after a version; what leaves the selection counts
    /// as deleted, what enters it as added.
    pub(super) fn since(
        &self,
        resource: Resource,
        selection: &Selection,
        version: u64,
    ) -> Result<Vec<Told>, Refusal> {
        if version < self.compacted {
            return Err(Refusal::expired());
        }
        let later = self.past.iter();
        let later = later.filter(|past| past.version > version && past.resource == resource);
        let told = later.filter_map(|past| {
            let held = |object: &Option<Arc<Value>>| {
                object
                    .as_ref()
                    .is_some_and(|object| selection.holds(object))
            };
            let event = match (held(&past.before), held(&past.after)) {
                (false, false) => return None,
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
            };
            Some(Told {
                event,
                object: Arc::clone(&past.shown),
                version: past.version,
            })
        });
        Ok(told.collect())
    }

    /// Every change whose version is kept, in order.
    pub(super) fn history(&self) -> impl Iterator<Item = Step> {
        self.past.iter().map(|past| Step {
            object: Arc::clone(&past.shown),
            exists: past.after.is_some(),
        })
    }

    /// Forgets the past.
    pub(super) fn compact(&mut self) {
        self.compacted = self.version;
        self.past.clear();
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            objects: self.objects.clone(),
            version: self.version,
        }
    }

    /// Everything is as it was, the version too.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) {
        self.objects.clone_from(&checkpoint.objects);
        self.version = checkpoint.version;
        self.compact();
    }
}

impl Checkpoint {
    pub(super) fn list(&self, resource: Resource, selection: &Selection) -> Vec<Arc<Value>> {
        listed(&self.objects, resource, selection)
    }
}

fn listed(
    objects: &BTreeMap<Key, Arc<Value>>,
    resource: Resource,
    selection: &Selection,
) -> Vec<Arc<Value>> {
    let first = (resource, String::new(), String::new());
    let of_kind = objects.range(first..);
    let of_kind = of_kind.take_while(|(key, _)| key.0 == resource);
    let selected = of_kind.filter(|(_, object)| selection.holds(object));
    selected.map(|(_, object)| Arc::clone(object)).collect()
}

/// The object a bookmark carries.
pub(super) fn bookmark(resource: Resource, version: u64) -> Value {
    json!({
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": version.to_string()},
    })
}
