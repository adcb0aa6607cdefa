//! The segment: who hears whom, what is lost, doubled or late. All chance comes from one seed.
use std::collections::BTreeSet;
use std::time::Duration;

/// SplitMix64: small, good enough, and the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From 0 to just below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn per_mille(&mut self, odds: u64) -> bool {
        self.next() % 1_000 < odds
    }

    pub(crate) fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = u64::try_from((to - from).as_nanos()).unwrap().max(1);
        from + Duration::from_nanos(self.next() % span)
    }
}

/// A station on the segment: a node or a client, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Port {
    Node(usize),
    Client(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Link {
    /// In 1,000.
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    /// In 1,000: these are up to 20 ms late and overtaken by others.
    pub(crate) reordering: u64,
    /// What the first sends does not reach the second.
    pub(crate) cuts: BTreeSet<(Port, Port)>,
}

impl Link {
    /// When the copies of a frame arrive: none, one or two.
    pub(crate) fn carry(&self, from: Port, to: Port, chance: &mut Chance) -> Vec<Duration> {
        if self.cuts.contains(&(from, to)) || chance.per_mille(self.loss) {
            return Vec::new();
        }
        let mut delay = chance.between(Duration::from_micros(50), Duration::from_micros(150));
        if chance.per_mille(self.reordering) {
            delay += chance.between(Duration::ZERO, Duration::from_millis(20));
        }
        let copies = if chance.per_mille(self.duplication) {
            2
        } else {
            1
        };
        (0..copies)
            .map(|copy| delay + Duration::from_micros(30) * copy)
            .collect()
    }

    /// Nothing passes between the two sides.
    pub(crate) fn split(&mut self, left: &[Port], right: &[Port]) {
        for one in left {
            for other in right {
                self.cuts.insert((*one, *other));
                self.cuts.insert((*other, *one));
            }
        }
    }
}
