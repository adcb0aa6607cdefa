//! The mirror of everything the controller watches, and which Services a change concerns.
//!
//! Plain and synchronous: changes go in, keys come out. A change that leaves a view equal concerns
//! nobody. A change of pools concerns those who hold addresses of the pools that changed and those
//! who wait; a change of a namespace its Services; an address of a node those who wait.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ringbolt_cluster::Change;
use ringbolt_config::api::IPAllocation;
use ringbolt_config::model::Config;
use ringbolt_config::model::selector::Labels;
use ringbolt_config::names::allocation_address;
use ringbolt_config::{
    Kind, LastGood, Object, ObjectRef, PoolName, Problem, ResourceVersion, ServiceKey, ServiceView,
    Snapshot, Uid,
};

use crate::allocator::Barred;
use crate::mirror::{Effect, Mirror, Versioned};

impl Versioned for ServiceView {
    fn version(&self) -> ResourceVersion {
        self.resource_version.clone()
    }
}

impl Versioned for IPAllocation {
    fn version(&self) -> ResourceVersion {
        let text = self.metadata.resource_version.as_deref();
        text.and_then(|text| text.parse().ok())
            .unwrap_or_else(ResourceVersion::unassigned)
    }
}

/// What the controller watches. Secrets are needed to know whether a peer is complete.
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
    Kind::IPAllocation,
    Kind::Service,
];

/// Whom a change concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// This Service.
    Service(ServiceKey),
    /// This Service, which must be read first.
    UnclearService(ServiceKey),
    /// The claim on this address.
    Claim(IpAddr),
    /// The claim on this address, which must be read first.
    UnclearClaim(IpAddr),
    /// The Services of this namespace.
    Namespace(Arc<str>),
    /// Pools, peers or advertisements.
    Configuration,
    /// What nodes and external addresses keep from being handed out.
    Bars,
    /// An object of ours, whose status may be due.
    Object(ObjectRef),
}

/// What a change of configuration changes for Services.
#[derive(Debug, Default)]
pub(crate) struct Reconfigured {
    /// Pools that are not what they were, by their new or old name.
    pub(crate) pools: BTreeSet<PoolName>,
    /// Objects whose problems are not what they were.
    pub(crate) objects: BTreeSet<ObjectRef>,
}

/// All that is known by watching, and by our own writes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) services: Mirror<ServiceKey, ServiceView>,
    pub(crate) claims: Mirror<IpAddr, IPAllocation>,
    /// Objects of the group that are named like no address and so claim none.
    pub(crate) misnamed: BTreeSet<Arc<str>>,
    pub(crate) snapshot: Snapshot,
    pub(crate) config: Config,
    pub(crate) problems: Vec<Problem>,
    last_good: LastGood,
    external: BTreeMap<IpAddr, usize>,
    indexed: BTreeMap<ServiceKey, (Uid, BTreeSet<IpAddr>)>,
}

impl Index {
    /// Takes in a change; says whom it concerns.
    pub(crate) fn apply(&mut self, change: Change) -> Vec<Concern> {
        match change {
            Change::Apply(Object::Service(view)) => {
                let key = view.key.clone();
                let effect = self.services.watched(&key, Some(view));
                self.service_effect(key, effect)
            }
            Change::Apply(Object::IPAllocation(object)) => {
                let name: Arc<str> = object.metadata.name.as_deref().unwrap_or_default().into();
                let Some(address) = allocation_address(&name) else {
                    self.misnamed.insert(name);
                    return Vec::new();
                };
                claim_effect(address, self.claims.watched(&address, Some(object)))
            }
            Change::Apply(object) => self.configured(object),
            Change::Delete(object) => self.deleted(&object),
            Change::Synced(_) | Change::Restored(_) => Vec::new(),
        }
    }

    /// Where Secrets are of which a reference names no namespace.
    pub(crate) fn secrets_are_in(&mut self, namespace: Arc<str>) -> Vec<Concern> {
        if self.snapshot.home_namespace == namespace {
            return Vec::new();
        }
        self.snapshot.home_namespace = namespace;
        vec![Concern::Configuration]
    }

    fn configured(&mut self, object: Object) -> Vec<Concern> {
        let target = object.object_ref();
        let mut concerns = Vec::new();
        if target.kind.is_ours() {
            concerns.push(Concern::Object(target.clone()));
        }
        if self.snapshot.apply(object) {
            concerns.extend(configuration(&target));
        }
        concerns
    }

    fn deleted(&mut self, object: &ObjectRef) -> Vec<Concern> {
        if let Some(key) = object.service_key() {
            let effect = self.services.watched(&key, None);
            return self.service_effect(key, effect);
        }
        if object.kind == Kind::IPAllocation {
            let Some(address) = allocation_address(&object.name) else {
                self.misnamed.remove(&object.name);
                return Vec::new();
            };
            return claim_effect(address, self.claims.watched(&address, None));
        }
        if self.snapshot.remove(object) {
            configuration(object)
        } else {
            Vec::new()
        }
    }

