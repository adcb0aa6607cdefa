//! What a drain is refused for.

use serde_json::Value;

use super::*;
use crate::samples;

#[test]
fn the_last_announcer_of_a_service_is_not_drained() {
    let both = [speaker("node-1"), speaker("node-2")];
    assert_eq!(alone(&both), Vec::<String>::new());
    let only = [speaker("node-1")];
    let left = ["default/web (192.0.2.64)", "default/web (2001:db8:64::10)"];
    assert_eq!(alone(&only), left);
    let other = [speaker("node-2")];
    assert_eq!(alone(&other), Vec::<String>::new(), "it announces nothing");
}

#[test]
fn a_refusal_names_ten_services_and_counts_the_rest() {
    let sole = |number: u8| Sole {
        service: ringbolt_config::ServiceKey::new("default", &format!("s{number}")).unwrap(),
        address: [192, 0, 2, number].into(),
    };
    let alone: Vec<Sole> = (0..12).map(sole).collect();
    let text = refusal(&"node-1".parse().unwrap(), &alone);
    assert!(
        text.contains("default/s9 (192.0.2.9) and 2 more; --force"),
        "{text}"
    );
}

/// What node-1 alone announces, with these Speaker objects.
fn alone(speakers: &[Value]) -> Vec<String> {
    let objects = samples::cluster()
        .into_iter()
        .chain(speakers.iter().cloned());
    let view = View::new(&samples::listing(objects));
    let node = "node-1".parse().unwrap();
    let alone = status::announced_by_nobody_else(&view, &node);
    alone.iter().map(ToString::to_string).collect()
}

/// A speaker whose session with the peer is up.
fn speaker(node: &str) -> Value {
    let session = samples::session("Established", &["IPv4", "IPv6"]);
    samples::speaker(node, session, &[])
}
