//! From configured attributes to those the Router is given. The only place where the two vocabularies meet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ringbolt_bgp::policy::{NextHops, PeerSet, RouteAttributes, RouteClass};
use ringbolt_bgp::types::PeerName;
use ringbolt_bgp::wire::{Community, LargeCommunity};
use ringbolt_config::model::{self, BgpAttributes, PeerScope};

/// The attributes of an advertisement's routes.
pub(super) fn route_attributes(configured: &BgpAttributes, class: RouteClass) -> RouteAttributes {
    let BgpAttributes {
        local_pref,
        med,
        as_path_prepend,
        communities,
        next_hop,
    } = configured;
    let mut attributes = RouteAttributes {
        class,
        local_pref: *local_pref,
        med: *med,
        prepend: *as_path_prepend,
        next_hop: next_hop.map(next_hops).unwrap_or_default(),
        ..RouteAttributes::default()
    };
    for community in communities {
        add_community(&mut attributes, *community);
    }
    attributes
}

/// Adds one community of whichever kind.
pub(super) fn add_community(attributes: &mut RouteAttributes, community: model::Community) {
    match community {
        model::Community::Standard(value) => {
            attributes.communities.insert(Community(value));
        }
        model::Community::Large(global, local_1, local_2) => {
            attributes.large_communities.insert(LargeCommunity {
                global,
                local_1,
                local_2,
            });
        }
    }
}

fn next_hops(address: IpAddr) -> NextHops {
    match address {
        IpAddr::V4(ipv4) => NextHops {
            ipv4: Some(ipv4),
            ..NextHops::default()
        },
        IpAddr::V6(ipv6) => NextHops {
            ipv6: Some(ipv6),
            ..NextHops::default()
        },
    }
}

/// Whom an advertisement is for.
pub(super) fn peer_set(scope: &PeerScope) -> PeerSet {
    match scope {
        PeerScope::All => PeerSet::All,
        PeerScope::Only(names) => {
            let names: BTreeSet<_> = names
                .iter()
                .map(|name| PeerName::new(name.as_str()))
                .collect();
            PeerSet::Only(names.into())
        }
    }
}
