//! UPDATEs marked, by hand.

use std::sync::{Condvar, Mutex};

use super::{Progress, announced, mark, open_message};

fn update(prefixes: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 4, 0x40, 1, 1, 0];
    body.extend(prefixes);
    body
}

#[test]
fn every_prefix_counts_once_and_the_last_one_completes() {
    let progress = Progress {
        first: 0x0a80_0000,
        seen: vec![false; 2],
        left: 2,
        ..Progress::default()
    };
    let shared = (Mutex::new(progress), Condvar::new());
    mark(&update(&[32, 10, 128, 0, 1, 32, 10, 128, 0, 1]), &shared).expect("an UPDATE");
    assert_eq!(shared.0.lock().expect("a lock").left, 1);
    mark(&update(&[32, 10, 128, 0, 9]), &shared).expect("an UPDATE");
    mark(&update(&[32, 10, 128, 0, 0]), &shared).expect("an UPDATE");
    let progress = shared.0.lock().expect("a lock");
    assert!(progress.left == 0 && progress.complete_at.is_some());
}

#[test]
fn what_is_cut_short_is_an_error() {
    assert!(announced(&[0, 0, 0, 9, 1]).is_none());
    let shared = (Mutex::new(Progress::default()), Condvar::new());
    assert!(mark(&update(&[32, 10, 128]), &shared).is_err());
}

#[test]
fn the_open_message_says_its_own_length() {
    let bytes = open_message(65002, "10.99.0.2".parse().expect("an address"));
    assert_eq!(
        bytes.len(),
        usize::from(u16::from_be_bytes([bytes[16], bytes[17]]))
    );
    assert_eq!(usize::from(bytes[28]) + 29, bytes.len());
}
