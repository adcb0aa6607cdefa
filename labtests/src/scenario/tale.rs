//! The demo's story itself, with drawn addresses, names, AS numbers and node counts, against both routers.

use anyhow::{Context, Result};

use super::{Scenario, with_story};
use crate::demo::steps::steps_of;
use crate::node::Ringbolt;
use crate::plan::Plan;
use crate::router::RouterKind;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the_story_with_bird_and_seed_2",
        run: |r| told(RouterKind::Bird, 2, r),
    },
    Scenario {
        name: "the_story_with_frr_and_seed_5",
        run: |r| told(RouterKind::Frr, 5, r),
    },
];

fn told(kind: RouterKind, seed: u64, ringbolt: &Ringbolt) -> Result<()> {
    with_story("tale", Plan::draw(Some(seed)), kind, ringbolt, |story| {
        for (number, step) in (1..).zip(steps_of(story)) {
            (step.run)(story).with_context(|| format!("step {number} ({})", step.title))?;
            story.check_alive()?;
        }
        Ok(())
    })
}
