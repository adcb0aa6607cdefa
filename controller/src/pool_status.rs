//! The status of pools, peers and advertisements: counts and conditions, written on change only.
//!
//! The controller is the only writer of these (contracts 6). What it wrote last is remembered until
//! the watch tells of it; an object is written at most once a second. A pool that is to be kept while
//! it is in use carries a finalizer (contracts 1.11), which is changed here too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ringbolt_cluster::{Change, FinalizerChange, WriteError};
use ringbolt_config::api::condition::{Condition, ConditionKind, ConditionStatus, set_condition};
use ringbolt_config::api::pool::{FINALIZER, OnRemoval};
use ringbolt_config::api::{
    BGPPeerStatus, ConfigStatus, IPAddressPool, IPAddressPoolStatus, L2AdvertisementStatus,
};
use ringbolt_config::resolve::{Effect, Reason};
use ringbolt_config::{Kind, Object, ObjectRef, Problem, ResourceVersion};
use serde_json::Value;

use crate::allocator::{Fill, Occupancy};

/// Least time between two writes to one object.
const SPACING: Duration = Duration::from_secs(1);

/// What is known of an object besides its configuration.
#[derive(Debug)]
struct Described {
    version: ResourceVersion,
    generation: Option<i64>,
    status: Value,
    written: Option<Instant>,
    keeping: Keeping,
}

/// What a pool says about its end.
#[derive(Debug, Clone, Copy, Default)]
struct Keeping {
    on_removal: OnRemoval,
    deleted: bool,
    /// Our finalizer is on it.
    held: bool,
}

impl Keeping {
    fn of(pool: &IPAddressPool) -> Self {
        let mut finalizers = pool.metadata.finalizers.iter().flatten();
        Self {
            on_removal: pool.spec.on_removal.unwrap_or_default(),
            deleted: pool.metadata.deletion_timestamp.is_some(),
            held: finalizers.any(|name| name == FINALIZER),
        }
    }

    /// What the finalizer must become, if that differs. A deleted object can get none any more.
    fn due(self, occupancy: Option<&Occupancy>) -> Option<FinalizerChange> {
        let in_use = held_of(occupancy) > 0;
        let wanted = self.on_removal == OnRemoval::Keep && (in_use || !self.deleted);
        match (self.held, wanted) {
            (false, true) if !self.deleted => Some(FinalizerChange::Add),
            (true, false) => Some(FinalizerChange::Remove),
            _ => None,
        }
    }
}

/// How many addresses of a pool are held.
fn held_of(occupancy: Option<&Occupancy>) -> u64 {
    occupancy.map_or(0, |of| of.ipv4.assigned.saturating_add(of.ipv6.assigned))
}

/// A write that was begun.
#[derive(Debug)]
pub(crate) struct Attempt {
    object: ObjectRef,
    status: Value,
}

/// What the status of an object should say.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    /// What the resolver says of it.
    pub(crate) problems: Vec<&'a Problem>,
    /// How full it is, if it is a pool in force.
    pub(crate) occupancy: Option<Occupancy>,
    /// How many nodes it selects, if it is a layer 2 advertisement or a peer in force.
    pub(crate) nodes: Option<u32>,
}

/// A status that is due.
#[derive(Debug)]
pub(crate) enum Due {
    /// Write this.
    Patch {
        resource_version: ResourceVersion,
        status: Value,
        attempt: Attempt,
    },
    /// Change our finalizer on this pool.
    Finalizer {
        resource_version: ResourceVersion,
        change: FinalizerChange,
    },
    /// Look again at this time.
    Later(Instant),
    /// It says what it should.
    Never,
}

/// Statuses as they are known to be.
#[derive(Debug, Default)]
pub(crate) struct Statuses {
    objects: BTreeMap<ObjectRef, Described>,
}

macro_rules! described {
    ($object:expr) => {{
        let object = $object;
        let version = object
            .metadata
            .resource_version
            .as_deref()
            .and_then(|v| v.parse().ok());
        Described {
            version: version.unwrap_or_else(ResourceVersion::unassigned),
            generation: object.metadata.generation,
            status: serde_json::to_value(&object.status).unwrap_or_default(),
            written: None,
            keeping: Keeping::default(),
        }
    }};
}

