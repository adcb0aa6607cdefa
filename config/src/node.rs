//! `NodeView`: what is read of a Node. Heartbeats and images do not enter it, so two views are
//! equal when nothing that matters changed. Who may announce is decided by the speaker.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;

use crate::names::{NodeName, Uid};

/// Annotation: comma list of pod networks, instead of `spec.podCIDRs`.
pub const POD_CIDRS: &str = "ringbolt.io/pod-cidrs";
/// Annotation: the node is being emptied.
pub const DRAIN: &str = "ringbolt.io/drain";
/// Label by which a node is left out of load balancing (rule 34).
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// Taint by which the cluster autoscaler announces a deletion (rule 35).
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

/// What an address of a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeAddressKind {
    /// Within the cluster.
    Internal,
    /// From outside.
    External,
}

/// What about a Node could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeProblem {
    /// An entry of the annotation is not a CIDR; the whole annotation is not used.
    #[error("annotation {POD_CIDRS}: {text:?} is not a CIDR")]
    PodCidrAnnotation {
        /// The entry.
        text: Box<str>,
    },
    /// An entry of `spec.podCIDRs` is not a CIDR.
    #[error("spec.podCIDRs: {text:?} is not a CIDR")]
    PodCidr {
        /// The entry.
        text: Box<str>,
    },
}

impl NodeProblem {
    /// Reason for conditions, events and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::PodCidrAnnotation { .. } | Self::PodCidr { .. } => "InvalidPodCIDR",
        }
    }
}

/// A Node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Its name.
    pub name: NodeName,
    /// Its UID, where the source has one.
    pub uid: Option<Uid>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its addresses, in the order of the object.
    pub addresses: Vec<(NodeAddressKind, IpAddr)>,
    /// Pod networks: the annotation if there is a readable one, else `spec.podCIDRs`.
    pub pod_cidrs: Vec<IpNet>,
    /// Being emptied by `ringbolt drain`.
    pub draining: bool,
    /// Left out of load balancing by label; `false` as value includes, all else excludes.
    pub excluded: bool,
    /// The network of the node is said not to work.
    pub network_unavailable: bool,
    /// The kubelet says the node is ready; absent counts as ready.
    pub ready: bool,
    /// Going away: deletion mark or the autoscaler's taint.
    pub leaving: bool,
    /// What could not be read.
    pub problems: Vec<NodeProblem>,
}

impl NodeView {
    /// Reads a Node of a checked name.
    pub fn new(name: NodeName, object: Node) -> Self {
        let annotations = object.metadata.annotations.unwrap_or_default();
        let labels = object.metadata.labels.unwrap_or_default();
        let spec = object.spec.unwrap_or_default();
        let status = object.status.unwrap_or_default();
        let mut problems = Vec::new();
        let pod_cidrs = annotations
            .get(POD_CIDRS)
            .and_then(|list| annotated_cidrs(list, &mut problems))
            .unwrap_or_else(|| {
                let listed = spec.pod_cidrs.unwrap_or_default();
                let listed = if listed.is_empty() {
                    Vec::from_iter(spec.pod_cidr)
                } else {
                    listed
                };
                spec_cidrs(&listed, &mut problems)
            });
        let condition = |kind: &str| {
            let all = status.conditions.iter().flatten();
            all.filter(|c| c.type_ == kind)
                .map(|c| c.status == "True")
                .next_back()
        };
        let tainted = spec
            .taints
            .iter()
            .flatten()
            .any(|taint| taint.key == TO_BE_DELETED);
        Self {
            uid: object.metadata.uid.and_then(|uid| uid.parse().ok()),
            draining: annotations.get(DRAIN).is_some_and(|value| value == "true"),
            excluded: labels.get(EXCLUDE).is_some_and(|value| value != "false"),
            network_unavailable: condition("NetworkUnavailable").unwrap_or(false),
            ready: condition("Ready").unwrap_or(true),
            leaving: tainted || object.metadata.deletion_timestamp.is_some(),
            addresses: status
                .addresses
                .iter()
                .flatten()
                .filter_map(|a| Some((address_kind(&a.type_)?, a.address.parse().ok()?)))
                .collect(),
            name,
            labels,
            pod_cidrs,
            problems,
        }
    }

    /// The node's address of a family for use within the cluster.
    pub fn internal_address(&self, like: IpAddr) -> Option<IpAddr> {
        self.addresses
            .iter()
            .find(|(kind, ip)| *kind == NodeAddressKind::Internal && ip.is_ipv4() == like.is_ipv4())
            .map(|(_, ip)| *ip)
    }
}

fn address_kind(text: &str) -> Option<NodeAddressKind> {
    match text {
        "InternalIP" => Some(NodeAddressKind::Internal),
        "ExternalIP" => Some(NodeAddressKind::External),
        _ => None,
    }
}

/// Half of a list would make half of the pods unreachable in silence: all of it or none.
fn annotated_cidrs(list: &str, problems: &mut Vec<NodeProblem>) -> Option<Vec<IpNet>> {
    let mut cidrs = Vec::new();
    for text in list
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        match text.parse::<IpNet>() {
            Ok(net) => cidrs.push(net.trunc()),
            Err(_) => {
                problems.push(NodeProblem::PodCidrAnnotation { text: text.into() });
                return None;
            }
        }
    }
    Some(cidrs)
}

fn spec_cidrs(list: &[String], problems: &mut Vec<NodeProblem>) -> Vec<IpNet> {
    let mut cidrs = Vec::new();
    for text in list {
        match text.parse::<IpNet>() {
            Ok(net) => cidrs.push(net.trunc()),
            Err(_) => problems.push(NodeProblem::PodCidr {
                text: text.as_str().into(),
            }),
        }
    }
    cidrs
}

#[cfg(test)]
mod tests;
