//! What the controller is told at start.

use std::time::Duration;

use ringbolt_config::service::Classes;

/// How the controller works. Made once, from flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which Services are ours.
    pub classes: Classes,
    /// How long after a withdrawal's first sign an address may still be in use (contracts 1.2).
    pub taking_bound: Duration,
}

impl Settings {
    /// What an API server needs to tell every speaker of a change.
    pub const CLUSTER_BOUND: Duration = Duration::from_secs(2);
    /// The same for speakers that look at a directory, and may have to look twice.
    pub const STANDALONE_BOUND: Duration = Duration::from_secs(6);

    /// The settings of a controller that works on a directory.
    pub fn standalone() -> Self {
        Self {
            taking_bound: Self::STANDALONE_BOUND,
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            classes: Classes::default(),
            taking_bound: Self::CLUSTER_BOUND,
        }
    }
}
