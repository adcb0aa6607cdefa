//! What a speaker is told when it starts. Everything else comes from objects.

use std::net::SocketAddr;
use std::path::PathBuf;

use ringbolt_config::names::NodeName;
use ringbolt_config::service::Classes;

/// Whether the label `node.kubernetes.io/exclude-from-external-load-balancers` is obeyed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExcludeLabel {
    /// It is (semantics rule 34).
    #[default]
    Obey,
    /// It is not: clusters whose only nodes are control plane nodes.
    Ignore,
}

/// What happens to routes when the process is told to end (contracts 4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnTerm {
    /// It comes back: peers that negotiated graceful restart keep the routes, others are warned first.
    #[default]
    Restart,
    /// The node goes away: all peers are warned, then the routes are withdrawn.
    Leave,
}

/// How a speaker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The node it speaks for: the name of the Node object.
    pub node: NodeName,
    /// Where it listens for BGP while there are peers; `None` for port 179, and only while a peer is passive.
    pub bgp_listen: Option<SocketAddr>,
    /// Keys for layer 2 in place of the Secret's.
    pub key_file: Option<PathBuf>,
    /// Where the counter of this node's lives is kept; without one it is learned from the segment.
    pub state_dir: Option<PathBuf>,
    /// What SIGTERM means for routes.
    pub on_term: OnTerm,
    /// Which Services are ours.
    pub classes: Classes,
    /// Whether the exclusion label is obeyed.
    pub exclude_label: ExcludeLabel,
}

impl Settings {
    /// A speaker for a node with everything else at its default.
    pub fn new(node: NodeName) -> Self {
        Self {
            node,
            bgp_listen: None,
            key_file: None,
            state_dir: None,
            on_term: OnTerm::default(),
            classes: Classes::default(),
            exclude_label: ExcludeLabel::default(),
        }
    }
}
