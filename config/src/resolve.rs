//! From a [`Snapshot`] to a [`Config`], or to every problem that stands in the way.
//!
//! Resolving is total and pure: any snapshot gives an answer, the same one each time. A problem
//! names object, field and reason. [`LastGood`] adds memory: an object with a problem is replaced
//! by its last good version, or left out if it never had one, and all others go on.

mod advertisement;
mod community;
mod duration;
mod faults;
mod memory;
mod peer;
mod pool;
mod problem;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api;
use crate::model::Config;
use crate::model::bgp::{BgpAdvertisement, Peer};
use crate::model::l2::L2Advertisement;
use crate::model::pool::Pool;
use crate::names::{Kind, PoolName};
use crate::snapshot::{ByName, Snapshot};

use faults::Faults;
use memory::{Memory, Surroundings};

pub use problem::{Effect, Problem, Reason};

/// Resolves a snapshot as a whole: the configuration, or all problems, if one of them refuses an
/// object. Notices ([`Effect::Notice`]) alone do not stand in the way; [`LastGood`] returns them.
pub fn resolve(snapshot: &Snapshot) -> Result<Config, Vec<Problem>> {
    let (config, problems) = LastGood::default().update(snapshot);
    if problems
        .iter()
        .any(|problem| problem.reason.effect() == Effect::Refused)
    {
        return Err(problems);
    }
    Ok(config)
}

/// Resolves successive snapshots and remembers what was last in force.
#[derive(Debug, Default)]
pub struct LastGood {
    pools: Memory<api::IPAddressPool, Pool>,
    communities: Memory<api::Community, community::Aliases>,
    peers: Memory<api::BGPPeer, Peer>,
    l2: Memory<api::L2Advertisement, L2Advertisement>,
    bgp: Memory<api::BGPAdvertisement, BgpAdvertisement>,
    around: advertisement::Surroundings,
    config: Config,
}

impl LastGood {
    /// Resolves a snapshot. Parts that did not change keep their `Arc`. Problems come in the order
    /// of the kinds, and within a kind by name.
    pub fn update(&mut self, snapshot: &Snapshot) -> (Config, Vec<Problem>) {
        let mut problems = Vec::new();
        self.update_pools(snapshot, &mut problems);
        self.update_communities(snapshot, &mut problems);
        self.update_peers(snapshot, &mut problems);
        self.update_advertisements(snapshot, &mut problems);
        for (name, object) in &snapshot.bfd_profiles {
            problems.extend(Faults::of_spec(Kind::BFDProfile, name, &object.spec).problems);
        }
        for (name, object) in &snapshot.route_imports {
            problems.extend(Faults::of_spec(Kind::RouteImport, name, &object.spec).problems);
        }
        (self.config.clone(), problems)
    }

    /// What the last update put in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn update_pools(&mut self, snapshot: &Snapshot, problems: &mut Vec<Problem>) {
        let objects: ByName<api::IPAddressPool> = snapshot
            .pools
            .iter()
            .filter(|(_, object)| !pool::is_gone(object))
            .map(|(name, object)| (name.clone(), object.clone()))
            .collect();
        self.pools
            .update(&objects, Surroundings::Same, problems, |name, object| {
                let mut faults = Faults::of_spec(pool::KIND, name, &object.spec);
                (pool::compile(name, object, &mut faults), faults)
            });
        let last = |name: &str| {
            let name: PoolName = name.parse().ok()?;
            self.config.pools.get(&name).cloned()
        };
        let candidates = self.pools.attempts();
        let candidates = candidates.map(|(name, wanted)| pool::Candidate {
            wanted: wanted.cloned(),
            last: last(name),
        });
        let in_force = pool::settle(candidates.collect(), problems);
        pool::node_overlaps(&in_force, snapshot, problems);
        self.config.pools = in_force;
    }

    fn update_communities(&mut self, snapshot: &Snapshot, problems: &mut Vec<Problem>) {
        let objects = &snapshot.communities;
        self.communities
            .update(objects, Surroundings::Same, problems, |name, object| {
                let mut faults = Faults::of_spec(Kind::Community, name, &object.spec);
                (community::compile(object, &mut faults), faults)
            });
        let aliases = self
            .communities
            .good()
            .map(|(name, aliases)| (&**name, &**aliases));
        let table = community::unite(snapshot, aliases, problems);
        if *self.config.communities != table {
            self.config.communities = Arc::new(table);
        }
    }

    fn update_peers(&mut self, snapshot: &Snapshot, problems: &mut Vec<Problem>) {
        for (name, object) in &snapshot.templates {
            let mut faults = Faults::of_spec(Kind::BGPPeerTemplate, name, &object.spec);
            peer::check(&object.spec.fields, &mut faults);
            problems.extend(faults.problems);
        }
        // Peers are few, and rest on Secrets and templates: all of them are read each time.
        let changed = Surroundings::Changed;
        self.peers
            .update(&snapshot.peers, changed, problems, |name, object| {
                let mut faults = Faults::of_spec(Kind::BGPPeer, name, &object.spec);
                (peer::compile(name, object, snapshot, &mut faults), faults)
            });
        self.config.peers = self
            .peers
            .good()
            .map(|(_, peer)| (peer.name.clone(), peer.clone()))
            .collect();
    }

    fn update_advertisements(&mut self, snapshot: &Snapshot, problems: &mut Vec<Problem>) {
        let around = advertisement::Surroundings {
            pools: labels(&snapshot.pools, |object| object.metadata.labels.as_ref()),
            peers: labels(&snapshot.peers, |object| object.metadata.labels.as_ref()),
            communities: self.config.communities.clone(),
        };
        let same = if around == self.around {
            Surroundings::Same
        } else {
            Surroundings::Changed
        };
        self.around = around;
        let around = &self.around;
        self.l2.update(
            &snapshot.l2_advertisements,
            same,
            problems,
            |name, object| {
                let mut faults = Faults::of_spec(Kind::L2Advertisement, name, &object.spec);
                (
                    advertisement::compile_l2(name, object, around, &mut faults),
                    faults,
                )
            },
        );
        self.bgp.update(
            &snapshot.bgp_advertisements,
            same,
            problems,
            |name, object| {
                let mut faults = Faults::of_spec(Kind::BGPAdvertisement, name, &object.spec);
                (
                    advertisement::compile_bgp(name, object, around, &mut faults),
                    faults,
                )
            },
        );
        self.config.l2_advertisements = self
            .l2
            .good()
            .map(|(_, adv)| (adv.name.clone(), adv.clone()))
            .collect();
        self.config.bgp_advertisements = self
            .bgp
            .good()
            .map(|(_, adv)| (adv.name.clone(), adv.clone()))
            .collect();
    }
}

type Labels = BTreeMap<String, String>;

fn labels<T>(
    objects: &ByName<T>,
    of: impl Fn(&T) -> Option<&Labels>,
) -> BTreeMap<Arc<str>, Labels> {
    let entry = |(name, object): (&Arc<str>, &Arc<T>)| {
        (name.clone(), of(object).cloned().unwrap_or_default())
    };
    objects.iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
