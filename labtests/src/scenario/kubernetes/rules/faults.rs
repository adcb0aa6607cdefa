//! Controllers among themselves, and with an API server that is not always there. Each has a plane of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::scenarios;
use super::stage::{LIMIT, QUIET, Stage, changes_at, ingress, writes_at};
use crate::kubelab::{CONTROLLER, ControlPlane, KubeLab, NODE, Options, Resource, flags};
use crate::netns::Signal;
use crate::process::Daemon;
use crate::scenario::KubeScenario;
use crate::wait::{holds_for, wait_for};

pub(in crate::scenario) const FAULTS: &[KubeScenario] = scenarios![
    self::two_controllers_without_a_lease_never_double_an_address,
    self::a_restart_with_many_services_writes_nothing,
    self::idle_controllers_write_nothing,
    self::rule_45_an_api_server_that_forgets_and_restarts_moves_nothing,
    self::rule_46_a_store_restored_to_an_older_state_is_followed,
    self::a_leader_that_was_stopped_is_refused,
];

/// A lease runs for 15 s and is looked at every 2 s; who gains it from another waits 5 s before it is used.
const TAKE_OVER: Duration = Duration::from_secs(60);

/// Starts a controller in the stead of a pod of its account.
pub(super) fn controller(
    lab: &KubeLab,
    plane: &ControlPlane,
    name: &str,
    port: u16,
    more: &[&str],
) -> Result<Daemon> {
    let kubeconfig = plane.pod_kubeconfig(CONTROLLER, NODE)?;
    let http = format!("127.0.0.1:{port}");
    let mut args = vec!["controller", "--http", &http];
    args.extend(more);
    plane.start_ringbolt(lab.ringbolt(), name, &kubeconfig, &args)
}

/// Creates Services `web-0`… all at once.
pub(super) fn create(stage: &Stage<'_>, count: usize) -> Result<()> {
    let services: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"namespace": stage.space, "name": format!("web-{number}")},
                "spec": {
                    "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false,
                    "ports": [{"port": 80}],
                },
            })
        })
        .collect();
    // Several hands: a controller that is slow to see its own writes meets the next Service before.
    let hands = 8;
    std::thread::scope(|scope| {
        let started: Vec<_> = services
            .chunks(services.len().div_ceil(hands).max(1))
            .map(|some| {
                scope.spawn(|| {
                    some.iter()
                        .try_for_each(|service| stage.plane.create(service).map(drop))
                })
            })
            .collect();
        for hand in started {
            hand.join()
                .map_err(|_| anyhow::anyhow!("a hand has died"))??;
        }
        Ok(())
    })
}

/// The addresses of all Services of the stage, once each has one. No two may be alike.
pub(super) fn all_addresses(stage: &Stage<'_>, count: usize) -> Result<BTreeSet<String>> {
    let limit = LIMIT * 3;
    wait_for(&format!("{count} Services have addresses"), limit, || {
        let services = stage.plane.list(&Resource::service(), Some(&stage.space))?;
        let mut given = BTreeSet::new();
        for service in services
            .iter()
            .filter(|service| !ingress(service).is_empty())
        {
            for address in ingress(service) {
                if !given.insert(address.clone()) {
                    return Err(crate::wait::Hopeless(format!("{address} was given twice")).into());
                }
            }
        }
        ensure!(given.len() == count, "{} of {count} have one", given.len());
        Ok(given)
    })
}

/// That claims and statuses say the same: nothing leaked, nothing is held for nobody.
pub(super) fn consistent(stage: &Stage<'_>, given: &BTreeSet<String>) -> Result<()> {
    wait_for("claims and statuses agree", LIMIT, || {
        let claims = stage
            .plane
            .list(&Resource::ringbolt("IPAllocation"), None)?;
        let mut held = BTreeSet::new();
        for claim in &claims {
            let holders = claim["spec"]["holders"].as_array().map_or(0, Vec::len);
            let address = claim["spec"]["address"].as_str().context("no address")?;
            ensure!(holders <= 1, "{address} has {holders} holders");
            if holders == 1 {
                held.insert(address.to_owned());
            }
        }
        ensure!(
            held == *given,
            "claims hold {} of {}",
            held.len(),
            given.len()
        );
        Ok(())
    })
}

/// How many calls had this outcome, over both controllers.
fn outcomes(plane: &ControlPlane, ports: &[u16], outcome: &str) -> Result<u64> {
    let mut sum = 0;
    for port in ports {
        let found = writes_at(plane, *port)?;
        let ours = found.iter().filter(|(labels, _)| labels.contains(outcome));
        sum += ours.map(|(_, count)| count).sum::<u64>();
    }
    Ok(sum)
}

