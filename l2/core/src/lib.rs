//! Layer-2 announcement of Service addresses as a value: who is on a segment, which node owns an address there,
//! what is answered to ARP and Neighbor Discovery, and when an ownership is made known.
//!
//! The crate does no I/O, knows no clock and no Kubernetes. Everything that can happen enters through
//! [`Announcer::handle`] together with the time it happened; everything that must be done leaves through
//! [`Announcer::poll_output`]. The same inputs give the same outputs, so whole clusters run in a simulator
//! (`tests/sim`) in milliseconds.
//!
//! # Objects
//! A *segment* is who hears whom on one announcing interface; each has its own members, claims, schedule and answer
//! table. A *member* is a node heard there lately. An address is *owned* on a segment by at most one member, by a
//! *claim* with an epoch; IPv4 and IPv6 of one Service are owned one by one.
//!
//! # Inbound
//! - ARP and NDP frames: [`arp`], [`ndp`] decode them, `responder` says what they mean, `limits` how often that is
//!   answered; `askers` remembers who asks. A frame of a stranger never moves an address.
//! - Sealed messages, opened by the driver: [`hello`] decodes them, `liveness` keeps the members, `claim` the owners.
//! - Configuration: `announcer::policy` says who *may* own what, and where.
//!
//! # Decision
//! `announcer::decide` compares, for each address that something happened to, what is held with what should be: a
//! valid owner is left alone; a vacant address is claimed in the order of [`owner`] (preference, then rendezvous hash),
//! each further candidate 150 ms later; an owner that must go keeps answering until a successor's claim is seen, or 2 s.
//! A death enters as a verdict: from a detector (`Input::Verdict`), or from inside, when a member has been silent for
//! three of its stated intervals. `announcer::hearing` keeps a node that hears nobody from taking everything.
//!
//! # Outbound
//! `announcer::say` makes messages of pending statements, `schedule` says which announcement may go when, paced per
//! interface, `announcer::announce` makes it a frame. Queues hold state, never bytes: what is taken back before it
//! leaves costs nothing.
//!
//! # Followed
//! RFC 826 and RFC 5227 (ARP, announcements, conflicts and their defence), RFC 4861 and RFC 4862 (NDP, duplicate address
//! detection), RFC 4291 §2.7.1 (groups), RFC 6980 (no extension headers). Deviation: a takeover does not probe first
//! (RFC 5227 §2.1): uniqueness comes from claims, and probing would take seconds.
//!
//! # Out of scope
//! Sockets, filters, group joins, sealing, link events (`l2/net`); the fast detector, which will enter by
//! `Input::Verdict`; addresses on interfaces, which are never touched.
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
