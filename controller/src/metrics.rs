//! The controller's metrics: registered once, set from the engine's counts.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family as Labelled;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::allocator::Fill;
use crate::engine::Engine;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPool {
    pool: String,
    family: &'static str,
    state: &'static str,
}

/// The label comes from the closed set of refusals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

/// The controller's metrics. The engine counts; its totals begin anew with each term of leadership,
/// as counters may.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pool_addresses: Labelled<OfPool, Gauge>,
    refused_services: Labelled<OfReason, Gauge>,
    services: Gauge,
    leading: Gauge,
    decisions: Counter,
    writes: Counter,
    write_failures: Counter,
    events_dropped: Counter,
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
        show(&self.decisions, counts.decisions);
        show(&self.writes, counts.changes);
        show(&self.write_failures, counts.failures);
        self.refused_services.clear();
        for (reason, count) in engine.refusals() {
            self.refused_services
                .get_or_create(&OfReason { reason })
                .set(gauge(count as u128));
        }
        self.pool_addresses.clear();
        for (pool, occupancy) in engine.occupancies() {
            self.observe_fill(pool.as_str(), "ipv4", occupancy.ipv4);
            self.observe_fill(pool.as_str(), "ipv6", occupancy.ipv6);
        }
    }

    fn observe_fill(&self, pool: &str, family: &'static str, fill: Fill) {
        let states = [
            ("capacity", fill.capacity),
            ("assigned", fill.assigned.into()),
            ("available", fill.available),
        ];
        for (state, count) in states {
            let labels = OfPool {
                pool: pool.to_owned(),
                family,
                state,
            };
            self.pool_addresses.get_or_create(&labels).set(gauge(count));
        }
    }
}

/// A total that is counted elsewhere.
fn show(counter: &Counter, count: u64) {
    counter.inner().store(count, Ordering::Relaxed);
}

fn gauge(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
