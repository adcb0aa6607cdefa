//! The inbound face: [`Cluster`], the one value a daemon holds of its cluster, and [`Watch`], the
//! stream of typed differences it reads.
//!
//! Nothing here knows files or HTTP. Dispatch to the back end is by `enum`, so that the set of
//! back ends is closed and the face has no generic parameter for callers to carry around.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ringbolt_config::{Kind, NodeName, Object, ObjectRef};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::calls::CallCounts;
use crate::directory::{Directory, DirectoryOptions};
use crate::hub::Subscription;
use crate::kubernetes::{Kubernetes, KubernetesOptions};
use crate::writer::{RecordedEvent, SPEAKER_KEY_NAMESPACE, Writer};

mod problem;
#[cfg(test)]
mod tests;

pub use problem::{Definer, Severity, SourceProblem, Trouble, WatchEnd};

/// One difference between what a [`Watch`] has delivered and what is so.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object exists with this content. It may have been delivered before with another one.
    Apply(Object),
    /// The object does not exist any more. Only for objects that were delivered.
    Delete(ObjectRef),
    /// Every object of this kind that existed when the watch began has been delivered. Once per kind.
    Synced(Kind),
    /// Every object of this kind that a snapshot of an earlier process held has been delivered. The
    /// source has confirmed none of them: they are good to go on with, and complete nothing. At
    /// most once per kind, before its [`Change::Synced`].
    Restored(Kind),
}

/// On whose behalf a cluster is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Gives identities, writes claims and statuses.
    Controller,
    /// Writes its own Speaker object and events.
    Speaker,
    /// Looks, and writes nothing but what a person asks of it by name (a drain mark).
    Reader,
}

impl Role {
    /// A reader at a terminal neither needs nor usually may read Ringbolt's key.
    pub(crate) fn reads_state_of(self, kind: Kind) -> bool {
        self != Self::Reader || kind != Kind::Secret
    }
}

/// Where objects come from and go to. Cheap to clone; all clones are the same cluster.
///
/// Made inside a tokio runtime. The back end works until the last clone, [`Watch`] and [`Writer`]
/// are gone.
#[derive(Clone, Debug)]
pub struct Cluster {
    back_end: BackEnd,
}

#[derive(Clone, Debug)]
enum BackEnd {
    Directory(Arc<Directory>),
    Kubernetes(Arc<Kubernetes>),
}

impl Cluster {
    /// A watched directory of manifests (standalone mode). Never fails: a directory that cannot be
    /// read is a [`SourceProblem`] and is tried again for as long as the cluster lives.
    pub fn directory(options: DirectoryOptions) -> Self {
        Self {
            back_end: BackEnd::Directory(Directory::start(options)),
        }
    }

    /// A Kubernetes API server. Never fails: a server that cannot be reached, or a configuration that is
    /// not there, is a [`SourceProblem`] and is tried again for as long as the cluster lives.
    pub fn kubernetes(options: KubernetesOptions) -> Self {
        Self {
            back_end: BackEnd::Kubernetes(Kubernetes::start(options)),
        }
    }

    /// A Kubernetes API behind any client: a fake one, in tests.
    #[cfg(any(test, feature = "fake"))]
    pub fn over(client: kube::Client, options: KubernetesOptions) -> Self {
        Self {
            back_end: BackEnd::Kubernetes(Kubernetes::over(client, options)),
        }
    }

    /// What was asked of the source so far. Empty for a directory.
    pub fn calls(&self) -> CallCounts {
        match &self.back_end {
            BackEnd::Directory(_) => CallCounts::new(),
            BackEnd::Kubernetes(kubernetes) => kubernetes.calls(),
        }
    }

    /// Differences of all objects of these kinds, beginning with "nothing is known".
    pub fn watch(&self, kinds: &[Kind]) -> Watch {
        match &self.back_end {
            BackEnd::Directory(directory) => Watch {
                subscription: directory.subscribe(kinds),
                _back_end: self.back_end.clone(),
            },
            BackEnd::Kubernetes(kubernetes) => Watch {
                subscription: kubernetes.subscribe(kinds),
                _back_end: self.back_end.clone(),
            },
        }
    }

    /// The outbound face.
    pub fn writer(&self) -> Writer {
        match &self.back_end {
            BackEnd::Directory(directory) => Writer::directory(Arc::clone(directory)),
            BackEnd::Kubernetes(kubernetes) => Writer::kubernetes(Arc::clone(kubernetes)),
        }
    }

