//! Why an address or a route is not announced from this node: a closed enum whose `reason()` is the word used by
//! `/status`, conditions, metrics, `explain` and tests alike.
//!
//! It knows neither how the decision was reached ([`compute`](super::compute)) nor who shows it.

use std::fmt;

use ringbolt_config::names::ServiceKey;

/// Why this node does not announce an address on one channel (BGP or layer 2).
///
/// Ordered by what explains more: of the refusals of several advertisements, or of BGP and layer 2, people are told
/// the greatest. That is the one that got furthest; and what holds the whole node back comes after all that concerns
/// one channel, which may be one that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// The Service carries a deletion mark (contracts: the signal to let go of its addresses).
    Deleting,
    /// The address lies in no pool of the configuration in force, so nobody who can merely write a status can
    /// make us announce it.
    OutsidePools,
    /// An older Service holds the same address and shares no sharing key with this one.
    DuplicateAddress {
        /// The Service the address is announced for.
        holder: ServiceKey,
    },
    /// No advertisement of this channel selects the address's pool, Service and namespace.
    NoAdvertisement,
    /// Advertisements select the Service, but none of them selects this node.
    NodeNotSelected,
    /// An advertisement has node selectors, and this node has no Node object to hold against them.
    NodeUnknown,
    /// No endpoint of the address's family can be used on any node.
    NoEndpoints,
    /// `externalTrafficPolicy: Local` and this node runs no usable endpoint of the address's family.
    NoLocalEndpoint,
    /// `externalTrafficPolicy: Local`, only terminating endpoints are left here, and another node has a ready one.
    OnlyTerminatingHere,
    /// Advertisements select the Service and this node, but no BGP peer of this node.
    NoPeer,
    /// The node has no pod networks: neither `spec.podCIDRs` nor the annotation.
    NoPodNetworks,
    /// Namespace and name of the Service together are longer than layer 2 frames carry.
    NameTooLong,
    /// The Node object is being deleted.
    NodeDeleting,
    /// The node carries `node.kubernetes.io/exclude-from-external-load-balancers`.
    NodeExcluded,
    /// The node's `NetworkUnavailable` condition is true.
    NodeNetworkUnavailable,
    /// The node is drained (annotation or mark) and its Service routes have been taken back.
    NodeDrained,
}

impl Withheld {
    /// The closed set of words programs may match on.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Deleting => "Deleting",
            Self::OutsidePools => "OutsidePools",
            Self::DuplicateAddress { .. } => "DuplicateAddress",
            Self::NodeUnknown => "NodeUnknown",
            Self::NodeDeleting => "NodeDeleting",
            Self::NodeExcluded => "NodeExcluded",
            Self::NodeNetworkUnavailable => "NodeNetworkUnavailable",
            Self::NodeDrained => "NodeDrained",
            Self::NoAdvertisement => "NoAdvertisement",
            Self::NodeNotSelected => "NodeNotSelected",
            Self::NoEndpoints => "NoEndpoints",
            Self::NoLocalEndpoint => "NoLocalEndpoint",
            Self::OnlyTerminatingHere => "OnlyTerminatingHere",
            Self::NoPeer => "NoPeer",
            Self::NoPodNetworks => "NoPodNetworks",
            Self::NameTooLong => "NameTooLong",
        }
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleting => out.write_str("the Service is being deleted"),
            Self::OutsidePools => out.write_str("no pool in force contains the address"),
            Self::DuplicateAddress { holder } => {
                write!(out, "the older Service {holder} holds this address without a common sharing key")
            }
            Self::NodeUnknown => out.write_str("there is no Node object for this node"),
            Self::NodeDeleting => out.write_str("the Node object is being deleted"),
            Self::NodeExcluded => {
                out.write_str("the node carries the label node.kubernetes.io/exclude-from-external-load-balancers")
            }
            Self::NodeNetworkUnavailable => out.write_str("the node's condition NetworkUnavailable is true"),
            Self::NodeDrained => out.write_str("the node is drained"),
            Self::NoAdvertisement => out.write_str("no advertisement selects this Service and pool"),
            Self::NodeNotSelected => out.write_str("no advertisement of this Service selects this node"),
            Self::NoEndpoints => out.write_str("the Service has no usable endpoint of this family"),
            Self::NoLocalEndpoint => {
                out.write_str("externalTrafficPolicy is Local and no usable endpoint of this family runs here")
            }
            Self::OnlyTerminatingHere => {
                out.write_str("only terminating endpoints are left here and another node has a ready one")
            }
            Self::NoPeer => out.write_str("no BGP peer of this node is selected"),
            Self::NoPodNetworks => out.write_str("the node has no pod networks"),
            Self::NameTooLong => out.write_str("the Service's full name is longer than 253 bytes"),
        }
    }
}
