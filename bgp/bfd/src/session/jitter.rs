//! A deterministic random source that spreads packets in time (RFC 5880 §6.8.7): equal seeds give
//! equal runs.

use std::num::NonZeroU8;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// A share of an interval, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(u32);

impl Share {
    /// That part of `interval`. With a multiplier of one, at most 90 %, or the packet that is
    /// awaited would come when it is already missed.
    pub(super) fn of(self, interval: Duration, detect_mult: NonZeroU8) -> Duration {
        let most = if detect_mult.get() == 1 { 900 } else { 1000 };
        // From 75 % to `most`, whichever it is.
        let permille = 750 + self.0 * (most - 750) / 250;
        interval * permille / 1000
    }
}

/// xorshift64.
#[derive(Clone, Debug)]
pub(super) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        // The state must not be zero, and small seeds should differ in more than their low bits.
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { state }
    }

    /// The next share.
    pub(super) fn draw(&mut self) -> Share {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let drawn = (self.state >> 32) % 251;
        Share(u32::try_from(drawn).expect("below 251"))
    }
}
