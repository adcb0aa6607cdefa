//! The fuzzers' corpora as ordinary tests, so that what once broke stays whole on stable.

use std::path::Path;

#[path = "../fuzz/properties/stream.rs"]
mod stream;

#[test]
fn every_committed_stream_still_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/stream");
    let mut replayed = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        // Every session kind, not just the one the input chose.
        for session in 0..128 {
            let input: Vec<u8> = std::iter::once(session)
                .chain(input.iter().skip(1).copied())
                .collect();
            stream::holds_for(&input);
        }
        replayed += 1;
    }
    assert!(replayed >= 5, "the corpus is in the repository");
}

#[test]
fn committed_streams_hold_with_any_octet_changed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/stream");
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let input = std::fs::read(entry.unwrap().path()).unwrap();
        for at in 0..input.len() {
            for octet in [0x00, 0x01, 0x7f, 0x80, 0xff, input[at] ^ 0x10] {
                let mut changed = input.clone();
                changed[at] = octet;
                stream::holds_for(&changed);
            }
        }
    }
}
