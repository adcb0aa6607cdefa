//! The public face: one [`Announcer`] per node, owned by one task.
//!
//! - **Inputs** enter by [`Announcer::handle`] with the time they happened. It never fails and never blocks; bad bytes
//!   are an outcome (a counter), not an error.
//! - **Outputs** are drained with [`Announcer::poll_output`] after each `handle`, until it returns `None`.
//! - **Deadlines** belong to the announcer: when [`Announcer::next_deadline`] has come, give `Input::Tick`.
//! - Time must not run backwards between calls. After a pause of the process the driver may give `Tick` or the frames
//!   that piled up in any order: what was missed is not held against the members.
//! - An address is answered for only while it is owned: [`Announcer::owned`] is the answer table of an interface.
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hear::jump_above;
use policy::{Departure, Policy};
use segment::{Effects, Segment};

use crate::pacing::Jitter;
use crate::types::{IfIndex, KeyId};

mod announce;
mod answer;
mod configure;
mod decide;
mod hear;
mod hearing;
mod input;
mod output;
mod policy;
mod report;
mod say;
mod segment;
mod stats;
mod tick;

pub use input::{
    Advertisement, Claimable, DefaultRoute, EligibleNodes, Failback, Identity, Input, Interface,
    InterfaceChoice, Keys, Link, Share,
};
pub use output::{
    AcquireCause, Condition, Event, LossCause, Output, PLAINTEXT_BYTES_MAX, Purpose, Withheld,
    YieldCause,
};
pub use stats::{
    AddressStats, AnnouncerStats, Counters, InterfaceStats, Joined, MemberStats, Ownership,
};

/// Why the announcer wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A hello is due.
    Hello,
    /// A member may have fallen silent, or listening ends.
    Liveness,
    /// A claim of ours is due, or a hand-over ends.
    Claim,
    /// An announcement is due.
    Announce,
    /// Addresses are looked through for those that should return to us.
    Failback,
}

/// Owner choice, claims, answers and announcements of one node on all its segments.
#[derive(Debug)]
pub struct Announcer {
    policy: Policy,
    interfaces: BTreeMap<IfIndex, Interface>,
    segments: BTreeMap<IfIndex, Segment>,
    fx: Effects,
    deadline: Option<(Instant, Wake)>,
    /// `Event::Drained` has been said since draining began.
    drained: Drained,
}

/// Whether the end of a drain has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    Unsaid,
    Said,
}

/// A wake-up that comes later than this after its deadline means that the process was stopped.
const STALL: Duration = Duration::from_millis(500);

impl Default for Announcer {
    fn default() -> Self {
        Self::new()
    }
}

impl Announcer {
    /// An announcer that knows nothing yet and does nothing until told who it is.
    #[must_use]
    pub fn new() -> Self {
        Self {
            policy: Policy::default(),
            interfaces: BTreeMap::new(),
            segments: BTreeMap::new(),
            fx: Effects {
                outputs: VecDeque::new(),
                jitter: Jitter::new(0),
                sequence: 0,
                abandoned: 0,
            },
            deadline: None,
            drained: Drained::Unsaid,
        }
    }

