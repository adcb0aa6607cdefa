//! IPAddressPools: each by itself, then all of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::faults::Faults;
use super::problem::{Problem, Reason};
use crate::api::IPAddressPool;
use crate::api::pool::OnRemoval;
use crate::api::pool::PoolLimit;
use crate::model::pool::{Admission, LAST_PRIORITY, Limit, Pool, ServiceFilter};
use crate::model::range::{AddressRange, Span};
use crate::names::{Kind, NamespaceName, ObjectRef, PoolName};
use crate::node::NodeView;
use crate::snapshot::Snapshot;

/// A pool by itself.
pub(super) fn compile(name: &str, object: &IPAddressPool, faults: &mut Faults) -> Option<Pool> {
    let spec = &object.spec;
    let name: PoolName = faults.parse("metadata.name", name, Reason::InvalidName)?;
    let ranges = ranges(faults, "spec.addresses", &spec.addresses);
    if spec.addresses.is_empty() {
        faults.add("spec.addresses", Reason::Missing);
    }
    self_overlap(faults, &ranges);
    let excludes = spec.exclude_addresses.as_deref().unwrap_or_default();
    let excludes = self::ranges(faults, "spec.excludeAddresses", excludes);
    let allocation = spec.service_allocation.clone().unwrap_or_default();
    let filter = ServiceFilter {
        namespaces: namespaces(
            faults,
            "spec.serviceAllocation.namespaces",
            allocation.namespaces.as_deref(),
        ),
        namespace_selectors: faults.selectors(
            "spec.serviceAllocation.namespaceSelectors",
            allocation.namespace_selectors.as_ref(),
        ),
        service_selectors: faults.selectors(
            "spec.serviceAllocation.serviceSelectors",
            allocation.service_selectors.as_ref(),
        ),
    };
    let limits = spec
        .limits
        .as_deref()
        .unwrap_or_default()
        .iter()
        .enumerate();
    let limits = limits
        .map(|(index, entry)| limit(faults, index, entry))
        .collect();
    let on_removal = spec.on_removal.unwrap_or_default();
    let admission = match (&object.metadata.deletion_timestamp, on_removal, spec.paused) {
        (Some(_), OnRemoval::Keep, _) => Admission::Closing,
        (_, _, Some(true)) => Admission::Paused,
        _ => Admission::Open,
    };
    Some(Pool {
        name,
        labels: object.metadata.labels.clone().unwrap_or_default(),
        created: object
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0),
        ranges: ranges.into_iter().map(|(_, range)| range).collect(),
        excludes: excludes.into_iter().map(|(_, range)| range.span).collect(),
        auto_assign: spec.auto_assign.unwrap_or(true),
        avoid_buggy_ips: spec.avoid_buggy_ips.unwrap_or(false),
        avoid_edge_addresses: spec.avoid_edge_addresses.unwrap_or(false),
        allocation: filter,
        priority: allocation
            .priority
            .filter(|p| *p != 0)
            .unwrap_or(LAST_PRIORITY),
        admission,
        limits,
        sharing: spec.sharing.unwrap_or_default(),
        on_removal,
        reuse_delay: Duration::from_secs(spec.reuse_delay_seconds.unwrap_or(0).into()),
    })
}

/// Ranges that parse, with their place in the list.
fn ranges(faults: &mut Faults, field: &str, list: &[String]) -> Vec<(usize, AddressRange)> {
    let mut ranges = Vec::new();
    for (index, text) in list.iter().enumerate() {
        let path = format!("{field}[{index}]");
        ranges.extend(
            faults
                .parse(&path, text, Reason::InvalidRange)
                .map(|range| (index, range)),
        );
    }
    ranges
}

fn first(span: Span) -> (bool, u128) {
    match span {
        Span::V4 { first, .. } => (false, first.into()),
        Span::V6 { first, .. } => (true, first),
    }
}

/// In order of their beginnings, a range that overlaps any earlier one overlaps the one of them
/// that reaches furthest.
fn self_overlap(faults: &mut Faults, ranges: &[(usize, AddressRange)]) {
    let mut sorted: Vec<_> = ranges
        .iter()
        .map(|(index, range)| (range.span, *index))
        .collect();
    sorted.sort_by_key(|(span, index)| (first(*span), *index));
    let mut reaching: Option<Span> = None;
    for (span, index) in sorted {
        match reaching {
            Some(other) if other.overlaps(span) => {
                let field = format!("spec.addresses[{index}]");
                faults.add(&field, Reason::SelfOverlap { other });
                if span.ends().1 > other.ends().1 {
                    reaching = Some(span);
                }
            }
            _ => reaching = Some(span),
        }
    }
}

fn namespaces(
    faults: &mut Faults,
    field: &str,
    list: Option<&[String]>,
) -> BTreeSet<NamespaceName> {
    let mut names = BTreeSet::new();
    for (index, text) in list.unwrap_or_default().iter().enumerate() {
        names.extend(faults.parse::<NamespaceName>(
            &format!("{field}[{index}]"),
            text,
            Reason::InvalidName,
        ));
    }
    names
}

