//! What the driver does without a socket.

use ringbolt_l2::types::NodeName;

use super::*;

#[test]
fn a_sealed_frame_survives_padding_and_no_cut() {
    let (source, payload) = (MacAddr([2, 0, 0, 0, 0, 1]), [7; 20]);
    let frame = sealed_frame(source, &payload);
    assert_eq!(frame.len(), FRAME_BYTES_MIN);
    assert_eq!(sealed_parts(&frame), Some((source, &payload[..])));
    for length in 0..ETHERNET_HEADER + 2 + payload.len() {
        assert_eq!(sealed_parts(&frame[..length]), None, "cut at {length}");
    }
}

fn station() -> Station {
    Station::new(Settings {
        node: NodeName::new("n1").unwrap(),
        incarnation_file: None,
    })
}

#[test]
fn the_same_cluster_again_begins_no_other_life() {
    let mut station = station();
    assert!(station.identify(ClusterId([1; 16])).is_some());
    assert_eq!(station.identify(ClusterId([1; 16])), None);
    assert!(station.identify(ClusterId([2; 16])).is_some());
}

#[test]
fn snapshots_that_take_long_are_made_more_rarely() {
    let mut station = station();
    let begun = Instant::now();
    for (cost_ms, idle_ms, after_event_ms) in
        [(0, 2_000, 100), (8, 8_000, 160), (75, 30_000, 1_500)]
    {
        let published = begun + Duration::from_millis(cost_ms);
        station.stats_made(begun, published);
        assert_eq!(
            station.stats_due,
            published + Duration::from_millis(idle_ms)
        );
        let before = Instant::now();
        station.stats_soon();
        assert!(station.stats_due >= before + Duration::from_millis(after_event_ms));
        assert!(station.stats_due < published + Duration::from_millis(idle_ms));
    }
}
