//! BGP-4 as a value: bytes and time go in, bytes and decisions come out.
//!
//! Nothing here opens a socket, reads a clock, takes a lock or starts a task. What the world does
//! is an [`Input`](router::Input) of the [`Router`](router::Router); what the Router wants done is
//! an [`Output`](router::Output); when it wants to be woken is
//! [`next_deadline`](router::Router::next_deadline). Equal inputs give equal outputs, which is why
//! a simulator can run hundreds of networks in seconds and reproduce any of them from a seed.
//!
//! # Objects
//! - A *peer* is configured ([`session::PeerConfig`]); its runtime is a session of zero to two
//!   *connections*, each a TCP connection somebody else holds ([`types::ConnId`]).
//! - An *origination* ([`policy::Origination`]) is a prefix we inject; the Loc-RIB holds them.
//! - An *Adj-RIB-In* holds what one peer told us. Nothing is imported from it.
//!
//! # The way in
//! bytes → `wire::frame` → `wire::decode` → the table in [`session::transition`] → effects of the
//! session → Adj-RIB-In, or a NOTIFICATION and the end of the connection. An attribute's fault
//! (RFC 7606) has been carried out when the session sees the UPDATE.
//!
//! # The way out
//! origination → Loc-RIB slot → change log → released in batches → each peer's cursor passes it
//! when its connection has room → policy → attribute block → UPDATEs filled to the limit. No
//! message is queued anywhere: a peer that does not read costs a cursor and a bit per route, and a
//! route that flaps meanwhile is told once.
//!
//! # Standards
//! RFC 4271, 4456 (as a client), 4486, 4724 (restarting side), 4760 with 2545, 5492, 6286, 6608,
//! 6793, 7313, 7606, 7607, 8092, 8203/9003, 8326, 8950, 9072, 9687; `docs/rfc.md` names for each
//! requirement the module and the test.
//!
//! # Out of scope
//! Transit: routes are not passed on from peer to peer. Kernel routes, BFD and TCP options are
//! their owners' concern; a driver in `bgp/net` joins them.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// Tests pick out what they are about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod per_family;
pub mod policy;
mod rib;
pub mod router;
#[doc(hidden)]
pub mod sabotage;
pub mod session;
pub mod types;
pub mod wire;
