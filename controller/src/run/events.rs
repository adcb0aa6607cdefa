//! Events at a bounded rate: a burst, then one a second (contracts 6). What does not fit the queue
//! is dropped, for the condition of the object says the same.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ringbolt_cluster::Event;

/// Events that may be told at once after a quiet time.
const BURST: u32 = 25;
/// Events that wait.
const QUEUE_MAX: usize = 256;
const PER_EVENT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Events {
    queue: VecDeque<Event>,
    tokens: u32,
    /// When the next token comes, if not all are there.
    refilled: Instant,
}

impl Events {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            queue: VecDeque::new(),
            tokens: BURST,
            refilled: now,
        }
    }

    /// Takes an event in; says whether there was room.
    pub(super) fn push(&mut self, event: Event) -> bool {
        let room = self.queue.len() < QUEUE_MAX;
        if room {
            self.queue.push_back(event);
        }
        room
    }

    /// An event that may be told.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Event> {
        while self.tokens < BURST && self.refilled + PER_EVENT <= now {
            self.tokens += 1;
            self.refilled += PER_EVENT;
        }
        if self.tokens == 0 {
            return None;
        }
        let event = self.queue.pop_front()?;
        if self.tokens == BURST {
            self.refilled = now;
        }
        self.tokens -= 1;
        Some(event)
    }

    /// When an event that waits may be told.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then(|| self.refilled + PER_EVENT)
    }
}

#[cfg(test)]
mod tests;
