//! One direction of a TCP connection, put in order again.
//!
//! Owns what is missing, doubled or late. Bounded: at most [`HELD_MAX`] octets wait for one that is
//! missing; then it counts as lost, and the stream goes on behind the gap at the next message.

use std::collections::BTreeMap;

use bytes::{Buf, BytesMut};

#[cfg(test)]
mod tests;

/// Octets of one direction that wait for earlier ones.
pub(super) const HELD_MAX: usize = 256 * 1024;
/// Segments of one direction that wait for earlier ones.
const SEGMENTS_MAX: usize = 1024;
/// A message starts with sixteen octets of ones.
const MARKER: [u8; 16] = [0xff; 16];

/// What has been seen of one direction.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// In order and complete from the start of a message on.
    ready: BytesMut,
    /// The number of the octet behind `ready`; `None` before the first segment.
    next: Option<u32>,
    /// What came too early, by its distance from `next` when it came; the distance is kept by
    /// `passed`, so that keys stay in order while sequence numbers wrap.
    early: BTreeMap<u64, Vec<u8>>,
    /// Octets in `early`.
    held: usize,
    /// Octets that have gone past since the first.
    passed: u64,
    /// The start of a message is not known: what comes before the next marker is skipped.
    astray: bool,
}

/// What a segment did to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Fine,
    /// This many octets are missing from the capture.
    Gap(u64),
}

impl Stream {
    /// What is in order, to be taken from the front as messages.
    pub(super) fn ready(&self) -> &[u8] {
        &self.ready
    }

    /// Whether the start of a message is being looked for.
    pub(super) const fn is_astray(&self) -> bool {
        self.astray
    }

    /// Octets of memory that it holds.
    pub(super) fn size(&self) -> usize {
        self.ready.len() + self.held
    }

    /// Takes a message off the front.
    pub(super) fn consume(&mut self, count: usize) {
        self.ready.advance(count.min(self.ready.len()));
    }

    /// The header at the front is broken: skips to the next one that looks right.
    pub(super) fn lose_the_way(&mut self) {
        self.consume(1);
        self.astray = true;
        self.find_the_way();
    }

    /// A connection starts: the next octet has this number.
    pub(super) fn open(&mut self, sequence: u32) {
        *self = Self {
            next: Some(sequence),
            ..Self::default()
        };
    }

    /// Adds a segment. One without a SYN before it joins a stream in its middle.
    pub(super) fn push(&mut self, sequence: u32, payload: &[u8]) -> Pushed {
        if payload.is_empty() {
            return Pushed::Fine;
        }
        let next = *self.next.get_or_insert_with(|| {
            self.astray = true;
            sequence
        });
        let ahead = sequence.wrapping_sub(next);
        if ahead < 1 << 31 {
            self.hold(self.passed + u64::from(ahead), payload);
        } else {
            // Sent again, wholly or in part.
            let known = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            self.hold(self.passed, payload.get(known..).unwrap_or_default());
        }
        self.join();
        let full = self.held > HELD_MAX || self.early.len() > SEGMENTS_MAX;
        if full { self.skip() } else { Pushed::Fine }
    }

    /// The receiver has everything before `number`: what is missing of that will not come.
    pub(super) fn acknowledged(&mut self, number: u32) -> Pushed {
        let Some((next, first)) = self.next.zip(self.early.first_key_value()) else {
            return Pushed::Fine;
        };
        let ahead = number.wrapping_sub(next);
        let received = ahead < 1 << 31 && self.passed + u64::from(ahead) >= *first.0;
        if received { self.skip() } else { Pushed::Fine }
    }

    fn hold(&mut self, at: u64, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        let known = self.early.get(&at).map_or(0, Vec::len);
        if payload.len() > known {
            self.held += payload.len() - known;
            self.early.insert(at, payload.to_vec());
        }
    }

    /// Moves to `ready` what has become in order.
    fn join(&mut self) {
        while let Some(first) = self.early.first_entry() {
            if *first.key() > self.passed {
                break;
            }
            let (at, octets) = first.remove_entry();
            self.held -= octets.len();
            let known = usize::try_from(self.passed - at).unwrap_or(usize::MAX);
            let fresh = octets.get(known..).unwrap_or_default();
            self.ready.extend_from_slice(fresh);
            let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
            self.passed += u64::from(count);
            self.next = self.next.map(|next| next.wrapping_add(count));
        }
        self.find_the_way();
    }

    /// Goes on behind what is missing, where something is behind it.
    pub(super) fn skip(&mut self) -> Pushed {
        let Some(at) = self.early.first_key_value().map(|(at, _)| *at) else {
            return Pushed::Fine;
        };
        let missing = at.saturating_sub(self.passed);
        let step = u32::try_from(missing).unwrap_or(u32::MAX);
        self.next = self.next.map(|next| next.wrapping_add(step));
        self.passed = at;
        self.ready.clear();
        self.astray = true;
        self.join();
        Pushed::Gap(missing)
    }

    /// Drops what stands before the next marker; its possible beginning at the end stays.
    fn find_the_way(&mut self) {
        if !self.astray {
            return;
        }
        let found = self
            .ready
            .windows(MARKER.len())
            .position(|window| window == MARKER);
        if let Some(at) = found {
            // Of a longer run of ones the last sixteen are the marker: no length starts with ones.
            let ones = self
                .ready
                .iter()
                .skip(at + MARKER.len())
                .take_while(|octet| **octet == 0xff)
                .count();
            if at + MARKER.len() + ones == self.ready.len() {
                self.consume(at + ones);
                return;
            }
            self.consume(at + ones);
            self.astray = false;
        } else {
            let keep = self
                .ready
                .iter()
                .rev()
                .take(MARKER.len() - 1)
                .take_while(|octet| **octet == 0xff)
                .count();
            self.consume(self.ready.len() - keep);
        }
    }
}
