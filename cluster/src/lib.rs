//! Where the objects of a Ringbolt process come from, and where it writes its own.
//!
//! ```text
//! inbound    back end ──► hub (newest state of every object) ──► Watch ──► index of the daemon
//! outbound   daemon ──► Writer ──► back end ──► (watched again like anybody's change)
//! ```
//!
//! A [`Cluster`] is one of several back ends behind one face. Callers see typed objects of
//! `ringbolt-config`, diffs of them, and optimistic writes fenced by `resourceVersion`; they never
//! learn whether an object was a file, and a back end never learns what an object means.
//!
//! What this crate refuses to know: BGP, layer 2, who may have which address. It decodes and
//! delivers; whether a pool overlaps another is the resolver's business.
//!
//! Invariants, checked by [`conformance`] on every back end:
//! - a [`Watch`] delivers differences only; objects of a kind come before its [`Change::Synced`];
//! - an object that is replaced by another of the same name (another uid) is a [`Change::Delete`]
//!   followed by a [`Change::Apply`], never a silent change of identity;
//! - a slow consumer finds the newest state of each object, not a history of it;
//! - an acknowledged write is durable, and is seen by every later read;
//! - no failure of the source (unreadable, unreachable, half-written) is ever a deletion.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calls;
pub mod conformance;
mod directory;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod hub;
mod kubernetes;
pub mod source;
pub mod writer;

pub use calls::{CallCounts, CallKey, CallOutcome, Verb};
pub use directory::{DirectoryOptions, WatchMode, standalone_defaults};
pub use kubernetes::{Election, KubernetesOptions};
pub use source::{
    Change, Cluster, ClusterId, Definer, Leader, Leadership, Listing, Presence, PresenceState,
    ReadError, Role, Severity, SourceProblem, Trouble, Watch, WatchEnd,
};
pub use writer::{
    Drain, Event, EventType, FinalizerChange, InvalidReason, Part, RecordedEvent,
    SPEAKER_KEY_NAMESPACE, SPEAKER_KEY_SECRET, ServiceStatusPatch, UnavailableCause, WriteError,
    Writer,
};
