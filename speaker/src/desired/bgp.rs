//! Which routes a Service or a node's own advertisement asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringbolt_bgp::policy::RouteAttributes;
use ringbolt_bgp::types::Prefix;
use ringbolt_config::model::{BgpAdvertisement, CommunityTable, ServiceScope};
use ringbolt_config::names::{AdvertisementName, PoolName};
use ringbolt_config::service::ServiceAttributes;

use super::attributes::add_community;
use super::eligibility::Coverage;
use super::local::{Prefixes, ServiceRoutes};
use super::{LocalConfig, Remark, RouteVerdict, Scene, Selection, Withheld};
use crate::diff::{Via, Wanted};

/// The routes of one Service while its addresses are looked at: an aggregate that two of them share is one.
#[derive(Default)]
pub(super) struct Routes(BTreeMap<Arc<Via>, BTreeSet<Prefix>>);

impl Routes {
    pub(super) fn into_wanted(self) -> Vec<Wanted> {
        let wanted = self.0.into_iter();
        wanted
            .map(|(via, prefixes)| Wanted {
                via,
                prefixes: prefixes.into_iter().collect(),
            })
            .collect()
    }
}

impl Scene<'_> {
    /// Adds the routes that cover the address, and tells which of this node's peers they are for.
    pub(super) fn routes(
        self,
        pool: &PoolName,
        routes: &mut Routes,
        remarks: &mut BTreeSet<Remark>,
    ) -> Result<Vec<RouteVerdict>, Withheld> {
        // The furthest that any advertisement got is the reason if none gets through.
        let mut refusal = Withheld::NoAdvertisement;
        let mut covering = Vec::new();
        for way in self.local.service_routes() {
            match self.way(pool, way) {
                Ok(()) => {}
                Err(withheld) => {
                    refusal = refusal.max(withheld);
                    continue;
                }
            }
            let via = with_service_attributes(way, self, remarks);
            let prefix = self.prefix(&way.advertisement);
            routes.0.entry(via).or_default().insert(prefix);
            if way.peers.is_empty() {
                refusal = refusal.max(Withheld::NoPeer);
                continue;
            }
            covering.push(RouteVerdict {
                prefix,
                advertisement: way.advertisement.name.clone(),
                peers: BTreeSet::clone(&way.peers),
            });
        }
        if covering.is_empty() {
            Err(refusal)
        } else {
            Ok(covering)
        }
    }

    fn way(self, pool: &PoolName, way: &ServiceRoutes) -> Result<(), Withheld> {
        let ServiceScope {
            pools,
            services,
            namespaces,
            without_endpoints,
            ..
        } = &way.scope;
        if !self.covered(
            pool,
            &Coverage {
                pools,
                services,
                namespaces,
            },
        ) {
            return Err(Withheld::NoAdvertisement);
        }
        match way.selection {
            Selection::Here => self.endpoints_allow(*without_endpoints),
            Selection::Elsewhere => Err(Withheld::NodeNotSelected),
            Selection::NodeUnknown => Err(Withheld::NodeUnknown),
        }
    }

    fn prefix(self, advertisement: &BgpAdvertisement) -> Prefix {
        let host = Prefix::from(self.address);
        let length = match host {
            Prefix::V4(_) => advertisement.aggregation_v4,
            Prefix::V6(_) => advertisement.aggregation_v6,
        };
        Prefix::new(self.address, length.min(host.max_prefix_len()))
            .unwrap_or(host)
            .trunc()
    }
}

/// The advertisement's way to announce, with what the Service asks for where the advertisement allows it.
fn with_service_attributes(
    way: &ServiceRoutes,
    scene: Scene<'_>,
    remarks: &mut BTreeSet<Remark>,
) -> Arc<Via> {
    let asked = &scene.service.attributes;
    if *asked == ServiceAttributes::default() {
        return Arc::clone(&way.via);
    }
    if !way.scope.allow_service_attributes {
        let advertisement = way.advertisement.name.clone();
        remarks.insert(Remark::AttributesNotAllowed { advertisement });
        return Arc::clone(&way.via);
    }
    let ServiceAttributes {
        local_pref,
        med,
        as_path_prepend,
        communities,
    } = asked;
    let mut attributes = RouteAttributes::clone(&way.via.attributes);
    attributes.local_pref = local_pref.or(attributes.local_pref);
    attributes.med = med.or(attributes.med);
    attributes.prepend = as_path_prepend.unwrap_or(attributes.prepend);
    let table: &CommunityTable = &scene.local.config().communities;
    for text in communities {
        match table.resolve(text) {
            Ok(community) => add_community(&mut attributes, community),
            Err(_) => {
                remarks.insert(Remark::UnknownCommunity { text: text.clone() });
            }
        }
    }
    Via::new(
        way.via.advertisement.clone(),
        attributes,
        way.via.peers.clone(),
    )
}

/// The routes of an advertisement whose prefixes belong to the node.
pub(super) fn standing(
    local: &LocalConfig,
    name: &AdvertisementName,
) -> Result<Vec<Wanted>, Withheld> {
    let routes = local
        .standing_routes(name)
        .ok_or(Withheld::NoAdvertisement)?;
    match routes.selection {
        Selection::Here => {}
        Selection::Elsewhere => return Err(Withheld::NodeNotSelected),
        Selection::NodeUnknown => return Err(Withheld::NodeUnknown),
    }
    let prefixes = match &routes.prefixes {
        Prefixes::Listed(prefixes) | Prefixes::OfNode(Some(prefixes)) => Arc::clone(prefixes),
        Prefixes::OfNode(None) => return Err(Withheld::NodeUnknown),
    };
    if prefixes.is_empty() {
        return Err(Withheld::NoPodNetworks);
    }
    Ok(vec![Wanted {
        via: Arc::clone(&routes.via),
        prefixes,
    }])
}
