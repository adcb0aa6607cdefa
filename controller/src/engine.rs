//! From what is known to the next write, and from its answer to what is known.
//!
//! One [`Engine`] is one term of leadership. Causes go in by [`Engine::handle`]: changes that were
//! watched, answers to writes, time. Effects come out by [`Engine::poll_output`]. The engine never
//! waits and never fails; for each Service, claim and object at most one write is under way, and
//! what comes next is computed from the state that the answer leaves, not from a plan made before.
//! So a process that dies between two writes is continued by the next one without being told.
//!
//! - [`queue`](self): whose turn it is. `service`: a Service's next write. `release`: claims that
//!   nobody needs. `answers`: what an answer changes. `report`: the status page.
//!
//! Invariants: no address is published that this process does not know to be claimed, by an answer
//! younger than a quarter of the bound; none is released that was needed by the last fresh read of
//! its holder; a state in doubt is read before anything is decided on it.

mod answers;
mod contest;
mod lines;
mod news;
mod page;
mod queue;
mod release;
mod remarks;
mod report;
mod service;
mod turns;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use ringbolt_cluster::{Change, Event, FinalizerChange, ServiceStatusPatch, WriteError};
use ringbolt_config::api::IPAllocation;
use ringbolt_config::service::Remark;
use ringbolt_config::{Kind, ObjectRef, ResourceVersion, ServiceKey, ServiceView, Uid};

use crate::allocator::{Allocator, Claim};
use crate::index::{Concern, Index, KINDS};
use crate::pool_status::Statuses;
use crate::reconcile::{Ownership, tenancy};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::taking::Takings;

use answers::{About, Failure, Retry};
use contest::Contest;
use lines::Lines;
use queue::{Queue, Rank, Subject};

pub use page::Report;

/// Writes under way at once. A back end gains nothing by more, and others want to write, too.
const FLIGHTS_MAX: usize = 10;

/// A point in time on both clocks: bounds are kept on the one, records on the other.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The monotonic clock.
    pub mono: Instant,
    /// The wall clock.
    pub wall: Timestamp,
}

/// Which write an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The watch told of these, in this order.
    Changes(Vec<Change>),
    /// Where Secrets are of which a reference names no namespace.
    SecretNamespace(Arc<str>),
    /// A write was answered.
    Answer {
        /// Which.
        ticket: Ticket,
        /// How.
        answer: Answer,
    },
    /// Time passed.
    Tick,
}

/// A write, or a read past the watch.
#[derive(Debug, Clone)]
pub enum Write {
    /// Create a claim; answered by [`Answer::Claim`].
    CreateClaim(Box<IPAllocation>),
    /// Replace a claim; answered by [`Answer::Claim`].
    UpdateClaim(Box<IPAllocation>),
    /// Delete a claim; answered by [`Answer::Deleted`].
    DeleteClaim {
        /// Its name.
        name: String,
        /// Its uid.
        uid: Uid,
        /// Its version.
        resource_version: ResourceVersion,
    },
    /// Read a claim; answered by [`Answer::Claim`].
    ReadClaim(IpAddr),
    /// Patch a Service; answered by [`Answer::Service`].
    PatchService(Box<ServiceStatusPatch>),
    /// Read a Service; answered by [`Answer::Service`].
    ReadService(ServiceKey),
    /// Patch the status of an object of ours; answered by [`Answer::Status`].
    PatchStatus {
        /// Which.
        object: ObjectRef,
        /// In which version.
        resource_version: ResourceVersion,
        /// What to merge.
        status: serde_json::Value,
    },
    /// Put our finalizer on a pool or take it away; answered by [`Answer::Finalizer`].
    PatchFinalizer {
        /// Which.
        object: ObjectRef,
        /// In which version.
        resource_version: ResourceVersion,
        /// Which of the two.
        change: FinalizerChange,
    },
}

/// The answer to a write or a read.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The claim as it is after it.
    Claim(Result<Arc<IPAllocation>, WriteError>),
    /// The claim is gone.
    Deleted(Result<(), WriteError>),
    /// The Service as it is after it; `None` if it is gone by it.
    Service(Result<Option<Arc<ServiceView>>, WriteError>),
    /// The version of the object after it.
    Status(Result<ResourceVersion, WriteError>),
    /// The version of the pool after it; `None` if it is gone by it.
    Finalizer(Result<Option<ResourceVersion>, WriteError>),
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    /// Write this, and say how it was answered.
    Write {
        /// To be returned with the answer.
        ticket: Ticket,
        /// What to write.
        write: Write,
    },
    /// Tell people.
    Event(Event),
    /// The configuration of an object is refused, for another reason than before.
    Refused {
        /// Which.
        object: ObjectRef,
        /// The first reason.
        reason: &'static str,
        /// The field, and what is wrong there.
        message: String,
    },
    /// An object that was refused is in force as it stands.
    InForce(ObjectRef),
}