fn two_controllers_without_a_lease_never_double_an_address(lab: &KubeLab) -> Result<()> {
    const COUNT: usize = 200;
    let mut plane = lab.fresh("rivals", &Options::default())?;
    let stage = Stage::new(&plane, "rivals", &["10.150.0.1-10.150.0.200"])?;
    let off = ["--leader-election", "false"];
    let one = controller(lab, &plane, "one", 9642, &off)?;
    let two = controller(lab, &plane, "two", 9643, &off)?;
    create(&stage, COUNT)?;
    let given = all_addresses(&stage, COUNT)?;
    consistent(&stage, &given)?;
    // Half of them go and others come at the same time.
    for number in 0..COUNT / 2 {
        stage.delete(&format!("web-{number}"))?;
    }
    for number in COUNT..COUNT + COUNT / 2 {
        let spec = json!({"allocateLoadBalancerNodePorts": false});
        stage.service(&format!("web-{number}"), &spec)?;
    }
    let given = all_addresses(&stage, COUNT)?;
    consistent(&stage, &given)?;
    for outcome in ["AlreadyExists", "Conflict"] {
        let seen = outcomes(&plane, &[9642, 9643], outcome)?;
        ensure!(seen > 0, "{outcome} was never seen: the two did not meet");
        println!("        {outcome}: {seen} times");
    }
    drop((one, two));
    plane.succeeded();
    Ok(())
}

fn a_restart_with_many_services_writes_nothing(lab: &KubeLab) -> Result<()> {
    const COUNT: usize = 500;
    let mut plane = lab.fresh("restart", &Options::default())?;
    let stage = Stage::new(&plane, "restart", &["10.151.0.0/23"])?;
    let mut first = controller(lab, &plane, "first", 9642, &[])?;
    create(&stage, COUNT)?;
    let given = all_addresses(&stage, COUNT)?;
    quiet(&plane, 9642, writes_at)?;
    first.terminate(LIMIT)?;
    let versions = versions(&stage)?;
    let second = controller(lab, &plane, "second", 9643, &[])?;
    // It works when it serves the next one.
    wait_for("it leads", TAKE_OVER, || {
        let status = crate::node::http_get(plane.space(), 9643, "/status")?;
        ensure!(status.contains("\"Leading\""), "it says {status:.300}");
        Ok(())
    })?;
    holds_for("it writes nothing", QUIET * 2, || {
        let written = writes_at(&plane, 9643)?;
        ensure!(written.is_empty(), "it wrote {written:?}");
        Ok(())
    })?;
    ensure!(self::versions(&stage)? == versions, "a Service has changed");
    ensure!(all_addresses(&stage, COUNT)? == given, "addresses moved");
    drop(second);
    plane.succeeded();
    Ok(())
}

fn versions(stage: &Stage<'_>) -> Result<Vec<String>> {
    let services = stage.plane.list(&Resource::service(), Some(&stage.space))?;
    let version = |service: &Value| service["metadata"]["resourceVersion"].to_string();
    Ok(services.iter().map(version).collect())
}

/// What a controller has written, in some sense.
type Count = fn(&ControlPlane, u16) -> Result<Vec<(String, u64)>>;

/// Waits until a controller writes nothing for a while.
fn quiet(plane: &ControlPlane, port: u16, count: Count) -> Result<()> {
    wait_for("the controller has nothing left to write", LIMIT, || {
        let before = count(plane, port)?;
        holds_for("nothing is written", QUIET, || {
            let now = count(plane, port)?;
            let new = now.iter().filter(|row| !before.contains(row));
            let new: Vec<_> = new.collect();
            ensure!(new.is_empty(), "{new:?} came");
            Ok(())
        })
    })
}

fn idle_controllers_write_nothing(lab: &KubeLab) -> Result<()> {
    // The whole ten minutes when somebody asks for them.
    let minutes = std::env::var("RINGBOLT_LAB_IDLE_SECONDS").ok();
    let span = minutes.and_then(|text| text.parse().ok()).unwrap_or(40);
    let mut plane = lab.fresh("idle", &Options::default())?;
    let stage = Stage::new(&plane, "idle", &["10.152.0.1-10.152.0.9"])?;
    let leading = controller(lab, &plane, "leading", 9642, &[])?;
    stage.service("web", &json!({}))?;
    stage.service("pending", &json!({"loadBalancerIP": "10.152.0.77"}))?;
    stage.address("web")?;
    let following = controller(lab, &plane, "following", 9643, &[])?;
    quiet(&plane, 9642, changes_at)?;
    let versions = versions(&stage)?;
    let before = changes_at(&plane, 9642)?;
    holds_for("nobody writes", Duration::from_secs(span), || {
        let now = changes_at(&plane, 9642)?;
        ensure!(now == before, "the leader does: {now:?}");
        let other = changes_at(&plane, 9643)?;
        ensure!(other.is_empty(), "the follower does: {other:?}");
        Ok(())
    })?;
    ensure!(self::versions(&stage)? == versions, "a Service has changed");
    println!("        0 writes in {span} s");
    drop((leading, following));
    plane.succeeded();
    Ok(())
}

