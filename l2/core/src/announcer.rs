//! The public face: one [`Announcer`] per node, owned by one task.
//!
//! - **Inputs** enter by [`Announcer::handle`] with the time they happened. It never fails and never blocks; bad bytes
//!   are an outcome (a counter), not an error.
//! - **Outputs** are drained with [`Announcer::poll_output`] after each `handle`, until it returns `None`.
//! - **Deadlines** belong to the announcer: when [`Announcer::next_deadline`] has come, give `Input::Tick`.
//! - Time must not run backwards between calls. After a pause of the process the driver may give `Tick` or the frames
//!   that piled up in any order: what was missed is not held against the members.
//! - An address is answered for only while it is owned: [`Announcer::owned`] is the answer table of an interface.
use std::net::IpAddr;
use std::time::Instant;

use crate::types::{IfIndex, KeyId};

mod input;
mod output;
mod stats;

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
    /// Frames wait for the pacer.
    Pacer,
    /// Addresses are looked through for those that should return to us.
    Failback,
}

/// Owner choice, claims, answers and announcements of one node on all its segments.
#[derive(Debug, Default)]
pub struct Announcer {
    _private: (),
}

impl Announcer {
    /// An announcer that knows nothing yet and does nothing until told who it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one thing that happened at `now`.
    pub fn handle(&mut self, _input: Input<'_>, _now: Instant) {}

    /// The next thing to do, `None` when there is nothing more before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When to give `Input::Tick`, and why. `None` while nothing is pending.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        None
    }

    /// A snapshot of everything.
    #[must_use]
    pub fn stats(&self) -> AnnouncerStats {
        AnnouncerStats::default()
    }

    /// The addresses answered for on an interface, in order.
    #[must_use]
    pub fn owned(&self, _interface: IfIndex) -> Vec<IpAddr> {
        Vec::new()
    }

    /// The key that frames on the interface are sealed with: the newest that every live member there can read.
    #[must_use]
    pub fn sealing_key(&self, _interface: IfIndex) -> Option<KeyId> {
        None
    }
}
