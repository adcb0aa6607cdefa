//! The speaker: announces a node's share of Services, and the prefixes that belong to the node, by BGP and by
//! ARP/NDP.
//!
//! ```text
//! cluster ─changes─► index ─dirty keys─► desired::compute ─► diff ─┬► Bgp (Router)
//!                      config, node ─► LocalConfig ────┘           └► L2 (Announcer)
//! Router, Announcer ─stats─► status ─► Speaker object, /status, metrics
//! ```
//!
//! - Inbound: [`run`](mod@run) takes changes from the cluster into the [`index`] and into the snapshot of configuration;
//!   what says the same as before stops there.
//! - [`desired`] is pure: mirror and configuration in, announcements and reasons out.
//! - [`diff`] counts who wants which prefix and tells the Router what changed, in one batch.
//! - [`peers`] turns a configured peer into the Router's; `layer2` does the same for the announcer.
//! - Outbound about ourselves: `status` and `metrics`, written apart; announcing never waits for them.
//!
//! The source being unreachable changes nothing: the last view stays announced. Nothing is announced before every
//! kind has been read once. The crate never writes a Service and never looks at claims.
#![forbid(unsafe_code)]

pub mod desired;
pub mod diff;
mod fingerprint;
pub mod index;
pub mod keys;
mod layer2;
mod metrics;
pub mod peers;
pub mod planner;
mod reporter;
mod routing;
pub mod run;
pub mod settings;
mod status;

pub use run::{Handles, run};
pub use settings::{ExcludeLabel, OnTerm, Settings};
