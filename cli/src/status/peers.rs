//! The table of BGP peers: one row per peer and node.

use ringbolt_config::api::BGPPeer;
use ringbolt_config::api::speaker::SessionStatus;
use serde::Serialize;

use super::view::{Life, NodeParts, View};
use super::{Row, SPEAKER_GONE};

/// One session, or one that should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerRow {
    pub(super) peer: String,
    pub(super) node: String,
    pub(super) address: String,
    pub(super) state: String,
    pub(super) since: Option<String>,
    pub(super) prefixes_out: u32,
    pub(super) prefixes_in: u32,
    pub(super) flaps: u32,
    /// Set while the BGPPeer is refused: the session is of the last version that was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) families: Vec<String>,
}

impl Row for PeerRow {
    const TITLES: &'static [&'static str] = &[
        "PEER",
        "NODE",
        "ADDRESS",
        "STATE",
        "SINCE",
        "OUT",
        "IN",
        "FLAPS",
        "REASON",
        "LAST-ERROR",
        "FAMILIES",
        "MESSAGE",
    ];
    const NARROW: usize = 9;

    fn cells(&self) -> Vec<String> {
        vec![
            self.peer.clone(),
            self.node.clone(),
            self.address.clone(),
            self.state.clone(),
            self.since.clone().unwrap_or_default(),
            self.prefixes_out.to_string(),
            self.prefixes_in.to_string(),
            self.flaps.to_string(),
            self.reason.clone().unwrap_or_default(),
            // A session that is up has got over it; programs find it in the JSON.
            self.last_error
                .clone()
                .filter(|_| self.state != "Established")
                .unwrap_or_default(),
            self.families.join(","),
            self.message.clone().unwrap_or_default(),
        ]
    }
}

pub(super) fn rows(view: &View) -> Vec<PeerRow> {
    let mut rows: Vec<PeerRow> = view
        .nodes
        .iter()
        .flat_map(|(name, parts)| of_node(name.as_str(), parts))
        .collect();
    for peer in &view.peers {
        refused(peer, &mut rows);
    }
    rows.sort_by(|a, b| (&a.peer, &a.node).cmp(&(&b.peer, &b.node)));
    rows
}

/// Tells with every session of a peer that the peer is refused, and with one row where it has none.
fn refused(peer: &BGPPeer, rows: &mut Vec<PeerRow>) {
    let conditions = peer.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    let Some(ready) = ready.find(|condition| condition.status == "False") else {
        return;
    };
    let name = peer.metadata.name.as_deref().unwrap_or_default();
    if !rows.iter().any(|row| row.peer == name) {
        rows.push(PeerRow {
            peer: name.to_owned(),
            state: "Refused".to_owned(),
            ..PeerRow::default()
        });
    }
    for row in rows.iter_mut().filter(|row| row.peer == name) {
        row.reason = Some(ready.reason.clone());
        row.message = Some(ready.message.clone());
    }
}

/// The sessions a node's speaker reports, and those its peers call for and it does not report.
fn of_node(node: &str, parts: &NodeParts) -> Vec<PeerRow> {
    let status = parts.last_report();
    let reported: &[SessionStatus] = status.map_or(&[], |status| &status.sessions);
    let mut rows: Vec<PeerRow> = reported
        .iter()
        .map(|session| match parts.life {
            Life::AsReported | Life::Unconfirmed => row(node, session),
            Life::Gone => gone(node, session),
        })
        .collect();
    for peer in parts.planner.peers().keys() {
        let name = peer.name().to_string();
        if !rows.iter().any(|row| row.peer == name) {
            rows.push(PeerRow {
                peer: name,
                node: node.to_owned(),
                state: "NotReported".to_owned(),
                ..PeerRow::default()
            });
        }
    }
    rows
}

/// What is known of a session whose speaker does not run.
fn gone(node: &str, session: &SessionStatus) -> PeerRow {
    PeerRow {
        state: SPEAKER_GONE.to_owned(),
        since: None,
        prefixes_out: 0,
        prefixes_in: 0,
        families: Vec::new(),
        ..row(node, session)
    }
}

fn row(node: &str, session: &SessionStatus) -> PeerRow {
    PeerRow {
        peer: session.peer.clone(),
        node: node.to_owned(),
        address: session.address.clone().unwrap_or_default(),
        state: session.state.clone(),
        since: session.since.map(|since| since.to_string()),
        prefixes_out: session.prefixes_out,
        prefixes_in: session.prefixes_in,
        flaps: session.flaps,
        reason: None,
        message: None,
        last_error: session.last_error.as_ref().map(|error| error.text.clone()),
        families: session
            .families
            .iter()
            .map(|family| format!("{family:?}"))
            .collect(),
    }
}