fn rule_45_an_api_server_that_forgets_and_restarts_moves_nothing(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("forgetful", &Options::default())?;
    let stage = Stage::new(&plane, "forgetful", &["10.153.0.1-10.153.0.60"])?;
    let daemon = controller(lab, &plane, "controller", 9642, &[])?;
    create(&stage, 20)?;
    let given = all_addresses(&stage, 20)?;
    for flags in [flags::FORGETFUL, flags::NO_WATCH_LIST, &[]] {
        plane.api_server().restart_with(flags)?;
        let name = format!("after-{}", flags.len());
        stage.service(&name, &json!({}))?;
        stage.address(&name)?;
        stage.delete(&name)?;
        stage.gone(&name)?;
        ensure!(
            all_addresses(&stage, 20)? == given,
            "addresses moved: {flags:?}"
        );
    }
    // A server that hangs for longer than any call may take, and comes back.
    plane.api_server().pause()?;
    holds_for("the controller lives on", Duration::from_secs(20), || {
        crate::node::http_get(plane.space(), 9642, "/livez").map(drop)
    })?;
    plane.api_server().resume()?;
    stage.service("afterwards", &json!({}))?;
    wait_for("the next Service is served", TAKE_OVER, || {
        ensure!(!ingress(&stage.get("afterwards")?).is_empty(), "not yet");
        Ok(())
    })?;
    drop(daemon);
    plane.succeeded();
    Ok(())
}

fn rule_46_a_store_restored_to_an_older_state_is_followed(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("restored", &Options::default())?;
    let stage = Stage::new(&plane, "restored", &["10.154.0.1-10.154.0.9"])?;
    let daemon = controller(lab, &plane, "controller", 9642, &[])?;
    stage.service("old", &json!({}))?;
    let old = stage.address("old")?;
    let checkpoint = plane.checkpoint("before")?;
    stage.service("lost", &json!({}))?;
    let lost = stage.address("lost")?;
    plane.restore(&checkpoint)?;
    ensure!(stage.find("lost")?.is_none(), "the store was not restored");
    stage.service("new", &json!({}))?;
    let new = wait_for("the next Service is served", TAKE_OVER, || {
        let found = ingress(&stage.get("new")?);
        found.first().cloned().context("not yet")
    })?;
    ensure!(new != old, "{new} was given twice");
    ensure!(
        ingress(&stage.get("old")?) == [old],
        "the old one has moved"
    );
    println!("        {lost} was given before, {new} after");
    drop(daemon);
    plane.succeeded();
    Ok(())
}

fn a_leader_that_was_stopped_is_refused(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("stopped", &Options::default())?;
    let stage = Stage::new(&plane, "stopped", &["10.155.0.1-10.155.0.60"])?;
    let old = controller(lab, &plane, "old", 9642, &[])?;
    stage.service("first", &json!({}))?;
    stage.address("first")?;
    let new = controller(lab, &plane, "new", 9643, &[])?;
    // It is stopped in the middle of its work.
    create(&stage, 40)?;
    old.signal(Signal::Stop)?;
    wait_for("the other one serves all", TAKE_OVER, || {
        let services = stage.plane.list(&Resource::service(), Some(&stage.space))?;
        let without = services
            .iter()
            .filter(|service| ingress(service).is_empty());
        ensure!(without.count() == 0, "some have no address");
        Ok(())
    })?;
    let given = all_addresses(&stage, 41)?;
    old.signal(Signal::Continue)?;
    holds_for("what was given stays", QUIET * 3, || {
        ensure!(all_addresses(&stage, 41)? == given, "addresses moved");
        Ok(())
    })?;
    consistent(&stage, &given)?;
    let status = crate::node::http_get(plane.space(), 9642, "/status")?;
    ensure!(
        status.contains("\"Following\""),
        "the old one says {status:.300}"
    );
    drop((old, new));
    plane.succeeded();
    Ok(())
}
