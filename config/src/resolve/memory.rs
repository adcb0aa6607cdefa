//! What became of each object of a kind: its last attempt and its last good version.
//!
//! An object that did not change is not read again, so that a change among many large objects
//! costs what that one object costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::faults::Faults;
use super::problem::Problem;
use crate::snapshot::ByName;

/// Whether what the objects of a kind refer to is what it was at the last update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// It is.
    Same,
    /// It may not be.
    Changed,
}

/// Memory of one kind.
#[derive(Debug)]
pub(super) struct Memory<S, T> {
    entries: BTreeMap<Arc<str>, Entry<S, T>>,
}

#[derive(Debug)]
struct Entry<S, T> {
    source: Arc<S>,
    attempt: Option<Arc<T>>,
    good: Option<Arc<T>>,
    problems: Vec<Problem>,
}

impl<S, T> Default for Memory<S, T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
        }
    }
}

impl<S, T: PartialEq> Memory<S, T> {
    /// Reads what changed; forgets what is gone; collects problems, old ones too.
    pub(super) fn update(
        &mut self,
        objects: &ByName<S>,
        surroundings: Surroundings,
        problems: &mut Vec<Problem>,
        mut compile: impl FnMut(&str, &S) -> (Option<T>, Faults),
    ) {
        self.entries.retain(|name, _| objects.contains_key(name));
        for (name, source) in objects {
            let known = self.entries.get(name).is_some_and(|entry| {
                surroundings == Surroundings::Same && Arc::ptr_eq(&entry.source, source)
            });
            if !known {
                let (value, faults) = compile(name, source);
                let value = value.filter(|_| !faults.refused());
                let good = self.entries.remove(name).and_then(|entry| entry.good);
                // Equal values keep their identity: readers compare by pointer.
                let attempt = value.map(|value| match &good {
                    Some(good) if **good == value => good.clone(),
                    _ => Arc::new(value),
                });
                let good = attempt.clone().or(good);
                let source = source.clone();
                let entry = Entry {
                    source,
                    attempt,
                    good,
                    problems: faults.problems,
                };
                self.entries.insert(name.clone(), entry);
            }
            if let Some(entry) = self.entries.get(name) {
                problems.extend(entry.problems.iter().cloned());
            }
        }
    }

    /// Objects by name in their last good version.
    pub(super) fn good(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<T>)> {
        self.entries
            .iter()
            .filter_map(|(name, entry)| Some((name, entry.good.as_ref()?)))
    }

    /// Objects by name as they stand, if they are usable so.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Arc<T>>)> {
        self.entries
            .iter()
            .map(|(name, entry)| (name, entry.attempt.as_ref()))
    }
}
