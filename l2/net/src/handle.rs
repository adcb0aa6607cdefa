//! The crate's face: [`L2`], by which a speaker says what it wants and reads how things stand.
//!
//! Requests wait in a bounded queue; the task behind it never waits for the network, so the wait is short. Each setter
//! takes the whole of its subject: repeating one changes nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ringbolt_l2::announcer::{Advertisement, AnnouncerStats, Claimable, Interface};
use ringbolt_l2::types::{ClusterId, IfIndex, NodeName};
use tokio::sync::{mpsc, oneshot, watch};

use crate::driver;
use crate::ports::PortError;
use crate::seal::KeyRing;

/// Requests that may wait.
const QUEUE: usize = 64;

/// What is fixed for the life of the process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This node, as its Node object is named.
    pub node: NodeName,
    /// File that keeps the incarnation counter over restarts; without one, members tell it.
    pub incarnation_file: Option<PathBuf>,
}

/// How things stand, at a human pace: 100 ms after an event, else every 2 s; more rarely where many addresses make a
/// snapshot dear, every 30 s at least.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// The announcer's own.
    pub announcer: AnnouncerStats,
    /// Interfaces that may announce, with addresses and MAC.
    pub interfaces: Vec<Interface>,
    /// Interfaces whose sockets could not be opened, and why.
    pub failures: BTreeMap<IfIndex, PortError>,
    /// Frames the kernel dropped because we read too slowly.
    pub kernel_drops: u64,
    /// Sealed frames that did not open: malformed, forged, or replayed.
    pub sealed_refused: u64,
}

/// How a hand-over ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Addresses (per interface) that nobody took within 2 s.
    pub abandoned: usize,
}

/// What the task is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Cluster(ClusterId),
    Keys(KeyRing),
    Advertisements(Vec<Advertisement>),
    Addresses(Vec<Claimable>),
    ChangeAddresses {
        set: Vec<Claimable>,
        removed: Vec<IpAddr>,
    },
    ExpectedSpeakers(Option<u32>),
    Drain(oneshot::Sender<Drained>),
    Undrain,
    Leave(oneshot::Sender<()>),
}

/// The handle of one node's layer-2 announcer. Clones speak to the same task, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct L2 {
    requests: mpsc::Sender<Request>,
    stats: watch::Receiver<Arc<Stats>>,
}

impl L2 {
    /// Starts the task. Nothing is announced before cluster, keys, advertisements and addresses were set.
    ///
    /// Must be called inside a tokio runtime.
    #[must_use]
    pub fn spawn(settings: Settings) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (publish, stats) = watch::channel(Arc::default());
        tokio::spawn(driver::run(settings, queue, publish));
        Self { requests, stats }
    }

    /// Which cluster this is. Another one starts afresh.
    pub async fn set_cluster(&self, cluster: ClusterId) {
        self.ask(Request::Cluster(cluster)).await;
    }

    /// The keys of the Secret; an empty ring withholds everything (`NoKey`).
    pub async fn set_keys(&self, keys: KeyRing) {
        self.ask(Request::Keys(keys)).await;
    }

    /// All L2Advertisements as they concern this node.
    pub async fn set_advertisements(&self, advertisements: Vec<Advertisement>) {
        self.ask(Request::Advertisements(advertisements)).await;
    }

    /// All addresses wanted.
    pub async fn set_addresses(&self, addresses: Vec<Claimable>) {
        self.ask(Request::Addresses(addresses)).await;
    }

    /// A change to the addresses wanted.
    pub async fn change_addresses(&self, set: Vec<Claimable>, removed: Vec<IpAddr>) {
        self.ask(Request::ChangeAddresses { set, removed }).await;
    }

    /// How many speakers there should be, this one included.
    pub async fn set_expected_speakers(&self, speakers: Option<u32>) {
        self.ask(Request::ExpectedSpeakers(speakers)).await;
    }

    /// Hands everything over; returns when nothing is held any more, after 2 s at most.
    pub async fn drain(&self) -> Drained {
        let (done, drained) = oneshot::channel();
        self.ask(Request::Drain(done)).await;
        drained.await.unwrap_or(Drained { abandoned: 0 })
    }

    /// Takes part again after [`Self::drain`].
    pub async fn undrain(&self) {
        self.ask(Request::Undrain).await;
    }

    /// Says goodbye to the segments and answers nothing from then on; returns when that is out.
    pub async fn leave(&self) {
        let (done, left) = oneshot::channel();
        self.ask(Request::Leave(done)).await;
        let _task_ended = left.await;
    }

    /// How things stand.
    #[must_use]
    pub fn stats(&self) -> watch::Receiver<Arc<Stats>> {
        self.stats.clone()
    }

    async fn ask(&self, request: Request) {
        // The task ends only with its handles, so this fails only while the runtime shuts down.
        let _shutting_down = self.requests.send(request).await;
    }
}
