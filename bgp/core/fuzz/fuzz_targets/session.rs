//! Bytes, connections, changes of mind and time, in any order, as the life of a Router.

#![no_main]

#[path = "../properties/session.rs"]
mod session;

libfuzzer_sys::fuzz_target!(|input: &[u8]| session::holds_for(input));
