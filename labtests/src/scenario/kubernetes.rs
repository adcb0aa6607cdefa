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

pub(super) const SCENARIOS: &[&[KubeScenario]] = &[
    plane_itself::SCENARIOS,
    conformance::SCENARIOS,
    definitions::SCENARIOS,
    manifests::SCENARIOS,
    access::SCENARIOS,
    rights::SCENARIOS,
    guide::SCENARIOS,
    rules::SCENARIOS,
    rules::FAULTS,
    rules::TERMS,
    rules::OUTAGES,
    rules::LAST_VIEW,
];
