//! What a speaker tells about itself: conditions, its Speaker object and the JSON of `/status`, each a pure function
//! of one [`Picture`]. Nothing here waits, writes or decides; announcing goes on whatever becomes of the report.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ringbolt_bgp::router::{Counters, RouterStats};
use ringbolt_bgp::types::PeerId;
use ringbolt_bgp_net::DialError;
use ringbolt_cluster::{PresenceState, SourceProblem};
use ringbolt_config::names::Kind;
use ringbolt_l2_net::Stats as L2Stats;

use crate::keys::KeyProblem;
use crate::planner::Planner;

pub(crate) mod conditions;
mod object;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use object::speaker;
pub(crate) use report::report;

/// Most addresses that a Speaker object lists.
const ADDRESSES_LISTED: usize = 200;
/// Longest text in a report; what strangers send is cut to it.
const TEXT_MAX: usize = 256;

/// How far the speaker has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// These kinds have not been read completely; nothing is announced.
    Reading(Vec<Kind>),
    /// The source does not answer; it announces what an earlier process knew. These kinds have not been
    /// read since.
    Restored(Vec<Kind>),
    /// Everything was read once; it announces.
    Announcing,
    /// It takes leave.
    Leaving,
}

/// Everything a report is made of, at one moment.
pub(crate) struct Picture<'a> {
    pub(crate) planner: &'a Planner,
    pub(crate) phase: &'a Phase,
    pub(crate) router: Option<&'a RouterStats>,
    /// Why the BGP port is not open, if it should be and is not.
    pub(crate) listener: Option<(&'static str, String)>,
    /// Why the last attempt to dial a peer failed.
    pub(crate) dial_errors: Option<&'a BTreeMap<PeerId, DialError>>,
    pub(crate) layer2: Option<&'a L2Stats>,
    pub(crate) source: &'a [SourceProblem],
    pub(crate) keys: Option<&'a KeyProblem>,
    /// Whether others see this speaker under its name.
    pub(crate) presence: PresenceState,
    /// Ids of the keys in force.
    pub(crate) key_ids: &'a [u32],
    pub(crate) now: Instant,
    pub(crate) time: Timestamp,
}

impl Picture<'_> {
    /// Why the last attempt to dial a peer failed, in words.
    fn dial_error(&self, peer: &PeerId) -> Option<String> {
        self.dial_errors?.get(peer).map(ToString::to_string)
    }

    /// An age as of the Router's last word, which has grown since: it would have spoken had the wait ended.
    pub(crate) fn age(&self, router: &RouterStats, age: Option<Duration>) -> Option<Duration> {
        let since = self.now.saturating_duration_since(router.taken_at);
        age.map(|age| age + since)
    }

    /// A monotonic moment as a time of day, as far as the two clocks agree now. In whole seconds: the clocks are read
    /// one after the other, and what differs by that alone must not make a Speaker object be written again.
    fn time_of(&self, moment: Instant) -> Timestamp {
        let ago = self.now.saturating_duration_since(moment);
        jiff::SignedDuration::try_from(ago)
            .ok()
            .and_then(|ago| self.time.checked_sub(ago).ok())
            .and_then(|time| time.round(jiff::Unit::Second).ok())
            .unwrap_or(self.time)
    }
}

/// The least time between two writes of a Speaker object: all nodes together write fifty times a second at most
/// (contracts 6).
pub(crate) fn write_interval(nodes: usize) -> Duration {
    const WRITES_PER_S: u32 = 50;
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    (Duration::from_secs(1) * nodes / WRITES_PER_S).max(Duration::from_secs(1))
}

/// What faults of a peer's messages led to since it was configured, by the name of the reaction (RFC 7606 §2).
pub(crate) fn reactions(counters: &Counters) -> [(&'static str, u64); 3] {
    [
        ("attributesDiscarded", counters.attributes_discarded),
        ("treatedAsWithdraw", counters.treated_as_withdraw),
        ("resets", counters.resets),
    ]
}

/// The text, cut at a character's end to what a report carries.
fn bounded(text: &str) -> String {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
