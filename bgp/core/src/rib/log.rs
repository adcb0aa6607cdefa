//! The change log: which slots changed, in which order.
//!
//! An entry says that a slot changed, never what it became: whoever reads it looks at the slot. A
//! slot that changes again gets a new entry and the old one is out of date, so a reader that is
//! behind sees each slot once, at its present value, however often it flapped. Positions only grow,
//! and compaction keeps them: a cursor is a number that no compaction can invalidate.

use std::collections::VecDeque;

use super::loc::Slot;

#[cfg(test)]
mod tests;

/// Below this length the log is left alone.
const COMPACT_MIN: usize = 1024;

/// Slots in the order of their last change.
#[derive(Debug)]
pub(crate) struct ChangeLog {
    entries: VecDeque<(u64, Slot)>,
    next: u64,
    /// Length at which the next compaction pays for itself.
    compact_at: usize,
}

impl ChangeLog {
    /// The position of a slot that the log does not speak of.
    pub(crate) const NOWHERE: u64 = 0;
    /// The position of a cursor that has read nothing.
    pub(crate) const START: u64 = 1;

    pub(crate) const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            next: Self::START,
            compact_at: COMPACT_MIN,
        }
    }

    /// Where the next change will stand.
    pub(crate) const fn head(&self) -> u64 {
        self.next
    }

    /// Records a change.
    pub(crate) fn append(&mut self, slot: Slot) -> u64 {
        let position = self.next;
        self.next += 1;
        self.entries.push_back((position, slot));
        position
    }

    /// Entries from `cursor` on and before `end`, out-of-date ones included.
    pub(crate) fn from(&self, cursor: u64, end: u64) -> impl Iterator<Item = (u64, Slot)> {
        let start = self
            .entries
            .partition_point(|(position, _)| *position < cursor);
        self.entries
            .range(start..)
            .copied()
            .take_while(move |(position, _)| *position < end)
    }

    /// Every entry.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, Slot)> {
        self.entries.iter().copied()
    }

    /// Whether the log has doubled since it was last compacted: the pass is paid for by the changes
    /// that made it so long.
    pub(crate) fn wants_compaction(&self) -> bool {
        self.entries.len() > self.compact_at
    }

    /// Drops entries for which `latest` says no.
    pub(crate) fn retain(&mut self, latest: impl Fn(Slot, u64) -> bool) {
        self.entries
            .retain(|(position, slot)| latest(*slot, *position));
        self.compact_at = COMPACT_MIN + 2 * self.entries.len();
        self.entries.shrink_to(self.compact_at);
    }
}
