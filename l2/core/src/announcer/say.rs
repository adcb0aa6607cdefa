//! What we say in sealed messages: hellos, claims, releases, questions.
//!
//! Pending statements are state (which addresses, which nodes), never encoded messages: an address that is claimed
//! and given up before a message leaves costs nothing. Messages are made when the announcer has taken in its input.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::policy::{Departure, Policy};
use super::segment::{Effects, Phase, Segment};
use crate::announcer::{Condition, Identity, Keys, Output};
use crate::hello::{
    CounterKnown, ENTRIES_MAX, Eligibility, Eligible, Hello, HelloFlags, Listing, Message, Packer,
    Record, Release, Sender, encode,
};
use crate::owner::mix;
use crate::pacing::{Once, Taken};
use crate::types::{KeyId, NodeName};

/// Time between two hellos on a small segment.
pub(super) const HELLO_INTERVAL: Duration = Duration::from_secs(2);
/// Hellos per second that a segment carries at most.
pub(super) const HELLOS_PER_S: u32 = 100;

/// Claims in one part of a list: with the longest name they fit a message.
const CLAIMS_PER_PART: usize = 16;
/// Parts of a list made at once.
const LISTINGS_PERIOD: Duration = Duration::from_millis(500);
/// Statements that may wait; more are dropped, and found again by digest.
const PENDING_MAX: usize = 1_000;

/// What is to be said.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) hello_at: Option<Instant>,
    pub(super) claims: BTreeSet<IpAddr>,
    pub(super) releases: BTreeMap<IpAddr, Release>,
    pub(super) ask_nodes: BTreeSet<NodeName>,
    pub(super) ask_addresses: BTreeSet<IpAddr>,
    pub(super) counters: BTreeMap<NodeName, CounterKnown>,
    /// Somebody asked for everything we hold.
    pub(super) list_wanted: bool,
    pub(super) listed: Once,
}

impl Outbox {
    /// Has a hello go out by `at` at the latest.
    pub(super) fn hello_by(&mut self, at: Instant) {
        self.hello_at = Some(self.hello_at.map_or(at, |planned| planned.min(at)));
    }

    pub(super) fn ask_about(&mut self, address: IpAddr) {
        if self.ask_addresses.len() < PENDING_MAX {
            self.ask_addresses.insert(address);
        }
    }

    fn is_empty(&self) -> bool {
        self.claims.is_empty()
            && self.releases.is_empty()
            && self.ask_nodes.is_empty()
            && self.ask_addresses.is_empty()
            && self.counters.is_empty()
    }
}

impl Segment {
    /// Makes messages of everything that is to be said at `now`.
    pub(super) fn speak(&mut self, policy: &Policy, now: Instant, fx: &mut Effects) {
        let (Ok(identity), true) = (policy.ready(), self.is_up()) else {
            return;
        };
        let hello_due = self.outbox.hello_at.is_some_and(|at| at <= now);
        let list_due =
            self.outbox.list_wanted && self.outbox.listed.per(LISTINGS_PERIOD, now) == Taken::Token;
        if !hello_due && !list_due && self.outbox.is_empty() {
            return;
        }
        let mut packer = Packer::new(Self::sender(identity, fx.sequence));
        let mut messages = Vec::new();
        if hello_due {
            let nominal = self.hello_interval();
            self.outbox.hello_at = Some(now + fx.jitter.around(nominal, nominal / 5));
            for record in self.hello_records(policy, HelloFlags::default()) {
                messages.extend(packer.push(&record));
            }
            self.counters.hellos += 1;
        }
        for record in self.statements(now) {
            messages.extend(packer.push(&record));
        }
        messages.extend(packer.flush());
        fx.sequence = packer.sequence();
        if list_due {
            self.outbox.list_wanted = false;
            messages.extend(self.list_holdings(identity, now, fx));
        }
        self.emit(messages, policy, fx);
    }

    /// The last hello: gone, and nothing held any more.
    pub(super) fn say_goodbye(&mut self, policy: &Policy, now: Instant, fx: &mut Effects) {
        let (Ok(identity), true) = (policy.ready(), self.is_up()) else {
            return;
        };
        let mut packer = Packer::new(Self::sender(identity, fx.sequence));
        let mut messages = Vec::new();
        let leaving = HelloFlags {
            leaving: true,
            ..HelloFlags::default()
        };
        for record in self
            .hello_records(policy, leaving)
            .into_iter()
            .chain(self.statements(now))
        {
            messages.extend(packer.push(&record));
        }
        messages.extend(packer.flush());
        fx.sequence = packer.sequence();
        self.emit(messages, policy, fx);
    }

    /// The newest key that every live member can read; our newest where nobody is heard, or where there is none.
    pub(super) fn sealing_key(&self, policy: &Policy) -> Option<KeyId> {
        let Keys::Present(own) = &policy.keys else {
            return None;
        };
        let readable = |key: &&KeyId| self.members.iter().all(|(_, one)| one.keys.contains(*key));
        own.iter().rev().find(readable).or(own.last()).copied()
    }

