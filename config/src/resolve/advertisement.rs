//! L2Advertisements and BGPAdvertisements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::faults::Faults;
use super::problem::Reason;
use crate::api::bgp_advertisement::AdvertisementSource;
use crate::api::selector::LabelSelector;
use crate::api::{BGPAdvertisement, BGPAdvertisementSpec, L2Advertisement as L2Object};
use crate::model::PoolScope;
use crate::model::bgp::{BgpAdvertisement, BgpAttributes, Origin, PeerScope, ServiceScope};
use crate::model::community::CommunityTable;
use crate::model::l2::{Glob, InterfaceScope, L2Advertisement};
use crate::model::selector::Labels;
use crate::names::{AdvertisementName, Kind, PeerName, PoolName};

/// Seconds between repetitions where none are given.
const REFRESH_S: u32 = 60;

/// What advertisements refer to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Surroundings {
    /// Labels of pools by name, of those in force and those that are not.
    pub(super) pools: BTreeMap<Arc<str>, Labels>,
    /// Labels of peers by name, likewise.
    pub(super) peers: BTreeMap<Arc<str>, Labels>,
    /// Names for communities.
    pub(super) communities: Arc<CommunityTable>,
}

/// An L2Advertisement.
pub(super) fn compile_l2(
    name: &str,
    object: &L2Object,
    around: &Surroundings,
    faults: &mut Faults,
) -> Option<L2Advertisement> {
    let spec = &object.spec;
    let preferred = spec.preferred_node_selectors.iter().flatten().enumerate();
    let preferences = preferred.filter_map(|(index, entry)| {
        let field = format!("spec.preferredNodeSelectors[{index}]");
        let weight = faults.within(&format!("{field}.weight"), entry.weight, 1, 100)?;
        Some((
            weight,
            faults.selector(&format!("{field}.preference"), &entry.preference),
        ))
    });
    let preferences = preferences.collect();
    let names: BTreeSet<Box<str>> = spec
        .interfaces
        .iter()
        .flatten()
        .map(|name| name.as_str().into())
        .collect();
    let patterns: Vec<Glob> = spec
        .interface_patterns
        .iter()
        .flatten()
        .map(|pattern| Glob::new(pattern))
        .collect();
    let interfaces = if names.is_empty() && patterns.is_empty() {
        InterfaceScope::Any
    } else {
        InterfaceScope::Named { names, patterns }
    };
    let refresh = spec.refresh_seconds.unwrap_or(REFRESH_S);
    Some(L2Advertisement {
        name: faults.parse::<AdvertisementName>("metadata.name", name, Reason::InvalidName)?,
        created: object
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0),
        pools: pools(
            faults,
            around,
            spec.ip_address_pools.as_deref(),
            spec.ip_address_pool_selectors.as_ref(),
        ),
        services: faults.selectors("spec.serviceSelectors", spec.service_selectors.as_ref()),
        namespaces: faults.selectors("spec.namespaceSelectors", spec.namespace_selectors.as_ref()),
        nodes: faults.selectors("spec.nodeSelectors", spec.node_selectors.as_ref()),
        interfaces,
        preferences,
        failback: spec.failback.unwrap_or_default(),
        refresh: (refresh != 0).then(|| Duration::from_secs(refresh.into())),
        without_endpoints: spec.without_endpoints.unwrap_or_default(),
    })
}

/// A BGPAdvertisement.
pub(super) fn compile_bgp(
    name: &str,
    object: &BGPAdvertisement,
    around: &Surroundings,
    faults: &mut Faults,
) -> Option<BgpAdvertisement> {
    let spec = &object.spec;
    let attributes = attributes(spec, around, faults);
    let v4 = spec.aggregation_length.unwrap_or(32);
    let v6 = spec.aggregation_length_v6.unwrap_or(128);
    let aggregation_v4 = faults.within("spec.aggregationLength", v4, 1, 32);
    let aggregation_v6 = faults.within("spec.aggregationLengthV6", v6, 1, 128);
    let nodes = faults.selectors("spec.nodeSelectors", spec.node_selectors.as_ref());
    let peers = peers(faults, around, spec);
    let origin = origin(spec, around, faults);
    Some(BgpAdvertisement {
        name: faults.parse::<AdvertisementName>("metadata.name", name, Reason::InvalidName)?,
        created: object
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0),
        origin: origin?,
        nodes,
        peers,
        aggregation_v4: aggregation_v4?,
        aggregation_v6: aggregation_v6?,
        attributes: Arc::new(attributes),
    })
}

