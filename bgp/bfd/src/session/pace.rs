//! Our times, and the Poll Sequence that changes them.

use super::config::{Config, Interval};
use crate::wire::State;

/// Our two intervals, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) tx_us: u32,
    pub(super) rx_us: u32,
}

impl Pace {
    /// What the configuration asks for; while not up, never more than a packet a second
    /// (RFC 5880 §6.8.3).
    pub(super) fn wanted(config: &Config, state: State) -> Self {
        let tx = match state {
            State::Up => config.desired_min_tx,
            State::AdminDown | State::Down | State::Init => {
                config.desired_min_tx.max(Interval::SLOW)
            }
        };
        Self {
            tx_us: tx.micros(),
            rx_us: config.required_min_rx.micros(),
        }
    }

    /// What holds until `offered` is confirmed: we send no more slowly, and are no less patient.
    pub(super) fn tightened(self, offered: Self) -> Self {
        Self {
            tx_us: self.tx_us.min(offered.tx_us),
            rx_us: self.rx_us.max(offered.rx_us),
        }
    }
}

/// Where a Poll Sequence stands (RFC 5880 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poll {
    /// None is under way.
    Idle,
    /// Our packets carry P.
    Asking,
    /// Answered; another must wait for a packet without F.
    Draining,
}
