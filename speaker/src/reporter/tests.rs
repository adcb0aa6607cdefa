//! How long the reporter waits before it writes again.

use std::collections::BTreeSet;

use ringbolt_l2::announcer::{Counters, InterfaceStats, Joined, MemberStats};
use ringbolt_l2::types::{IfIndex, Incarnation, MacAddr};

use super::*;

#[test]
fn waits_after_failures_double_up_to_a_bound() {
    let pauses: Vec<u64> = (0..6).map(|failures| pause(failures).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 16]);
    assert_eq!(pause(u32::MAX), RETRY_MAX);
}

#[test]
fn a_speaker_that_is_heard_is_shown_at_once() {
    let stats = |heard: &[&str]| {
        let member = MemberStats {
            incarnation: Incarnation(1),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            joining: false,
            draining: false,
            keys: BTreeSet::new(),
            holds: 0,
        };
        let members = heard.iter();
        let members = members.map(|node| (node.parse().unwrap(), member.clone()));
        let segment = InterfaceStats {
            name: "eth0".parse().unwrap(),
            mac: MacAddr([2, 0, 0, 0, 0, 2]),
            joined: Joined::Active,
            members: members.collect(),
            sealing_key: None,
            conditions: BTreeSet::new(),
            held: 0,
            queued: 0,
            askers: 0,
            counters: Counters::default(),
        };
        let mut stats = L2Stats::default();
        stats.announcer.interfaces.insert(IfIndex(3), segment);
        stats
    };
    let one = stats(&["node-2"]);
    assert!(same_segments(Some(&one), Some(&one.clone())));
    assert!(!same_segments(
        Some(&one),
        Some(&stats(&["node-2", "node-3"]))
    ));
}

#[test]
fn keys_that_change_are_shown_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("1 {}\n", "00".repeat(32))).unwrap();
    let mut keys = KeySource::new(Some(path.clone()));
    keys.refresh(None);
    let before = keys.state();
    keys.refresh(None);
    assert_eq!(before, keys.state());
    std::fs::remove_file(path).unwrap();
    keys.refresh(None);
    assert_ne!(before, keys.state());
}
