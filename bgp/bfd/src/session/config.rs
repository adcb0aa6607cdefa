//! What an operator sets for a session. Every value that exists is valid.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

/// Time between packets; never zero. Microseconds, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(NonZeroU32);

impl Interval {
    /// The least interval while a session is not up (RFC 5880 §6.8.3).
    pub const SLOW: Self = Self(NonZeroU32::new(1_000_000).expect("not zero"));

    /// From microseconds.
    #[must_use]
    pub const fn from_micros(us: NonZeroU32) -> Self {
        Self(us)
    }

    /// From milliseconds; `None` for zero and for more than 4,294,967 ms.
    #[must_use]
    pub fn from_millis(ms: u32) -> Option<Self> {
        ms.checked_mul(1000).and_then(NonZeroU32::new).map(Self)
    }

    /// In microseconds.
    #[must_use]
    pub const fn micros(self) -> u32 {
        self.0.get()
    }
}

impl From<Interval> for Duration {
    fn from(interval: Interval) -> Self {
        Self::from_micros(u64::from(interval.micros()))
    }
}

/// Who speaks first (RFC 5880 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sends whether or not the other end was heard.
    Active,
    /// Waits for the other end's first packet.
    Passive,
}

/// How far away the other end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// On the same link (RFC 5881): UDP port 3784, TTL 255 or nothing.
    Single,
    /// Behind routers (RFC 5883): UDP port 4784.
    Multi {
        /// Least TTL of a packet that is accepted.
        min_ttl: u8,
    },
}

impl Hop {
    /// Whether a packet with this TTL may have come from the other end.
    #[must_use]
    pub const fn admits(self, ttl: u8) -> bool {
        match self {
            Self::Single => ttl == u8::MAX,
            Self::Multi { min_ttl } => ttl >= min_ttl,
        }
    }
}

/// One session's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Between packets we would like to send, once up.
    pub desired_min_tx: Interval,
    /// Between packets we can take.
    pub required_min_rx: Interval,
    /// Packets of ours in a row whose loss the other end calls a failure.
    pub detect_mult: NonZeroU8,
    /// Who speaks first.
    pub role: Role,
    /// How far away the other end is.
    pub hop: Hop,
}
