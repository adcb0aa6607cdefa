//! From a configured peer to the Router's, in one function, and who this speaker is towards its peers.
//!
//! It decides nothing about sessions: whether a change needs a new one is the Router's to know.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU8;

use ringbolt_bgp::session::{GracefulRestart, Hops, Mode, PeerConfig, RemoteAsn};
use ringbolt_bgp::types::{Asn, Family, FamilySet, HoldTime, PeerId, Peering, RouterId, Secret};
use ringbolt_config::model::bgp::Distance;
use ringbolt_config::model::{self, IpFamily, Peer};
use ringbolt_config::names::PeerName;
use ringbolt_config::node::NodeView;
use thiserror::Error;

use crate::desired::LocalConfig;

#[cfg(test)]
mod tests;

/// Why a configured peer cannot be handed to the Router. The resolver lets none of these through; they are
/// told apart from a panic because configuration comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeerProblem {
    /// The hold time is neither zero nor 3 s to 65,535 s.
    #[error("holdTime is neither 0 nor between 3 s and 65,535 s")]
    HoldTime,
    /// TTL security over no hop.
    #[error("ttlSecurityHops is zero")]
    NoHops,
}

/// The peers of this node as the Router takes them; those it cannot take are left out and named.
pub fn peer_configs(
    local: &LocalConfig,
) -> (BTreeMap<PeerId, PeerConfig>, Vec<(PeerName, PeerProblem)>) {
    let mut configs = BTreeMap::new();
    let mut problems = Vec::new();
    for peer in local.node_peers() {
        match peer_config(peer) {
            Ok(config) => {
                configs.insert(config.id.clone(), config);
            }
            Err(problem) => problems.push((peer.name.clone(), problem)),
        }
    }
    (configs, problems)
}

/// A configured peer as the Router takes it.
pub fn peer_config(peer: &Peer) -> Result<PeerConfig, PeerProblem> {
    let Peer {
        name,
        my_asn: _,
        local_asn: _,
        remote_asn,
        address,
        port,
        source,
        router_id,
        hold_time,
        keepalive_time,
        connect_time,
        password,
        distance,
        passive,
        families,
        nodes: _,
        graceful_restart,
        max_prefixes,
        drain_wait,
    } = peer;
    let hold_time = u16::try_from(hold_time.as_secs()).map_err(|_| PeerProblem::HoldTime)?;
    Ok(PeerConfig {
        id: PeerId::new(name.as_str()),
        description: None,
        local_asn: Some(Asn(peer.shown_asn())),
        // Zero is no identifier; the resolver refuses it.
        router_id: router_id.and_then(|id| RouterId::new(id.to_bits())),
        remote_asn: match remote_asn {
            model::RemoteAsn::Exact(asn) => RemoteAsn::Exactly(Asn(*asn)),
            model::RemoteAsn::Internal => RemoteAsn::Any(Peering::Internal),
            model::RemoteAsn::External => RemoteAsn::Any(Peering::External),
        },
        address: *address,
        port: *port,
        source: *source,
        mode: if *passive {
            Mode::Passive
        } else {
            Mode::Active
        },
        hold_time: HoldTime::from_secs(hold_time).map_err(|_| PeerProblem::HoldTime)?,
        keepalive: Some(*keepalive_time).filter(|interval| !interval.is_zero()),
        connect_retry: *connect_time,
        password: password
            .as_ref()
            .map(|password| Secret::new(password.expose().into())),
        families: families
            .iter()
            .map(|family| router_family(*family))
            .collect::<FamilySet>(),
        hops: match distance {
            Distance::Usual => Hops::Default,
            Distance::MultiHop => Hops::Multihop,
            Distance::TtlSecurity { hops } => {
                Hops::Security(NonZeroU8::new(*hops).ok_or(PeerProblem::NoHops)?)
            }
        },
        graceful_restart: graceful_restart.map(|offer| GracefulRestart {
            restart_time_s: offer.restart_time_s,
        }),
        max_prefixes_in: *max_prefixes,
        drain_wait: *drain_wait,
    })
}

fn router_family(family: IpFamily) -> Family {
    match family {
        IpFamily::IPv4 => Family::Ipv4Unicast,
        IpFamily::IPv6 => Family::Ipv6Unicast,
    }
}

/// Who this speaker is towards peers that ask for nothing else (`routerID`, `localASN`). It is the same after a
/// restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The BGP identifier.
    pub router_id: RouterId,
    /// The AS number of peers that do not name another.
    pub asn: Asn,
}

impl Identity {
    /// The identifier is the node's internal IPv4 address; else one made from the node's name, so that it outlives a
    /// restart.
    pub fn new(local: &LocalConfig, node: Option<&NodeView>, node_name: &str) -> Self {
        let address =
            node.and_then(|node| node.internal_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let chosen = match address {
            Some(IpAddr::V4(address)) => RouterId::new(address.to_bits()),
            Some(IpAddr::V6(_)) | None => None,
        };
        Self {
            router_id: chosen.unwrap_or_else(|| from_name(node_name)),
            asn: Asn(local.node_peers().next().map_or(0, |peer| peer.my_asn)),
        }
    }
}

/// FNV-1a over the name, kept out of the ranges that are addresses of somebody: 240.0.0.0/4.
fn from_name(name: &str) -> RouterId {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    RouterId::new(0xf000_0000 | hash).expect("its top bits are set")
}
