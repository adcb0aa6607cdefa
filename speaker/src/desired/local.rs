//! The configuration as it concerns this node: which advertisements select it, with which attributes and for which
//! of its peers. Made anew when configuration or Node object change, and compared, so that only what differs is
//! computed again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringbolt_bgp::policy::{PeerSet, RouteClass};
use ringbolt_bgp::types::{PeerName, Prefix};
use ringbolt_config::model::{
    BgpAdvertisement, Config, L2Advertisement, Origin, Peer, Selectors, ServiceScope,
};
use ringbolt_config::names::AdvertisementName;
use ringbolt_config::node::NodeView;

use super::Withheld;
use super::attributes::{peer_set, route_attributes};
use crate::diff::Via;
use crate::settings::ExcludeLabel;

/// Whether an advertisement selects this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// It does.
    Here,
    /// It does not.
    Elsewhere,
    /// It has selectors, and there is no Node object to hold against them.
    NodeUnknown,
}

impl Selection {
    fn of(selectors: &Selectors, node: Option<&NodeView>) -> Self {
        match node {
            _ if selectors.is_all() => Self::Here,
            None => Self::NodeUnknown,
            Some(node) if selectors.matches(&node.labels) => Self::Here,
            Some(_) => Self::Elsewhere,
        }
    }
}

/// An advertisement of Services' addresses over BGP.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ServiceRoutes {
    pub(super) advertisement: Arc<BgpAdvertisement>,
    pub(super) scope: ServiceScope,
    pub(super) selection: Selection,
    pub(super) via: Arc<Via>,
    /// The peers of this node it is for.
    pub(super) peers: Arc<BTreeSet<PeerName>>,
}

/// An advertisement whose prefixes belong to the node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StandingRoutes {
    pub(super) selection: Selection,
    pub(super) via: Arc<Via>,
    pub(super) prefixes: Prefixes,
}

/// Where the prefixes of an advertisement come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Prefixes {
    /// They are listed; ascending, each once.
    Listed(Arc<[Prefix]>),
    /// They are the pod networks of the node; `None` without a Node object.
    OfNode(Option<Arc<[Prefix]>>),
}

/// A layer 2 advertisement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct L2Shares {
    pub(super) advertisement: Arc<L2Advertisement>,
    pub(super) selection: Selection,
}

/// The configuration as it concerns this node.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalConfig {
    config: Arc<Config>,
    services: Vec<ServiceRoutes>,
    standing: BTreeMap<AdvertisementName, StandingRoutes>,
    l2: Vec<L2Shares>,
    peers: BTreeSet<PeerName>,
    node_withheld: Option<Withheld>,
}

/// What must be computed again after [`LocalConfig`] has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LocalChange {
    /// Every Service.
    pub services: bool,
    /// These advertisements, among them those that are gone.
    pub standing: BTreeSet<AdvertisementName>,
    /// The layer 2 advertisements, as the announcer knows them.
    pub l2: bool,
}

impl LocalConfig {
    /// The configuration as seen from a node.
    pub fn new(config: Arc<Config>, node: Option<&NodeView>, exclude: ExcludeLabel) -> Self {
        let peers: BTreeSet<PeerName> = config
            .peers
            .values()
            .filter(|peer| Selection::of(&peer.nodes, node) == Selection::Here)
            .map(|peer| PeerName::new(peer.name.as_str()))
            .collect();
        let mut local = Self {
            services: Vec::new(),
            standing: BTreeMap::new(),
            l2: config
                .l2_advertisements
                .values()
                .map(|found| l2_shares(found, node))
                .collect(),
            node_withheld: node.and_then(|node| node_withheld(node, exclude)),
            peers,
            config: Arc::clone(&config),
        };
        for advertisement in config.bgp_advertisements.values() {
            local.add_routes(advertisement, node);
        }
        local
    }

