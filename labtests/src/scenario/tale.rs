//! The demo's story itself, with drawn addresses, names, AS numbers and node counts, against both routers.

use anyhow::{Context, Result};

use super::{KubeScenario, Scenario, with_story_on};
use crate::demo::steps::steps_of;
use crate::kubelab::Lifetime;
use crate::node::Ringbolt;
use crate::place::Ground;
use crate::plan::Plan;
use crate::router::RouterKind;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the_story_with_bird_and_seed_2",
        run: |r| told(&Ground::Directory, RouterKind::Bird, 2, r),
    },
    Scenario {
        name: "the_story_with_frr_and_seed_5",
        run: |r| told(&Ground::Directory, RouterKind::Frr, 5, r),
    },
];

pub(super) const ON_KUBERNETES: &[KubeScenario] = &[KubeScenario {
    name: "kubernetes: the_story_with_frr_and_seed_3",
    run: |lab| {
        let ground = Ground::Kubernetes(lab.assets().clone(), Lifetime::OfThisProcess);
        told(&ground, RouterKind::Frr, 3, lab.ringbolt())
    },
}];

fn told(ground: &Ground, kind: RouterKind, seed: u64, ringbolt: &Ringbolt) -> Result<()> {
    let plan = Plan::draw(Some(seed));
    with_story_on(ground, "tale", plan, kind, ringbolt, |story| {
        for (number, step) in (1..).zip(steps_of(story)) {
            (step.run)(story).with_context(|| format!("step {number} ({})", step.title))?;
            story.check_alive()?;
        }
        Ok(())
    })
}
