//! Everything wrong with a set of objects, from three sources: files, resolver, Services.
//!
//! Used by `validate` and by `--check`, so that both say the same as the daemons. Owns the merging
//! and the wording; what is a problem is decided where objects are read and resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ringbolt_cluster::{Listing, Severity, Trouble};
use ringbolt_config::node::NodeProblem;
use ringbolt_config::resolve::Effect;
use ringbolt_config::service::{Concern, Remark, ServiceView};
use ringbolt_config::{LastGood, NodeView, Object, Snapshot};
use serde::Serialize;

/// What a problem takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weight {
    /// Something is not in force.
    Error,
    /// Everything is in force, but somebody should look.
    Warning,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Weight,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Finding {
    /// About a field of an object whose file is not known. Messages that begin with their field, as
    /// those of views do, do not say it twice.
    fn of_field(
        severity: Weight,
        object: &str,
        field: String,
        reason: &'static str,
        message: &str,
    ) -> Self {
        let message = message
            .strip_prefix(&format!("{field}: "))
            .unwrap_or(message)
            .to_owned();
        let (object, field) = (Some(object.to_owned()), Some(field));
        Self {
            severity,
            file: None,
            line: None,
            column: None,
            object,
            field,
            reason,
            message,
        }
    }

    /// `error: file:line:column: Kind ns/name: field: message (Reason)`, without what is not known.
    pub(crate) fn text(&self) -> String {
        let mut text = match self.severity {
            Weight::Error => "error: ".to_owned(),
            Weight::Warning => "warning: ".to_owned(),
        };
        if let Some(file) = &self.file {
            text.push_str(file);
            for number in [self.line, self.column].into_iter().flatten() {
                text.push_str(&format!(":{number}"));
            }
            text.push_str(": ");
        }
        for part in [&self.object, &self.field].into_iter().flatten() {
            text.push_str(part);
            text.push_str(": ");
        }
        text.push_str(&format!("{} ({})", self.message, self.reason));
        text
    }
}

/// All findings of a listing, files first, then in the order of objects. `rename` gives a file the
/// name under which the user knows it.
pub(crate) fn find(listing: &Listing, rename: &dyn Fn(&str) -> String) -> Vec<Finding> {
    let mut findings = from_files(listing, rename);
    findings.extend(from_resolver(listing));
    findings.extend(listing.objects.iter().flat_map(|object| match object {
        Object::Service(service) => from_service(service),
        Object::Node(node) => from_node(node),
        _ => Vec::new(),
    }));
    findings
}

fn from_files(listing: &Listing, rename: &dyn Fn(&str) -> String) -> Vec<Finding> {
    let finding = |problem: &ringbolt_cluster::SourceProblem| Finding {
        severity: match problem.severity() {
            Severity::Refused => Weight::Error,
            Severity::Ignored => Weight::Warning,
        },
        file: problem
            .file
            .as_ref()
            .map(|file| rename(&file.to_string_lossy())),
        line: problem.line,
        column: problem.column,
        object: problem.object.as_ref().map(ToString::to_string),
        field: problem.field.clone(),
        reason: problem.reason(),
        message: match &problem.trouble {
            // The other file of a duplicate has a name of the user's too.
            Trouble::Duplicate { other } => Trouble::Duplicate {
                other: Arc::new(PathBuf::from(rename(&other.to_string_lossy()))),
            }
            .to_string(),
            trouble => trouble.to_string(),
        },
    };
    listing.problems.iter().map(finding).collect()
}

fn from_resolver(listing: &Listing) -> Vec<Finding> {
    let mut snapshot = Snapshot::default();
    for object in &listing.objects {
        snapshot.apply(object.clone());
    }
    let (_config, problems) = LastGood::default().update(&snapshot);
    let finding = |problem: ringbolt_config::Problem| {
        let severity = match problem.reason.effect() {
            Effect::Refused => Weight::Error,
            Effect::Notice => Weight::Warning,
        };
        let (object, field) = (problem.object.to_string(), problem.field.to_string());
        let message = problem.reason.to_string();
        Finding::of_field(severity, &object, field, problem.reason.reason(), &message)
    };
    problems.into_iter().map(finding).collect()
}

fn from_service(service: &ServiceView) -> Vec<Finding> {
    let object = format!("Service {}", service.key);
    let refused = service.problems.iter();
    let refused = refused.filter(|problem| problem.concerns() == Concern::Request);
    let errors = refused.map(|problem| {
        let (field, message) = (problem.field().to_string(), problem.to_string());
        Finding::of_field(Weight::Error, &object, field, problem.reason(), &message)
    });
    let warnings = service.remarks().into_iter().map(|remark| {
        let Remark {
            reason,
            field,
            message,
        } = remark;
        Finding::of_field(Weight::Warning, &object, field, reason, &message)
    });
    errors.chain(warnings).collect()
}

fn from_node(node: &NodeView) -> Vec<Finding> {
    let object = format!("Node {}", node.name);
    let finding = |problem: &NodeProblem| {
        let field = match problem {
            NodeProblem::PodCidrAnnotation { .. } => "metadata.annotations[ringbolt.io/pod-cidrs]",
            NodeProblem::PodCidr { .. } => "spec.podCIDRs",
        };
        let message = problem.to_string();
        Finding::of_field(
            Weight::Warning,
            &object,
            field.to_owned(),
            problem.reason(),
            &message,
        )
    };
    node.problems.iter().map(finding).collect()
}

/// `3 objects read, 1 error, 2 warnings`, and what was passed over.
pub(crate) fn summary(listing: &Listing, findings: &[Finding]) -> String {
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let mut text = format!(
        "{} read, {}, {}",
        plural(listing.objects.len(), "object"),
        plural(count(Weight::Error), "error"),
        plural(count(Weight::Warning), "warning"),
    );
    let skipped: &BTreeMap<String, usize> = &listing.skipped;
    if !skipped.is_empty() {
        let kinds: Vec<String> = skipped
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        text.push_str(&format!("; passed over: {}", kinds.join(", ")));
    }
    text
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

#[cfg(test)]
mod tests;
