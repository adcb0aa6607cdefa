//! A plain mirror of what announcements are computed from: Services that are ours, their endpoints, namespaces and
//! this node. It is synchronous, keeps no more of an object than is asked about, and returns which Services must be
//! looked at again; an object that says what it said before stops here.
//!
//! It knows no configuration and decides nothing; [`crate::desired`] reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use ringbolt_config::endpoints::EndpointSliceView;
use ringbolt_config::model::selector::Labels;
use ringbolt_config::names::{Kind, NodeName, ObjectRef, ServiceKey, SharingKey};
use ringbolt_config::namespace::NamespaceView;
use ringbolt_config::node::NodeView;
use ringbolt_config::object::Object;
use ringbolt_config::service::{Classes, ServiceAttributes, ServiceView, TrafficPolicy};

pub use endpoints::{Endpoints, FamilyEndpoints};

pub mod endpoints;
#[cfg(test)]
mod tests;

/// Label by which every namespace can be selected by name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// What is kept of a Service.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// When it was created: of two Services with one address the older is announced for.
    pub created: Timestamp,
    /// Whether it carries a deletion mark.
    pub deleting: bool,
    /// Its labels.
    pub labels: Labels,
    /// Who takes traffic for it.
    pub traffic_policy: TrafficPolicy,
    /// The key by which it shares addresses.
    pub sharing_key: Option<SharingKey>,
    /// Attributes it asks for its routes.
    pub attributes: ServiceAttributes,
    /// The addresses in its status.
    pub addresses: BTreeSet<IpAddr>,
}

impl Tracked {
    fn new(view: &ServiceView) -> Self {
        Self {
            created: view.created,
            deleting: view.deleting,
            labels: view.labels.clone(),
            traffic_policy: view.traffic_policy,
            sharing_key: view.sharing_key.clone(),
            attributes: view.attributes.clone(),
            addresses: view.addresses().collect(),
        }
    }
}

/// What became of this node's Node object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeChange {
    /// It says what it said before, or another node's was meant.
    None,
    /// It says something else, appeared or disappeared.
    Changed,
}

/// The slices of one Service, with what they add up to.
#[derive(Debug, Default)]
struct Slices {
    by_name: BTreeMap<Arc<str>, Endpoints>,
    merged: Endpoints,
}

/// The mirror.
#[derive(Debug)]
pub struct Index {
    node_name: NodeName,
    classes: Classes,
    services: BTreeMap<ServiceKey, Tracked>,
    holders: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
    slices: BTreeMap<ServiceKey, Slices>,
    service_of_slice: BTreeMap<(Arc<str>, Arc<str>), ServiceKey>,
    namespaces: BTreeMap<Arc<str>, Arc<Labels>>,
    /// Once its object is deleted, what it was then, on its way out.
    node: Option<Arc<NodeView>>,
    left: bool,
    dirty: BTreeSet<ServiceKey>,
    no_endpoints: Endpoints,
}

impl Index {
    /// An empty mirror for a node.
    pub fn new(node_name: NodeName, classes: Classes) -> Self {
        Self {
            node_name,
            classes,
            services: BTreeMap::new(),
            holders: BTreeMap::new(),
            slices: BTreeMap::new(),
            service_of_slice: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            node: None,
            left: false,
            dirty: BTreeSet::new(),
            no_endpoints: Endpoints::default(),
        }
    }

    /// Takes in an object; kinds that are not mirrored here are ignored.
    pub fn apply(&mut self, object: &Object) -> NodeChange {
        match object {
            Object::Service(view) => self.apply_service(view),
            Object::EndpointSlice(view) => self.apply_slice(view),
            Object::Namespace(view) => self.apply_namespace(view),
            Object::Node(view) => return self.apply_node(view),
            _ => {}
        }
        NodeChange::None
    }

    /// Forgets an object.
    pub fn remove(&mut self, object: &ObjectRef) -> NodeChange {
        match object.kind {
            Kind::Service => {
                if let Some(key) = object.service_key() {
                    self.set_service(&key, None);
                }
            }
            Kind::EndpointSlice => {
                if let Some(namespace) = &object.namespace {
                    self.set_slice(namespace, &object.name, None);
                }
            }
            Kind::Namespace => self.set_namespace(&object.name, None),
            Kind::Node if *object.name == *self.node_name.as_str() => return self.set_node(None),
            _ => {}
        }
        NodeChange::None
    }

    /// The Services to look at again since the last call, in order.
    pub fn take_dirty(&mut self) -> BTreeSet<ServiceKey> {
        mem::take(&mut self.dirty)
    }

    /// Asks for every Service to be looked at again.
    pub fn mark_all(&mut self) {
        self.dirty.extend(self.services.keys().cloned());
    }

    /// This node's name.
    pub fn node_name(&self) -> &NodeName {
        &self.node_name
    }

    /// This node's Node object. One that is deleted is what it was, and leaving: who we are and where we take part
    /// does not change while we say goodbye.
    pub fn node(&self) -> Option<&Arc<NodeView>> {
        self.node.as_ref()
    }

