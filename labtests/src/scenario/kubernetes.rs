//! On a real control plane. Topics have files of their own below this one.

use super::KubeScenario;

mod plane_itself;

pub(super) const SCENARIOS: &[KubeScenario] = plane_itself::SCENARIOS;
