//! Changes in, orders to the two halves out: mirror, configuration, desired state and diff in one synchronous value.
//!
//! It knows no task, no clock and no socket, so that a test (or a command that plans) runs exactly what a speaker
//! runs. [`run`](mod@crate::run) feeds it and carries the orders out.
//!
//! Invariant: after [`Planner::settle`] the orders given so far add up to [`desired::compute`] over everything
//! applied, whatever the order and grouping of the changes.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use ringbolt_bgp::router::Drain;
use ringbolt_bgp::session::PeerConfig;
use ringbolt_bgp::types::PeerId;
use ringbolt_cluster::{SPEAKER_KEY_NAMESPACE, SPEAKER_KEY_SECRET};
use ringbolt_config::names::{AdvertisementName, Kind, ObjectRef, PeerName};
use ringbolt_config::object::Object;
use ringbolt_config::resolve::{LastGood, Problem};
use ringbolt_config::secret::SecretView;
use ringbolt_config::snapshot::Snapshot;
use ringbolt_l2::announcer::Claimable;

use crate::desired::{self, LocalConfig, Selection, Withheld};
use crate::diff::{Owner, RouteChange, RouteTable, ShareChange, ShareTable, Wanted};
use crate::fingerprint::fingerprint;
use crate::index::{Index, NodeChange};
use crate::peers::{self, Identity, PeerProblem};
use crate::settings::{ExcludeLabel, Settings};

#[cfg(test)]
mod tests;

/// The kinds a speaker reads. Claims are not among them (contracts 1.9), nor what speakers write themselves.
pub const KINDS: &[Kind] = &[
    Kind::Node,
    Kind::Namespace,
    Kind::Secret,
    Kind::IPAddressPool,
    Kind::Community,
    Kind::BFDProfile,
    Kind::BGPPeerTemplate,
    Kind::BGPPeer,
    Kind::BGPAdvertisement,
    Kind::L2Advertisement,
    Kind::RouteImport,
    Kind::Service,
    Kind::EndpointSlice,
];

/// What must be told to the two halves after changes; empty parts and `None` mean that nothing is new.
#[derive(Debug, Default)]
pub struct Orders {
    /// Routes, for the Router.
    pub routes: RouteChange,
    /// All peers of this node, where one of them changed.
    pub peers: Option<BTreeMap<PeerId, PeerConfig>>,
    /// Whether this node serves, where that changed.
    pub drain: Option<Drain>,
    /// Addresses, for the announcer.
    pub shares: ShareChange,
    /// Whether the layer 2 advertisements, or this node's place in them, changed.
    pub l2_advertisements: Touched,
    /// Whether the Secret with the keys changed.
    pub keys: Touched,
}

/// Whether something is different from before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Touched {
    /// It is as before.
    #[default]
    No,
    /// It is different.
    Yes,
}

/// Everything a speaker knows and wants.
#[derive(Debug)]
pub struct Planner {
    index: Index,
    exclude: ExcludeLabel,
    snapshot: Snapshot,
    /// Where the Secret with the keys is.
    key_namespace: Arc<str>,
    last_good: LastGood,
    fingerprint: String,
    problems: Vec<Problem>,
    peer_problems: Vec<(PeerName, PeerProblem)>,
    local: LocalConfig,
    peers: BTreeMap<PeerId, PeerConfig>,
    routes: RouteTable,
    shares: ShareTable,
    drain: Drain,
    /// How many nodes each layer 2 advertisement selects, by the controller's count.
    speakers: BTreeMap<Arc<str>, u32>,
    stale: Stale,
}

/// What must be looked at again at the next settling, beside the Services the index names.
#[derive(Debug, Default)]
struct Stale {
    config: bool,
    node: bool,
    keys: bool,
}

