//! List and watch of one kind as a value: what came from the API server goes in; what to ask next, and
//! what to publish, comes out. No sockets, clock or JSON; time is an argument, chance a seed.
//!
//! ```text
//!            page … last page            nothing missing
//! Listing ────────────────────► compare ────────────────► Watching ──broke───► Probing ─► Watching
//!    ▲                             │ something missing        │ 410, too old      │ older than ours, or failed
//!    │                             ▼                          │                   │
//!    │◄── failed: again ─────  Confirming (quorum) ──────►    │                   │
//!    └────────────────────────────────────────────────────────┴───────────────────┘
//! ```
//!
//! What a list lacks is never a deletion by itself: a second, complete quorum list must lack it too
//! (contract 6). A list that breaks off changes nothing but what it did bring.

use std::collections::BTreeSet;
use std::time::Duration;

use ringbolt_config::{Object, ObjectRef};

use super::resource::Freshness;

#[cfg(test)]
mod tests;

/// The first pause after a failure; doubled with each further one.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long a second look waits when everything that was known is missing.
const SECOND_LOOK: Duration = Duration::from_secs(2);
/// The pause after a refusal that may be over at once, and how often in a row that is hoped for.
const SOON: Duration = Duration::from_secs(1);
const SOON_TIMES: u32 = 10;
/// A watch that lasts for this long was good.
pub(super) const GOOD_WATCH: Duration = Duration::from_secs(5);
/// So many in a row that were not are worth a word.
const BAD_WATCHES: u32 = 3;
/// A watch that ends this much before its time ends early.
const EARLY: Duration = Duration::from_secs(10);
/// The longest pause that is kept because the server asks for it.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// What to ask next, and how long to wait before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) ask: Ask,
    pub(super) after: Duration,
}

/// What to ask the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A page of the list.
    List {
        freshness: Freshness,
        token: Option<String>,
    },
    /// What version it is at.
    Probe,
    /// Changes after this version.
    Watch { version: String },
}

/// One object of a list or event. Without content where it could not be understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) name: ObjectRef,
    pub(super) object: Option<Object>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// The version of the whole list.
    pub(super) version: String,
    /// Where the next page begins.
    pub(super) token: Option<String>,
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// Added or modified, with the version this is.
    Applied(Item, String),
    /// Deleted, or not selected any more.
    Deleted(ObjectRef, String),
    /// Everything up to this version was sent.
    Bookmark(String),
}

/// How an attempt failed, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The version or continuation asked for is not kept (410).
    Expired,
    /// The request is refused as such (400, 422): the version is not one of this server.
    Refused,
    /// The server does not answer, or says that it cannot at this time.
    Unavailable,
    /// The stream ended, as it should after its time.
    Ended,
}

/// What is to be told to the hub.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Exists(Object),
    Gone(ObjectRef),
    /// Everything that existed has been told.
    Complete,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Listing {
        freshness: Freshness,
        token: Option<String>,
        present: BTreeSet<ObjectRef>,
    },
    /// The second look. `version` is that of the first.
    Confirming {
        version: String,
        missing: BTreeSet<ObjectRef>,
        token: Option<String>,
        present: BTreeSet<ObjectRef>,
    },
    Probing {
        version: String,
    },
    Watching {
        version: String,
    },
}

/// Where the version comes from from which a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VersionOf {
    /// The list before it.
    List,
    /// An earlier watch. A server that has just begun does not keep it.
    Watch,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Reflector {
    phase: Phase,
    /// Every object that was told to exist, or came without usable content.
    known: BTreeSet<ObjectRef>,
    complete: bool,
    /// Failures since the last success.
    failures: u32,
    /// Refusals since the last success that may be over at once.
    hopes: u32,
    /// Watches in a row that did not last, while everything else was answered.
    bad_watches: u32,
    version_of: VersionOf,
    pause: Duration,
    /// When this list was begun; a new one is due `max_age` later.
    listed: Duration,
    max_age: Duration,
    watch_began: Duration,
    /// How long the watch under way was to last.
    watch_lasts: Duration,
    chance: u64,
    told: Vec<Told>,
}

impl Reflector {
    /// Begins with a list. `known` is what was told before.
    pub(super) fn new(
        first: Freshness,
        max_age: Duration,
        seed: u64,
        known: BTreeSet<ObjectRef>,
    ) -> Self {
        Self {
            phase: listing(first),
            known,
            complete: false,
            failures: 0,
            hopes: 0,
            bad_watches: 0,
            version_of: VersionOf::List,
            pause: Duration::ZERO,
            listed: Duration::ZERO,
            max_age,
            watch_began: Duration::ZERO,
            watch_lasts: Duration::ZERO,
            chance: seed | 1,
            told: Vec::new(),
        }
    }

