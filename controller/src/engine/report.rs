//! What metrics count, and the writes of the statuses of pools, peers and advertisements.

use std::collections::BTreeMap;

use ringbolt_config::{Kind, ObjectRef, PoolName};

use super::answers::About;
use super::queue::Subject;
use super::service::Step;
use super::{Engine, Moment, Write};
use crate::allocator::Occupancy;
use crate::pool_status::{Due, Findings};

impl Engine {
    pub(super) fn work_on_status(&mut self, object: &ObjectRef, now: Moment) -> Step {
        let problems = self
            .index
            .problems
            .iter()
            .filter(|problem| problem.object == *object);
        let pool = (object.kind == Kind::IPAddressPool)
            .then(|| object.name.parse().ok())
            .flatten();
        let findings = Findings {
            problems: problems.collect(),
            occupancy: pool.and_then(|pool| self.allocator.occupancy(&pool)),
            nodes: self.index.selected_nodes(object),
        };
        match self.statuses.due(object, &findings, now.mono, now.wall) {
            Due::Never => None,
            Due::Later(time) => {
                self.queue.at(time, Subject::Object(object.clone()));
                None
            }
            Due::Finalizer {
                resource_version,
                change,
            } => {
                let object = object.clone();
                let about = About::Finalizer(object.clone(), change);
                let write = Write::PatchFinalizer {
                    object,
                    resource_version,
                    change,
                };
                Some((write, about))
            }
            Due::Patch {
                resource_version,
                status,
                attempt,
            } => {
                let write = Write::PatchStatus {
                    object: object.clone(),
                    resource_version,
                    status,
                };
                Some((write, About::Status(attempt)))
            }
        }
    }

    /// How many Services of ours there are; for pacing the page.
    pub fn services(&self) -> usize {
        self.cases.len()
    }

    /// How full each pool in force is.
    pub fn occupancies(&self) -> impl Iterator<Item = (&PoolName, Occupancy)> {
        let names = self.index.config.pools.keys();
        names.filter_map(|name| Some((name, self.allocator.occupancy(name)?)))
    }

    /// How many Services are refused something, by reason.
    pub fn refusals(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for refusal in self.cases.values().filter_map(|case| case.refusal.as_ref()) {
            *counts.entry(refusal.reason()).or_default() += 1;
        }
        counts
    }
}