    /// The namespace of Secrets for which a reference names none: Ringbolt's own, as far as it is known;
    /// in a directory that of manifests which name none.
    pub fn secret_namespace(&self) -> Arc<str> {
        match &self.back_end {
            BackEnd::Directory(_) => "default".into(),
            BackEnd::Kubernetes(kubernetes) => kubernetes.namespace(),
        }
    }

    /// The namespace of the Secret with the speakers' keys.
    pub fn key_namespace(&self) -> Arc<str> {
        match &self.back_end {
            BackEnd::Directory(_) => SPEAKER_KEY_NAMESPACE.into(),
            BackEnd::Kubernetes(kubernetes) => kubernetes.namespace(),
        }
    }

    /// To be called at an orderly end: nothing is followed any more, and what a restart would go by is on
    /// disk.
    pub async fn finish(&self) {
        match &self.back_end {
            BackEnd::Directory(_) => {}
            BackEnd::Kubernetes(kubernetes) => kubernetes.finish().await,
        }
    }

    /// What the source holds that could not be used, newest state. Empty is good.
    pub fn problems(&self) -> watch::Receiver<Arc<[SourceProblem]>> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.problems(),
            BackEnd::Kubernetes(kubernetes) => kubernetes.problems(),
        }
    }

    /// How many documents of which foreign kind are present and not read.
    pub fn skipped(&self) -> watch::Receiver<Arc<BTreeMap<String, usize>>> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.skipped(),
            BackEnd::Kubernetes(kubernetes) => kubernetes.skipped(),
        }
    }

    /// The identity of this cluster, as soon as it is known. Standalone, the controller alone makes
    /// one; a speaker that starts first sees `None` until then.
    pub fn identity(&self) -> watch::Receiver<Option<ClusterId>> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.identity(),
            BackEnd::Kubernetes(kubernetes) => kubernetes.identity(),
        }
    }

    /// Waits until this process is the one controller that works, and stays so until the returned
    /// guard is dropped or [`Leadership::lost`] returns. Cancel safe.
    pub async fn lead(&self) -> Leadership {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.lead().await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.lead().await,
        }
    }

    /// Waits until no controller is at work, at most for `patience`; who still is then. Tells `seen`, once,
    /// whom it waits for. A controller that takes no turns is not seen.
    pub async fn wait_for_no_leader(
        &self,
        patience: Duration,
        seen: impl FnOnce(&str),
    ) -> Result<Option<String>, ReadError> {
        match &self.back_end {
            BackEnd::Directory(directory) => Ok(directory.wait_for_no_leader(patience).await),
            BackEnd::Kubernetes(kubernetes) => kubernetes.wait_for_no_leader(patience, seen).await,
        }
    }

    /// Who does a controller's work, as far as it can be seen without waiting. In a directory it cannot.
    pub async fn leader(&self) -> Result<Leader, ReadError> {
        match &self.back_end {
            BackEnd::Directory(_) => Ok(Leader::Unknown),
            BackEnd::Kubernetes(kubernetes) => kubernetes.leader().await,
        }
    }

    /// Lets others see that the speaker of this node lives, until the returned guard is dropped or
    /// the process ends, however it does. Call inside a tokio runtime.
    pub fn announce_presence(&self, node: &NodeName) -> Presence {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.announce_presence(node),
            BackEnd::Kubernetes(kubernetes) => kubernetes.announce_presence(),
        }
    }

    /// Everything once, for commands that look and leave. Waits for the first complete reading.
    pub async fn read_all(&self) -> Result<Listing, ReadError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.read_all().await,
            BackEnd::Kubernetes(kubernetes) => kubernetes.read_all().await,
        }
    }
}

/// Differences of the objects of some kinds. See the crate's invariants.
#[derive(Debug)]
pub struct Watch {
    subscription: Subscription,
    /// Keeps the back end at work for as long as somebody listens.
    _back_end: BackEnd,
}

impl Watch {
    /// The differences since the last call, never empty: objects first, in the order of their
    /// names, then [`Change::Synced`]. Pends while nothing differs, and for ever once the back end
    /// has ended. Cancel safe: what is not returned stays pending.
    pub async fn next(&mut self) -> Vec<Change> {
        self.subscription.next().await
    }
}

