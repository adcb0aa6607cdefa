//! The lease of controllers: who works after one was killed, and after a lease was taken from one that works.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::faults::controller;
use super::scenarios;
use super::stage::{QUIET, Stage, ingress, writes_at};
use crate::kubelab::{ControlPlane, KubeLab, Options, Resource};
use crate::node;
use crate::scenario::KubeScenario;
use crate::wait::{holds_for, wait_for};

pub(in crate::scenario) const TERMS: &[KubeScenario] = scenarios![
    self::a_killed_leader_is_followed_when_its_lease_has_run_out,
    self::a_leader_whose_lease_is_stolen_stops,
];

const ONE: u16 = 9642;
const TWO: u16 = 9643;
/// A lease is good for this long, and renewed this often.
const LEASE: Duration = Duration::from_secs(15);
const RENEWED: Duration = Duration::from_secs(5);
/// What busy cores add to a term.
const SLACK: Duration = Duration::from_secs(8);

/// Waits until a controller says that it has this role.
pub(super) fn role(plane: &ControlPlane, port: u16, wanted: &str, limit: Duration) -> Result<()> {
    wait_for(&format!("the one at {port} is {wanted}"), limit, || {
        let status = node::status(plane.space(), port)?;
        ensure!(status["role"] == wanted, "it is {}", status["role"]);
        Ok(())
    })
}

fn a_killed_leader_is_followed_when_its_lease_has_run_out(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("killed", &Options::default())?;
    let stage = Stage::new(&plane, "killed", &["10.156.0.1-10.156.0.2"])?;
    let mut one = controller(lab, &plane, "one", ONE, &[])?;
    role(&plane, ONE, "Leading", LEASE * 2)?;
    let two = controller(lab, &plane, "two", TWO, &[])?;
    role(&plane, TWO, "Following", LEASE)?;
    stage.service("first", &json!({}))?;
    let first = stage.address("first")?;
    one.kill()?;
    let killed = Instant::now();
    stage.service("next", &json!({}))?;
    // The lease runs out, is asked for at the next tick, and is looked at once more before it is used.
    let limit = LEASE + RENEWED * 2 + SLACK;
    let next = wait_for("the follower serves the next Service", limit, || {
        let found = ingress(&stage.get("next")?);
        found.first().cloned().context("not yet")
    })?;
    let took = killed.elapsed();
    // It was renewed at most one tick before the end of its holder.
    ensure!(
        took >= LEASE - RENEWED,
        "served after {took:?}: nobody waited for the lease"
    );
    ensure!(next != first, "{next} was given twice");
    ensure!(ingress(&stage.get("first")?) == [first], "the first moved");
    role(&plane, TWO, "Leading", SLACK)?;
    println!(
        "        the next Service was served {:.1} s later",
        took.as_secs_f64()
    );
    drop(two);
    plane.succeeded();
    Ok(())
}

fn a_leader_whose_lease_is_stolen_stops(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("stolen", &Options::default())?;
    let stage = Stage::new(&plane, "stolen", &["10.157.0.1-10.157.0.2"])?;
    let daemon = controller(lab, &plane, "controller", ONE, &[])?;
    stage.service("first", &json!({}))?;
    let first = stage.address("first")?;
    steal(&plane)?;
    role(&plane, ONE, "Following", RENEWED + SLACK)?;
    let before = writes_at(&plane, ONE)?;
    let stolen = Instant::now();
    stage.service("next", &json!({}))?;
    holds_for("it leaves the next Service alone", QUIET * 2, || {
        ensure!(ingress(&stage.get("next")?).is_empty(), "it served it");
        let now = writes_at(&plane, ONE)?;
        ensure!(now == before, "it wrote: {now:?}");
        Ok(())
    })?;
    let thief = lease(&plane)?["spec"]["holderIdentity"].clone();
    ensure!(thief == THIEF, "{thief} has taken it from a thief");
    // The thief does not renew it.
    role(&plane, ONE, "Leading", LEASE + RENEWED * 3 + SLACK)?;
    let again = lease(&plane)?["spec"]["holderIdentity"].clone();
    ensure!(again != THIEF, "{again} still holds it");
    let next = stage.address("next")?;
    ensure!(next != first, "{next} was given twice");
    ensure!(ingress(&stage.get("first")?) == [first], "the first moved");
    println!(
        "        it leads again {:.1} s after it had stopped",
        stolen.elapsed().as_secs_f64()
    );
    drop(daemon);
    plane.succeeded();
    Ok(())
}

const HOME: &str = "ringbolt-system";
const LEASE_NAME: &str = "ringbolt-controller";
const THIEF: &str = "a-thief";

fn lease(plane: &ControlPlane) -> Result<Value> {
    let found = plane.get(&Resource::lease(), Some(HOME), LEASE_NAME)?;
    found.context("there is no lease")
}

/// Gives the lease to somebody else, as good as renewed at this moment.
fn steal(plane: &ControlPlane) -> Result<()> {
    let renewed = lease(plane)?["spec"]["renewTime"].clone();
    // The holder's own last renewal: the clock of this process plays no part.
    let change = json!({"spec": {"holderIdentity": THIEF, "renewTime": renewed}});
    plane
        .patch(&Resource::lease(), Some(HOME), LEASE_NAME, &change)
        .map(drop)
}
