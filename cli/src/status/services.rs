//! The table of Services: one row per address, or one row that says why there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringbolt_config::ServiceView;
use ringbolt_config::api::bgp_peer::IpFamily;
use ringbolt_config::api::condition::Condition;
use ringbolt_config::service::{Classes, DEFAULT_CLASS};
use ringbolt_controller::ALLOCATED;
use ringbolt_speaker::desired::{self, BgpVerdict, L2Verdict, Verdicts};
use serde::Serialize;

use super::view::{Carriage, Life, NodeParts, Ownership, View};
use super::{Row, SPEAKER_GONE};

/// One address of one Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceRow {
    pub(super) namespace: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pool: Option<String>,
    /// Peers over which it is announced, by node; sessions that are up only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) bgp: BTreeMap<String, BTreeSet<String>>,
    /// The node that answers for it on layer 2.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) layer2: Vec<String>,
    /// Set when nobody announces it, it has no address, or not the one it asks for: the reason, one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Per node, why it does not announce the address.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) withheld: BTreeMap<String, String>,
}

impl Row for ServiceRow {
    const TITLES: &'static [&'static str] = &[
        "NAMESPACE",
        "NAME",
        "ADDRESS",
        "POOL",
        "BGP",
        "LAYER2",
        "REASON",
        "MESSAGE",
        "WITHHELD",
    ];
    const NARROW: usize = 7;

    fn cells(&self) -> Vec<String> {
        let bgp: Vec<String> = self
            .bgp
            .iter()
            .map(|(node, peers)| {
                format!(
                    "{node}({})",
                    peers.iter().cloned().collect::<Vec<_>>().join(",")
                )
            })
            .collect();
        let withheld: Vec<String> = self
            .withheld
            .iter()
            .map(|(node, reason)| format!("{node}:{reason}"))
            .collect();
        vec![
            self.namespace.clone(),
            self.name.clone(),
            self.address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            self.pool.clone().unwrap_or_default(),
            bgp.join(" "),
            self.layer2.join(" "),
            self.reason.clone().unwrap_or_default(),
            self.message.clone().unwrap_or_default(),
            withheld.join(" "),
        ]
    }
}

/// All rows, in the order of namespace, name and status.
pub(super) fn rows(view: &View) -> Vec<ServiceRow> {
    view.services
        .iter()
        .flat_map(|service| {
            let addresses: Vec<IpAddr> = service.addresses().collect();
            if addresses.is_empty() {
                vec![pending(service)]
            } else {
                addresses
                    .into_iter()
                    .map(|address| announced(view, service, address))
                    .collect()
            }
        })
        .collect()
}

fn empty(service: &ServiceView) -> ServiceRow {
    ServiceRow {
        namespace: service.key.namespace().to_string(),
        name: service.key.name().to_string(),
        address: None,
        pool: None,
        bgp: BTreeMap::new(),
        layer2: Vec::new(),
        reason: None,
        message: None,
        withheld: BTreeMap::new(),
    }
}

/// What the controller could not do for the Service.
fn unmet(service: &ServiceView) -> Option<&Condition> {
    let condition = service.condition(ALLOCATED);
    condition.filter(|condition| condition.status == "False")
}

/// A Service without an address: the controller's condition says why.
fn pending(service: &ServiceView) -> ServiceRow {
    let (reason, message) = match unmet(service) {
        Some(condition) => (condition.reason.clone(), Some(condition.message.clone())),
        None if !Classes::default().include(service) => {
            let class = service.class.as_deref().unwrap_or_default();
            (
                "ForeignClass".to_owned(),
                Some(format!(
                    "class {class} is not {DEFAULT_CLASS}: left to others, unless a controller is started with it"
                )),
            )
        }
        None => (
            "NotSeen".to_owned(),
            Some(
                "no controller has looked at this Service, or those there are leave its class to others"
                    .to_owned(),
            ),
        ),
    };
    ServiceRow {
        reason: Some(reason),
        message,
        ..empty(service)
    }
}

