//! Gives LoadBalancer Services their addresses, and takes them back.
//!
//! ```text
//! watch ──► index ──dirty keys──► decide ──► engine ──writes──► cluster
//!             ▲                     │                              │
//!             └───── claims ────── allocator ◄────── answers ──────┘
//! ```
//!
//! - [`allocator`]: pools, claims, and which address a Service may have. Pure.
//! - [`refusal`]: why it may not.
//!
//! Claims are the truth, the status of a Service is a projection of them (docs/reference/contracts.md,
//! section 1). Everything here but [`run`] is pure: causes in, effects out, time as an argument.

#![forbid(unsafe_code)]

pub mod allocator;
pub mod engine;
mod family;
mod index;
mod metrics;
mod mirror;
mod pool_status;
mod projector;
pub mod reconcile;
pub mod refusal;
mod run;
pub mod settings;
mod taking;

pub use family::Family;
pub use index::KINDS;
pub use projector::ALLOCATED;
pub use run::{Handles, run};
pub use settings::Settings;
