//! How many questions are answered: storms are cut by asker and by interface (RFC 826 has no word on either).
//!
//! The memory is one fixed table: askers share its slots by hash, so a flood of invented askers costs nothing but the
//! accuracy of the per-asker limit, and the limit of the interface stands behind it.
use std::net::IpAddr;
use std::time::Instant;

use crate::owner::{address_seed, mix};
use crate::pacing::{Bucket, Taken};
use crate::types::MacAddr;

/// Answers per second to one asker about one address.
pub(crate) const PER_ASKER_PER_S: u32 = 10;
/// Answers to one asker about one address that may come at once.
pub(crate) const PER_ASKER_BURST: u32 = 20;
/// Answers per second on one interface.
pub(crate) const PER_INTERFACE_PER_S: u32 = 20_000;

const SLOTS: u64 = 4_096;
const INTERFACE_BURST: u32 = PER_INTERFACE_PER_S / 10;

/// Limits of one interface.
#[derive(Debug)]
pub(crate) struct AnswerLimits {
    seed: u64,
    slots: Vec<Slot>,
    interface: Bucket,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: u64,
    bucket: Bucket,
}

/// Whether a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Answer,
    AskerTooFast,
    InterfaceTooFast,
}

impl AnswerLimits {
    /// `seed` makes the sharing of slots unpredictable to askers.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            slots: Vec::new(),
            interface: Bucket::new(PER_INTERFACE_PER_S, INTERFACE_BURST),
        }
    }

    pub(crate) fn judge(&mut self, asker: MacAddr, address: IpAddr, now: Instant) -> Verdict {
        let fresh = Bucket::new(PER_ASKER_PER_S, PER_ASKER_BURST);
        if self.slots.is_empty() {
            let slots = usize::try_from(SLOTS).expect("4,096 fits");
            self.slots = vec![
                Slot {
                    key: 0,
                    bucket: fresh
                };
                slots
            ];
        }
        let [a, b, c, d, e, f] = asker.0;
        let asker_bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let key = mix(mix(asker_bits ^ self.seed) ^ address_seed(address));
        let index = usize::try_from(key % SLOTS).expect("below 4,096");
        let slot = &mut self.slots[index];
        if slot.key != key {
            *slot = Slot { key, bucket: fresh };
        }
        if slot.bucket.take(now) == Taken::Empty {
            return Verdict::AskerTooFast;
        }
        match self.interface.take(now) {
            Taken::Token => Verdict::Answer,
            Taken::Empty => Verdict::InterfaceTooFast,
        }
    }
}

#[cfg(test)]
mod tests;