    /// Takes in one thing that happened at `now`.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.forgive_pause(now);
        match input {
            // The answer path does nothing else: no table is swept for a frame from a stranger.
            Input::Arp { interface, frame } => {
                return self.hear_frame(interface, now, |segment, policy, fx| {
                    segment.hear_arp(frame, policy, now, fx);
                });
            }
            Input::Ndp { interface, frame } => {
                return self.hear_frame(interface, now, |segment, policy, fx| {
                    segment.hear_ndp(frame, policy, now, fx);
                });
            }
            Input::SetNode(identity) => self.set_node(identity, now),
            Input::SetKeys(keys) => self.set_keys(keys, now),
            Input::SetInterfaces(interfaces) => self.set_interfaces(interfaces, now),
            Input::SetAdvertisements(advertisements) => {
                self.set_advertisements(advertisements, now);
            }
            Input::SetAddresses(claimables) => self.set_addresses(claimables, now),
            Input::ChangeAddresses { set, removed } => self.change_addresses(set, removed, now),
            Input::SetExpectedSpeakers(expected) => self.policy.expected = expected,
            Input::Drain => self.set_departure(Departure::Draining, now),
            Input::Undrain => self.set_departure(Departure::Staying, now),
            Input::Leave => self.leave(now),
            Input::Tick => {}
            Input::Opened { .. }
            | Input::KeyUnknown { .. }
            | Input::Verdict { .. }
            | Input::NotifyPeers { .. }
            | Input::SendFailed { .. } => self.handle_on_segment(input, now),
        }
        self.advance(now);
    }

    /// The next thing to do, `None` when there is nothing more before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.fx.outputs.pop_front()
    }

    /// When to give `Input::Tick`, and why. `None` while nothing is pending.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        self.deadline
    }

    /// The addresses answered for on an interface, in order.
    #[must_use]
    pub fn owned(&self, interface: IfIndex) -> Vec<IpAddr> {
        let segment = self
            .segments
            .get(&interface)
            .filter(|segment| segment.is_up());
        segment.map_or_else(Vec::new, |segment| segment.held.iter().copied().collect())
    }

    /// The key that frames on the interface are sealed with: the newest that every live member there can read.
    #[must_use]
    pub fn sealing_key(&self, interface: IfIndex) -> Option<KeyId> {
        self.segments.get(&interface)?.sealing_key(&self.policy)
    }

    fn hear_frame(
        &mut self,
        interface: IfIndex,
        now: Instant,
        hear: impl FnOnce(&mut Segment, &Policy, &mut Effects),
    ) {
        let Some(segment) = self.segments.get_mut(&interface) else {
            return;
        };
        if !segment.is_up() {
            return;
        }
        hear(segment, &self.policy, &mut self.fx);
        segment.speak(&self.policy, now, &mut self.fx);
        // All that can have come nearer: proof that we hear lets claims be made, at the next tick.
        if segment.hearing.regained {
            self.deadline = Some((now, Wake::Liveness));
        }
    }

    fn handle_on_segment(&mut self, input: Input<'_>, now: Instant) {
        let (Input::Opened { interface, .. }
        | Input::KeyUnknown { interface }
        | Input::Verdict { interface, .. }
        | Input::NotifyPeers { interface }
        | Input::SendFailed { interface, .. }) = input
        else {
            return;
        };
        let Some(segment) = self.segments.get_mut(&interface) else {
            return;
        };
        let fx = &mut self.fx;
        match input {
            Input::Opened {
                sender, plaintext, ..
            } => {
                if let Some(known) = segment.hear(&sender, plaintext, &self.policy, now, fx) {
                    let incarnation = jump_above(&known);
                    fx.event(Event::IncarnationRaised { incarnation });
                    self.raise_incarnation(incarnation, now);
                }
            }
            Input::KeyUnknown { .. } => segment.key_unknown(now, fx),
            Input::Verdict { node, .. } => segment.lose_member(&node, LossCause::Verdict, fx),
            Input::NotifyPeers { .. } => segment.announce_all_anew(&self.policy, now),
            Input::SendFailed { purpose, .. } => {
                segment.counters.send_failures += 1;
                if let Purpose::Announcement(address) = purpose {
                    segment.schedule.retry(address, now);
                }
            }
            _ => {}
        }
    }

    fn set_departure(&mut self, departure: Departure, now: Instant) {
        let before = self.policy.departure;
        if (before, departure) == (Departure::Left, Departure::Draining) {
            let abandoned = 0;
            return self.fx.event(Event::Drained { abandoned });
        }
        // Whoever asks again waits for an answer, too: `advance` gives it.
        self.drained = Drained::Unsaid;
        if before == departure {
            return;
        }
        self.policy.departure = departure;
        self.fx.abandoned = 0;
        self.start_all(now);
        for segment in self.segments.values_mut() {
            segment.outbox.hello_by(now);
            segment.touch_all();
            segment.dirty.extend(&segment.held);
        }
    }

    /// Goodbye: releases first, then the last hello, twice because nobody repeats it.
    fn leave(&mut self, now: Instant) {
        if self.policy.departure == Departure::Left {
            return self.fx.event(Event::Left);
        }
        for segment in self.segments.values_mut() {
            for address in segment.held.clone() {
                segment.give_up(address, None, YieldCause::Left, now, &mut self.fx);
            }
            segment.say_goodbye(&self.policy, now, &mut self.fx);
            segment.say_goodbye(&self.policy, now, &mut self.fx);
        }
        self.policy.departure = Departure::Left;
        self.stop_all(YieldCause::Left, now);
        self.fx.event(Event::Left);
    }

    /// The process was stopped: time passed without our listening, which says nothing about the others.
    fn forgive_pause(&mut self, now: Instant) {
        let Some((due, wake)) = self.deadline else {
            return;
        };
        let late = now.saturating_duration_since(due);
        if late > STALL {
            for segment in self.segments.values_mut() {
                segment.forgive(late, now);
            }
            // Forgiven once: the next frame of the pile finds nothing overdue.
            self.deadline = Some((now, wake));
        }
    }

    fn advance(&mut self, now: Instant) {
        for segment in self.segments.values_mut() {
            segment.advance(&self.policy, now, &mut self.fx);
        }
        let draining = self.policy.departure == Departure::Draining;
        let empty = self
            .segments
            .values()
            .all(|segment| segment.held.is_empty());
        if draining && empty && self.drained == Drained::Unsaid {
            self.drained = Drained::Said;
            let abandoned = self.fx.abandoned;
            self.fx.event(Event::Drained { abandoned });
        }
        let deadlines = self
            .segments
            .values()
            .filter_map(|one| one.next_deadline(&self.policy, now));
        self.deadline = deadlines.min();
    }
}