    /// These were told to exist by an earlier view: the first list is held against it.
    pub(super) fn remember(&mut self, known: BTreeSet<ObjectRef>) {
        self.known.extend(known);
    }

    /// Whether this object was told to exist.
    pub(super) fn knows(&self, name: &ObjectRef) -> bool {
        self.known.contains(name)
    }

    /// Whether everything that existed at some time has been told.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the last attempt has failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether the last watch did not come about, or did not last.
    pub(super) fn doubts_watch(&self) -> bool {
        self.bad_watches > 0
    }

    /// Whether that is so time after time.
    pub(super) fn watches_badly(&self) -> bool {
        self.bad_watches >= BAD_WATCHES
    }

    /// What to ask next.
    pub(super) fn next(&self) -> Next {
        let ask = match &self.phase {
            Phase::Listing {
                freshness, token, ..
            } => Ask::List {
                freshness: *freshness,
                token: token.clone(),
            },
            Phase::Confirming { token, .. } => Ask::List {
                freshness: Freshness::Quorum,
                token: token.clone(),
            },
            Phase::Probing { .. } => Ask::Probe,
            Phase::Watching { version } => Ask::Watch {
                version: version.clone(),
            },
        };
        Next {
            ask,
            after: self.pause,
        }
    }

    /// When the watch under way is to be given up for a new list, as time since the start.
    pub(super) fn relist_at(&self) -> Duration {
        self.listed + self.max_age
    }

    /// Takes what is to be published, in order.
    pub(super) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// A page came.
    pub(super) fn page(&mut self, page: Page, now: Duration) {
        self.succeeded();
        let names: Vec<ObjectRef> = page.items.iter().map(|item| item.name.clone()).collect();
        // Only what a list brings is told as it is: the watch goes on from there. The second look is
        // for names, since it goes on from the first one, and brings in order what came between the
        // two; what is new to us all the same the first one has kept back. A probe is for its version:
        // the watch that follows tells the past of what it shows.
        let told = |known: &BTreeSet<ObjectRef>, item: &Item| match self.phase {
            Phase::Listing { .. } => true,
            Phase::Confirming { .. } => !known.contains(&item.name),
            Phase::Probing { .. } | Phase::Watching { .. } => false,
        };
        let items = page.items.into_iter();
        let items: Vec<_> = items.filter(|item| told(&self.known, item)).collect();
        items.into_iter().for_each(|item| self.exists(item));
        match &mut self.phase {
            Phase::Listing { token, present, .. } => {
                present.extend(names);
                if let Some(next) = page.token {
                    *token = Some(next);
                    return;
                }
                let present = std::mem::take(present);
                let missing: BTreeSet<_> = self.known.difference(&present).cloned().collect();
                self.listed = now;
                if missing.is_empty() {
                    self.listed_completely(page.version, now);
                    return;
                }
                if missing.len() == self.known.len() {
                    self.pause = SECOND_LOOK;
                }
                self.phase = Phase::Confirming {
                    version: page.version,
                    missing,
                    token: None,
                    present: BTreeSet::new(),
                };
            }
            Phase::Confirming {
                version,
                missing,
                token,
                present,
            } => {
                present.extend(names);
                if let Some(next) = page.token {
                    *token = Some(next);
                    return;
                }
                let gone: Vec<_> = missing.difference(present).cloned().collect();
                let version = std::mem::take(version);
                gone.into_iter().for_each(|name| self.gone(name));
                self.listed_completely(version, now);
            }
            Phase::Probing { version } => {
                let version = std::mem::take(version);
                self.probed(&version, &page.version, now);
            }
            // An answer nobody asked for.
            Phase::Watching { .. } => {}
        }
    }

    /// A list or probe failed, or a watch could not be opened.
    pub(super) fn failed(&mut self, failure: Failure) {
        // Watches have a count of their own: a server that lists well and watches badly is not asked for
        // one list after the other.
        let before = match (&self.phase, failure, self.version_of) {
            // The server was begun anew: it is asked for a list, and that is no fault of its watches.
            (Phase::Watching { .. }, Failure::Expired, VersionOf::Watch) => self.bad_watches,
            (Phase::Watching { .. }, ..) => {
                self.bad_watches = self.bad_watches.saturating_add(1);
                self.bad_watches - 1
            }
            (Phase::Listing { .. } | Phase::Confirming { .. } | Phase::Probing { .. }, ..) => {
                // Watches break off where the server goes away.
                if failure == Failure::Unavailable {
                    self.bad_watches = 0;
                }
                self.failures = self.failures.saturating_add(1);
                self.failures - 1
            }
        };
        self.phase = match (&self.phase, failure) {
            // Whoever answers next may have begun anew, from an older state even, and been written to until it
            // is past our version: only a server that answers at once goes on where it was.
            (Phase::Watching { version }, Failure::Unavailable | Failure::Ended) => {
                Phase::Probing {
                    version: version.clone(),
                }
            }
            // A continuation that has expired, like everything else that breaks a list: from the start.
            (
                Phase::Watching { .. }
                | Phase::Probing { .. }
                | Phase::Listing { .. }
                | Phase::Confirming { .. },
                _,
            ) => listing(Freshness::Quorum),
        };
        self.pause = self.pause_after(before);
    }