fn attributes(
    spec: &BGPAdvertisementSpec,
    around: &Surroundings,
    faults: &mut Faults,
) -> BgpAttributes {
    let mut communities = BTreeSet::new();
    for (index, text) in spec.communities.iter().flatten().enumerate() {
        match around.communities.resolve(text) {
            Ok(community) => {
                communities.insert(community);
            }
            Err(problem) => {
                let field = format!("spec.communities[{index}]");
                faults.add(&field, Reason::InvalidCommunity(problem));
            }
        }
    }
    let prepend = spec.as_path_prepend.unwrap_or(0);
    let next_hop = spec
        .next_hop
        .as_deref()
        .and_then(|text| faults.parse("spec.nextHop", text, |_| Reason::InvalidAddress));
    BgpAttributes {
        local_pref: spec.local_pref,
        med: spec.med,
        as_path_prepend: faults
            .within("spec.asPathPrepend", prepend, 0, 32)
            .unwrap_or(0),
        communities,
        next_hop,
    }
}

fn origin(
    spec: &BGPAdvertisementSpec,
    around: &Surroundings,
    faults: &mut Faults,
) -> Option<Origin> {
    let source = spec.source.unwrap_or_default();
    check_source(spec, source, faults);
    match source {
        AdvertisementSource::LoadBalancer => Some(Origin::LoadBalancer(ServiceScope {
            pools: pools(
                faults,
                around,
                spec.ip_address_pools.as_deref(),
                spec.ip_address_pool_selectors.as_ref(),
            ),
            services: faults.selectors("spec.serviceSelectors", spec.service_selectors.as_ref()),
            namespaces: faults
                .selectors("spec.namespaceSelectors", spec.namespace_selectors.as_ref()),
            without_endpoints: spec.without_endpoints.unwrap_or_default(),
            allow_service_attributes: spec.allow_service_attributes.unwrap_or(false),
        })),
        AdvertisementSource::PodCIDR => Some(Origin::PodCidr),
        AdvertisementSource::Static => {
            let prefixes = prefixes(faults, spec.prefixes.as_deref().unwrap_or_default());
            Some(Origin::Static(prefixes.into()))
        }
        AdvertisementSource::ClusterIP
        | AdvertisementSource::ExternalIP
        | AdvertisementSource::NodeAddress => None,
    }
}

/// What the CEL rules of the CRD say, for sources of objects that do not evaluate them.
fn check_source(spec: &BGPAdvertisementSpec, source: AdvertisementSource, faults: &mut Faults) {
    use AdvertisementSource as Source;
    let (source_name, services) = match source {
        Source::LoadBalancer => ("LoadBalancer", true),
        Source::PodCIDR => ("PodCIDR", false),
        Source::ClusterIP => ("ClusterIP", true),
        Source::ExternalIP => ("ExternalIP", true),
        Source::NodeAddress => ("NodeAddress", false),
        Source::Static => ("Static", false),
    };
    let of_pools = source == Source::LoadBalancer;
    for (field, present, belongs) in [
        (
            "spec.ipAddressPools",
            spec.ip_address_pools.is_some(),
            of_pools,
        ),
        (
            "spec.ipAddressPoolSelectors",
            spec.ip_address_pool_selectors.is_some(),
            of_pools,
        ),
        (
            "spec.serviceSelectors",
            spec.service_selectors.is_some(),
            services,
        ),
        (
            "spec.namespaceSelectors",
            spec.namespace_selectors.is_some(),
            services,
        ),
        (
            "spec.withoutEndpoints",
            spec.without_endpoints.is_some(),
            services,
        ),
        (
            "spec.allowServiceAttributes",
            spec.allow_service_attributes.is_some(),
            services,
        ),
        (
            "spec.linkBandwidth",
            spec.link_bandwidth.is_some(),
            services,
        ),
        (
            "spec.prefixes",
            spec.prefixes.is_some(),
            source == Source::Static,
        ),
        (
            "spec.allowedCIDRs",
            spec.allowed_cidrs.is_some(),
            source == Source::ExternalIP,
        ),
    ] {
        if present && !belongs {
            faults.add(field, Reason::WrongSource { source_name });
        }
    }
    let lacks = |list: Option<&Vec<String>>| list.is_none_or(Vec::is_empty);
    if source == Source::Static && lacks(spec.prefixes.as_ref()) {
        faults.add("spec.prefixes", Reason::Missing);
    }
    if source == Source::ExternalIP && lacks(spec.allowed_cidrs.as_ref()) {
        faults.add("spec.allowedCIDRs", Reason::Missing);
    }
}

