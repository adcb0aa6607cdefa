//! How many objects are in which namespace, for namespaces that nobody has written down.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringbolt_config::{Kind, ObjectRef};

/// Counts of objects by namespace; a namespace without objects is not in it.
#[derive(Debug, Default)]
pub(super) struct Usage(BTreeMap<Arc<str>, usize>);

impl Usage {
    /// One more object; the namespace, if it is its first.
    pub(super) fn enter(&mut self, namespace: &Arc<str>) -> Option<ObjectRef> {
        let count = self.0.entry(Arc::clone(namespace)).or_insert(0);
        *count += 1;
        (*count == 1).then(|| reference(namespace)).flatten()
    }

    /// One object less; the namespace, if it was its last.
    pub(super) fn leave(&mut self, namespace: &Arc<str>) -> Option<ObjectRef> {
        let count = self.0.get_mut(namespace)?;
        *count -= 1;
        if *count > 0 {
            return None;
        }
        self.0.remove(namespace);
        reference(namespace)
    }

    /// Whether some object is in it.
    pub(super) fn is_used(&self, namespace: &ObjectRef) -> bool {
        self.0.contains_key(&namespace.name)
    }
}

fn reference(namespace: &str) -> Option<ObjectRef> {
    ObjectRef::new(Kind::Namespace, None, namespace).ok()
}
