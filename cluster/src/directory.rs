//! A directory of manifests as a cluster (standalone mode).
//!
//! ```text
//! people ──► DIR/*.yaml ─────► catalog ─┐
//!                                       ├─ compose ──► hub ──► Watch        (observer's thread)
//! Writer ──► DIR/.ringbolt/ ──► mirror ─┘
//!    (writer's thread: store)
//! ```
//!
//! Files of people are read and never written. What Ringbolt gives an object (identity, status,
//! finalizers) and what it alone owns (claims, Speakers, its key) is one file per object below the
//! state folder, written by [`store`]. The API server's part, defaults and refusals, is one table
//! in [`defaults`]. Local file systems only.
//!
//! No blocking call happens on an async task: the observer looks on a thread of its own, the writer
//! writes on another, and both are reached through queues of bounded size.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringbolt_config::{Kind, NodeName, Object, ObjectRef};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::hub::{Hub, Subscription};
use crate::source::{
    Change, ClusterId, Leadership, Listing, Presence, ReadError, Role, SourceProblem, Trouble,
};
use crate::writer::{InvalidReason, UnavailableCause, WriteError};

mod catalog;
mod claims;
mod compose;
mod defaults;
mod identity;
mod inbox;
mod journal;
mod keys;
mod leadership;
mod look;
mod manifest;
mod mirror;
mod notices;
mod observer;
mod outlets;
mod presence;
mod record;
mod stamp;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod usage;
mod yaml;

pub use defaults::standalone_defaults;
use inbox::{Inbox, Question};
use observer::Observer;
use outlets::{Inlets, Outlets};
use store::{Operation, Outcome, Store, Verdict};

/// The folder for Ringbolt's own files, below the directory of manifests.
const STATE: &str = ".ringbolt";
/// How often everything is looked at unless something else is said: with the time that a file must
/// settle, whatever is not reported comes true within 5 s.
const RESCAN: Duration = Duration::from_secs(2);
/// Writes that may wait for the writer's thread; more callers wait with theirs.
const MAX_WAITING_WRITES: usize = 256;

/// How changes are noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchMode {
    /// The kernel reports them; looking every 2 s finds what it does not report.
    #[default]
    Notified,
    /// By looking alone, as where the kernel has no watches left.
    ScanOnly,
}

/// Where the manifests are, and how they are read.
#[derive(Clone, Debug)]
pub struct DirectoryOptions {
    /// The directory of manifests.
    pub dir: PathBuf,
    /// Where Ringbolt writes; `.ringbolt` below the directory unless that is read-only.
    pub state_dir: Option<PathBuf>,
    /// On whose behalf.
    pub role: Role,
    /// How changes are noticed.
    pub watch: WatchMode,
    /// How often everything is looked at, reported or not; 2 s.
    pub rescan: Duration,
}

impl DirectoryOptions {
    /// The usual options.
    pub fn new(dir: impl Into<PathBuf>, role: Role) -> Self {
        Self {
            dir: dir.into(),
            state_dir: None,
            role,
            watch: WatchMode::default(),
            rescan: RESCAN,
        }
    }

    /// Where Ringbolt writes.
    pub fn state_folder(&self) -> PathBuf {
        let below = || self.dir.join(STATE);
        self.state_dir.clone().unwrap_or_else(below)
    }
}

/// The options as meant.
#[derive(Debug)]
struct Settings {
    directory: PathBuf,
    state: PathBuf,
    role: Role,
    watch: WatchMode,
    rescan: Duration,
}

impl Settings {
    fn new(options: DirectoryOptions) -> Self {
        let state = options.state_folder();
        let DirectoryOptions {
            dir,
            state_dir: _,
            role,
            watch,
            rescan,
        } = options;
        // Reports come with the path that is watched; an absolute one survives a change of folder.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let (directory, state) = (absolute(dir), absolute(state));
        Self {
            directory,
            state,
            role,
            watch,
            rescan,
        }
    }
}

/// A piece of work for the writer's thread.
enum Job {
    Transact {
        operation: Operation<'static>,
        answer: oneshot::Sender<Outcome>,
    },
    Work(Box<dyn FnOnce(&Store) + Send>),
}

/// The handle that `Cluster`, `Watch` and `Writer` share.
#[derive(Debug)]
pub(crate) struct Directory {
    settings: Arc<Settings>,
    hub: Arc<Hub>,
    inbox: Arc<Inbox>,
    inlets: Inlets,
    jobs: mpsc::Sender<Job>,
}

impl Directory {
    /// Starts the two threads.
    pub(crate) fn start(options: DirectoryOptions) -> Arc<Self> {
        let settings = Arc::new(Settings::new(options));
        let store = Arc::new(Store::new(settings.state.clone()));
        let (hub, inbox) = (Arc::<Hub>::default(), Arc::<Inbox>::default());
        let (outlets, inlets) = Outlets::new();
        let observer = Observer::new(
            Arc::clone(&settings),
            Arc::clone(&store),
            Arc::clone(&hub),
            Arc::clone(&inbox),
            outlets,
        );
        let (jobs, work) = mpsc::channel(MAX_WAITING_WRITES);
        spawn("ringbolt-look", move || observer.run());
        let (writing, told) = (Arc::clone(&store), Arc::clone(&inbox));
        spawn("ringbolt-write", move || write_all(&writing, &told, work));
        Arc::new(Self {
            settings,
            hub,
            inbox,
            inlets,
            jobs,
        })
    }

    pub(crate) fn subscribe(&self, kinds: &[Kind]) -> Subscription {
        self.hub.subscribe(kinds)
    }

