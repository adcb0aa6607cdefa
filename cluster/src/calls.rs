//! Counts of what was asked of the source, by verb, kind and outcome. For metrics and for tests that
//! nothing was written. Knows no HTTP.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What was asked, as the API names its verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object.
    Get,
    /// Objects of one kind, or one page of them.
    List,
    /// The stream of changes of one kind.
    Watch,
    /// A new object.
    Create,
    /// A whole object in the place of another version.
    Update,
    /// Parts of an object.
    Patch,
    /// The end of an object.
    Delete,
}

impl Verb {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether it changes something.
    pub fn writes(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Update | Self::Patch | Self::Delete => true,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallOutcome {
    /// It was done.
    Ok,
    /// Create: the name is taken.
    AlreadyExists,
    /// The object has moved on.
    Conflict,
    /// There is no such object.
    NotFound,
    /// The version asked for is not kept.
    Gone,
    /// The object would not be accepted.
    Invalid,
    /// Not known, or not allowed.
    Forbidden,
    /// Asked to come again later.
    Throttled,
    /// No answer, or one that says that none is to be had.
    Unavailable,
    /// No answer in time.
    Timeout,
}

impl CallOutcome {
    /// The CamelCase word of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "Ok",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::NotFound => "NotFound",
            Self::Gone => "Gone",
            Self::Invalid => "Invalid",
            Self::Forbidden => "Forbidden",
            Self::Throttled => "Throttled",
            Self::Unavailable => "Unavailable",
            Self::Timeout => "Timeout",
        }
    }
}

/// One row: verb, plural of the kind (`services`, `leases`), outcome.
pub type CallKey = (Verb, &'static str, CallOutcome);

/// How often each was asked, since the start of the process. Every try counts.
pub type CallCounts = BTreeMap<CallKey, u64>;

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    counts: Mutex<CallCounts>,
}

impl Calls {
    pub(crate) fn count(&self, verb: Verb, plural: &'static str, outcome: CallOutcome) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((verb, plural, outcome)).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn snapshot(&self) -> CallCounts {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
