//! The table of nodes: what each speaker says of itself.

use ringbolt_config::api::speaker::SpeakerStatus;
use serde::Serialize;

use super::view::{Life, NodeParts, View};
use super::{Row, SPEAKER_GONE};

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeRow {
    pub(super) node: String,
    /// Established sessions and all of them.
    pub(super) peers: String,
    /// Addresses it answers for on layer 2.
    pub(super) addresses: Option<u32>,
    /// Prefixes it announces over BGP.
    pub(super) routes: Option<u32>,
    pub(super) ready: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) pod_networks: Vec<String>,
    pub(super) interfaces: Vec<String>,
}

impl Row for NodeRow {
    const TITLES: &'static [&'static str] = &[
        "NODE",
        "PEERS",
        "ADDRESSES",
        "ROUTES",
        "READY",
        "REASON",
        "PODS",
        "INTERFACES",
        "MESSAGE",
    ];
    const NARROW: usize = 6;

    fn cells(&self) -> Vec<String> {
        let number =
            |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        vec![
            self.node.clone(),
            self.peers.clone(),
            number(self.addresses),
            number(self.routes),
            self.ready.clone(),
            self.reason.clone().unwrap_or_default(),
            self.pod_networks.join(","),
            self.interfaces.join(","),
            self.message.clone().unwrap_or_default(),
        ]
    }
}

pub(super) fn rows(view: &View) -> Vec<NodeRow> {
    view.nodes
        .iter()
        .map(|(name, parts)| row(name.as_str(), parts))
        .collect()
}

fn row(name: &str, parts: &NodeParts) -> NodeRow {
    let pod_networks = parts
        .node
        .iter()
        .flat_map(|node| &node.pod_cidrs)
        .map(ToString::to_string)
        .collect();
    let mut row = NodeRow {
        node: name.to_owned(),
        pod_networks,
        ..NodeRow::default()
    };
    let Some(status) = parts.reported() else {
        let (reason, message) = match parts.life {
            Life::AsReported | Life::Unconfirmed => {
                ("NoSpeaker", "no speaker of this node has reported")
            }
            Life::Gone => (SPEAKER_GONE, "the speaker of this node does not run"),
        };
        row.ready = "Unknown".to_owned();
        row.reason = Some(reason.to_owned());
        row.message = Some(message.to_owned());
        return row;
    };
    row.peers = status.peers.clone().unwrap_or_default();
    row.addresses = status.owned_addresses;
    row.routes = status.routes_announced;
    row.interfaces = status
        .interfaces
        .iter()
        .map(|interface| interface.name.clone())
        .collect();
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready");
    row.ready = ready.map_or_else(
        || "Unknown".to_owned(),
        |condition| condition.status.clone(),
    );
    // Every condition of a Speaker is good when true. What is not comes first, readiness before all.
    let told = ready
        .filter(|condition| condition.status != "True")
        .or_else(|| {
            status
                .conditions
                .iter()
                .find(|condition| condition.status == "False")
        });
    row.reason = told.map(|condition| condition.reason.clone());
    row.message = told.map(|condition| condition.message.clone());
    if row.reason.is_none() && parts.life == Life::Unconfirmed {
        row.reason = Some("Unconfirmed".to_owned());
        row.message = Some(last_written(status));
    }
    row
}

/// Since when nothing has been heard of a speaker that cannot be asked.
fn last_written(status: &SpeakerStatus) -> String {
    let time = status.updated_at.map(|time| format!(" at {time:.0}"));
    format!(
        "as its speaker wrote it last{}; it could not be asked from here",
        time.unwrap_or_default()
    )
}
