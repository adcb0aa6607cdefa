//! Interning: equal values are kept once and named by a small number.
//!
//! A hundred thousand routes share a handful of attribute sets; comparing, grouping and remembering
//! then costs eight octets per route. Ids are not reused while the process lives, so that what is
//! remembered about an id never speaks of another value; they are wide enough for a peer that sends
//! nothing but new values for as long as it can.

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Names a value of one [`Interner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InternId(u64);

/// Values with a count of their users.
#[derive(Debug)]
pub(crate) struct Interner<T: Ord> {
    by_value: BTreeMap<Arc<T>, InternId>,
    entries: BTreeMap<InternId, Entry<T>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    users: usize,
}

impl<T: Ord> Interner<T> {
    pub(crate) const fn new() -> Self {
        Self {
            by_value: BTreeMap::new(),
            entries: BTreeMap::new(),
            next: 0,
        }
    }

    /// The id of `value`, with one more user.
    pub(crate) fn acquire(&mut self, value: T) -> InternId {
        if let Some(id) = self.by_value.get(&value).copied() {
            self.share(id);
            return id;
        }
        let value = Arc::new(value);
        let id = InternId(self.next);
        self.next += 1;
        self.by_value.insert(Arc::clone(&value), id);
        self.entries.insert(id, Entry { value, users: 1 });
        id
    }

    /// One more user of a value that has some.
    pub(crate) fn share(&mut self, id: InternId) {
        self.entries
            .get_mut(&id)
            .expect("ids come from acquire")
            .users += 1;
    }

    /// One user less; the last one takes the value along.
    pub(crate) fn release(&mut self, id: InternId) {
        let entry = self.entries.get_mut(&id).expect("ids come from acquire");
        entry.users -= 1;
        if entry.users == 0
            && let Some(entry) = self.entries.remove(&id)
        {
            self.by_value.remove(&entry.value);
        }
    }

    /// The value of an id that is in use.
    pub(crate) fn get(&self, id: InternId) -> &Arc<T> {
        &self.entries.get(&id).expect("ids come from acquire").value
    }

    /// Whether anybody uses the value of `id`.
    pub(crate) fn is_live(&self, id: InternId) -> bool {
        self.entries.contains_key(&id)
    }

    /// How many different values there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
