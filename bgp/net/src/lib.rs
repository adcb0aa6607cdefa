//! Sockets, timers and tasks around the [`Router`](ringbolt_bgp::router::Router) of
//! `ringbolt-bgp`.
//!
//! One task, the `driver`, owns the Router; nothing else touches it. Around it:
//!
//! ```text
//!  Bgp handle ──requests──►┌────────┐◄──accepted── listener (one task per listening socket)
//!                          │ driver │◄──dialled─── connector (one task per attempt)
//!  watch, broadcast ◄──────┤ Router │◄──bytes, sent, closed── stream (one task per connection,
//!                          └────────┘──chunks──►              reading and writing independently)
//! ```
//!
//! Every arrow is a bounded queue. A stream stops reading when the driver has not taken its last
//! chunks, and gets more to write only when the kernel has taken most of what it has: a peer that
//! floods or does not read costs a constant amount of memory and delays nobody.
//!
//! Beside it [`bfd`] holds BFD sessions in a thread of its own.
//!
//! The crate decides nothing about sessions or routes and knows nothing of Kubernetes. A busy
//! port, a missing capability or address is a value in [`Stats`] and a retry, never an end.

#![warn(missing_docs)]

mod addresses;
pub mod bfd;
mod connector;
mod driver;
mod handle;
mod listener;
mod report;
mod sockopt;
mod stream;

pub use connector::DialError;
pub use handle::{Bgp, ExportChange, Settings, Stats};
pub use listener::{ListenProblem, ListenerState, ListenerStats};
