//! What a scraper reads.

use prometheus_client::encoding::text::encode;

use super::*;

#[test]
fn totals_are_counters_and_labels_are_lower_case() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    show(&metrics.writes, 7);
    let fill = Fill {
        capacity: 64,
        assigned: 1,
        available: 63,
    };
    metrics.observe_fill("public", "ipv4", fill);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "# TYPE ringbolt_controller_writes counter",
        "ringbolt_controller_writes_total 7",
        "ringbolt_controller_pool_addresses{pool=\"public\",family=\"ipv4\",state=\"capacity\"} 64",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}