    /// Hellos are stretched so that all members together stay below [`HELLOS_PER_S`].
    pub(super) fn hello_interval(&self) -> Duration {
        let speakers = u32::try_from(self.members.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        (Duration::from_secs(1) * speakers / HELLOS_PER_S).max(HELLO_INTERVAL)
    }

    fn sender(identity: &Identity, sequence: u64) -> Sender {
        Sender {
            cluster: identity.cluster,
            node: identity.node.clone(),
            incarnation: identity.incarnation,
            instance: identity.instance,
            sequence,
        }
    }

    fn hello_records(&self, policy: &Policy, flags: HelloFlags) -> Vec<Record> {
        let Some(node) = policy.node() else {
            return Vec::new();
        };
        let (held, digest) = self.claims.digest(node);
        let entries = policy.eligibility(&self.interface);
        let list = list_id(&entries);
        let keys = match &policy.keys {
            Keys::Missing => Default::default(),
            Keys::Present(keys) => keys.clone(),
        };
        // Who cannot hear cannot serve: others should take over what we hold.
        let draining =
            policy.departure != Departure::Staying || self.conditions.contains(&Condition::Deaf);
        let joining = matches!(self.phase, Phase::Listening { .. });
        let hello = Hello {
            // Stated is the longest gap that jitter can make, so that three of them are three lost hellos.
            interval: self.hello_interval().mul_f32(1.2),
            flags: HelloFlags {
                joining,
                draining,
                ..flags
            },
            mac: self.interface.mac,
            held,
            digest,
            eligibility: list,
            keys,
            addresses: self.interface.addresses.clone(),
        };
        let parts = entries.chunks(ENTRIES_MAX).map(<[Eligible]>::to_vec);
        let parts: Vec<Vec<Eligible>> = if entries.is_empty() {
            vec![Vec::new()]
        } else {
            parts.collect()
        };
        let count = u8::try_from(parts.len()).unwrap_or(u8::MAX);
        let parts = parts.into_iter().zip(0..count).map(|(entries, part)| {
            Record::Eligibility(Eligibility {
                list,
                part,
                parts: count,
                entries,
            })
        });
        std::iter::once(Record::Hello(hello)).chain(parts).collect()
    }

    /// Takes everything out of the outbox.
    fn statements(&mut self, now: Instant) -> Vec<Record> {
        let claims = std::mem::take(&mut self.outbox.claims);
        let claims = claims
            .into_iter()
            .filter(|address| self.held.contains(address));
        let claims = claims.filter_map(|address| self.claims.spoken(address, now));
        let mut records: Vec<Record> = claims.map(Record::Claim).collect();
        let releases = std::mem::take(&mut self.outbox.releases);
        records.extend(releases.into_values().map(Record::Release));
        records.extend(
            std::mem::take(&mut self.outbox.ask_nodes)
                .into_iter()
                .map(Record::AskNode),
        );
        let questions = std::mem::take(&mut self.outbox.ask_addresses);
        records.extend(questions.into_iter().map(Record::AskAddress));
        let counters = std::mem::take(&mut self.outbox.counters);
        records.extend(counters.into_values().map(Record::Counter));
        records
    }

    /// Everything we hold, in numbered parts.
    fn list_holdings(&self, identity: &Identity, now: Instant, fx: &mut Effects) -> Vec<Bytes> {
        let claims = self
            .held
            .iter()
            .filter_map(|address| self.claims.spoken(*address, now));
        let claims: Vec<Record> = claims.map(Record::Claim).collect();
        let chunks: Vec<&[Record]> = if claims.is_empty() {
            vec![&[]]
        } else {
            claims.chunks(CLAIMS_PER_PART).collect()
        };
        let parts = u16::try_from(chunks.len()).unwrap_or(u16::MAX);
        // Sequence numbers do not repeat within an instance, so the first one names the list.
        let list = u32::try_from(fx.sequence & u64::from(u32::MAX)).expect("masked to 32 bits");
        let mut messages = Vec::new();
        for (part, chunk) in (0..parts).zip(chunks) {
            let listing = Record::Listing(Listing { list, part, parts });
            let records = std::iter::once(listing)
                .chain(chunk.iter().cloned())
                .collect();
            messages.push(encode(&Message {
                sender: Self::sender(identity, fx.sequence),
                records,
            }));
            fx.sequence += 1;
        }
        messages
    }

    fn emit(&mut self, messages: Vec<Bytes>, policy: &Policy, fx: &mut Effects) {
        let Some(key) = self.sealing_key(policy) else {
            return;
        };
        for plaintext in messages {
            self.counters.sealed_sent += 1;
            let interface = self.interface.index;
            fx.outputs.push_back(Output::SendSealed {
                interface,
                plaintext,
                key,
            });
        }
    }

    /// When [`Segment::speak`] has something to say.
    pub(super) fn speak_deadline(&self, now: Instant) -> Option<Instant> {
        let hello = self.outbox.hello_at;
        let list = self
            .outbox
            .list_wanted
            .then(|| self.outbox.listed.ready_at(LISTINGS_PERIOD, now));
        hello.into_iter().chain(list).min()
    }
}

/// Identifies a list of eligibilities: equal lists have equal ids, on every node and after a restart.
fn list_id(entries: &[Eligible]) -> u64 {
    entries.iter().fold(1, |id, entry| {
        let standing =
            (u64::from(entry.standing.preference) << 16) | u64::from(entry.standing.weight);
        let scope = entry.scope as u64;
        mix(mix(mix(id ^ entry.advertisement.0) ^ standing) ^ scope)
    })
}
