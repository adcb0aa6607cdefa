//! What the status page says, and the writes of the statuses of pools, peers and advertisements.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringbolt_config::{Kind, ObjectRef, PoolName, ServiceKey, ServiceView};
use serde_json::{Value, json};

use super::answers::About;
use super::queue::Subject;
use super::service::Step;
use super::{Engine, Moment, Write};
use crate::allocator::{Fill, Occupancy};
use crate::pool_status::{Due, Findings};
use crate::reconcile::Ownership;

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

    /// Everything a person or `ringbolt status` may want to know, as JSON.
    pub fn report(&self) -> Value {
        json!({
            "ready": self.is_ready(),
            "pools": self.report_pools(),
            "services": self.report_services(),
            "waiting": self.report_waiting(),
            "problems": self.index.problems.iter().map(|problem| json!({
                "object": problem.object.to_string(),
                "field": problem.field,
                "reason": problem.reason.reason(),
                "message": problem.reason.to_string(),
            })).collect::<Vec<_>>(),
            "misnamedClaims": self.index.misnamed,
            "writeErrors": self.failures.iter().map(|failure| json!({
                "time": failure.time,
                "message": failure.error.to_string(),
            })).collect::<Vec<_>>(),
            "writes": self.counts.changes,
        })
    }

    fn report_pools(&self) -> Vec<Value> {
        let pool = |name| {
            let occupancy = self.allocator.occupancy(name)?;
            let fill = |fill: Fill| {
                let number = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
                json!({
                    "capacity": number(fill.capacity),
                    "assigned": fill.assigned,
                    "available": number(fill.available),
                })
            };
            Some(json!({
                "name": name,
                "ipv4": fill(occupancy.ipv4),
                "ipv6": fill(occupancy.ipv6),
                "conflict": occupancy.conflict.map(|(address, why)| format!("{address}: {why}")),
            }))
        };
        self.index.config.pools.keys().filter_map(pool).collect()
    }

    fn report_services(&self) -> Vec<Value> {
        let services = self.index.services.iter();
        let ours = services.filter(|(_, view)| {
            Ownership::of(&self.settings, view).is_ours()
                || self.allocator.held_by(&view.uid).next().is_some()
        });
        let service = |(key, view): (&ServiceKey, &Arc<ServiceView>)| {
            let addresses: Vec<String> = view.addresses().map(|a| a.to_string()).collect();
            let mut entry = json!({ "service": key.to_string(), "addresses": addresses });
            if let Some(pool) = &view.allocated_from {
                entry["pool"] = json!(pool);
            }
            if view.deleting {
                entry["deleting"] = json!(true);
            }
            if let Some(refusal) = self.cases.get(key).and_then(|case| case.refusal.as_ref()) {
                entry["reason"] = json!(refusal.reason());
                entry["field"] = json!(refusal.field());
                entry["message"] = json!(refusal.to_string());
            }
            entry
        };
        ours.map(service).collect()
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

    /// Who waits for an address, in the order in which they will get one.
    fn report_waiting(&self) -> Vec<String> {
        let has_none = |key: &&ServiceKey| {
            self.index
                .services
                .get(key)
                .is_some_and(|view| self.allocator.held_by(&view.uid).next().is_none())
        };
        let mut keys: Vec<_> = self.lines.everybody().filter(has_none).collect();
        let created = |key: &&ServiceKey| self.index.services.get(key).map(|view| view.created);
        keys.sort_by_key(created);
        keys.into_iter().map(ToString::to_string).collect()
    }
}
