//! From what the kernel says to the interfaces that may announce. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use ringbolt_l2::announcer::{DefaultRoute, Interface, Link};
use ringbolt_l2::types::{IfIndex, InterfaceName, MacAddr};

/// A link as netlink shows it, reduced to what matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkRecord {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// `None` unless it is an Ethernet interface with an address.
    pub(crate) mac: Option<MacAddr>,
    pub(crate) link: Link,
    pub(crate) role: Role,
}

/// What an interface is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It stands for itself (a member of a VRF does too).
    Own,
    /// A port of a bridge or bond: frames are that device's.
    Port,
    /// Loopback, or no neighbours are resolved on it.
    NoNeighbours,
}

/// A usable address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressRecord {
    pub(crate) index: u32,
    pub(crate) prefix: IpNet,
}

/// A route with a gateway, or a default route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteRecord {
    pub(crate) index: u32,
    pub(crate) destination: Option<IpNet>,
    pub(crate) family: Family,
    pub(crate) gateway: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

/// Everything at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NodeRecord {
    pub(crate) links: Vec<LinkRecord>,
    pub(crate) addresses: Vec<AddressRecord>,
    pub(crate) routes: Vec<RouteRecord>,
}

/// Names that container networks give to devices of their own. A pod's side of the network is not a segment of ours.
const CONTAINER_NETWORKS: [&str; 15] = [
    "docker",
    "br-",
    "cbr",
    "cni",
    "cali",
    "cilium",
    "flannel",
    "kube-",
    "lxc",
    "lxdbr",
    "nodelocaldns",
    "podman",
    "tunl",
    "virbr",
    "vxlan",
];
/// A veth under its automatic name is the node's end of a pod's cable, unless it carries an address of its own.
const PLAIN_VETH: &str = "veth";
/// Gateways kept per interface: they get directed announcements.
const GATEWAYS_MAX: usize = 8;

/// The interfaces that may announce, by index. `asked_for`: names an advertisement gives, which overrule the name rules.
pub(crate) fn announcing(node: &NodeRecord, asked_for: &BTreeSet<InterfaceName>) -> Vec<Interface> {
    let mut interfaces: Vec<Interface> = node
        .links
        .iter()
        .filter_map(|link| interface(node, link, asked_for))
        .collect();
    interfaces.sort_by_key(|interface| interface.index);
    interfaces
}

fn interface(
    node: &NodeRecord,
    link: &LinkRecord,
    asked_for: &BTreeSet<InterfaceName>,
) -> Option<Interface> {
    if link.role != Role::Own {
        return None;
    }
    let mac = link.mac?;
    let name = InterfaceName::new(&link.name).ok()?;
    let mut addresses: Vec<IpNet> = node
        .addresses
        .iter()
        .filter(|address| address.index == link.index)
        .map(|address| address.prefix)
        .collect();
    addresses.sort_unstable();
    if !asked_for.contains(&name) && belongs_to_containers(&link.name, &addresses) {
        return None;
    }
    let routes: Vec<&RouteRecord> = node
        .routes
        .iter()
        .filter(|route| route.index == link.index)
        .collect();
    let leaves_here = |family| {
        routes.iter().any(|route| {
            route.family == family && route.destination.is_none_or(|to| to.prefix_len() == 0)
        })
    };
    let gateways: BTreeSet<IpAddr> = routes.iter().filter_map(|route| route.gateway).collect();
    Some(Interface {
        index: IfIndex(link.index),
        name,
        mac,
        addresses,
        gateways: gateways.into_iter().take(GATEWAYS_MAX).collect(),
        default_route: DefaultRoute {
            ipv4: leaves_here(Family::Ipv4),
            ipv6: leaves_here(Family::Ipv6),
        },
        link: link.link,
    })
}

fn belongs_to_containers(name: &str, addresses: &[IpNet]) -> bool {
    let has_global = addresses.iter().any(|prefix| match prefix.addr() {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    });
    CONTAINER_NETWORKS
        .iter()
        .any(|start| name.starts_with(start))
        || (name.starts_with(PLAIN_VETH) && !has_global)
}

#[cfg(test)]
mod tests;
