//! The crate's face: [`Bgp`], by which a speaker says what it wants and reads how things stand.
//!
//! Requests wait in a bounded queue; the task behind it never waits for a peer, so the wait is
//! short. After the task has ended, requests do nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ringbolt_bgp::policy::{Origination, OriginationKey};
use ringbolt_bgp::router::{Drain, Event, RouterConfig, RouterStats, ShutdownMode};
use ringbolt_bgp::session::PeerConfig;
use ringbolt_bgp::types::PeerId;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::connector::DialError;
use crate::driver::Driver;
use crate::listener::ListenerStats;

/// Requests that may wait.
const QUEUE: usize = 64;
/// Events a slow reader may fall behind before it misses some.
const EVENTS: usize = 256;

/// What is fixed for the life of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who this speaker is.
    pub router: RouterConfig,
    /// Where peers may dial us. An unspecified address stands for every address of the families
    /// that peers use. Bound while there are peers; unset, port 179 is bound while there are
    /// passive peers, because nobody else needs it.
    pub listen: Option<SocketAddr>,
}

/// A change to what is originated. Appearances are carried out before disappearances, so a prefix
/// that goes from one key to another stays announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportChange {
    /// Routes that appear or change.
    pub originate: Vec<Origination>,
    /// Routes that disappear.
    pub withdraw: Vec<OriginationKey>,
}

/// How things stand, at a human pace: within 100 ms of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Sessions, tables and counters.
    pub router: RouterStats,
    /// Listening sockets that are wanted, with what keeps them from listening.
    pub listeners: BTreeMap<SocketAddr, ListenerStats>,
    /// Why the last attempt to dial failed, for peers whose last attempt did.
    pub dial_errors: BTreeMap<PeerId, DialError>,
    /// Connections closed at once because no peer has their address.
    pub refused: u64,
}

/// What the task is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Peers(BTreeMap<PeerId, PeerConfig>),
    Export(ExportChange),
    OriginationsComplete,
    NodeAddresses(Vec<IpAddr>),
    Drain(Drain),
    ResetPeer(PeerId, Arc<str>),
    RefreshPeer(PeerId),
    Shutdown {
        mode: ShutdownMode,
        reason: Arc<str>,
        done: oneshot::Sender<()>,
    },
}

/// The handle of one BGP speaker. Clones speak to the same task, which ends with the last of them
/// or with [`Bgp::shutdown`].
#[derive(Clone, Debug)]
pub struct Bgp {
    requests: mpsc::Sender<Request>,
    stats: watch::Receiver<Arc<Stats>>,
    events: broadcast::WeakSender<Event>,
}

impl Bgp {
    /// Starts the task. Must be called inside a tokio runtime.
    #[must_use]
    pub fn spawn(settings: Settings) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (events, _) = broadcast::channel(EVENTS);
        let weak = events.downgrade();
        let (driver, stats) = Driver::new(settings, queue, events);
        tokio::spawn(driver.run());
        Self {
            requests,
            stats,
            events: weak,
        }
    }

    /// The peers there are to be, in full. Those that did not change keep their sessions.
    pub async fn set_peers(&self, peers: BTreeMap<PeerId, PeerConfig>) {
        self.ask(Request::Peers(peers)).await;
    }

    /// Changes what is announced. Large changes are carried out in slices between which sessions
    /// live on; the queue moves on when the last one is through.
    pub async fn apply(&self, change: ExportChange) {
        self.ask(Request::Export(change)).await;
    }

    /// Everything known at start has been given to [`Bgp::apply`]: End-of-RIB may follow it.
    pub async fn originations_complete(&self) {
        self.ask(Request::OriginationsComplete).await;
    }

    /// The Node's own addresses: they decide the next hop where an interface has several.
    pub async fn set_node_addresses(&self, addresses: Vec<IpAddr>) {
        self.ask(Request::NodeAddresses(addresses)).await;
    }

    /// The node is drained, or serves again.
    pub async fn drain(&self, drain: Drain) {
        self.ask(Request::Drain(drain)).await;
    }

    /// Ends a session with Cease/4; it starts again by itself.
    pub async fn reset_peer(&self, peer: PeerId, reason: impl Into<Arc<str>>) {
        self.ask(Request::ResetPeer(peer, reason.into())).await;
    }

    /// Asks a peer for its routes again.
    pub async fn refresh_peer(&self, peer: PeerId) {
        self.ask(Request::RefreshPeer(peer)).await;
    }

    /// Takes leave of all peers and ends the task; returns when what there was to say has been
    /// handed to the kernel. `reason` is told to the peers.
    pub async fn shutdown(&self, mode: ShutdownMode, reason: impl Into<Arc<str>>) {
        let (done, ended) = oneshot::channel();
        let reason = reason.into();
        self.ask(Request::Shutdown { mode, reason, done }).await;
        // An error means that the task has ended already.
        let _ = ended.await;
    }

    /// How things stand. Closed when the task has ended.
    #[must_use]
    pub fn stats(&self) -> watch::Receiver<Arc<Stats>> {
        self.stats.clone()
    }

    /// Everything worth a log line from here on; each is logged by this crate already. A reader
    /// that falls behind is told how many it missed. `None` when the task has ended.
    #[must_use]
    pub fn events(&self) -> Option<broadcast::Receiver<Event>> {
        self.events.upgrade().map(|events| events.subscribe())
    }

    async fn ask(&self, request: Request) {
        // An error means that the task has ended: there is nobody to ask.
        let _ = self.requests.send(request).await;
    }
}