    pub(crate) fn problems(&self) -> watch::Receiver<Arc<[SourceProblem]>> {
        self.inlets.problems.clone()
    }

    pub(crate) fn skipped(&self) -> watch::Receiver<Arc<BTreeMap<String, usize>>> {
        self.inlets.skipped.clone()
    }

    pub(crate) fn identity(&self) -> watch::Receiver<Option<ClusterId>> {
        self.inlets.identity.clone()
    }

    pub(crate) async fn lead(&self) -> Leadership {
        leadership::lead(&self.settings.state).await
    }

    /// The lock does not say who holds it.
    pub(crate) async fn wait_for_no_leader(&self, patience: Duration) -> Option<String> {
        let led = timeout(patience, self.lead()).await;
        led.is_err()
            .then(|| "a controller of this directory".to_owned())
    }

    pub(crate) fn announce_presence(&self, node: &NodeName) -> Presence {
        presence::announce(&self.settings.state, node)
    }

    pub(crate) async fn read_all(&self) -> Result<Listing, ReadError> {
        let mut problems = self.problems();
        let mut watch = self.hub.subscribe(&[Kind::ALL[0]]);
        // Objects of the kind may come in a batch before the one that says they are all.
        let complete = async {
            let synced = |change: &Change| matches!(change, Change::Synced(_));
            while !watch.next().await.iter().any(synced) {}
        };
        tokio::select! {
            biased;
            () = complete => {}
            unreadable = problems.wait_for(|problems| unreadable(problems).is_some()) => {
                let reason = unreadable.ok().and_then(|problems| self::unreadable(&problems));
                return Err(ReadError::Unreadable {
                    place: self.settings.directory.clone(),
                    reason: reason.unwrap_or(std::io::ErrorKind::Other),
                });
            }
        }
        let state = self.settings.state.clone();
        let beside = move || (journal::read(&state), presence::present(&state));
        let (events, present) = tokio::task::spawn_blocking(beside)
            .await
            .unwrap_or_default();
        Ok(Listing {
            objects: self.hub.objects(),
            problems: Arc::clone(&problems.borrow()),
            skipped: Arc::clone(&self.inlets.skipped.borrow()),
            unread: BTreeMap::new(),
            events,
            present,
        })
    }

    /// Has the writer's thread decide about an object and write what comes of it. When the caller
    /// goes away, that is done all the same.
    async fn transact(
        &self,
        object: &ObjectRef,
        decide: impl FnOnce(Option<Value>) -> Result<Verdict, WriteError> + Send + 'static,
    ) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        let operation = Operation {
            object: object.clone(),
            decide: Box::new(decide),
        };
        self.hand_over(object, Job::Transact { operation, answer }, outcome)
            .await?
    }

    /// Does `work` on the writer's thread.
    async fn work<T: Send + 'static>(
        &self,
        object: &ObjectRef,
        work: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, WriteError> {
        let (answer, outcome) = oneshot::channel();
        let job = move |store: &Store| {
            // The caller may be gone; what is done is done.
            let _told = answer.send(work(store));
        };
        self.hand_over(object, Job::Work(Box::new(job)), outcome)
            .await
    }

    async fn hand_over<T>(
        &self,
        object: &ObjectRef,
        job: Job,
        outcome: oneshot::Receiver<T>,
    ) -> Result<T, WriteError> {
        let closed = || WriteError::Unavailable {
            object: object.clone(),
            cause: UnavailableCause::Closed,
        };
        self.jobs.send(job).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())
    }

    /// The newest state of an object: files and state looked at after this call.
    async fn ask(&self, object: &ObjectRef) -> Result<Option<Object>, WriteError> {
        let unavailable = |cause| WriteError::Unavailable {
            object: object.clone(),
            cause,
        };
        let (answer, result) = oneshot::channel();
        self.inbox.ask(Question {
            object: object.clone(),
            answer,
        });
        let result = result.await;
        let found = result.map_err(|_| unavailable(UnavailableCause::Closed))?;
        found.map_err(|kind| unavailable(UnavailableCause::Io(kind)))
    }

    /// Refuses writes of a process that only looks.
    fn may_write(&self, object: &ObjectRef) -> Result<(), WriteError> {
        match self.settings.role {
            Role::Controller | Role::Speaker => Ok(()),
            Role::Reader => Err(WriteError::Invalid {
                object: object.clone(),
                field: "metadata",
                reason: InvalidReason::ReadOnly,
            }),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

/// The writer's thread: everything that waits is written in as few rounds as possible.
fn write_all(store: &Store, inbox: &Inbox, mut work: mpsc::Receiver<Job>) {
    let mut waiting = Vec::new();
    while work.blocking_recv_many(&mut waiting, MAX_WAITING_WRITES) > 0 {
        let (mut operations, mut answers) = (Vec::new(), Vec::new());
        for job in waiting.drain(..) {
            match job {
                Job::Work(work) => work(store),
                Job::Transact { operation, answer } => {
                    answers.push((operation.object.clone(), answer));
                    operations.push(operation);
                }
            }
        }
        for ((object, answer), outcome) in answers.into_iter().zip(store.transact_all(operations)) {
            inbox.written(object);
            // The caller may be gone; what is written is written.
            let _told = answer.send(outcome);
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .expect("a process that starts can start a thread");
}

fn unreadable(problems: &Arc<[SourceProblem]>) -> Option<std::io::ErrorKind> {
    problems.iter().find_map(|problem| match problem.trouble {
        Trouble::DirectoryUnreadable { cause } => Some(cause),
        _ => None,
    })
}
