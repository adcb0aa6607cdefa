//! BGP-4 as a value: codec, sessions, RIBs, export; no I/O, no clock.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::wildcard_enum_match_arm)]

pub mod types;
pub mod wire;