impl Planner {
    /// A speaker that knows nothing.
    pub fn new(settings: &Settings) -> Self {
        Self {
            index: Index::new(settings.node.clone(), settings.classes.clone()),
            exclude: settings.exclude_label,
            snapshot: Snapshot::default(),
            key_namespace: SPEAKER_KEY_NAMESPACE.into(),
            last_good: LastGood::default(),
            fingerprint: String::new(),
            problems: Vec::new(),
            peer_problems: Vec::new(),
            local: LocalConfig::new(Arc::default(), None, settings.exclude_label),
            peers: BTreeMap::new(),
            routes: RouteTable::default(),
            shares: ShareTable::default(),
            drain: Drain::Serving,
            speakers: BTreeMap::new(),
            stale: Stale::default(),
        }
    }

    /// Where Secrets are: those of which a reference says nothing, and that with the keys for layer 2.
    pub fn set_namespaces(&mut self, secrets: Arc<str>, key: Arc<str>) {
        self.stale.config |= self.snapshot.home_namespace != secrets;
        self.stale.keys |= self.key_namespace != key;
        self.snapshot.home_namespace = secrets;
        self.key_namespace = key;
    }

    /// Takes in an object.
    pub fn apply(&mut self, object: Object) {
        let node = self.index.apply(&object);
        self.stale.node |= node == NodeChange::Changed;
        self.stale.keys |= matches!(&object, Object::Secret(secret) if self.is_speaker_key(&secret.namespace, &secret.name));
        if let Object::L2Advertisement(advertisement) = &object {
            let status = advertisement.status.as_ref();
            let name: Arc<str> = advertisement
                .metadata
                .name
                .as_deref()
                .unwrap_or_default()
                .into();
            match status.and_then(|status| status.expected_speakers) {
                Some(count) => self.speakers.insert(name, count),
                None => self.speakers.remove(&name),
            };
        }
        if is_configuration(object.kind()) {
            self.stale.config |= self.snapshot.apply(object);
        }
    }

    /// Forgets an object.
    pub fn remove(&mut self, object: &ObjectRef) {
        let node = self.index.remove(object);
        self.stale.node |= node == NodeChange::Changed;
        let namespace = object.namespace.as_deref().unwrap_or_default();
        self.stale.keys |=
            object.kind == Kind::Secret && self.is_speaker_key(namespace, &object.name);
        if object.kind == Kind::L2Advertisement {
            self.speakers.remove(&object.name);
        }
        if is_configuration(object.kind) {
            self.stale.config |= self.snapshot.remove(object);
        }
    }

    /// Computes what the changes since the last call mean.
    pub fn settle(&mut self) -> Orders {
        let mut orders = Orders::default();
        let Stale { config, node, keys } = mem::take(&mut self.stale);
        if keys {
            orders.keys = Touched::Yes;
        }
        let mut standing = BTreeSet::new();
        if config || node {
            standing = self.adopt(config, &mut orders);
        }
        self.compute(standing, &mut orders);
        orders
    }

    /// The mirror.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The configuration in force, as it concerns this node.
    pub fn local(&self) -> &LocalConfig {
        &self.local
    }

    /// A word for the configuration in force; empty before there is one.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What stands in the way of objects of the configuration.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Peers that the Router cannot be given.
    pub fn peer_problems(&self) -> &[(PeerName, PeerProblem)] {
        &self.peer_problems
    }

    /// All routes with the reasons they exist for.
    pub fn routes(&self) -> &RouteTable {
        &self.routes
    }

    /// All peers of this node.
    pub fn peers(&self) -> &BTreeMap<PeerId, PeerConfig> {
        &self.peers
    }

    /// Whether this node serves.
    pub fn drain(&self) -> Drain {
        self.drain
    }

    /// Whether this node leaves for good: there was a Node object, and it is deleted (contracts 4.2).
    pub fn has_left(&self) -> bool {
        self.index.has_left()
    }

    /// All addresses that may be claimed on layer 2.
    pub fn claimables(&self) -> Vec<Claimable> {
        self.shares.all()
    }

