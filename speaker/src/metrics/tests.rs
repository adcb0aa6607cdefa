//! What a scraper reads.

use prometheus_client::encoding::text::encode;

use super::*;

#[test]
fn what_only_grows_is_a_counter() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let labels = PeerLabels {
        peer: "tor".to_owned(),
    };
    show(&metrics.session_flaps.get_or_create(&labels), 3);
    let messages = PeerDirectionLabels {
        peer: "tor".to_owned(),
        direction: "in",
    };
    show(&metrics.messages.get_or_create(&messages), 5);
    let events = CounterLabels {
        interface: "eth0".to_owned(),
        counter: "claims",
    };
    show(&metrics.l2_counters.get_or_create(&events), 1);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "# TYPE ringbolt_bgp_session_flaps counter",
        "ringbolt_bgp_session_flaps_total{peer=\"tor\"} 3",
        "# TYPE ringbolt_bgp_messages counter",
        "# TYPE ringbolt_l2_events counter",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}