/// The identity of a cluster: what keeps frames of two clusters on one segment apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterId(Arc<str>);

impl ClusterId {
    pub(crate) fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text all processes of the cluster agree on.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The right to do a controller's work. Dropping it lets the next candidate in.
#[derive(Debug)]
pub struct Leadership {
    lost: CancellationToken,
    /// Cancelled when the next candidate can know.
    released: CancellationToken,
}

/// How long giving the right back may take.
const GIVING_BACK: Duration = Duration::from_secs(3);

impl Leadership {
    /// A right that is given back by the end of `lost` alone.
    pub(crate) fn new(lost: CancellationToken) -> Self {
        Self::released_by(lost.clone(), lost)
    }

    /// A right for whose return something has to be done, after which `released` is cancelled.
    pub(crate) fn released_by(lost: CancellationToken, released: CancellationToken) -> Self {
        Self { lost, released }
    }

    /// Returns when the right is gone although the guard is still held.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether the right is gone already.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Gives the right back and waits until others can know, for 3 s at most. For an orderly end: a
    /// process that ends right after a drop is waited for by the others as after a crash.
    pub async fn step_down(self) {
        self.lost.cancel();
        let _late = tokio::time::timeout(GIVING_BACK, self.released.cancelled()).await;
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.lost.cancel();
    }
}

/// How far [`Cluster::announce_presence`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceState {
    /// Nobody sees it yet; it is tried.
    Pending,
    /// Others see that this speaker lives.
    Announced,
    /// Another live process is seen under the same name.
    Duplicate,
}

/// That a speaker lives, as others see it. Dropping it, and the end of the process, take it back.
#[derive(Debug)]
pub struct Presence {
    state: watch::Receiver<PresenceState>,
    end: CancellationToken,
}

impl Presence {
    pub(crate) fn new(state: watch::Receiver<PresenceState>, end: CancellationToken) -> Self {
        Self { state, end }
    }

    /// How far it has come.
    pub fn state(&self) -> PresenceState {
        *self.state.borrow()
    }

    /// Returns when the state is another than at the last return. Cancel safe.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // The runtime is ending; nothing will change.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// Everything a cluster held at one time.
#[derive(Clone, Debug)]
pub struct Listing {
    /// All objects, in the order of kind, namespace and name.
    pub objects: Vec<Object>,
    /// What could not be used.
    pub problems: Arc<[SourceProblem]>,
    /// How many documents of which foreign kind were passed over.
    pub skipped: Arc<BTreeMap<String, usize>>,
    /// Kinds of which nothing can be shown, and why: their absence says nothing about the cluster.
    pub unread: BTreeMap<Kind, Trouble>,
    /// What was reported about objects lately, oldest first.
    pub events: Vec<RecordedEvent>,
    /// Nodes whose speaker lives at this moment, whatever its Speaker object says.
    pub present: BTreeSet<NodeName>,
}

/// Who does a controller's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leader {
    /// There is no lease: no controller was ever there, or it takes no turns.
    Unknown,
    /// The last one has given the lease back.
    Nobody,
    /// A lease names this one. It may have died since.
    Named {
        /// The controller.
        name: String,
        /// When it renewed the lease last, by its own clock.
        renewed: Option<jiff::Timestamp>,
    },
}

/// Why [`Cluster::read_all`] has no answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The source cannot be read; nothing is known about its objects.
    #[error("{place}: {reason}", place = place.display())]
    Unreadable {
        /// What was to be read.
        place: PathBuf,
        /// What the system said.
        reason: std::io::ErrorKind,
    },
    /// No API server is to be had.
    #[error("no API server: {message}")]
    NoApiServer {
        /// What was tried, and what came of it.
        message: Box<str>,
    },
    /// The API server answers, and shows nothing at all of what was asked for.
    #[error("the API server shows nothing: {message}")]
    NothingShown {
        /// What it said to one of the questions.
        message: Box<str>,
    },
    /// Whether a controller is at work cannot be seen.
    #[error("the lease of the controllers cannot be read: {message}")]
    LeaseUnread {
        /// What the API server said.
        message: Box<str>,
    },
    /// The API server has not shown everything in time.
    #[error("the API server has not shown everything within {} s", within.as_secs())]
    NoAnswer {
        /// How long it was waited for.
        within: Duration,
    },
}
