//! When an ownership is made known, and in which form: the rounds after a takeover and the refreshes after them.
//!
//! One [`Schedule`] per interface holds *state* per address (which round comes next), never frames: a round that the
//! pacer has not let through when the next one is due merges with it. It knows no bytes; the announcer turns a
//! [`Shot`] into a frame.
//!
//! Rounds are due at 0, 0.1, 1.1, 2.3, 5 and 10 s: 0.1 covers a lost frame, 1.1 and more the caches that lock an entry
//! for a second after a change (`locktime`, arp(7)). In a round all addresses get the request form first, then the
//! reply form, then, in the first three rounds, directed requests to gateways and recent askers.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::pacing::{Bucket, Jitter, Taken};

/// Offsets of the rounds from the takeover.
pub(crate) const ROUNDS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(1_100),
    Duration::from_millis(2_300),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// Frames per second of first rounds, per interface.
pub(crate) const FIRST_PER_S: u32 = 5_000;
/// Frames of first rounds that may go at once.
pub(crate) const FIRST_BURST: u32 = 1_000;
/// Frames per second of later rounds and refreshes, per interface.
pub(crate) const LATER_PER_S: u32 = 200;

/// Shortest time between two refreshes of an address that is believed.
const REFRESH_MIN: Duration = Duration::from_secs(1);
const LATER_BURST: u32 = 20;
/// Rounds that also write to gateways and askers.
const DIRECTED_ROUNDS: usize = 3;
/// Tokens to wait for once the pacer is empty, so that it is not woken for each frame.
const PACER_BATCH: u32 = 25;
/// A frame that the kernel did not take is tried again after this.
const RETRY: Duration = Duration::from_millis(100);

/// The form of one announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// ARP request with SPA = TPA; unsolicited Neighbor Advertisement.
    Request,
    /// ARP reply with THA = SHA. Neighbor Discovery has no counterpart.
    Reply,
    /// An ordinary question to the n-th of gateways and askers.
    Directed(usize),
}

/// One announcement that may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shot {
    pub(crate) address: IpAddr,
    pub(crate) form: Form,
    pub(crate) round: Round,
}

/// Which round a shot belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// Index into [`ROUNDS`].
    Takeover(usize),
    Refresh,
}

/// Whether clients ask for the address these days: such go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    Asked,
    Quiet,
}

/// Announcements of one interface.
#[derive(Debug)]
pub(crate) struct Schedule {
    entries: BTreeMap<IpAddr, Entry>,
    timers: BTreeSet<(Instant, IpAddr)>,
    first: BTreeSet<Queued>,
    later: BTreeSet<Queued>,
    first_bucket: Bucket,
    later_bucket: Bucket,
    turn: u64,
}

#[derive(Debug)]
struct Entry {
    started: Instant,
    refresh: Duration,
    urgency: Urgency,
    /// The round that `due` starts.
    next: Round,
    due: Instant,
    /// Where the round under way stands in a queue.
    queued: Option<(Round, Queued)>,
}

/// Queue order: form by form over all addresses, the asked-for first, then in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Queued {
    stage: u8,
    urgency: Urgency,
    turn: u64,
    address: IpAddr,
    form: Form,
}