fn describe(object: &Object) -> Option<Described> {
    Some(match object {
        Object::IPAddressPool(object) => Described {
            keeping: Keeping::of(object),
            ..described!(object)
        },
        Object::L2Advertisement(object) => described!(object),
        Object::BGPAdvertisement(object) => described!(object),
        Object::BGPPeer(object) => described!(object),
        Object::BGPPeerTemplate(object) => described!(object),
        Object::BFDProfile(object) => described!(object),
        Object::Community(object) => described!(object),
        Object::RouteImport(object) => described!(object),
        Object::Node(_)
        | Object::Namespace(_)
        | Object::Secret(_)
        | Object::Service(_)
        | Object::EndpointSlice(_)
        | Object::IPAllocation(_)
        | Object::Speaker(_) => return None,
    })
}

impl Statuses {
    /// Takes in what a change says of an object's status.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Apply(object) => {
                if let Some(mut described) = describe(object) {
                    let target = object.object_ref();
                    described.written = self.objects.get(&target).and_then(|d| d.written);
                    self.objects.insert(target, described);
                }
            }
            Change::Delete(object) => {
                self.objects.remove(object);
            }
            Change::Synced(_) | Change::Restored(_) => {}
        }
    }

    /// All objects that have a status to be written.
    pub(crate) fn objects(&self) -> Vec<ObjectRef> {
        self.objects.keys().cloned().collect()
    }

    /// Whether there is such an object.
    pub(crate) fn knows(&self, object: &ObjectRef) -> bool {
        self.objects.contains_key(object)
    }

    /// What is to be done about an object's status.
    pub(crate) fn due(
        &self,
        object: &ObjectRef,
        findings: &Findings<'_>,
        mono: Instant,
        wall: Timestamp,
    ) -> Due {
        let Some(described) = self.objects.get(object) else {
            return Due::Never;
        };
        let change = described.keeping.due(findings.occupancy.as_ref());
        let status = wanted(object.kind, described, findings, wall);
        if change.is_none() && covers(&described.status, &status) {
            return Due::Never;
        }
        if let Some(next) = described
            .written
            .map(|time| time + SPACING)
            .filter(|t| *t > mono)
        {
            return Due::Later(next);
        }
        if let Some(change) = change {
            return Due::Finalizer {
                resource_version: described.version.clone(),
                change,
            };
        }
        Due::Patch {
            resource_version: described.version.clone(),
            attempt: Attempt {
                object: object.clone(),
                status: status.clone(),
            },
            status,
        }
    }

    /// A change of a finalizer was answered. A conflict is no failure, as for a status.
    pub(crate) fn finalizer_answered(
        &mut self,
        pool: &ObjectRef,
        change: FinalizerChange,
        result: Result<Option<ResourceVersion>, WriteError>,
        now: Instant,
    ) -> Result<(), WriteError> {
        let Some(described) = self.objects.get_mut(pool) else {
            return Ok(());
        };
        described.written = Some(now);
        match result {
            Ok(Some(version)) => {
                described.version = version;
                described.keeping.held = change == FinalizerChange::Add;
                Ok(())
            }
            Ok(None) => {
                self.objects.remove(pool);
                Ok(())
            }
            Err(WriteError::Conflict { .. } | WriteError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A write was answered. A conflict is no failure: the watch is about to tell of the change.
    pub(crate) fn answered(
        &mut self,
        attempt: Attempt,
        result: &Result<ResourceVersion, WriteError>,
        now: Instant,
    ) -> Result<(), WriteError> {
        let Some(described) = self.objects.get_mut(&attempt.object) else {
            return Ok(());
        };
        described.written = Some(now);
        match result {
            Ok(version) => {
                described.version = version.clone();
                merge(&mut described.status, attempt.status);
                Ok(())
            }
            Err(WriteError::Conflict { .. } | WriteError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.clone()),
        }
    }
}

/// Whether merging `wanted` into `present` would change nothing.
fn covers(present: &Value, wanted: &Value) -> bool {
    match (present, wanted) {
        (Value::Object(present), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| present.get(key).is_some_and(|p| covers(p, value))),
        _ => present == wanted,
    }
}

fn merge(present: &mut Value, patch: Value) {
    match (present, patch) {
        (Value::Object(present), Value::Object(patch)) => present.extend(patch),
        (present, patch) => *present = patch,
    }
}

fn wanted(kind: Kind, described: &Described, findings: &Findings<'_>, now: Timestamp) -> Value {
    let conditions = described
        .status
        .get("conditions")
        .cloned()
        .unwrap_or_default();
    let mut conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap_or_default();
    let generation = described.generation;
    let mut set = |kind: ConditionKind, verdict: Verdict| {
        let Verdict {
            status,
            reason,
            message,
        } = verdict;
        set_condition(
            &mut conditions,
            kind.as_str(),
            status,
            reason,
            &message,
            generation,
            now,
        );
    };
    set(ConditionKind::Ready, ready(described.keeping, findings));
    if kind == Kind::L2Advertisement {
        let status = L2AdvertisementStatus {
            observed_generation: generation,
            expected_speakers: findings.nodes,
            conditions,
        };
        return serde_json::to_value(status).unwrap_or_default();
    }
    if kind == Kind::BGPPeer {
        let status = BGPPeerStatus {
            observed_generation: generation,
            nodes_selected: findings.nodes,
            conditions,
        };
        return serde_json::to_value(status).unwrap_or_default();
    }
    let Some(occupancy) = findings.occupancy.filter(|_| kind == Kind::IPAddressPool) else {
        if kind == Kind::IPAddressPool {
            set(ConditionKind::Conflicting, conflicting(findings));
        }
        let status = ConfigStatus {
            observed_generation: generation,
            conditions,
        };
        return serde_json::to_value(status).unwrap_or_default();
    };
    set(ConditionKind::Conflicting, conflicting(findings));
    set(ConditionKind::Exhausted, exhausted(&occupancy));
    let Occupancy { ipv4, ipv6, .. } = occupancy;
    let status = IPAddressPoolStatus {
        observed_generation: generation,
        capacity_ipv4: Some(saturated(ipv4.capacity)),
        capacity_ipv6: Some(saturated(ipv6.capacity)),
        assigned_ipv4: Some(saturated(ipv4.assigned.into())),
        assigned_ipv6: Some(saturated(ipv6.assigned.into())),
        available_ipv4: Some(saturated(ipv4.available)),
        available_ipv6: Some(saturated(ipv6.available)),
        conditions,
    };
    serde_json::to_value(status).unwrap_or_default()
}

fn saturated(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

struct Verdict {
    status: ConditionStatus,
    reason: &'static str,
    message: String,
}

impl Verdict {
    fn new(status: ConditionStatus, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }
}

fn ready(keeping: Keeping, findings: &Findings<'_>) -> Verdict {
    let refused = findings
        .problems
        .iter()
        .filter(|p| p.reason.effect() == Effect::Refused);
    let refused: Vec<_> = refused.collect();
    let Some(first) = refused.first() else {
        return in_force(keeping, held_of(findings.occupancy.as_ref()));
    };
    let list = refused.iter().map(|p| format!("{}: {}", p.field, p.reason));
    let message = list.collect::<Vec<_>>().join("; ");
    Verdict::new(ConditionStatus::False, first.reason.reason(), message)
}

/// A pool that is to go serves those who hold its addresses until then, and says for how many it waits.
fn in_force(keeping: Keeping, held: u64) -> Verdict {
    let waits = keeping.on_removal == OnRemoval::Keep && keeping.deleted && held > 0;
    if !waits {
        return Verdict::new(ConditionStatus::True, "InForce", "");
    }
    let addresses = if held == 1 { "address" } else { "addresses" };
    let message = format!(
        "deleted; gives nothing new and waits for the Services that hold {held} {addresses} of it"
    );
    Verdict::new(ConditionStatus::True, "Deleting", message)
}

fn conflicting(findings: &Findings<'_>) -> Verdict {
    let overlap = |p: &&&Problem| {
        matches!(
            p.reason,
            Reason::PoolOverlap { .. } | Reason::NodeOverlap { .. }
        )
    };
    if let Some(problem) = findings.problems.iter().find(overlap) {
        let message = format!("{}: {}", problem.field, problem.reason);
        return Verdict::new(ConditionStatus::True, problem.reason.reason(), message);
    }
    match findings.occupancy.and_then(|occupancy| occupancy.conflict) {
        Some((address, why)) => {
            let message = format!("{address} is never handed out: {why}");
            Verdict::new(ConditionStatus::True, "AddressInUse", message)
        }
        None => Verdict::new(ConditionStatus::False, "NoConflict", ""),
    }
}

fn exhausted(occupancy: &Occupancy) -> Verdict {
    let empty = |fill: &Fill| fill.capacity > 0 && fill.available == 0;
    let families = [("IPv4", &occupancy.ipv4), ("IPv6", &occupancy.ipv6)];
    let families: Vec<&str> = families
        .iter()
        .filter(|(_, fill)| empty(fill))
        .map(|(name, _)| *name)
        .collect();
    if families.is_empty() {
        return Verdict::new(ConditionStatus::False, "AddressesFree", "");
    }
    let message = format!("no free {} address", families.join(" and no free "));
    Verdict::new(ConditionStatus::True, "NoFreeAddress", message)
}