fn prefixes(faults: &mut Faults, list: &[String]) -> Vec<IpNet> {
    let mut prefixes = BTreeSet::new();
    for (index, text) in list.iter().enumerate() {
        let field = format!("spec.prefixes[{index}]");
        match faults.parse::<IpNet>(&field, text, |_| Reason::InvalidPrefix) {
            Some(prefix) if prefix.addr() != prefix.network() => {
                faults.add(&field, Reason::InvalidPrefix);
            }
            Some(prefix) if !prefixes.insert(prefix) => faults.add(&field, Reason::Duplicate),
            _ => {}
        }
    }
    prefixes.into_iter().collect()
}

fn pools(
    faults: &mut Faults,
    around: &Surroundings,
    names: Option<&[String]>,
    selectors: Option<&Vec<LabelSelector>>,
) -> PoolScope {
    let selectors = faults.selectors("spec.ipAddressPoolSelectors", selectors);
    let names = names.unwrap_or_default();
    if names.is_empty() && selectors.is_all() {
        return PoolScope::All;
    }
    let labelled = around
        .pools
        .iter()
        .filter(|(_, labels)| selectors.matches_one(labels));
    let mut scope: BTreeSet<PoolName> =
        labelled.filter_map(|(name, _)| name.parse().ok()).collect();
    for (index, text) in names.iter().enumerate() {
        let field = format!("spec.ipAddressPools[{index}]");
        let Some(name) = faults.parse(&field, text, Reason::InvalidName) else {
            continue;
        };
        if !around.pools.contains_key(text.as_str()) {
            let kind = Kind::IPAddressPool;
            faults.add(
                &field,
                Reason::Unknown {
                    kind,
                    name: text.as_str().into(),
                },
            );
        }
        scope.insert(name);
    }
    PoolScope::Only(scope)
}

fn peers(faults: &mut Faults, around: &Surroundings, spec: &BGPAdvertisementSpec) -> PeerScope {
    let selectors = faults.selectors("spec.peerSelectors", spec.peer_selectors.as_ref());
    let names = spec.peers.as_deref().unwrap_or_default();
    if names.is_empty() && selectors.is_all() {
        return PeerScope::All;
    }
    let labelled = around
        .peers
        .iter()
        .filter(|(_, labels)| selectors.matches_one(labels));
    let mut scope: BTreeSet<PeerName> =
        labelled.filter_map(|(name, _)| name.parse().ok()).collect();
    for (index, text) in names.iter().enumerate() {
        let field = format!("spec.peers[{index}]");
        let Some(name) = faults.parse(&field, text, Reason::InvalidName) else {
            continue;
        };
        if !around.peers.contains_key(text.as_str()) {
            let kind = Kind::BGPPeer;
            faults.add(
                &field,
                Reason::Unknown {
                    kind,
                    name: text.as_str().into(),
                },
            );
        }
        scope.insert(name);
    }
    PeerScope::Only(Arc::new(scope))
}
