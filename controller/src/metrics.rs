//! The controller's metrics: registered once, set from the engine's counts.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::family::Family as Labelled;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::allocator::Fill;
use crate::engine::Engine;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPool {
    pool: String,
    family: FamilyLabel,
    state: StateLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelValue)]
enum FamilyLabel {
    Ipv4,
    Ipv6,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelValue)]
enum StateLabel {
    Capacity,
    Assigned,
    Available,
}

/// The label comes from the closed set of refusals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

/// The controller's metrics. Totals are gauges here because the engine counts; they only grow
/// within one term of leadership.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pool_addresses: Labelled<OfPool, Gauge>,
    refused_services: Labelled<OfReason, Gauge>,
    services: Gauge,
    leading: Gauge,
    decisions: Gauge<i64, AtomicI64>,
    writes: Gauge<i64, AtomicI64>,
    write_failures: Gauge<i64, AtomicI64>,
    events_dropped: Gauge,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("ringbolt_controller");
        let Self {
            pool_addresses,
            refused_services,
            services,
            leading,
            decisions,
            writes,
            write_failures,
            events_dropped,
        } = metrics.clone();
        registry.register(
            "pool_addresses",
            "Addresses of a pool, by state",
            pool_addresses,
        );
        registry.register(
            "refused_services",
            "Services that do not have what they ask for, by reason",
            refused_services,
        );
        registry.register("services", "Services seen", services);
        registry.register(
            "leading",
            "Whether this controller works (1) or follows (0)",
            leading,
        );
        registry.register(
            "decisions",
            "Decisions in this term of leadership",
            decisions,
        );
        registry.register("writes", "Writes in this term of leadership", writes);
        registry.register(
            "write_failures",
            "Writes in this term of leadership that did not succeed",
            write_failures,
        );
        registry.register(
            "events_dropped",
            "Events nobody was told of",
            events_dropped,
        );
        metrics
    }

    pub(crate) fn set_leading(&self, leads: bool) {
        self.leading.set(leads.into());
    }

    pub(crate) fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// Takes over what the engine counts.
    pub(crate) fn observe(&self, engine: &Engine) {
        let counts = engine.counts();
        self.services.set(gauge(engine.services() as u128));
        self.decisions.set(gauge(counts.decisions.into()));
        self.writes.set(gauge(counts.changes.into()));
        self.write_failures.set(gauge(counts.failures.into()));
        self.refused_services.clear();
        for (reason, count) in engine.refusals() {
            self.refused_services
                .get_or_create(&OfReason { reason })
                .set(gauge(count as u128));
        }
        self.pool_addresses.clear();
        for (pool, occupancy) in engine.occupancies() {
            self.observe_fill(pool.as_str(), FamilyLabel::Ipv4, occupancy.ipv4);
            self.observe_fill(pool.as_str(), FamilyLabel::Ipv6, occupancy.ipv6);
        }
    }

    fn observe_fill(&self, pool: &str, family: FamilyLabel, fill: Fill) {
        let states = [
            (StateLabel::Capacity, fill.capacity),
            (StateLabel::Assigned, fill.assigned.into()),
            (StateLabel::Available, fill.available),
        ];
        for (state, count) in states {
            let labels = OfPool {
                pool: pool.to_owned(),
                family: family.clone(),
                state,
            };
            self.pool_addresses.get_or_create(&labels).set(gauge(count));
        }
    }
}

fn gauge(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
