//! What the status page says: every Service, pool, problem and failure, as JSON.
//!
//! Its parts are written as they are found. With thousands of Services a tree of values for them would be larger than
//! everything the engine itself remembers.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use ringbolt_config::service::Field;
use ringbolt_config::{PoolName, ServiceKey, ServiceView};
use serde::ser::{Serialize, Serializer};

use super::Engine;
use crate::allocator::Fill;
use crate::reconcile::Ownership;

/// Everything a person or `ringbolt status` may want to know; serialised, it is the status page.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'a> {
    ready: bool,
    pools: Vec<Pool<'a>>,
    services: Services<'a>,
    waiting: Vec<Text<&'a ServiceKey>>,
    problems: Vec<Problem<'a>>,
    misnamed_claims: &'a BTreeSet<Arc<str>>,
    write_errors: Vec<WriteFailure<'a>>,
    writes: u64,
}

impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").finish_non_exhaustive()
    }
}

#[derive(serde::Serialize)]
struct Pool<'a> {
    name: &'a PoolName,
    ipv4: Space,
    ipv6: Space,
    conflict: Option<String>,
}

/// Addresses of a pool. Counts that no reader of JSON can hold are shown as the largest they can.
#[derive(serde::Serialize)]
struct Space {
    capacity: i64,
    assigned: u64,
    available: i64,
}

impl Space {
    fn of(fill: Fill) -> Self {
        let number = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
        Self {
            capacity: number(fill.capacity),
            assigned: fill.assigned,
            available: number(fill.available),
        }
    }
}

#[derive(serde::Serialize)]
struct Problem<'a> {
    object: String,
    field: &'a str,
    reason: &'static str,
    message: String,
}

#[derive(serde::Serialize)]
struct WriteFailure<'a> {
    time: Timestamp,
    message: Text<&'a ringbolt_cluster::WriteError>,
}

/// All Services of ours, one after the other.
struct Services<'a>(&'a Engine);

#[derive(serde::Serialize)]
struct Service<'a> {
    service: Text<&'a ServiceKey>,
    addresses: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleting: Option<bool>,
    #[serde(flatten)]
    refused: Option<Refused<'a>>,
}

#[derive(serde::Serialize)]
struct Refused<'a> {
    reason: &'static str,
    field: Option<Text<Field>>,
    message: Text<&'a crate::refusal::Refusal>,
}

impl Serialize for Services<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(engine) = *self;
        let ours = engine.index.services.iter().filter(|(_, view)| {
            Ownership::of(&engine.settings, view).is_ours()
                || engine.allocator.held_by(&view.uid).next().is_some()
        });
        serializer.collect_seq(ours.map(|(key, view)| engine.service_on_page(key, view)))
    }
}

/// What is shown as it is printed.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Engine {
    /// See [`Report`].
    pub fn report(&self) -> Report<'_> {
        Report {
            ready: self.is_ready(),
            pools: self.report_pools(),
            services: Services(self),
            waiting: self.report_waiting(),
            problems: self.report_problems(),
            misnamed_claims: &self.index.misnamed,
            write_errors: self.report_failures(),
            writes: self.counts.changes,
        }
    }

    fn report_pools(&self) -> Vec<Pool<'_>> {
        let pool = |(name, _)| {
            let occupancy = self.allocator.occupancy(name)?;
            let conflict = occupancy.conflict;
            Some(Pool {
                name,
                ipv4: Space::of(occupancy.ipv4),
                ipv6: Space::of(occupancy.ipv6),
                conflict: conflict.map(|(address, why)| format!("{address}: {why}")),
            })
        };
        self.index.config.pools.iter().filter_map(pool).collect()
    }

    fn report_problems(&self) -> Vec<Problem<'_>> {
        let problems = self.index.problems.iter();
        let shown = problems.map(|problem| Problem {
            object: problem.object.to_string(),
            field: &problem.field,
            reason: problem.reason.reason(),
            message: problem.reason.to_string(),
        });
        shown.collect()
    }

    fn report_failures(&self) -> Vec<WriteFailure<'_>> {
        let shown = self.failures.iter().map(|failure| WriteFailure {
            time: failure.time,
            message: Text(&failure.error),
        });
        shown.collect()
    }

    fn service_on_page<'a>(&'a self, key: &'a ServiceKey, view: &'a ServiceView) -> Service<'a> {
        let case = self.cases.get(key);
        let refusal = case.and_then(|case| case.refusal.as_ref());
        Service {
            service: Text(key),
            addresses: view.addresses().collect(),
            pool: view.allocated_from.as_deref(),
            deleting: view.deleting.then_some(true),
            refused: refusal.map(|refusal| Refused {
                reason: refusal.reason(),
                field: refusal.field(&view.spelling).map(Text),
                message: Text(refusal),
            }),
        }
    }

    /// Who waits for an address, in the order in which they will get one.
    fn report_waiting(&self) -> Vec<Text<&ServiceKey>> {
        let has_none = |key: &&ServiceKey| {
            self.index
                .services
                .get(key)
                .is_some_and(|view| self.allocator.held_by(&view.uid).next().is_none())
        };
        let mut keys: Vec<_> = self.lines.everybody().filter(has_none).collect();
        let created = |key: &&ServiceKey| self.index.services.get(key).map(|view| view.created);
        keys.sort_by_key(created);
        keys.into_iter().map(Text).collect()
    }
}
