//! The BGP half as the speaker sees it: the handle of the Router's task, what it was told about who we are, and the
//! order in which it is told things.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringbolt_bgp::router::{Drain, RouterConfig, ShutdownMode};
use ringbolt_bgp::session::{PeerConfig, Restart};
use ringbolt_bgp::types::PeerId;
use ringbolt_bgp_net::{Bgp, ExportChange, Settings, Stats};
use ringbolt_config::node::{NodeAddressKind, NodeView};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::diff::RouteChange;
use crate::peers::Identity;
use crate::planner::{Orders, Planner};

/// How much longer than the peers' own waits a goodbye may take.
const GOODBYE_SLACK: Duration = Duration::from_secs(10);

/// The Router's handle, and what it was told last.
#[derive(Debug)]
pub(crate) struct Routing {
    bgp: Bgp,
    stats: watch::Receiver<Arc<Stats>>,
    identity: Identity,
    listen: Option<SocketAddr>,
    node_addresses: Vec<IpAddr>,
    longest_wait: Duration,
    originations: Originations,
    /// The goodbye of a node whose Node object is deleted. It goes on by itself.
    parting: Option<JoinHandle<()>>,
}

/// Whether the Router has been told everything known at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Originations {
    Incomplete,
    Complete,
}

impl Routing {
    /// Starts the Router of a process that has just begun: peers may hold routes of the one before, and whether there
    /// was one nobody can tell.
    pub(crate) fn spawn(identity: Identity, listen: Option<SocketAddr>) -> Self {
        Self::spawn_as(identity, listen, Restart::Recovering)
    }

    fn spawn_as(identity: Identity, listen: Option<SocketAddr>, restart: Restart) -> Self {
        let Identity { router_id, asn } = identity;
        info!(%router_id, "BGP identifier");
        let router = RouterConfig {
            router_id,
            asn,
            restart,
            seed: seed(),
        };
        let bgp = Bgp::spawn(Settings { router, listen });
        Self {
            stats: bgp.stats(),
            bgp,
            identity,
            listen,
            node_addresses: Vec::new(),
            longest_wait: Duration::ZERO,
            originations: Originations::Incomplete,
            parting: None,
        }
    }

    /// How things stand.
    pub(crate) fn stats(&self) -> &watch::Receiver<Arc<Stats>> {
        &self.stats
    }

    /// The same, to wait for something else.
    pub(crate) fn stats_mut(&mut self) -> &mut watch::Receiver<Arc<Stats>> {
        &mut self.stats
    }

    /// Tells the Router what changed. Whether the node serves comes first, so that a drained node that starts
    /// announces nothing; peers come last, so that they are told everything in one go. A node that has left tells
    /// nobody anything: when it is back, it begins again.
    pub(crate) async fn carry_out(&mut self, planner: &Planner, orders: &mut Orders) {
        if planner.has_left() {
            if self.parting.is_none() {
                self.part();
            }
        } else if self.parting.is_some() {
            info!("there is a Node object again: all sessions start again");
            // Peers were told to keep nothing.
            self.begin_again(planner, Restart::Settled).await;
        } else if planner.identity().router_id != self.identity.router_id {
            // A speaker has one identifier (RFC 4271 §4.2), so another one means other sessions.
            warn!("the BGP identifier changed: all sessions start again");
            self.begin_again(planner, Restart::Recovering).await;
        } else {
            let routes = std::mem::take(&mut orders.routes);
            self.tell(planner, orders.drain, routes, orders.peers.take())
                .await;
        }
    }

    /// Everything known at start has been told, or is not waited for any longer.
    pub(crate) async fn originations_complete(&mut self) {
        if self.is_complete() {
            return;
        }
        self.originations = Originations::Complete;
        self.bgp.originations_complete().await;
    }

    /// Whether the Router was told that it knows everything.
    pub(crate) const fn is_complete(&self) -> bool {
        matches!(self.originations, Originations::Complete)
    }

    /// Takes leave of all peers; bounded by their own waits and a little more.
    pub(crate) async fn leave(self, mode: ShutdownMode) {
        let limit = self.longest_wait + GOODBYE_SLACK;
        match self.parting {
            Some(parting) => {
                // It is bounded itself, and cancelled only with the runtime.
                let _ended = parting.await;
            }
            None => goodbye(&self.bgp, mode, "the speaker ends", limit).await,
        }
    }

    /// Leaves for good, as a node does that is deleted.
    fn part(&mut self) {
        info!("the Node object is deleted: leaving all BGP peers");
        let limit = self.longest_wait + GOODBYE_SLACK;
        let bgp = self.bgp.clone();
        self.parting = Some(tokio::spawn(async move {
            goodbye(&bgp, ShutdownMode::Leave, "the node is gone", limit).await;
        }));
    }

    async fn tell(
        &mut self,
        planner: &Planner,
        drain: Option<Drain>,
        routes: RouteChange,
        peers: Option<BTreeMap<PeerId, PeerConfig>>,
    ) {
        let addresses = planner
            .index()
            .node()
            .map(|node| internal(node))
            .unwrap_or_default();
        if addresses != self.node_addresses {
            self.bgp.set_node_addresses(addresses.clone()).await;
            self.node_addresses = addresses;
        }
        if let Some(drain) = drain {
            self.bgp.drain(drain).await;
        }
        if !routes.is_empty() {
            let RouteChange {
                originate,
                withdraw,
            } = routes;
            self.bgp
                .apply(ExportChange {
                    originate,
                    withdraw,
                })
                .await;
        }
        if let Some(peers) = peers {
            self.longest_wait = peers
                .values()
                .map(|peer| peer.drain_wait)
                .max()
                .unwrap_or_default();
            self.bgp.set_peers(peers).await;
        }
    }

    /// Ends all sessions, and starts with everything there is.
    async fn begin_again(&mut self, planner: &Planner, restart: Restart) {
        let (mode, reason) = (ShutdownMode::Plain, "the speaker begins again");
        goodbye(&self.bgp, mode, reason, GOODBYE_SLACK).await;
        if let Some(parting) = self.parting.take() {
            // All it may still wait for is over.
            parting.abort();
        }
        let complete = self.is_complete();
        *self = Self::spawn_as(planner.identity(), self.listen, restart);
        let routes = RouteChange {
            originate: planner.routes().all(),
            withdraw: Vec::new(),
        };
        self.tell(
            planner,
            Some(planner.drain()),
            routes,
            Some(planner.peers().clone()),
        )
        .await;
        if complete {
            self.originations_complete().await;
        }
    }
}

async fn goodbye(bgp: &Bgp, mode: ShutdownMode, reason: &str, limit: Duration) {
    if timeout(limit, bgp.shutdown(mode, reason)).await.is_err() {
        warn!("not all BGP peers took the goodbye in time");
    }
}

fn internal(node: &NodeView) -> Vec<IpAddr> {
    let addresses = node.addresses.iter();
    let internal = addresses.filter(|(kind, _)| *kind == NodeAddressKind::Internal);
    internal.map(|(_, address)| *address).collect()
}

/// Nodes that start together must not dial together.
fn seed() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs() ^ (u64::from(since.subsec_nanos()) << 32) ^ u64::from(std::process::id())
}