impl Schedule {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            timers: BTreeSet::new(),
            first: BTreeSet::new(),
            later: BTreeSet::new(),
            first_bucket: Bucket::new(FIRST_PER_S, FIRST_BURST),
            later_bucket: Bucket::new(LATER_PER_S, LATER_BURST),
            turn: 0,
        }
    }

    /// Begins the rounds for `address` from the first on, wherever it stood.
    pub(crate) fn start(
        &mut self,
        address: IpAddr,
        urgency: Urgency,
        refresh: Duration,
        now: Instant,
    ) {
        self.stop(address);
        let next = Round::Takeover(0);
        let refresh = refresh.max(REFRESH_MIN);
        let entry = Entry {
            started: now,
            refresh,
            urgency,
            next,
            due: now,
            queued: None,
        };
        self.entries.insert(address, entry);
        self.timers.insert((now, address));
    }

    /// Forgets `address`: no frame of it leaves after this.
    pub(crate) fn stop(&mut self, address: IpAddr) {
        let Some(entry) = self.entries.remove(&address) else {
            return;
        };
        self.timers.remove(&(entry.due, address));
        if let Some((_, queued)) = entry.queued {
            self.first.remove(&queued);
            self.later.remove(&queued);
        }
    }

    /// When the schedule of `address` last began from its first round.
    pub(crate) fn started(&self, address: IpAddr) -> Option<Instant> {
        self.entries.get(&address).map(|entry| entry.started)
    }

    /// The kernel did not take a frame about `address`: its last round is made once more, a little later.
    pub(crate) fn retry(&mut self, address: IpAddr, now: Instant) {
        let Some(entry) = self.entries.get_mut(&address) else {
            return;
        };
        let again = match entry.next {
            Round::Takeover(index) => Round::Takeover(index.saturating_sub(1)),
            Round::Refresh => Round::Takeover(ROUNDS.len() - 1),
        };
        let due = (now + RETRY).min(entry.due);
        self.timers.remove(&(entry.due, address));
        // One step back only, however many frames of the round failed: `due` then lies within the retry time.
        if entry.due > now + RETRY {
            entry.next = again;
        }
        entry.due = due;
        self.timers.insert((due, address));
    }

    /// The next frame that may go at `now`. `more(address, n)` says whether there is an n-th station to write to.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        jitter: &mut Jitter,
        more: impl FnOnce(IpAddr, usize) -> bool,
    ) -> Option<Shot> {
        self.begin_due_rounds(now, jitter);
        let queued = match (self.first.first(), self.later.first()) {
            (Some(queued), _) if self.first_bucket.take(now) == Taken::Token => *queued,
            (_, Some(queued)) if self.later_bucket.take(now) == Taken::Token => *queued,
            _ => return None,
        };
        self.first.remove(&queued);
        self.later.remove(&queued);
        let Queued { address, form, .. } = queued;
        let entry = self
            .entries
            .get_mut(&address)
            .expect("queued addresses have entries");
        let (round, _) = entry
            .queued
            .take()
            .expect("a queued address knows where it stands");
        if let Some(next) = next_form(address, form, round, more) {
            self.enqueue(address, round, next);
        }
        Some(Shot {
            address,
            form,
            round,
        })
    }

    /// When [`Schedule::poll`] may have something.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let round = self.timers.first().map(|(due, _)| *due);
        let first = self
            .first
            .first()
            .map(|_| self.first_bucket.ready_at(now, PACER_BATCH));
        let later = self
            .later
            .first()
            .map(|_| self.later_bucket.ready_at(now, 1));
        [round, first, later].into_iter().flatten().min()
    }

    /// Addresses that wait for the pacer.
    pub(crate) fn queued(&self) -> usize {
        self.first.len() + self.later.len()
    }

    fn begin_due_rounds(&mut self, now: Instant, jitter: &mut Jitter) {
        while let Some((due, address)) = self.timers.first().copied().filter(|(due, _)| *due <= now)
        {
            self.timers.remove(&(due, address));
            let entry = self.entries.get_mut(&address).expect("timers have entries");
            let round = entry.next;
            let (next, due) = following(round, entry, now, jitter);
            entry.next = next;
            entry.due = due;
            self.timers.insert((due, address));
            if self.entries[&address].queued.is_none() {
                self.enqueue(address, round, Form::Request);
            }
        }
    }

    fn enqueue(&mut self, address: IpAddr, round: Round, form: Form) {
        self.turn += 1;
        let entry = self
            .entries
            .get_mut(&address)
            .expect("only known addresses are queued");
        let stage = match form {
            Form::Request => 0,
            Form::Reply => 1,
            Form::Directed(_) => 2,
        };
        let queued = Queued {
            stage,
            urgency: entry.urgency,
            turn: self.turn,
            address,
            form,
        };
        entry.queued = Some((round, queued));
        match round {
            Round::Takeover(0) => self.first.insert(queued),
            Round::Takeover(_) | Round::Refresh => self.later.insert(queued),
        };
    }
}

/// The round after `round`, and when.
fn following(round: Round, entry: &Entry, now: Instant, jitter: &mut Jitter) -> (Round, Instant) {
    let next = match round {
        Round::Takeover(index) if index + 1 < ROUNDS.len() => index + 1,
        Round::Takeover(_) | Round::Refresh => {
            let refresh = jitter.around(entry.refresh, entry.refresh / 6);
            return (Round::Refresh, now + refresh);
        }
    };
    (
        Round::Takeover(next),
        (entry.started + ROUNDS[next]).max(now),
    )
}

/// What comes after `form` in its round.
fn next_form(
    address: IpAddr,
    form: Form,
    round: Round,
    more: impl FnOnce(IpAddr, usize) -> bool,
) -> Option<Form> {
    let Round::Takeover(index) = round else {
        return None;
    };
    let station = match form {
        Form::Request if address.is_ipv4() => return Some(Form::Reply),
        Form::Request | Form::Reply if index >= DIRECTED_ROUNDS => return None,
        Form::Request | Form::Reply => 0,
        Form::Directed(n) => n + 1,
    };
    more(address, station).then_some(Form::Directed(station))
}

#[cfg(test)]
mod tests;
