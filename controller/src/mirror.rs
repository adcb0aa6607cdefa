//! A mirror of versioned objects that knows what this process wrote itself.
//!
//! A watch tells of our own writes late, and a read past the watch runs ahead of it. Deciding on
//! what the watch last said would give one address twice (semantics rule 47). So the mirror keeps
//! the newest state that is known to be true, recognises the echo of what it knows, and when a
//! watched version cannot be placed before or after that, it says [`Effect::Doubt`] and the caller
//! reads the object. Versions are compared for equality only.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use ringbolt_config::ResourceVersion;

/// An object with a version.
pub(crate) trait Versioned {
    /// The version; objects of one name and one version are the same.
    fn version(&self) -> ResourceVersion;
}

/// What a message about an object amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The mirror says something else than before.
    Changed,
    /// It does not.
    Unchanged,
    /// The object must be read before anything is decided about it.
    Doubt,
}

/// A version of an object, or its absence.
type State = Option<ResourceVersion>;

#[derive(Debug)]
struct Entry<T> {
    value: Option<Arc<T>>,
    /// States that are known and that the watch has not told yet, oldest first.
    ahead: Vec<State>,
    /// What the watch said last.
    watched: State,
    /// A write or a read is under way.
    pending: bool,
    /// What the watch said in that time: it may be older or newer than the answer.
    held_back: Option<Option<Arc<T>>>,
    /// When the state was learnt by a write or a read rather than by the watch.
    confirmed: Option<Instant>,
}

impl<T> Entry<T> {
    const fn absent() -> Self {
        Self {
            value: None,
            ahead: Vec::new(),
            watched: None,
            pending: false,
            held_back: None,
            confirmed: None,
        }
    }
}

/// Objects by their keys.
#[derive(Debug)]
pub(crate) struct Mirror<K, T> {
    entries: BTreeMap<K, Entry<T>>,
    /// Absences that were learnt by a write or a read, oldest first: each is remembered for as long
    /// as its age may matter.
    absences: VecDeque<(Instant, K)>,
}

impl<K, T> Default for Mirror<K, T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            absences: VecDeque::new(),
        }
    }
}

impl<K: Ord + Clone, T: Versioned> Mirror<K, T> {
    /// The object as it is known to be.
    pub(crate) fn get(&self, key: &K) -> Option<&Arc<T>> {
        self.entries.get(key)?.value.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &Arc<T>)> {
        self.entries
            .iter()
            .filter_map(|(key, entry)| Some((key, entry.value.as_ref()?)))
    }

    /// Whether a write or a read is under way.
    pub(crate) fn is_pending(&self, key: &K) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.pending)
    }

    /// When the state of an object, or its absence, was last learnt by a write or a read.
    pub(crate) fn confirmed(&self, key: &K) -> Option<Instant> {
        self.entries.get(key)?.confirmed
    }

    /// The watch says that the object is this, or is not there.
    pub(crate) fn watched(&mut self, key: &K, value: Option<Arc<T>>) -> Effect {
        let entry = self
            .entries
            .entry(key.clone())
            .or_insert_with(Entry::absent);
        entry.watched = value.as_ref().map(|v| v.version());
        if entry.pending {
            entry.held_back = Some(value);
            return Effect::Unchanged;
        }
        let effect = if entry.ahead.is_empty() {
            let known = entry.value.as_ref().map(|v| v.version());
            let changed = known != entry.watched;
            entry.value = value;
            if changed {
                Effect::Changed
            } else {
                Effect::Unchanged
            }
        } else if entry.ahead.last() == Some(&entry.watched) {
            entry.ahead.clear();
            // The same, and the one the source keeps: an answer of our own would be kept beside it.
            entry.value = value;
            Effect::Unchanged
        } else if entry.ahead.contains(&entry.watched) {
            Effect::Unchanged
        } else {
            Effect::Doubt
        };
        self.tidy(key);
        effect
    }

    /// A write or a read begins: what the watch says until its answer is held back.
    pub(crate) fn begin(&mut self, key: &K) {
        self.entries
            .entry(key.clone())
            .or_insert_with(Entry::absent)
            .pending = true;
    }

    /// A write made the object this, or took it away.
    pub(crate) fn written(&mut self, key: &K, value: Option<Arc<T>>, now: Instant) -> Effect {
        self.learn(key, value, now);
        self.settle(key)
    }

    /// A write or a read has no usable answer. The object should be read.
    pub(crate) fn failed(&mut self, key: &K) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.pending = false;
        }
        self.settle(key);
        self.tidy(key);
    }

    /// A read found the object like this, or did not find it.
    pub(crate) fn read(&mut self, key: &K, value: Option<Arc<T>>, now: Instant) -> Effect {
        let entry = self
            .entries
            .entry(key.clone())
            .or_insert_with(Entry::absent);
        let before = entry.value.as_ref().map(|v| v.version());
        entry.ahead.clear();
        let after = value.as_ref().map(|v| v.version());
        self.learn(key, value, now);
        match self.settle(key) {
            Effect::Doubt => Effect::Doubt,
            _ if before != after => Effect::Changed,
            other => other,
        }
    }

    fn learn(&mut self, key: &K, value: Option<Arc<T>>, now: Instant) {
        let entry = self
            .entries
            .entry(key.clone())
            .or_insert_with(Entry::absent);
        let state = value.as_ref().map(|v| v.version());
        entry.pending = false;
        entry.confirmed = Some(now);
        if value.is_none() {
            self.absences.push_back((now, key.clone()));
        }
        entry.value = value;
        if entry.watched == state {
            entry.ahead.clear();
            if let Some(held_back) = entry.held_back.take() {
                entry.value = held_back;
            }
        } else {
            entry.ahead.push(state);
        }
    }

    fn settle(&mut self, key: &K) -> Effect {
        match self
            .entries
            .get_mut(key)
            .and_then(|entry| entry.held_back.take())
        {
            Some(value) => self.watched(key, value),
            None => Effect::Changed,
        }
    }

    /// Whether a read found an object of which the watch does not tell.
    pub(crate) fn is_unwatched(&self, key: &K) -> bool {
        let unwatched = |e: &Entry<T>| e.value.is_some() && e.watched.is_none() && !e.pending;
        self.entries.get(key).is_some_and(unwatched)
    }

    /// Knows nothing of an object.
    pub(crate) fn forget(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// Forgets the age of absences that were learnt before `time`.
    pub(crate) fn forget_absences(&mut self, time: Instant) {
        while let Some((learnt, _)) = self.absences.front()
            && *learnt < time
        {
            if let Some((learnt, key)) = self.absences.pop_front()
                && self
                    .entries
                    .get(&key)
                    .is_some_and(|entry| entry.confirmed == Some(learnt))
            {
                self.tidy(&key);
            }
        }
    }

    /// Absence without open questions is remembered by nothing.
    fn tidy(&mut self, key: &K) {
        let forgettable = |e: &Entry<T>| e.value.is_none() && e.ahead.is_empty() && !e.pending;
        if self.entries.get(key).is_some_and(forgettable) {
            self.entries.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