fn limit(faults: &mut Faults, index: usize, entry: &PoolLimit) -> Limit {
    let field = format!("spec.limits[{index}]");
    Limit {
        applies_to: ServiceFilter {
            namespaces: namespaces(
                faults,
                &format!("{field}.namespaces"),
                entry.namespaces.as_deref(),
            ),
            namespace_selectors: faults.selectors(
                &format!("{field}.namespaceSelectors"),
                entry.namespace_selectors.as_ref(),
            ),
            service_selectors: faults.selectors(&field, None),
        },
        max_addresses: entry.max_addresses_per_namespace,
    }
}

/// A pool that wants to be in force: as it stands if that is usable, and as it last was.
pub(super) struct Candidate {
    pub(super) wanted: Option<Arc<Pool>>,
    pub(super) last: Option<Arc<Pool>>,
}

impl Candidate {
    /// Older first; without a creation time, what was in force first; then by name.
    fn age(&self) -> impl Ord + use<> {
        let pool = self.wanted.as_ref().or(self.last.as_ref());
        let created = pool.and_then(|pool| pool.created);
        let name = pool.map(|pool| pool.name.clone());
        (created.is_none(), created, self.last.is_none(), name)
    }
}

/// Lets the older of two overlapping pools be in force.
pub(super) fn settle(
    mut candidates: Vec<Candidate>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<PoolName, Arc<Pool>> {
    candidates.sort_by_cached_key(Candidate::age);
    let mut in_force: BTreeMap<PoolName, Arc<Pool>> = BTreeMap::new();
    let mut taken: BTreeMap<(bool, u128), (Span, PoolName)> = BTreeMap::new();
    for candidate in candidates {
        let Candidate { wanted, last } = candidate;
        let unchanged = matches!((&wanted, &last), (Some(a), Some(b)) if Arc::ptr_eq(a, b));
        let last = last.filter(|_| !unchanged);
        for pool in [&wanted, &last].into_iter().flatten() {
            let overlap = pool.ranges.iter().enumerate().find_map(|(index, range)| {
                let other = holder(&taken, range.span)?;
                Some((index, other))
            });
            let Some((index, other)) = overlap else {
                for range in &pool.ranges {
                    taken.insert(first(range.span), (range.span, pool.name.clone()));
                }
                in_force.insert(pool.name.clone(), pool.clone());
                break;
            };
            if wanted
                .as_ref()
                .is_some_and(|wanted| Arc::ptr_eq(wanted, pool))
            {
                problems.push(Problem {
                    object: (&pool.name).into(),
                    field: format!("spec.addresses[{index}]").into(),
                    reason: Reason::PoolOverlap {
                        pool: other.as_str().into(),
                    },
                });
            }
        }
    }
    in_force
}

/// Who holds an address of a span, given disjoint spans by their first address.
fn holder(taken: &BTreeMap<(bool, u128), (Span, PoolName)>, span: Span) -> Option<PoolName> {
    let last = first(match span {
        Span::V4 { last, .. } => Span::V4 { first: last, last },
        Span::V6 { last, .. } => Span::V6 { first: last, last },
    });
    let (_, (nearest, name)) = taken.range(..=last).next_back()?;
    nearest.overlaps(span).then(|| name.clone())
}

/// More nodes than anybody reads in a pool's condition.
const MAX_NODE_NOTICES: usize = 10;

/// Notices that a pool holds addresses of nodes or of their pods.
pub(super) fn node_overlaps(
    pools: &BTreeMap<PoolName, Arc<Pool>>,
    snapshot: &Snapshot,
    problems: &mut Vec<Problem>,
) {
    let mut taken = BTreeMap::new();
    for pool in pools.values() {
        for range in &pool.ranges {
            taken.insert(first(range.span), (range.span, pool.name.clone()));
        }
    }
    let mut seen: BTreeMap<PoolName, usize> = BTreeMap::new();
    for node in snapshot.nodes.values() {
        let hit: BTreeSet<_> = spans(node)
            .filter_map(|span| holder(&taken, span))
            .collect();
        for pool in hit {
            let count = seen.entry(pool.clone()).or_default();
            *count += 1;
            if *count > MAX_NODE_NOTICES {
                continue;
            }
            problems.push(Problem {
                object: ObjectRef::from(&pool),
                field: "spec.addresses".into(),
                reason: Reason::NodeOverlap {
                    node: node.name.as_str().into(),
                },
            });
        }
    }
}

fn spans(node: &NodeView) -> impl Iterator<Item = Span> + '_ {
    let addresses = node
        .addresses
        .iter()
        .map(|(_, address)| Span::of_address(*address));
    addresses.chain(node.pod_cidrs.iter().map(|net| Span::of_net(*net)))
}

/// Whether a deleted pool is gone at once rather than kept until nobody holds an address of it.
pub(super) fn is_gone(object: &IPAddressPool) -> bool {
    object.metadata.deletion_timestamp.is_some()
        && object.spec.on_removal.unwrap_or_default() == OnRemoval::Reallocate
}

/// Kind of the objects of this file.
pub(super) const KIND: Kind = Kind::IPAddressPool;
