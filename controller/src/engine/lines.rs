//! Who waits for what, in the order of arrival, and how far what came free has been offered.
//!
//! What comes free is offered to the head of a line; when the head has had its turn and there is
//! still something left, to the next one. So a release costs as many decisions as it serves
//! Services, and one or two more, however many wait.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use jiff::Timestamp;
use ringbolt_config::ServiceKey;

use crate::allocator::Line;

/// A place in a line: who came first stands before.
type Place = (Timestamp, ServiceKey);

/// All lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: BTreeMap<Line, BTreeSet<Place>>,
    /// Where each Service stands that waits for anything, be it only for another configuration.
    standing: BTreeMap<ServiceKey, (Timestamp, BTreeSet<Line>)>,
    /// Who is to have a turn because something came free.
    offered: BTreeMap<Line, Place>,
}

impl Lines {
    /// A Service that was created then waits for these, and for nothing else.
    pub(super) fn stand(&mut self, key: &ServiceKey, created: Timestamp, lines: BTreeSet<Line>) {
        if self
            .standing
            .get(key)
            .is_some_and(|(time, stood)| *time == created && *stood == lines)
        {
            return;
        }
        self.leave(key);
        for line in &lines {
            let line = self.waiting.entry(line.clone()).or_default();
            line.insert((created, key.clone()));
        }
        self.standing.insert(key.clone(), (created, lines));
    }

    /// A Service waits for nothing.
    pub(super) fn leave(&mut self, key: &ServiceKey) {
        let Some((created, lines)) = self.standing.remove(key) else {
            return;
        };
        let place = (created, key.clone());
        for line in lines {
            if let Some(places) = self.waiting.get_mut(&line) {
                places.remove(&place);
                if places.is_empty() {
                    self.waiting.remove(&line);
                }
            }
        }
    }

    /// Something came free: who is to have a turn.
    pub(super) fn offer(&mut self, line: Line) -> Option<ServiceKey> {
        let head = self.waiting.get(&line)?.first()?.clone();
        let key = head.1.clone();
        self.offered.insert(line, head);
        Some(key)
    }

    /// A Service had its turn, or is gone: who is to have one after it, in each line in which it was
    /// its turn and in which `more` is left.
    pub(super) fn pass_on(
        &mut self,
        key: &ServiceKey,
        more: impl Fn(&Line) -> bool,
    ) -> Vec<ServiceKey> {
        let mine = self.offered.iter().filter(|(_, (_, at))| at == key);
        let lines: Vec<(Line, Place)> = mine
            .map(|(line, place)| (line.clone(), place.clone()))
            .collect();
        let mut next = Vec::new();
        for (line, place) in lines {
            let behind = (Bound::Excluded(place), Bound::Unbounded);
            let waiting = self.waiting.get(&line);
            match waiting.and_then(|places| places.range(behind).next()) {
                Some(place) if more(&line) => {
                    next.push(place.1.clone());
                    self.offered.insert(line, place.clone());
                }
                _ => {
                    self.offered.remove(&line);
                }
            }
        }
        next
    }

    /// All Services that wait.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &ServiceKey> {
        self.standing.keys()
    }
}

#[cfg(test)]
mod tests;
