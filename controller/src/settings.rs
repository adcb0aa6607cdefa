//! What the controller is told at start.

use std::collections::BTreeSet;
use std::time::Duration;

/// The class that is ours without any setting.
pub const DEFAULT_CLASS: &str = "ringbolt.io/ringbolt";

/// Whether Services without a class are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// They are.
    Default,
    /// Only Services that name one of our classes are.
    ClassedOnly,
}

/// How the controller works. Made once, from flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who looks after Services without a class.
    pub provider: Provider,
    /// The values of `spec.loadBalancerClass` that are ours.
    pub classes: BTreeSet<String>,
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
            provider: Provider::Default,
            classes: BTreeSet::from([DEFAULT_CLASS.to_owned()]),
            taking_bound: Self::CLUSTER_BOUND,
        }
    }
}
