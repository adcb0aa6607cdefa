//! Conditions: the types and reasons we write, as closed enums, and how a list of them is edited.
//! The reasons of a refused object are [`crate::resolve::Reason`]'s.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kubernetes' own condition.
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Condition types of our kinds and, with our domain before it, of Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionKind {
    /// Whether the object is in force as it stands.
    Ready,
    /// A pool overlaps another, or addresses that are in use by nodes.
    Conflicting,
    /// A pool has no free address of some family it holds.
    Exhausted,
}

impl ConditionKind {
    /// `type` of the condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Conflicting => "Conflicting",
            Self::Exhausted => "Exhausted",
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Not known.
    Unknown,
}

impl ConditionStatus {
    /// `status` of the condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Longest message of a condition, as the API server bounds it (bytes).
const MAX_MESSAGE: usize = 32_768;

/// Sets a condition; the transition time moves only when the status does. Returns whether the list
/// differs from before, so that a caller writes only then (semantics rule 33).
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    kind: &str,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let mut end = message.len().min(MAX_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut wanted = Condition {
        type_: kind.to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.to_owned(),
        message: message[..end].to_owned(),
        observed_generation: generation,
        last_transition_time: Time(now),
    };
    let Some(present) = conditions.iter_mut().find(|c| c.type_ == kind) else {
        conditions.push(wanted);
        conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        return true;
    };
    if present.status == wanted.status {
        wanted.last_transition_time = present.last_transition_time.clone();
    }
    let changed = *present != wanted;
    *present = wanted;
    changed
}

/// Status of the kinds that are configuration and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigStatus {
    /// Generation the conditions speak about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}

/// Schema of a list of conditions: a map by type, so that writers do not erase each other's.
pub(crate) fn conditions(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = <Vec<Condition>>::json_schema(generator);
    schema.insert("x-kubernetes-list-type".into(), "map".into());
    schema.insert("x-kubernetes-list-map-keys".into(), vec!["type"].into());
    schema.insert("maxItems".into(), 16.into());
    schema
}

#[cfg(test)]
mod tests;