/// An address and what becomes of it on every node.
fn announced(view: &View, service: &ServiceView, address: IpAddr) -> ServiceRow {
    let mut row = ServiceRow {
        address: Some(address),
        ..empty(service)
    };
    let mut unannounced = BTreeMap::new();
    for (name, parts) in &view.nodes {
        let wanted = desired::compute(parts.planner.index(), parts.planner.local(), &service.key);
        let Some(verdicts) = wanted.addresses.get(&address) else {
            unannounced.insert(
                name.to_string(),
                Why::new("NotOurs", "the Service is of another class"),
            );
            continue;
        };
        if let Some(pool) = &verdicts.pool {
            row.pool = Some(pool.to_string());
        }
        let sessions = Sessions::of(parts, verdicts, family_of(address));
        let ownership = parts.ownership(address);
        if ownership == Ownership::Owner {
            row.layer2.push(name.to_string());
        } else if sessions.carried.is_empty() {
            unannounced.insert(
                name.to_string(),
                why_not(parts, verdicts, &sessions, ownership),
            );
        }
        if !sessions.carried.is_empty() {
            row.bgp.insert(name.to_string(), sessions.carried);
        }
    }
    row.withheld = unannounced
        .iter()
        .map(|(node, why)| (node.clone(), why.reason.clone()))
        .collect();
    if row.bgp.is_empty() && row.layer2.is_empty() {
        let why = if view.unread.is_empty() {
            summary(unannounced.into_values())
        } else {
            let unread: Vec<_> = view.unread.iter().map(|kind| kind.plural()).collect();
            Why::new(
                "NotShown",
                format!("no reason can be told without {}", unread.join(", ")),
            )
        };
        row.reason = Some(why.reason);
        row.message = Some(why.message);
    } else if let Some(condition) = unmet(service) {
        // The address is announced, and another one is asked for that cannot be had.
        row.reason = Some(condition.reason.clone());
        row.message = Some(condition.message.clone());
    }
    row
}

pub(super) fn family_of(address: IpAddr) -> IpFamily {
    if address.is_ipv4() {
        IpFamily::IPv4
    } else {
        IpFamily::IPv6
    }
}

/// The peers that a node means an address for, by what their sessions do for its family.
pub(super) struct Sessions {
    family: IpFamily,
    pub(super) carried: BTreeSet<String>,
    not_negotiated: BTreeSet<String>,
}

impl Sessions {
    pub(super) fn of(parts: &NodeParts, verdicts: &Verdicts, family: IpFamily) -> Self {
        let mut sessions = Self {
            family,
            carried: BTreeSet::new(),
            not_negotiated: BTreeSet::new(),
        };
        let BgpVerdict::Announced(routes) = &verdicts.bgp else {
            return sessions;
        };
        for peer in routes
            .iter()
            .flat_map(|route| &route.peers)
            .map(ToString::to_string)
        {
            match parts.carriage(&peer, family) {
                Carriage::Carried => sessions.carried.insert(peer),
                Carriage::NotNegotiated => sessions.not_negotiated.insert(peer),
                Carriage::Down => false,
            };
        }
        sessions
    }
}

/// One word for programs, one sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Why {
    reason: String,
    message: String,
}

impl Why {
    fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// Why a node does not announce the address although it may, or the reason for which it may not. Of
/// two reasons the one of the channel that got further is told.
fn why_not(
    parts: &NodeParts,
    verdicts: &Verdicts,
    sessions: &Sessions,
    ownership: Ownership,
) -> Why {
    match (&verdicts.bgp, &verdicts.l2) {
        (BgpVerdict::Announced(_), _) | (_, L2Verdict::Claimable(_))
            if parts.life == Life::Gone =>
        {
            Why::new(SPEAKER_GONE, "the speaker of the node does not run")
        }
        (BgpVerdict::Announced(_), _) if !sessions.not_negotiated.is_empty() => {
            let peers = sessions
                .not_negotiated
                .iter()
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            let message = format!("established without family {:?}: {peers}", sessions.family);
            Why::new("FamilyNotNegotiated", message)
        }
        (BgpVerdict::Announced(_), _) => Why::new(
            "SessionDown",
            "no BGP session it is meant for is established",
        ),
        (BgpVerdict::Withheld(_), L2Verdict::Claimable(_)) if ownership == Ownership::NotListed => {
            Why::new(
                "OwnerNotListed",
                "the node answers for more addresses than its Speaker object lists",
            )
        }
        (BgpVerdict::Withheld(_), L2Verdict::Claimable(_)) => {
            Why::new("NotOwner", "another node answers for it, or none yet")
        }
        (BgpVerdict::Withheld(bgp), L2Verdict::Withheld(l2)) => {
            let withheld = bgp.max(l2);
            Why::new(withheld.reason(), withheld.to_string())
        }
    }
}

/// One reason for all nodes: the only one, or the most frequent.
fn summary(reasons: impl Iterator<Item = Why>) -> Why {
    let mut counts: BTreeMap<Why, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or_else(
            || Why::new("NoNodes", "there is no Node object and no speaker"),
            |(why, _)| why,
        )
}
