//! What the observer says beside objects: problems, skipped kinds, the cluster's identity. Each is a
//! newest state; each problem is logged once, when it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::source::{ClusterId, Severity, SourceProblem};

type Skipped = Arc<BTreeMap<String, usize>>;

/// The sending ends, held by the observer.
#[derive(Debug)]
pub(super) struct Outlets {
    problems: watch::Sender<Arc<[SourceProblem]>>,
    skipped: watch::Sender<Skipped>,
    identity: watch::Sender<Option<ClusterId>>,
}

/// The receiving ends, held by the handle.
#[derive(Debug)]
pub(super) struct Inlets {
    pub(super) problems: watch::Receiver<Arc<[SourceProblem]>>,
    pub(super) skipped: watch::Receiver<Skipped>,
    pub(super) identity: watch::Receiver<Option<ClusterId>>,
}

impl Outlets {
    pub(super) fn new() -> (Self, Inlets) {
        let (problems, problems_in) = watch::channel(Arc::from([]));
        let (skipped, skipped_in) = watch::channel(Skipped::default());
        let (identity, identity_in) = watch::channel(None);
        (
            Self {
                problems,
                skipped,
                identity,
            },
            Inlets {
                problems: problems_in,
                skipped: skipped_in,
                identity: identity_in,
            },
        )
    }

    pub(super) fn problems(&self, problems: Vec<SourceProblem>) {
        self.problems.send_if_modified(|current| {
            if **current == *problems {
                return false;
            }
            for problem in problems.iter().filter(|problem| !current.contains(problem)) {
                log(problem);
            }
            *current = problems.into();
            true
        });
    }

    pub(super) fn skipped(&self, skipped: BTreeMap<String, usize>) {
        self.skipped.send_if_modified(|current| {
            let changed = **current != skipped;
            if changed {
                *current = Arc::new(skipped);
            }
            changed
        });
    }

    pub(super) fn identity(&self, identity: Option<ClusterId>) {
        self.identity.send_if_modified(|current| {
            // An identity that cannot be read for a moment is no reason to be nobody.
            let changed = identity.is_some() && *current != identity;
            if changed {
                *current = identity;
            }
            changed
        });
    }
}

fn log(problem: &SourceProblem) {
    let reason = problem.reason();
    match problem.severity() {
        Severity::Refused => warn!(reason, %problem, "part of the source is not used"),
        Severity::Ignored => info!(reason, %problem, "part of the source is passed over"),
    }
}
