//! Deadlines as data, and the random source that spreads them.
//!
//! A timer is an `Option<Instant>`; there are no timer tasks, so no stale timer can fire. Which
//! spans are used is decided here and nowhere else.

use std::time::{Duration, Instant};

use crate::types::HoldTime;

#[cfg(test)]
mod tests;

/// From the TCP connection to Established, and for a dial. The RFC's four minutes before OPEN
/// (RFC 4271 §8.2.2) would keep a node waiting that long for a half-dead peer.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(30);
/// Shortest first delay, whatever is configured: a refused dial would be repeated at once.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// Longest delay between two attempts.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(30);
/// Least send hold time (RFC 9687 §4).
pub(crate) const SEND_HOLD_MIN: Duration = Duration::from_secs(8 * 60);
/// How long a session without a hold time must stand before its back-off is forgotten.
const STABLE_WITHOUT_HOLD: Duration = Duration::from_secs(3 * 60);

/// The timers of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Give up when OPEN and KEEPALIVE have not arrived; before Established only.
    Handshake,
    /// Give up when the peer is silent; Established only, and not with hold time 0.
    Hold,
    /// Send KEEPALIVE; OpenConfirm and Established, and not with hold time 0.
    Keepalive,
    /// Give up when the kernel takes no bytes; while there are some.
    SendHold,
}

impl Timer {
    /// Every timer, most urgent first where several are due at once.
    pub const ALL: [Self; 4] = [Self::Handshake, Self::Hold, Self::SendHold, Self::Keepalive];

    const fn index(self) -> usize {
        match self {
            Self::Handshake => 0,
            Self::Hold => 1,
            Self::Keepalive => 2,
            Self::SendHold => 3,
        }
    }
}

/// When each timer of a connection fires, if it is armed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; 4],
}

impl Timers {
    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        self.deadlines[timer.index()] = Some(at);
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.deadlines[timer.index()] = None;
    }

    pub(crate) const fn get(&self, timer: Timer) -> Option<Instant> {
        self.deadlines[timer.index()]
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<(Instant, Timer)> {
        Timer::ALL
            .into_iter()
            .filter_map(|timer| Some((self.get(timer)?, timer)))
            .min()
    }

    /// Disarms and returns one timer that is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .find(|timer| self.get(*timer).is_some_and(|at| at <= now));
        if let Some(timer) = due {
            self.disarm(timer);
        }
        due
    }
}

/// The spans of a session, fixed by the OPEN exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spans {
    hold: HoldTime,
    keepalive: Option<Duration>,
}

impl Spans {
    /// `limit` is the configured keepalive interval, which may only shorten a third of the hold
    /// time.
    pub(crate) fn new(hold: HoldTime, limit: Option<Duration>) -> Self {
        let third = hold.duration().map(|hold| hold / 3);
        let keepalive = third.map(|third| limit.map_or(third, |limit| limit.min(third)));
        Self {
            hold,
            keepalive: keepalive.map(|span| span.max(Duration::from_millis(100))),
        }
    }

    pub(crate) fn hold(self) -> Option<Duration> {
        self.hold.duration()
    }

    pub(crate) const fn keepalive(self) -> Option<Duration> {
        self.keepalive
    }

    /// RFC 9687 §4: the greater of eight minutes and twice the hold time.
    pub(crate) fn send_hold(self) -> Duration {
        self.hold()
            .map_or(SEND_HOLD_MIN, |hold| SEND_HOLD_MIN.max(2 * hold))
    }

    /// How long a session must have stood before its peer is trusted with quick attempts again.
    pub(crate) fn stable(self) -> Duration {
        self.hold().map_or(STABLE_WITHOUT_HOLD, |hold| 2 * hold)
    }
}

/// The delay before the next attempt: doubles from `first` to 30 s.
///
/// Established alone does not reset it: a session that dies of its first UPDATE would flap as fast
/// as TCP allows.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { failures: 0 }
    }

    /// A session stood for long enough.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The delay after one more failure.
    pub(crate) fn next(&mut self, first: Duration, jitter: &mut Jitter) -> Duration {
        let doubled = first
            .max(RETRY_MIN)
            .saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        jitter.spread(doubled.min(RETRY_MAX))
    }
}

/// A deterministic random source (SplitMix64): equal seeds give equal runs.
#[derive(Clone, Debug)]
pub(crate) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `span` times a factor between 0.75 and 1 (RFC 4271 §10).
    pub(crate) fn spread(&mut self, span: Duration) -> Duration {
        let permille = 750 + self.next_u64() % 251;
        let nanos = span.as_nanos() * u128::from(permille) / 1000;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
