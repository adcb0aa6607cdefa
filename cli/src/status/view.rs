//! The objects of a listing, sorted for the tables, and one planner per node. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ringbolt_cluster::Listing;
use ringbolt_config::api::{BGPPeer, IPAddressPool, Speaker};
use ringbolt_config::{NodeName, NodeView, Object, ServiceView};
use ringbolt_speaker::Settings;
use ringbolt_speaker::planner::Planner;

/// Everything the tables are made of.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) services: Vec<Arc<ServiceView>>,
    pub(crate) pools: Vec<Arc<IPAddressPool>>,
    pub(crate) peers: Vec<Arc<BGPPeer>>,
    /// Nodes that have a Node object, a Speaker object, or both.
    pub(crate) nodes: BTreeMap<NodeName, NodeParts>,
}

/// What is known of one node.
#[derive(Debug)]
pub(crate) struct NodeParts {
    pub(crate) node: Option<Arc<NodeView>>,
    pub(crate) speaker: Option<Arc<Speaker>>,
    /// What a speaker of that node wants, by the code of speakers.
    pub(crate) planner: Planner,
}

impl NodeParts {
    /// Peers with which this node's session is up, as its speaker last wrote.
    pub(crate) fn established(&self) -> BTreeSet<&str> {
        let status = self
            .speaker
            .as_ref()
            .and_then(|speaker| speaker.status.as_ref());
        status
            .into_iter()
            .flat_map(|status| &status.sessions)
            .filter(|session| session.state == "Established")
            .map(|session| session.peer.as_str())
            .collect()
    }

    /// Whether its speaker says that it answers for the address on layer 2.
    pub(crate) fn owns(&self, address: IpAddr) -> bool {
        let status = self
            .speaker
            .as_ref()
            .and_then(|speaker| speaker.status.as_ref());
        let text = address.to_string();
        status.is_some_and(|status| status.addresses.contains(&text))
    }
}

impl View {
    pub(crate) fn new(listing: &Listing) -> Self {
        let mut view = Self::default();
        let mut nodes: BTreeMap<NodeName, (Option<Arc<NodeView>>, Option<Arc<Speaker>>)> =
            BTreeMap::new();
        for object in &listing.objects {
            match object {
                Object::Service(service) if service.is_load_balancer() => {
                    view.services.push(Arc::clone(service));
                }
                Object::IPAddressPool(pool) => view.pools.push(Arc::clone(pool)),
                Object::BGPPeer(peer) => view.peers.push(Arc::clone(peer)),
                Object::Node(node) => {
                    nodes.entry(node.name.clone()).or_default().0 = Some(Arc::clone(node));
                }
                Object::Speaker(speaker) => {
                    let name = speaker.metadata.name.as_deref().unwrap_or_default();
                    // A name that is none was never one of a speaker of ours.
                    if let Ok(name) = name.parse::<NodeName>() {
                        nodes.entry(name).or_default().1 = Some(Arc::clone(speaker));
                    }
                }
                _ => {}
            }
        }
        for (name, (node, speaker)) in nodes {
            let mut planner = Planner::new(&Settings::new(name.clone()));
            for object in &listing.objects {
                planner.apply(object.clone());
            }
            let _orders_for_nobody = planner.settle();
            view.nodes.insert(
                name,
                NodeParts {
                    node,
                    speaker,
                    planner,
                },
            );
        }
        view
    }
}