    /// What differs between the configuration before and this one.
    pub fn changes_since(&self, before: &Self) -> LocalChange {
        let mut change = LocalChange {
            services: self.services != before.services
                || self.l2 != before.l2
                || self.config.pools != before.config.pools
                || self.config.communities != before.config.communities
                || self.node_withheld != before.node_withheld,
            l2: self.l2 != before.l2,
            standing: BTreeSet::new(),
        };
        for (name, routes) in &self.standing {
            if before.standing.get(name) != Some(routes) {
                change.standing.insert(name.clone());
            }
        }
        let gone = before
            .standing
            .keys()
            .filter(|name| !self.standing.contains_key(*name));
        change.standing.extend(gone.cloned());
        change
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same, to be kept.
    pub fn shared_config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The peers of this node.
    pub fn peers(&self) -> &BTreeSet<PeerName> {
        &self.peers
    }

    /// The peers of this node as configured, by name.
    pub fn node_peers(&self) -> impl Iterator<Item = &Arc<Peer>> {
        let peers = self.config.peers.values();
        peers.filter(|peer| self.peers.contains(&PeerName::new(peer.name.as_str())))
    }

    /// The advertisements whose prefixes belong to the node.
    pub fn standing_names(&self) -> impl Iterator<Item = &AdvertisementName> {
        self.standing.keys()
    }

    /// The layer 2 advertisements, each with whether it selects this node.
    pub fn l2_advertisements(&self) -> impl Iterator<Item = (&Arc<L2Advertisement>, Selection)> {
        self.l2
            .iter()
            .map(|shares| (&shares.advertisement, shares.selection))
    }

    /// Why the whole node attracts no Service traffic, if it does not (contracts 4.2).
    pub fn node_withheld(&self) -> Option<&Withheld> {
        self.node_withheld.as_ref()
    }

    pub(super) fn service_routes(&self) -> &[ServiceRoutes] {
        &self.services
    }

    pub(super) fn standing_routes(&self, name: &AdvertisementName) -> Option<&StandingRoutes> {
        self.standing.get(name)
    }

    pub(super) fn l2_shares(&self) -> &[L2Shares] {
        &self.l2
    }

    fn add_routes(&mut self, advertisement: &Arc<BgpAdvertisement>, node: Option<&NodeView>) {
        let name = advertisement.name.clone();
        let selection = Selection::of(&advertisement.nodes, node);
        let via = |class| {
            let attributes = route_attributes(&advertisement.attributes, class);
            Via::new(name.clone(), attributes, peer_set(&advertisement.peers))
        };
        let prefixes = match &advertisement.origin {
            Origin::LoadBalancer(scope) => {
                let via = via(RouteClass::Service);
                self.services.push(ServiceRoutes {
                    advertisement: Arc::clone(advertisement),
                    scope: scope.clone(),
                    selection,
                    peers: Arc::new(members(&via.peers, &self.peers)),
                    via,
                });
                return;
            }
            Origin::PodCidr => Prefixes::OfNode(node.map(|node| ascending(&node.pod_cidrs))),
            Origin::Static(listed) if is_ascending(listed) => Prefixes::Listed(Arc::clone(listed)),
            Origin::Static(listed) => Prefixes::Listed(ascending(listed)),
        };
        let routes = StandingRoutes {
            selection,
            via: via(RouteClass::Standing),
            prefixes,
        };
        self.standing.insert(name.clone(), routes);
    }
}

fn l2_shares(advertisement: &Arc<L2Advertisement>, node: Option<&NodeView>) -> L2Shares {
    let selection = Selection::of(&advertisement.nodes, node);
    L2Shares {
        advertisement: Arc::clone(advertisement),
        selection,
    }
}

fn members(set: &PeerSet, of_this_node: &BTreeSet<PeerName>) -> BTreeSet<PeerName> {
    of_this_node
        .iter()
        .filter(|peer| set.contains(peer))
        .cloned()
        .collect()
}

fn is_ascending(prefixes: &[Prefix]) -> bool {
    prefixes.windows(2).all(|pair| pair[0] < pair[1])
}

fn ascending(prefixes: &[Prefix]) -> Arc<[Prefix]> {
    let sorted: BTreeSet<Prefix> = prefixes.iter().map(Prefix::trunc).collect();
    sorted.into_iter().collect()
}

fn node_withheld(node: &NodeView, exclude: ExcludeLabel) -> Option<Withheld> {
    if node.leaving {
        Some(Withheld::NodeDeleting)
    } else if node.excluded && exclude == ExcludeLabel::Obey {
        Some(Withheld::NodeExcluded)
    } else if node.network_unavailable {
        Some(Withheld::NodeNetworkUnavailable)
    } else if node.draining {
        Some(Withheld::NodeDrained)
    } else {
        None
    }
}