    /// Who we are towards BGP peers.
    pub fn identity(&self) -> Identity {
        let node = self.index.node().map(Arc::as_ref);
        Identity::new(&self.local, node, self.index.node_name().as_str())
    }

    /// How many nodes there are, as far as is known: an API server shows a speaker its own Node only,
    /// and the controller counts those that layer 2 advertisements select.
    pub fn nodes(&self) -> usize {
        let counted = self.speakers.values().max().copied().unwrap_or_default();
        let counted = usize::try_from(counted).unwrap_or(usize::MAX);
        self.snapshot.nodes.len().max(counted)
    }

    /// How many speakers there should be on a segment of this node.
    pub fn expected_speakers(&self) -> usize {
        let here = self.local.l2_advertisements();
        let here = here.filter(|(_, selection)| *selection == Selection::Here);
        let counts = here.filter_map(|(found, _)| self.speakers.get(found.name.as_str()));
        let counted = counts.max().copied().unwrap_or_default();
        let counted = usize::try_from(counted).unwrap_or(usize::MAX);
        // A directory shows all nodes, whoever counts them.
        self.snapshot.nodes.len().max(counted)
    }

    /// The Secret with the keys for layer 2.
    pub fn speaker_key(&self) -> Option<&Arc<SecretView>> {
        let key = (
            Arc::clone(&self.key_namespace),
            Arc::from(SPEAKER_KEY_SECRET),
        );
        self.snapshot.secrets.get(&key)
    }

    /// Why an advertisement whose prefixes belong to the node announces nothing here.
    pub fn standing_withheld(&self, name: &AdvertisementName) -> Option<Withheld> {
        desired::compute_standing(&self.local, name).err()
    }

    fn is_speaker_key(&self, namespace: &str, name: &str) -> bool {
        *self.key_namespace == *namespace && name == SPEAKER_KEY_SECRET
    }

    /// Puts the configuration in force; returns the node's own advertisements that must be computed again.
    fn adopt(&mut self, config: bool, orders: &mut Orders) -> BTreeSet<AdvertisementName> {
        let config = if config {
            let (config, problems) = self.last_good.update(&self.snapshot);
            self.problems = problems;
            self.fingerprint = fingerprint(&config);
            Arc::new(config)
        } else {
            Arc::clone(self.local.shared_config())
        };
        let node = self.index.node().map(Arc::as_ref);
        let local = LocalConfig::new(config, node, self.exclude);
        let change = local.changes_since(&self.local);
        self.local = local;
        if change.services {
            self.index.mark_all();
        }
        if change.l2 {
            orders.l2_advertisements = Touched::Yes;
        }
        let (peers, problems) = peers::peer_configs(&self.local);
        self.peer_problems = problems;
        if peers != self.peers {
            self.peers = peers;
            orders.peers = Some(self.peers.clone());
        }
        let drain = match self.local.node_withheld() {
            None => Drain::Serving,
            Some(_) => Drain::Drained,
        };
        if drain != self.drain {
            self.drain = drain;
            orders.drain = Some(drain);
        }
        change.standing
    }

    fn compute(&mut self, standing: BTreeSet<AdvertisementName>, orders: &mut Orders) {
        let mut routes: Vec<(Owner, Vec<Wanted>)> = Vec::new();
        let mut shares = Vec::new();
        for name in standing {
            let wanted = desired::compute_standing(&self.local, &name).unwrap_or_default();
            routes.push((Owner::Advertisement(name), wanted));
        }
        for key in self.index.take_dirty() {
            let announcements = desired::compute(&self.index, &self.local, &key);
            routes.push((Owner::Service(key.clone()), announcements.routes));
            shares.push((key, announcements.shares));
        }
        orders.routes = self.routes.settle(self.local.peers().clone(), routes);
        orders.shares = self.shares.update(shares);
    }
}

/// Services and slices are mirrored by the index; all else is configuration.
fn is_configuration(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Service | Kind::EndpointSlice | Kind::IPAllocation | Kind::Speaker
    )
}
