//! A set of numbers kept as disjoint intervals: the free addresses of a pool in one family.
//!
//! IPv4 addresses are `u32`, IPv6 addresses `u128`; the set knows neither. Intervals never touch:
//! two that would are one, so that the number of intervals is the fragmentation of the pool and
//! every operation costs its logarithm. Who holds an address is the business of the caller.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// An address as a number.
pub(super) trait Number: Copy + Ord + Debug {
    /// The largest value.
    const MAX: Self;
    /// The next value, unless this is the largest.
    fn up(self) -> Option<Self>;
    /// The value before, unless this is zero.
    fn down(self) -> Option<Self>;
    /// How many values lie in `first..=last`, as far as `u128` can say it.
    fn count(first: Self, last: Self) -> u128;
}

impl Number for u32 {
    const MAX: Self = Self::MAX;
    fn up(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn down(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn count(first: Self, last: Self) -> u128 {
        u128::from(last - first) + 1
    }
}

impl Number for u128 {
    const MAX: Self = Self::MAX;
    fn up(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn down(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn count(first: Self, last: Self) -> u128 {
        (last - first).saturating_add(1)
    }
}

/// Disjoint, non-touching, inclusive intervals, by their first member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranges<N> {
    by_first: BTreeMap<N, N>,
}

impl<N> Default for Ranges<N> {
    fn default() -> Self {
        Self {
            by_first: BTreeMap::new(),
        }
    }
}

impl<N: Number> Ranges<N> {
    /// The interval that holds `n`.
    fn around(&self, n: N) -> Option<(N, N)> {
        let (&first, &last) = self.by_first.range(..=n).next_back()?;
        (last >= n).then_some((first, last))
    }

    pub(super) fn contains(&self, n: N) -> bool {
        self.around(n).is_some()
    }

    /// Adds `first..=last`; members that are there stay. An inverted pair adds nothing.
    pub(super) fn insert(&mut self, first: N, last: N) {
        if first > last {
            return;
        }
        let (mut low, mut high) = (first, last);
        if let Some((f, l)) = first.down().and_then(|n| self.around(n)) {
            (low, high) = (f, high.max(l));
        }
        let reach = last.up().unwrap_or(N::MAX);
        while let Some((&f, &l)) = self.by_first.range(low..=reach).next() {
            high = high.max(l);
            self.by_first.remove(&f);
        }
        self.by_first.insert(low, high);
    }

    /// Takes `first..=last` out; what is not there stays absent.
    pub(super) fn remove(&mut self, first: N, last: N) {
        if first > last {
            return;
        }
        if let Some((f, l)) = self.around(first) {
            self.by_first.remove(&f);
            self.keep(f, first.down());
            if let Some(above) = last.up() {
                self.keep(above, Some(l));
            }
        }
        while let Some((&f, &l)) = self.by_first.range(first..=last).next() {
            self.by_first.remove(&f);
            if let Some(above) = last.up() {
                self.keep(above, Some(l));
            }
        }
    }

    fn keep(&mut self, first: N, last: Option<N>) {
        if let Some(last) = last.filter(|last| first <= *last) {
            self.by_first.insert(first, last);
        }
    }

    /// The lowest member that is at least `n`.
    pub(super) fn at_or_above(&self, n: N) -> Option<N> {
        if self.contains(n) {
            return Some(n);
        }
        self.by_first.range(n..).next().map(|(&first, _)| first)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (N, N)> + '_ {
        self.by_first.iter().map(|(&first, &last)| (first, last))
    }

    /// How many members there are, saturating (a full IPv6 space does not fit).
    pub(super) fn len(&self) -> u128 {
        self.iter().fold(0, |sum: u128, (first, last)| {
            sum.saturating_add(N::count(first, last))
        })
    }
}

#[cfg(test)]
mod tests;
