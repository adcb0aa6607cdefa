//! The objects of a listing, sorted for the tables, and one planner per node. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ringbolt_cluster::{Leader, Listing};
use ringbolt_config::api::bgp_peer::IpFamily;
use ringbolt_config::api::speaker::SpeakerStatus;
use ringbolt_config::api::{BGPPeer, IPAddressPool, Speaker};
use ringbolt_config::{Kind, NodeName, NodeView, Object, ServiceView};
use ringbolt_speaker::Settings;
use ringbolt_speaker::planner::Planner;

/// The condition and its reason in a Speaker object whose writer ends.
const READY: &str = "Ready";
const LEAVING: &str = "Leaving";

/// Everything the tables are made of.
#[derive(Debug)]
pub(crate) struct View {
    /// Who does the controller's work.
    pub(crate) leader: Leader,
    /// Kinds that could not be read. Reasons that follow from their absence are none.
    pub(crate) unread: BTreeSet<Kind>,
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
    pub(crate) life: Life,
    /// What a speaker of that node wants, by the code of speakers.
    pub(crate) planner: Planner,
}

/// Whether what a Speaker object says is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// A speaker of this node runs, or none has ever written.
    AsReported,
    /// Its speaker could not be asked from here: what it wrote last may be so.
    Unconfirmed,
    /// Its writer ended, told to or not; what it wrote last is not so.
    Gone,
}

/// What a session does for one family, as its speaker last wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// It is up and both sides agreed on the family.
    Carried,
    /// It is up, and routes of this family do not go over it.
    NotNegotiated,
    /// It is not up, or nobody has reported it.
    Down,
}

/// Whether a node answers for an address on layer 2, as its speaker last wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// It says so.
    Owner,
    /// Not among those it lists, and it answers for more than it lists.
    NotListed,
    /// It does not.
    NotOwner,
}

impl NodeParts {
    /// What a living speaker of this node says.
    pub(crate) fn reported(&self) -> Option<&SpeakerStatus> {
        match self.life {
            Life::AsReported | Life::Unconfirmed => self.last_report(),
            Life::Gone => None,
        }
    }

    /// What a speaker of this node said last, be it gone since.
    pub(crate) fn last_report(&self) -> Option<&SpeakerStatus> {
        self.speaker.as_ref()?.status.as_ref()
    }

    /// What this node's session with the peer does for the family.
    pub(crate) fn carriage(&self, peer: &str, family: IpFamily) -> Carriage {
        let mut sessions = self
            .reported()
            .into_iter()
            .flat_map(|status| &status.sessions);
        match sessions.find(|session| session.peer == peer && session.state == "Established") {
            None => Carriage::Down,
            Some(session) if session.families.contains(&family) => Carriage::Carried,
            Some(_) => Carriage::NotNegotiated,
        }
    }

    /// Whether this node answers for the address on layer 2.
    pub(crate) fn ownership(&self, address: IpAddr) -> Ownership {
        let Some(status) = self.reported() else {
            return Ownership::NotOwner;
        };
        if status.addresses.contains(&address.to_string()) {
            return Ownership::Owner;
        }
        let owned = status.owned_addresses.unwrap_or_default();
        if usize::try_from(owned).is_ok_and(|owned| owned > status.addresses.len()) {
            Ownership::NotListed
        } else {
            Ownership::NotOwner
        }
    }
}

/// Whether the last a speaker wrote was that it ends.
fn said_goodbye(speaker: &Speaker) -> bool {
    let conditions = speaker.status.as_ref().map(|status| &status.conditions);
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == READY && condition.reason == LEAVING)
}

/// The objects of one node, as they are found.
#[derive(Default)]
struct Seen {
    node: Option<Arc<NodeView>>,
    speaker: Option<Arc<Speaker>>,
}

impl View {
    /// The same, where more is known of the life of speakers than the listing says.
    pub(crate) fn with_lives(listing: &Listing, lives: &BTreeMap<NodeName, Life>) -> Self {
        let mut view = Self::new(listing);
        for (name, life) in lives {
            if let Some(parts) = view.nodes.get_mut(name)
                // Who said goodbye and does not answer has gone.
                && (parts.life != Life::Gone || *life != Life::Unconfirmed)
            {
                parts.life = *life;
            }
        }
        view
    }

    /// How many speakers could not be asked.
    pub(crate) fn unconfirmed(&self) -> usize {
        let lives = self.nodes.values().map(|parts| parts.life);
        lives.filter(|life| *life == Life::Unconfirmed).count()
    }

    pub(crate) fn new(listing: &Listing) -> Self {
        let mut view = Self {
            leader: Leader::Unknown,
            unread: listing.unread.keys().copied().collect(),
            services: Vec::new(),
            pools: Vec::new(),
            peers: Vec::new(),
            nodes: BTreeMap::new(),
        };
        let mut nodes: BTreeMap<NodeName, Seen> = BTreeMap::new();
        for object in &listing.objects {
            match object {
                Object::Service(service) if service.is_load_balancer() => {
                    view.services.push(Arc::clone(service));
                }
                Object::IPAddressPool(pool) => view.pools.push(Arc::clone(pool)),
                Object::BGPPeer(peer) => view.peers.push(Arc::clone(peer)),
                Object::Node(node) => {
                    nodes.entry(node.name.clone()).or_default().node = Some(Arc::clone(node));
                }
                Object::Speaker(speaker) => {
                    let name = speaker.metadata.name.as_deref().unwrap_or_default();
                    // A name that is none was never one of a speaker of ours.
                    if let Ok(name) = name.parse::<NodeName>() {
                        nodes.entry(name).or_default().speaker = Some(Arc::clone(speaker));
                    }
                }
                _ => {}
            }
        }
        for (name, Seen { node, speaker }) in nodes {
            let mut planner = Planner::new(&Settings::new(name.clone()));
            for object in &listing.objects {
                planner.apply(object.clone());
            }
            let _orders_for_nobody = planner.settle();
            let silent = speaker.is_some() && !listing.present.contains(&name);
            let life = if silent || speaker.as_deref().is_some_and(said_goodbye) {
                Life::Gone
            } else {
                Life::AsReported
            };
            view.nodes.insert(
                name,
                NodeParts {
                    node,
                    speaker,
                    life,
                    planner,
                },
            );
        }
        view
    }
}
