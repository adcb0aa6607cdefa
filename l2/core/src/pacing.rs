//! Rates as values: how often something may happen, and when it may happen next. No clock, no queue.
use std::time::{Duration, Instant};

use crate::owner::mix;

/// A token bucket, kept as the time at which it would be full again (the "theoretical arrival time" of GCRA): one
/// instant, no rounding over long idle times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Time that one token takes to come back.
    interval: Duration,
    /// How far ahead of `now` the full time may lie: burst × interval.
    depth: Duration,
    full_at: Option<Instant>,
}

impl Bucket {
    /// A full bucket of `burst` tokens that refills with `per_second`. Both count as at least 1.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            depth: interval * burst.max(1),
            full_at: None,
        }
    }

    /// Takes one token if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Taken {
        let full_at = self.full_at.unwrap_or(now).max(now) + self.interval;
        if full_at.duration_since(now) > self.depth {
            return Taken::Empty;
        }
        self.full_at = Some(full_at);
        Taken::Token
    }

    /// When `tokens` of them can be taken at once (at most the whole bucket).
    pub(crate) fn ready_at(&self, now: Instant, tokens: u32) -> Instant {
        let wanted = (self.interval * tokens).min(self.depth);
        let full_at = self.full_at.unwrap_or(now).max(now);
        now.max(full_at + wanted - self.depth)
    }
}

/// Outcome of [`Bucket::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Go ahead.
    Token,
    /// Not at this time.
    Empty,
}

/// Something that happens at most once per period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Once {
    last: Option<Instant>,
}

impl Once {
    /// Takes the occasion unless the last one is less than `period` ago.
    pub(crate) fn per(&mut self, period: Duration, now: Instant) -> Taken {
        match self.last {
            Some(last) if now.saturating_duration_since(last) < period => Taken::Empty,
            _ => {
                self.last = Some(now);
                Taken::Token
            }
        }
    }

    /// When the next occasion is.
    pub(crate) fn ready_at(&self, period: Duration, now: Instant) -> Instant {
        self.last.map_or(now, |last| (last + period).max(now))
    }
}

/// Spread of times and of evictions. Seeded, so that a run can be repeated; no secret hangs on it.
#[derive(Debug, Clone)]
pub(crate) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A duration from zero to just below `limit`.
    pub(crate) fn below(&mut self, limit: Duration) -> Duration {
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.next() % nanos.max(1))
    }

    /// A duration from `middle` − `spread` to `middle` + `spread`.
    pub(crate) fn around(&mut self, middle: Duration, spread: Duration) -> Duration {
        middle.saturating_sub(spread) + self.below(spread * 2)
    }
}

#[cfg(test)]
mod tests;
