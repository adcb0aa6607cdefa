//! On a real control plane. Topics have files of their own below this one.

use super::KubeScenario;

mod access;
mod conformance;
mod definitions;
mod exact;
mod guide;
mod manifests;
mod plane_itself;
mod rendered;
mod rights;
mod rules;

/// On planes that several share, one after the other.
pub(super) const SHARING: &[&[KubeScenario]] = &[
    plane_itself::SCENARIOS,
    conformance::SCENARIOS,
    definitions::SCENARIOS,
    manifests::SCENARIOS,
    rules::SCENARIOS,
];

/// Each on a plane of its own, the longest first.
pub(super) const APART: &[&[KubeScenario]] = &[
    rules::FAULTS,
    rules::TERMS,
    rules::OUTAGES,
    rules::LAST_VIEW,
    rights::SCENARIOS,
    guide::SCENARIOS,
    access::SCENARIOS,
];
