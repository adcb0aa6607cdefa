//! How long each address went without an answer, and how long it had two.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy)]
struct Since {
    count: usize,
    at: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Watch {
    counts: BTreeMap<IpAddr, Since>,
    unanswered: BTreeMap<IpAddr, Duration>,
    doubled: BTreeMap<IpAddr, Duration>,
    moves: BTreeMap<IpAddr, usize>,
}

impl Watch {
    pub(crate) fn note(&mut self, address: IpAddr, count: usize, now: Instant) {
        self.close(address, now);
        self.counts.insert(address, Since { count, at: now });
        *self.moves.entry(address).or_default() += 1;
    }

    /// Counts spans that are still open up to `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        for address in self.counts.keys().copied().collect::<Vec<_>>() {
            self.close(address, now);
        }
    }

    /// Forgets all spans before `now`.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.advance(now);
        for since in self.counts.values_mut() {
            since.at = now;
        }
        self.unanswered.clear();
        self.doubled.clear();
        self.moves.clear();
    }

    /// The longest span without an answer.
    pub(crate) fn unanswered(&self, address: IpAddr) -> Duration {
        self.unanswered.get(&address).copied().unwrap_or_default()
    }

    /// The longest span with more than one.
    pub(crate) fn doubled(&self, address: IpAddr) -> Duration {
        self.doubled.get(&address).copied().unwrap_or_default()
    }

    /// Times the set of answerers changed.
    pub(crate) fn changes(&self, address: IpAddr) -> usize {
        self.moves.get(&address).copied().unwrap_or_default()
    }

    fn close(&mut self, address: IpAddr, now: Instant) {
        let Some(since) = self.counts.get(&address) else {
            return;
        };
        let span = now.saturating_duration_since(since.at);
        let longest = match since.count {
            0 => self.unanswered.entry(address).or_default(),
            1 => return,
            _ => self.doubled.entry(address).or_default(),
        };
        *longest = (*longest).max(span);
    }
}