    /// The server asks not to be asked again before this time has passed.
    pub(super) fn asked_to_wait(&mut self, pause: Duration) {
        // On top of our own pause, which is a matter of chance: many were told the same.
        self.pause += pause.min(LONGEST_ASKED);
    }

    /// What has just failed may be over at once: it is asked again soon, a few times.
    pub(super) fn ask_soon(&mut self) {
        if self.hopes < SOON_TIMES {
            self.hopes += 1;
            let soon = SOON.mul_f64(self.draw());
            self.pause = self.pause.min(soon);
        }
    }

    /// A watch was opened that is to last for some time.
    pub(super) fn watch_opened(&mut self, now: Duration, lasts: Duration) {
        self.watch_began = now;
        self.watch_lasts = lasts;
    }

    /// The watch under way has lasted for [`GOOD_WATCH`].
    pub(super) fn watch_lasted(&mut self) {
        self.bad_watches = 0;
        self.succeeded();
    }

    /// An event came on the watch.
    pub(super) fn event(&mut self, event: Event) {
        let Phase::Watching { version } = &mut self.phase else {
            return;
        };
        match event {
            Event::Applied(item, at) => {
                *version = at;
                self.exists(item);
            }
            Event::Deleted(name, at) => {
                *version = at;
                self.gone(name);
            }
            Event::Bookmark(at) => *version = at,
        }
    }

    /// The watch is over. A server that only closes after its time is asked again at once from where
    /// it was; one that broke off, or closed early, may be another one, and is asked where it is first.
    pub(super) fn watch_over(&mut self, failure: Failure, now: Duration) {
        let lasted = now.saturating_sub(self.watch_began);
        if lasted >= GOOD_WATCH {
            self.watch_lasted();
        }
        match failure {
            Failure::Ended if lasted + EARLY >= self.watch_lasts => {}
            failure => self.failed(failure),
        }
    }

    /// It is time for a new list, whatever the watch says.
    pub(super) fn too_old(&mut self) {
        self.phase = listing(Freshness::Quorum);
    }

    fn probed(&mut self, ours: &str, theirs: &str, now: Duration) {
        // Versions are opaque but for this one question, which newer API text allows: has the store
        // gone back (restored to an older state)? Whatever is not a number counts as yes.
        let number = |version: &str| version.parse::<u64>().ok();
        match (number(ours), number(theirs)) {
            (Some(ours_at), Some(theirs_at)) if ours_at <= theirs_at => {
                self.begin_watch(ours.to_owned(), VersionOf::Watch);
            }
            _ => self.phase = listing(Freshness::Quorum),
        }
        self.watch_began = now;
    }

    fn listed_completely(&mut self, version: String, now: Duration) {
        self.listed = now;
        if !self.complete {
            self.complete = true;
            self.told.push(Told::Complete);
        }
        self.begin_watch(version, VersionOf::List);
    }

    fn begin_watch(&mut self, version: String, version_of: VersionOf) {
        self.phase = Phase::Watching { version };
        self.version_of = version_of;
        if let Some(before) = self.bad_watches.checked_sub(1) {
            self.pause = self.pause_after(before);
        }
    }

    fn exists(&mut self, item: Item) {
        self.known.insert(item.name);
        self.told.extend(item.object.map(Told::Exists));
    }

    fn gone(&mut self, name: ObjectRef) {
        if self.known.remove(&name) {
            self.told.push(Told::Gone(name));
        }
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.hopes = 0;
        self.pause = Duration::ZERO;
    }

    fn pause_after(&mut self, failures: u32) -> Duration {
        let doubled = PAUSE.saturating_mul(1_u32 << failures.min(10));
        doubled.min(LONGEST_PAUSE).mul_f64(self.draw())
    }

    /// A factor between 0.5 and 1.5 (xorshift), so that many processes do not come back together.
    fn draw(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        let bits = u32::try_from(self.chance >> 32).unwrap_or(u32::MAX);
        0.5 + f64::from(bits) / f64::from(u32::MAX)
    }
}

fn listing(freshness: Freshness) -> Phase {
    Phase::Listing {
        freshness,
        token: None,
        present: BTreeSet::new(),
    }
}