/// What is remembered about a Service besides its view.
#[derive(Debug)]
struct Case {
    uid: Uid,
    /// The addresses in its status.
    carried: Vec<IpAddr>,
    /// Why it does not have what it asks for.
    refusal: Option<Refusal>,
    /// What it was told to wish in vain.
    remarks: Vec<Remark>,
    contest: Contest,
}

/// One term of leadership.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    index: Index,
    allocator: Allocator,
    unsynced: BTreeSet<Kind>,
    cases: BTreeMap<ServiceKey, Case>,
    lines: Lines,
    queue: Queue,
    /// How the turn went that is being taken.
    turn: Turn,
    takings: Takings,
    statuses: Statuses,
    /// Objects that are refused, and the reason that was told.
    refused: BTreeMap<ObjectRef, &'static str>,
    flights: BTreeMap<Ticket, (Subject, About)>,
    next_ticket: u64,
    busy: BTreeSet<Subject>,
    /// Must be read before anything is decided on them.
    unclear: BTreeSet<Subject>,
    /// Who is to get a turn when a claim or a Service is clear and not being written.
    held_up: BTreeMap<Subject, BTreeSet<Subject>>,
    retries: BTreeMap<Subject, Retry>,
    failures: VecDeque<Failure>,
    stale_configuration: Stale,
    stale_bars: Stale,
    outputs: VecDeque<Output>,
    counts: Counts,
}

/// Whether something derived must be derived again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    Yes,
    No,
}

/// How a turn went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// What could be decided was decided.
    Over,
    /// Something must be read first.
    HeldUp,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes and reads that were begun.
    pub writes: u64,
    /// Of these, writes that change an object.
    pub changes: u64,
    /// Writes that were refused or did not arrive.
    pub failures: u64,
    /// Decisions made.
    pub decisions: u64,
}

