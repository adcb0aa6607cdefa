//! Bidirectional Forwarding Detection as a value: packets and time go in, packets and verdicts
//! come out. Not tied to BGP: a [`Verdict`] says what became of a path, and its owner decides.
//!
//! Nothing here opens a socket, reads a clock, takes a lock or starts a task. A driver holds one
//! [`Session`] for each path, a [`Demux`] over all of them, and does what their [`Action`]s say.
//!
//! # The way in
//! datagram → [`Packet::decode`] → [`Demux::find`] (TTL, discriminator or source) →
//! [`Session::step`] with [`Event::Received`] → the table in `session::transition` → [`Action`]s.
//!
//! # The way out
//! [`Session::deadline`] → [`Session::step`] with [`Event::Tick`] → [`Action::Send`].
//!
//! # Standards
//! RFC 5880 asynchronous mode, RFC 5881 single hop, RFC 5883 multihop, RFC 5882 in what a verdict
//! tells. `docs/rfc.md` names for each requirement the module and the test.
//!
//! # Out of scope
//! Authentication (such packets are refused by name), the echo function (we announce that we
//! reflect none), sending in Demand mode (a peer that asks for silence gets it), multipoint.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// Tests pick out what they are about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod demux;
mod session;
mod wire;

pub use demux::{Arrival, Demux, Discard, Source};
pub use session::config::{Config, Hop, Interval, Role};
pub use session::{Action, Counters, DownCause, Event, Session, Side, Verdict};
pub use wire::{DecodeError, Diagnostic, PACKET_LEN, Packet, State};
