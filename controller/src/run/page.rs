//! The status page: what the engine reports, and around it what it does not know of, the role and the source.

use std::sync::Arc;

use ringbolt_cluster::{SourceProblem, Trouble};
use serde::Serialize;

use crate::engine::Report;

/// What the controller is to its cluster.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) enum Role {
    Starting,
    Following,
    Leading,
}

/// Serialised, it is the page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'a> {
    role: Role,
    /// What stands between us and our objects is said in every role.
    source_reachable: bool,
    source_problems: Vec<Problem>,
    /// Of who leads.
    #[serde(flatten)]
    pub(super) report: Option<Report<'a>>,
}

#[derive(Serialize)]
struct Problem {
    reason: &'static str,
    message: String,
}

impl Page<'_> {
    pub(super) fn of(role: Role, problems: &[SourceProblem]) -> Self {
        let away = |problem: &SourceProblem| {
            matches!(
                problem.trouble,
                Trouble::Unreachable { .. } | Trouble::NotConfigured { .. }
            )
        };
        let shown = problems.iter().map(|problem| Problem {
            reason: problem.reason(),
            message: problem.to_string(),
        });
        Self {
            role,
            source_reachable: !problems.iter().any(away),
            source_problems: shown.collect(),
            report: None,
        }
    }

    pub(super) fn text(&self) -> Arc<str> {
        serde_json::to_string(self)
            .expect("every key is text and every part serialises")
            .into()
    }
}
