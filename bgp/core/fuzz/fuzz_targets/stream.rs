//! Any bytes as the stream of a peer.

#![no_main]

#[path = "../properties/stream.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|input: &[u8]| stream::holds_for(input));
