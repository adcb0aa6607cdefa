//! Layer-2 announcement of Service addresses as a value: who is on a segment, which node owns an address there,
//! what is answered to ARP and Neighbor Discovery, and when an ownership is made known.
//!
//! The crate does no I/O, knows no clock and no Kubernetes. Everything that can happen enters through
//! [`Announcer::handle`](announcer::Announcer::handle) together with the time it happened; everything that must be done
//! leaves through [`Announcer::poll_output`](announcer::Announcer::poll_output).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod announcer;
pub mod arp;
mod askers;
mod claim;
pub mod hello;
mod limits;
mod liveness;
pub mod ndp;
pub mod owner;
mod pacing;
mod responder;
mod schedule;
#[cfg(test)]
mod test_time;
pub mod types;

pub use announcer::Announcer;