impl Engine {
    /// An engine that knows nothing. The first changes it is given must begin a watch of
    /// [`KINDS`]: it does nothing before each kind is complete (semantics rule 43).
    pub fn new(settings: Settings) -> Self {
        Self {
            takings: Takings::new(settings.taking_bound),
            settings,
            index: Index::default(),
            allocator: Allocator::default(),
            unsynced: KINDS.iter().copied().collect(),
            cases: BTreeMap::new(),
            lines: Lines::default(),
            queue: Queue::default(),
            turn: Turn::Over,
            statuses: Statuses::default(),
            refused: BTreeMap::new(),
            flights: BTreeMap::new(),
            next_ticket: 0,
            busy: BTreeSet::new(),
            unclear: BTreeSet::new(),
            held_up: BTreeMap::new(),
            retries: BTreeMap::new(),
            failures: VecDeque::new(),
            stale_configuration: Stale::Yes,
            stale_bars: Stale::Yes,
            outputs: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Moment) {
        match input {
            Input::Changes(changes) => {
                for change in changes {
                    if let Change::Synced(kind) = change {
                        self.unsynced.remove(&kind);
                        if self.is_ready() {
                            self.begin();
                        }
                        continue;
                    }
                    self.statuses.apply(&change);
                    let concerns = self.index.apply(change);
                    self.concern(concerns);
                }
            }
            Input::SecretNamespace(namespace) => {
                let concerns = self.index.secrets_are_in(namespace);
                self.concern(concerns);
            }
            Input::Answer { ticket, answer } => self.answered(ticket, answer, now),
            Input::Tick => {}
        }
        self.advance(now);
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.queue.next_deadline()
    }

    /// Whether all kinds are complete, so that the engine works.
    pub fn is_ready(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// Whether there is nothing to do until something happens or a deadline comes.
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.outputs.is_empty()
    }

    /// What was done so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Everything is known: everything is looked at, those who have addresses first.
    fn begin(&mut self) {
        let claims: Vec<IpAddr> = self
            .index
            .claims
            .iter()
            .map(|(address, _)| *address)
            .collect();
        for address in claims {
            self.sync_claim(address);
        }
        let services: Vec<ServiceKey> = self
            .index
            .services
            .iter()
            .map(|(key, _)| key.clone())
            .collect();
        for key in services {
            self.service_changed(key);
        }
        for object in self.statuses.objects() {
            self.queue.object(object);
        }
    }

    /// Puts whom a change concerns in line. Before the start there is no line.
    fn concern(&mut self, concerns: Vec<Concern>) {
        for concern in concerns {
            match concern {
                Concern::Configuration => self.stale_configuration = Stale::Yes,
                Concern::Bars => self.stale_bars = Stale::Yes,
                _ if !self.is_ready() => {}
                Concern::Service(key) => self.service_changed(key),
                Concern::UnclearService(key) => {
                    self.unclear.insert(Subject::Service(key.clone()));
                    self.enqueue(Subject::Service(key));
                }
                Concern::Claim(address) => self.sync_claim(address),
                Concern::UnclearClaim(address) => self.doubt_claim(address),
                Concern::Namespace(namespace) => {
                    let services = self.index.services.iter();
                    let of_it = services.filter(|(key, _)| *key.namespace() == *namespace);
                    let keys: Vec<ServiceKey> = of_it.map(|(key, _)| key.clone()).collect();
                    keys.into_iter()
                        .for_each(|key| self.enqueue(Subject::Service(key)));
                }
                Concern::Object(object) => self.queue.object(object),
            }
        }
    }

    fn doubt_claim(&mut self, address: IpAddr) {
        self.unclear.insert(Subject::Claim(address));
        self.queue.unclear_claim(address);
    }

    fn enqueue(&mut self, subject: Subject) {
        match subject {
            Subject::Claim(address) if self.unclear.contains(&Subject::Claim(address)) => {
                self.queue.unclear_claim(address);
            }
            Subject::Claim(address) => self.queue.claim(address),
            Subject::Object(object) => self.queue.object(object),
            Subject::Line(line) => self.offer(line),
            Subject::Service(key) => {
                let view = self.index.services.get(&key);
                let has = view.is_some_and(|v| {
                    !v.ingress.is_empty() || self.allocator.held_by(&v.uid).next().is_some()
                });
                let rank = if has { Rank::Holder } else { Rank::Waiting };
                let created = view.map_or(Timestamp::UNIX_EPOCH, |v| v.created);
                self.queue.service(rank, created, key);
            }
        }
    }

    /// A Service is not what it was, or is gone.
    fn service_changed(&mut self, key: ServiceKey) {
        let view = self.index.services.get(&key).cloned();
        let uid = view.as_ref().map(|view| &view.uid);
        if let Some(case) = self.cases.get(&key)
            && Some(&case.uid) != uid
        {
            let gone = case.uid.clone();
            self.allocator.set_tenancy(&gone, None);
            self.lines.leave(&key);
            self.pass_by(&key);
            self.cases.remove(&key);
            let orphans: Vec<IpAddr> = self.allocator.held_by(&gone).collect();
            self.takings.begin_again(&gone);
            if orphans.is_empty() {
                self.takings.forget(&gone);
            }
            let left = view.is_none() && self.index.services.confirmed(&key).is_none();
            if left && !orphans.is_empty() {
                // The watch says that it is gone. It may have another type, of which a watch that
                // selects the type does not tell.
                self.unclear.insert(Subject::Service(key.clone()));
                self.enqueue(Subject::Service(key.clone()));
            }
            orphans
                .into_iter()
                .for_each(|address| self.enqueue(Subject::Claim(address)));
        }
        let Some(view) = view else {
            return;
        };
        let carried: Vec<IpAddr> = view.addresses().collect();
        let case = self.cases.entry(key.clone()).or_insert_with(|| Case {
            uid: view.uid.clone(),
            carried: carried.clone(),
            refusal: None,
            remarks: Vec::new(),
            contest: Contest::default(),
        });
        if case.carried != carried {
            case.carried = carried;
            self.takings.begin_again(&view.uid);
        }
        let ours = Ownership::of(&self.settings, &view).is_ours();
        let shares = tenancy(&view).filter(|_| ours);
        if self.allocator.set_tenancy(&view.uid, shares) {
            let held: Vec<IpAddr> = self.allocator.held_by(&view.uid).collect();
            held.into_iter()
                .for_each(|address| self.loosened(address, &[]));
        }
        self.enqueue(Subject::Service(key));
    }

    /// Makes the allocator know what the mirror knows of a claim.
    fn sync_claim(&mut self, address: IpAddr) {
        let object = self.index.claims.get(&address);
        let new = object.map(|object| Claim::of(address, object));
        let old = self.allocator.claim(address).cloned();
        if old == new {
            return;
        }
        match new.clone() {
            Some(claim) => self.allocator.apply(claim),
            None => self.allocator.remove(address),
        }
        let holders = [&old, &new]
            .into_iter()
            .flatten()
            .flat_map(|claim| &claim.holders);
        let keys: BTreeSet<ServiceKey> = holders.map(|holder| holder.key.clone()).collect();
        for key in keys {
            self.enqueue(Subject::Service(key));
        }
        if new.is_some() {
            self.enqueue(Subject::Claim(address));
        }
        let kept_for = |claim: &Option<Claim>| claim.as_ref()?.reserved_for.clone();
        for key in [kept_for(&old), kept_for(&new)].into_iter().flatten() {
            self.enqueue(Subject::Service(key));
        }
        if let Some(old) = old {
            self.claim_changed(address, &old, new.as_ref());
        }
        self.status_of_pool(address);
    }

    fn status_of_pool(&mut self, address: IpAddr) {
        if let Some(pool) = self.allocator.pool_at(address) {
            self.queue.object((&pool).into());
        }
    }
}

#[cfg(test)]
mod tests;
