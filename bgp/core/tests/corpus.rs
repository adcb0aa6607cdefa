//! The fuzzers' corpora as ordinary tests, so that what once broke stays whole on stable.

use std::path::Path;

#[path = "../fuzz/properties/session.rs"]
mod session;
#[path = "../fuzz/properties/stream.rs"]
mod stream;

/// The inputs of one target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let entries = std::fs::read_dir(folder.join(target)).expect("the corpus is in the repository");
    let inputs = entries.map(|entry| {
        let path = entry.expect("a readable folder").path();
        std::fs::read(path).expect("a readable file")
    });
    let inputs: Vec<Vec<u8>> = inputs.collect();
    assert!(inputs.len() >= 5, "the corpus is in the repository");
    inputs
}

/// The input with each octet changed in turn.
fn changed(input: &[u8], by: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..input.len()).flat_map(move |at| {
        let octets = by.iter().copied().chain([input[at] ^ 0x10]);
        octets.map(move |octet| {
            let mut changed = input.to_vec();
            changed[at] = octet;
            changed
        })
    })
}

#[test]
fn every_committed_stream_still_holds() {
    for input in corpus("stream") {
        // Every session kind, not just the one the input chose.
        for session in 0..128 {
            let input: Vec<u8> = std::iter::once(session)
                .chain(input.iter().skip(1).copied())
                .collect();
            stream::holds_for(&input);
        }
    }
}

#[test]
fn committed_streams_hold_with_any_octet_changed() {
    for input in corpus("stream") {
        changed(&input, &[0x00, 0x01, 0x7f, 0x80, 0xff])
            .for_each(|input| stream::holds_for(&input));
    }
}

#[test]
fn every_committed_life_of_a_session_still_holds() {
    for input in corpus("session") {
        for shape in 0..32 {
            let input: Vec<u8> = std::iter::once(shape)
                .chain(input.iter().skip(1).copied())
                .collect();
            session::holds_for(&input);
        }
    }
}

#[test]
fn committed_lives_of_a_session_hold_with_any_octet_changed() {
    for input in corpus("session") {
        changed(&input, &[0x00, 0x05, 0x40, 0xff]).for_each(|input| session::holds_for(&input));
    }
}