    /// Whether there was a Node object, and it is deleted.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// A Service that is ours.
    pub fn service(&self, key: &ServiceKey) -> Option<&Tracked> {
        self.services.get(key)
    }

    /// All Services that are ours, in order.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceKey, &Tracked)> {
        self.services.iter()
    }

    /// The Services that carry an address in their status, in order.
    pub fn holders(&self, address: IpAddr) -> impl Iterator<Item = (&ServiceKey, &Tracked)> {
        let keys = self.holders.get(&address).into_iter().flatten();
        keys.filter_map(|key| self.services.get_key_value(key))
    }

    /// The endpoints of a Service.
    pub fn endpoints(&self, key: &ServiceKey) -> &Endpoints {
        self.slices
            .get(key)
            .map_or(&self.no_endpoints, |slices| &slices.merged)
    }

    /// The labels of a namespace. One without an object has its name as a label, as the API server has it.
    pub fn namespace_labels(&self, namespace: &str) -> Arc<Labels> {
        self.namespaces.get(namespace).cloned().unwrap_or_else(|| {
            Arc::new(Labels::from([(
                NAMESPACE_NAME.to_owned(),
                namespace.to_owned(),
            )]))
        })
    }

    fn apply_service(&mut self, view: &ServiceView) {
        let tracked = self.classes.include(view).then(|| Tracked::new(view));
        self.set_service(&view.key, tracked);
    }

    fn set_service(&mut self, key: &ServiceKey, new: Option<Tracked>) {
        let old = self.services.get(key);
        if old == new.as_ref() {
            return;
        }
        let empty = BTreeSet::new();
        let before = old.map_or(&empty, |service| &service.addresses);
        let after = new.as_ref().map_or(&empty, |service| &service.addresses);
        for address in before.difference(after) {
            if let Some(holders) = self.holders.get_mut(address) {
                holders.remove(key);
                if holders.is_empty() {
                    self.holders.remove(address);
                }
            }
        }
        for address in after.difference(before) {
            self.holders
                .entry(*address)
                .or_default()
                .insert(key.clone());
        }
        // Age, sharing key or deletion of one holder decides about the others.
        for address in before.union(after) {
            self.dirty
                .extend(self.holders.get(address).into_iter().flatten().cloned());
        }
        self.dirty.insert(key.clone());
        match new {
            Some(new) => self.services.insert(key.clone(), new),
            None => self.services.remove(key),
        };
    }

    fn apply_slice(&mut self, view: &EndpointSliceView) {
        let place = (Arc::clone(&view.namespace), Arc::clone(&view.name));
        let moved = self.service_of_slice.get(&place) != view.service.as_ref();
        if moved {
            self.set_slice(&view.namespace, &view.name, None);
        }
        if let Some(service) = &view.service {
            if moved {
                self.service_of_slice.insert(place, service.clone());
            }
            self.set_slice(&view.namespace, &view.name, Some(Endpoints::of_slice(view)));
        }
    }

    fn set_slice(&mut self, namespace: &Arc<str>, name: &Arc<str>, new: Option<Endpoints>) {
        let place = (Arc::clone(namespace), Arc::clone(name));
        let gone = new.is_none();
        let Some(service) = self.service_of_slice.get(&place).cloned() else {
            return;
        };
        let slices = self.slices.entry(service.clone()).or_default();
        match new {
            Some(new) => slices.by_name.insert(Arc::clone(name), new),
            None => slices.by_name.remove(name),
        };
        let merged = Endpoints::merge(slices.by_name.values());
        let changed = merged != slices.merged;
        slices.merged = merged;
        if slices.by_name.is_empty() {
            self.slices.remove(&service);
        }
        if gone {
            self.service_of_slice.remove(&place);
        }
        if changed && self.services.contains_key(&service) {
            self.dirty.insert(service);
        }
    }

    fn apply_namespace(&mut self, view: &NamespaceView) {
        self.set_namespace(view.name.as_str(), Some(Arc::new(view.labels.clone())));
    }

    fn set_namespace(&mut self, name: &str, new: Option<Arc<Labels>>) {
        let before = self.namespace_labels(name);
        match new {
            Some(new) => self.namespaces.insert(name.into(), new),
            None => self.namespaces.remove(name),
        };
        if before != self.namespace_labels(name) {
            let within = self.services.keys().filter(|key| key.namespace() == name);
            self.dirty.extend(within.cloned());
        }
    }

    fn apply_node(&mut self, view: &Arc<NodeView>) -> NodeChange {
        if view.name == self.node_name {
            self.set_node(Some(Arc::clone(view)))
        } else {
            NodeChange::None
        }
    }

    fn set_node(&mut self, new: Option<Arc<NodeView>>) -> NodeChange {
        let left = new.is_none() && self.node.is_some();
        let new = new.or_else(|| {
            let mut before = NodeView::clone(self.node.as_ref()?);
            before.leaving = true;
            Some(Arc::new(before))
        });
        if self.node == new && self.left == left {
            return NodeChange::None;
        }
        self.node = new;
        self.left = left;
        NodeChange::Changed
    }
}