    /// What an effect on the mirror of Services amounts to.
    pub(crate) fn service_effect(&mut self, key: ServiceKey, effect: Effect) -> Vec<Concern> {
        match effect {
            Effect::Unchanged => Vec::new(),
            Effect::Doubt => vec![Concern::UnclearService(key)],
            Effect::Changed => {
                let bars = self.reindex(&key);
                let mut concerns = vec![Concern::Service(key)];
                concerns.extend(bars.then_some(Concern::Bars));
                concerns
            }
        }
    }

    /// Keeps the counts of external addresses; says whether the set of them changed.
    fn reindex(&mut self, key: &ServiceKey) -> bool {
        let view = self.services.get(key);
        let entry = view.map(|v| (v.uid.clone(), v.external_ips.clone()));
        let before = match entry {
            Some(entry) => self.indexed.insert(key.clone(), entry),
            None => self.indexed.remove(key),
        };
        let old = before.map(|(_, ips)| ips).unwrap_or_default();
        let new = self
            .indexed
            .get(key)
            .map(|(_, ips)| ips.clone())
            .unwrap_or_default();
        let mut changed = false;
        for address in new.difference(&old) {
            let count = self.external.entry(*address).or_default();
            *count += 1;
            changed |= *count == 1;
        }
        for address in old.difference(&new) {
            if let Some(count) = self.external.get_mut(address) {
                *count -= 1;
                if *count == 0 {
                    self.external.remove(address);
                    changed = true;
                }
            }
        }
        changed
    }

    /// The Service of a name, if it is this incarnation.
    pub(crate) fn incarnation(&self, key: &ServiceKey, uid: &Uid) -> Option<&Arc<ServiceView>> {
        self.services.get(key).filter(|view| view.uid == *uid)
    }

    /// What must not be handed out, whatever pools say.
    pub(crate) fn barred(&self) -> Barred {
        let nodes = self.snapshot.nodes.values();
        Barred::new(
            nodes
                .clone()
                .flat_map(|n| n.addresses.iter().map(|(_, ip)| *ip)),
            nodes.flat_map(|n| n.pod_cidrs.iter().copied()),
            self.external.keys().copied(),
        )
    }

    pub(crate) fn namespace_labels(&self, namespace: &str) -> Labels {
        self.snapshot.namespace_labels(namespace)
    }

    /// How many nodes a layer 2 advertisement or a peer selects: a speaker knows of its own node only.
    pub(crate) fn selected_nodes(&self, object: &ObjectRef) -> Option<u32> {
        let of_name = |name: &str| *name == *object.name;
        let selectors = match object.kind {
            Kind::L2Advertisement => {
                let mut all = self.config.l2_advertisements.values();
                &all.find(|found| of_name(found.name.as_str()))?.nodes
            }
            Kind::BGPPeer => {
                let mut all = self.config.peers.values();
                &all.find(|found| of_name(found.name.as_str()))?.nodes
            }
            _ => return None,
        };
        let nodes = self.snapshot.nodes.values();
        let selected = nodes.filter(|node| selectors.matches(&node.labels));
        u32::try_from(selected.count()).ok()
    }

    /// Resolves the configuration anew; says what that changes.
    pub(crate) fn resolve(&mut self) -> Reconfigured {
        let (config, problems) = self.last_good.update(&self.snapshot);
        let same = |name: &PoolName| match (self.config.pools.get(name), config.pools.get(name)) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old == new,
            (None, None) => true,
            _ => false,
        };
        let names = self.config.pools.keys().chain(config.pools.keys());
        let pools = names.filter(|name| !same(name)).cloned().collect();
        let objects = differing(&self.problems, &problems);
        self.config = config;
        self.problems = problems;
        Reconfigured { pools, objects }
    }
}

/// The objects whose problems are in one list and not in the other.
fn differing(old: &[Problem], new: &[Problem]) -> BTreeSet<ObjectRef> {
    let gone = old.iter().filter(|problem| !new.contains(problem));
    let fresh = new.iter().filter(|problem| !old.contains(problem));
    gone.chain(fresh)
        .map(|problem| problem.object.clone())
        .collect()
}

fn configuration(target: &ObjectRef) -> Vec<Concern> {
    match target.kind {
        Kind::Namespace => vec![
            Concern::Namespace(target.name.clone()),
            Concern::Configuration,
        ],
        Kind::Node => vec![Concern::Bars, Concern::Configuration],
        _ => vec![Concern::Configuration],
    }
}

fn claim_effect(address: IpAddr, effect: Effect) -> Vec<Concern> {
    match effect {
        Effect::Unchanged => Vec::new(),
        Effect::Changed => vec![Concern::Claim(address)],
        Effect::Doubt => vec![Concern::UnclearClaim(address)],
    }
}

impl Index {
    /// A read found the claim on an address like this.
    pub(crate) fn claim_read(
        &mut self,
        address: IpAddr,
        object: Option<Arc<IPAllocation>>,
        now: Instant,
    ) -> Vec<Concern> {
        let effect = self.claims.read(&address, object, now);
        claim_effect(address, effect)
    }

    /// A write made the claim on an address this.
    pub(crate) fn claim_written(
        &mut self,
        address: IpAddr,
        object: Option<Arc<IPAllocation>>,
        now: Instant,
    ) -> Vec<Concern> {
        let effect = self.claims.written(&address, object, now);
        claim_effect(address, effect)
    }
}

#[cfg(test)]
mod tests;
