//! `Snapshot`: all configuration objects at one time, as they were written. Services, slices and
//! claims are not configuration and do not enter.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api;
use crate::names::{Kind, NamespaceName, NodeName, ObjectRef};
use crate::namespace::NamespaceView;
use crate::node::NodeView;
use crate::object::Object;
use crate::secret::SecretView;

/// Objects of one kind by name.
pub type ByName<T> = BTreeMap<Arc<str>, Arc<T>>;

/// All configuration objects at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Namespace of Secrets for which a reference names none.
    pub home_namespace: Arc<str>,
    /// IPAddressPools.
    pub pools: ByName<api::IPAddressPool>,
    /// L2Advertisements.
    pub l2_advertisements: ByName<api::L2Advertisement>,
    /// BGPAdvertisements.
    pub bgp_advertisements: ByName<api::BGPAdvertisement>,
    /// BGPPeers.
    pub peers: ByName<api::BGPPeer>,
    /// BGPPeerTemplates.
    pub templates: ByName<api::BGPPeerTemplate>,
    /// BFDProfiles.
    pub bfd_profiles: ByName<api::BFDProfile>,
    /// Communities.
    pub communities: ByName<api::Community>,
    /// RouteImports.
    pub route_imports: ByName<api::RouteImport>,
    /// Nodes; those the source shows, which for a speaker may be its own alone.
    pub nodes: BTreeMap<NodeName, Arc<NodeView>>,
    /// Namespaces.
    pub namespaces: BTreeMap<NamespaceName, Arc<NamespaceView>>,
    /// Secrets by namespace and name.
    pub secrets: BTreeMap<(Arc<str>, Arc<str>), Arc<SecretView>>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new("default")
    }
}

impl Snapshot {
    /// An empty snapshot of a Ringbolt that lives in a namespace.
    pub fn new(home_namespace: &str) -> Self {
        Self {
            home_namespace: home_namespace.into(),
            pools: BTreeMap::new(),
            l2_advertisements: BTreeMap::new(),
            bgp_advertisements: BTreeMap::new(),
            peers: BTreeMap::new(),
            templates: BTreeMap::new(),
            bfd_profiles: BTreeMap::new(),
            communities: BTreeMap::new(),
            route_imports: BTreeMap::new(),
            nodes: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// Labels of a namespace; of one that is not known, only its name.
    pub fn namespace_labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let known = namespace
            .parse()
            .ok()
            .and_then(|name: NamespaceName| self.namespaces.get(&name));
        known.map_or_else(
            || {
                let name = "kubernetes.io/metadata.name".to_owned();
                BTreeMap::from([(name, namespace.to_owned())])
            },
            |view| view.labels.clone(),
        )
    }

    /// Takes in an object; says whether that changed the configuration. Status, versions and
    /// annotations of our kinds are no configuration.
    pub fn apply(&mut self, object: Object) -> bool {
        macro_rules! ours {
            ($map:ident, $object:expr) => {{
                let object = $object;
                let name: Arc<str> = object.metadata.name.as_deref().unwrap_or("").into();
                let same = |old: &Arc<_>| {
                    Arc::ptr_eq(old, &object)
                        || (old.spec == object.spec
                            && same_metadata(&old.metadata, &object.metadata))
                };
                let unchanged = self.$map.get(&name).is_some_and(same);
                if !unchanged {
                    self.$map.insert(name, object);
                }
                !unchanged
            }};
        }
        match object {
            Object::IPAddressPool(o) => ours!(pools, o),
            Object::L2Advertisement(o) => ours!(l2_advertisements, o),
            Object::BGPAdvertisement(o) => ours!(bgp_advertisements, o),
            Object::BGPPeer(o) => ours!(peers, o),
            Object::BGPPeerTemplate(o) => ours!(templates, o),
            Object::BFDProfile(o) => ours!(bfd_profiles, o),
            Object::Community(o) => ours!(communities, o),
            Object::RouteImport(o) => ours!(route_imports, o),
            Object::Node(view) => insert(&mut self.nodes, view.name.clone(), view),
            Object::Namespace(view) => insert(&mut self.namespaces, view.name.clone(), view),
            Object::Secret(view) => {
                let key = (view.namespace.clone(), view.name.clone());
                insert(&mut self.secrets, key, view)
            }
            Object::Service(_)
            | Object::EndpointSlice(_)
            | Object::IPAllocation(_)
            | Object::Speaker(_) => false,
        }
    }

    /// Forgets an object; says whether that changed the configuration.
    pub fn remove(&mut self, object: &ObjectRef) -> bool {
        let name = &object.name;
        match object.kind {
            Kind::IPAddressPool => self.pools.remove(name).is_some(),
            Kind::L2Advertisement => self.l2_advertisements.remove(name).is_some(),
            Kind::BGPAdvertisement => self.bgp_advertisements.remove(name).is_some(),
            Kind::BGPPeer => self.peers.remove(name).is_some(),
            Kind::BGPPeerTemplate => self.templates.remove(name).is_some(),
            Kind::BFDProfile => self.bfd_profiles.remove(name).is_some(),
            Kind::Community => self.communities.remove(name).is_some(),
            Kind::RouteImport => self.route_imports.remove(name).is_some(),
            Kind::Node => name
                .parse()
                .is_ok_and(|name| self.nodes.remove(&name).is_some()),
            Kind::Namespace => name
                .parse()
                .is_ok_and(|name| self.namespaces.remove(&name).is_some()),
            Kind::Secret => {
                let namespace = object.namespace.clone().unwrap_or_else(|| "".into());
                self.secrets.remove(&(namespace, name.clone())).is_some()
            }
            Kind::Service | Kind::EndpointSlice | Kind::IPAllocation | Kind::Speaker => false,
        }
    }
}

type Metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Labels select, age decides between pools, a deletion mark closes a pool, and the generation and
/// UID say which object a status speaks about; the rest of the metadata does not matter here.
fn same_metadata(one: &Metadata, other: &Metadata) -> bool {
    one.labels == other.labels
        && one.uid == other.uid
        && one.generation == other.generation
        && one.creation_timestamp == other.creation_timestamp
        && one.deletion_timestamp.is_some() == other.deletion_timestamp.is_some()
}

fn insert<K: Ord, V: PartialEq>(map: &mut BTreeMap<K, Arc<V>>, key: K, value: Arc<V>) -> bool {
    let unchanged = map.get(&key).is_some_and(|old| **old == *value);
    if !unchanged {
        map.insert(key, value);
    }
    !unchanged
}

#[cfg(test)]
mod tests;
