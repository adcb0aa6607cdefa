//! The inbound face: [`Cluster`], the one value a daemon holds of its cluster, and [`Watch`], the
//! stream of typed differences it reads.
//!
//! Nothing here knows files or HTTP. Dispatch to the back end is by `enum`, so that the set of
//! back ends is closed and the face has no generic parameter for callers to carry around.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ringbolt_config::{Kind, NodeName, Object, ObjectRef};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::directory::{Directory, DirectoryOptions};
use crate::hub::Subscription;
use crate::writer::{RecordedEvent, Writer};

mod problem;
#[cfg(test)]
mod tests;

pub use problem::{Severity, SourceProblem, Trouble};

/// One difference between what a [`Watch`] has delivered and what is so.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object exists with this content. It may have been delivered before with another one.
    Apply(Object),
    /// The object does not exist any more. Only for objects that were delivered.
    Delete(ObjectRef),
    /// Every object of this kind that existed when the watch began has been delivered. Once per kind.
    Synced(Kind),
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
}

impl Cluster {
    /// A watched directory of manifests (standalone mode). Never fails: a directory that cannot be
    /// read is a [`SourceProblem`] and is tried again for as long as the cluster lives.
    pub fn directory(options: DirectoryOptions) -> Self {
        Self {
            back_end: BackEnd::Directory(Directory::start(options)),
        }
    }

    /// Differences of all objects of these kinds, beginning with "nothing is known".
    pub fn watch(&self, kinds: &[Kind]) -> Watch {
        match &self.back_end {
            BackEnd::Directory(directory) => Watch {
                subscription: directory.subscribe(kinds),
                _back_end: self.back_end.clone(),
            },
        }
    }

    /// The outbound face.
    pub fn writer(&self) -> Writer {
        match &self.back_end {
            BackEnd::Directory(directory) => Writer::directory(Arc::clone(directory)),
        }
    }

    /// What the source holds that could not be used, newest state. Empty is good.
    pub fn problems(&self) -> watch::Receiver<Arc<[SourceProblem]>> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.problems(),
        }
    }

    /// How many documents of which foreign kind are present and not read.
    pub fn skipped(&self) -> watch::Receiver<Arc<BTreeMap<String, usize>>> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.skipped(),
        }
    }

    /// The identity of this cluster, as soon as it is known. Standalone, the controller alone makes
    /// one; a speaker that starts first sees `None` until then.
    pub fn identity(&self) -> watch::Receiver<Option<ClusterId>> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.identity(),
        }
    }

    /// Waits until this process is the one controller that works, and stays so until the returned
    /// guard is dropped or [`Leadership::lost`] returns. Cancel safe.
    pub async fn lead(&self) -> Leadership {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.lead().await,
        }
    }

    /// Lets others see that the speaker of this node lives, until the returned guard is dropped or
    /// the process ends, however it does. Call inside a tokio runtime.
    pub fn announce_presence(&self, node: &NodeName) -> Presence {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.announce_presence(node),
        }
    }

    /// Everything once, for commands that look and leave. Waits for the first complete reading.
    pub async fn read_all(&self) -> Result<Listing, ReadError> {
        match &self.back_end {
            BackEnd::Directory(directory) => directory.read_all().await,
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
}

impl Leadership {
    pub(crate) fn new(lost: CancellationToken) -> Self {
        Self { lost }
    }

    /// Returns when the right is gone although the guard is still held.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether the right is gone already.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
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
    /// What was reported about objects lately, oldest first.
    pub events: Vec<RecordedEvent>,
    /// Nodes whose speaker lives at this moment, whatever its Speaker object says.
    pub present: BTreeSet<NodeName>,
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
}
