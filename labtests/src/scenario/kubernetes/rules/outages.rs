//! An API server that rations, one of two that lags or dies, and rights that are taken from a controller at work.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::access::{CONTROLLER, installed, pod_kubeconfig};
use super::super::rendered::find;
use super::faults::{all_addresses, consistent, controller, create};
use super::scenarios;
use super::stage::{LIMIT, QUIET, Stage, ingress};
use crate::kubelab::{ControlPlane, KubeLab, Options, User, flags};
use crate::node::{self, http_get};
use crate::scenario::KubeScenario;
use crate::wait::{holds_for, wait_for};

pub(in crate::scenario) const OUTAGES: &[KubeScenario] = scenarios![
    self::an_api_server_that_rations_is_asked_again,
    self::a_second_api_server_is_as_good_as_the_first,
    self::rule_44_a_right_that_is_taken_away_moves_nothing,
];

const HTTP: u16 = 9642;

/// Calls with this outcome, over all verbs and kinds.
fn outcome(plane: &ControlPlane, wanted: &str) -> Result<u64> {
    let page = http_get(plane.space(), HTTP, "/metrics")?;
    let wanted = format!("outcome=\"{wanted}\"");
    let lines = page
        .lines()
        .filter(|line| line.starts_with("ringbolt_api_calls_total{") && line.contains(&wanted));
    lines
        .map(|line| {
            let (_, count) = line.rsplit_once(' ').context("a sample")?;
            Ok(count.parse::<u64>()?)
        })
        .sum()
}

fn an_api_server_that_rations_is_asked_again(lab: &KubeLab) -> Result<()> {
    const COUNT: usize = 60;
    let mut plane = lab.fresh("rationed", &Options::default())?;
    let stage = Stage::new(&plane, "rationed", &["10.158.0.1-10.158.0.60"])?;
    // Whoever is in system:masters is never rationed; this user may as much.
    plane.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "rationed"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": User::Controller.name(),
        }],
    }))?;
    plane.api_server().restart_with(flags::CROWDED)?;
    create(&stage, COUNT)?;
    plane.make_home()?;
    let daemon = plane.start_ringbolt(
        lab.ringbolt(),
        "controller",
        &plane.kubeconfig(User::Controller),
        &["controller"],
    )?;
    let given = all_addresses(&stage, COUNT)?;
    consistent(&stage, &given)?;
    let refused = outcome(&plane, "Throttled")?;
    ensure!(refused > 0, "it was never asked to come again later");
    println!("        Throttled: {refused} times");
    drop(daemon);
    plane.succeeded();
    Ok(())
}

fn a_second_api_server_is_as_good_as_the_first(lab: &KubeLab) -> Result<()> {
    const COUNT: usize = 60;
    let mut plane = lab.fresh("second", &Options::default())?;
    plane.make_home()?;
    let stage = Stage::new(&plane, "second", &["10.159.0.1-10.159.0.61"])?;
    let second = plane.second_api_server(&[])?;
    // One controller at each server, no lease between them: each sees the other's writes late.
    let off = ["--leader-election", "false"];
    let one = controller(lab, &plane, "one", HTTP, &off)?;
    let mut args = vec!["controller", "--http", "127.0.0.1:9643"];
    args.extend(off);
    let kubeconfig = second.kubeconfig(User::Admin);
    let two = plane.start_ringbolt(lab.ringbolt(), "two", &kubeconfig, &args)?;
    create(&stage, COUNT)?;
    let given = all_addresses(&stage, COUNT)?;
    consistent(&stage, &given)?;
    // The server of the one dies; the other controller goes on at its own.
    drop(one);
    second.kill()?;
    holds_for("it lives without its server", QUIET, || {
        http_get(plane.space(), 9643, "/livez").map(drop)
    })?;
    stage.service("late", &json!({}))?;
    holds_for("nobody serves without a server", QUIET, || {
        ensure!(ingress(&stage.get("late")?).is_empty(), "somebody does");
        Ok(())
    })?;
    second.start()?;
    wait_for("the next Service is served", LIMIT * 2, || {
        ensure!(!ingress(&stage.get("late")?).is_empty(), "not yet");
        Ok(())
    })?;
    for address in &given {
        ensure!(
            all_addresses(&stage, COUNT + 1)?.contains(address),
            "{address} is given no longer"
        );
    }
    drop(two);
    plane.succeeded();
    Ok(())
}

fn rule_44_a_right_that_is_taken_away_moves_nothing(lab: &KubeLab) -> Result<()> {
    let (mut plane, objects) = installed(lab, "taken")?;
    let stage = Stage::new(&plane, "taken", &["10.144.0.1-10.144.0.9"])?;
    let kubeconfig = pod_kubeconfig(&plane, CONTROLLER)?;
    let daemon =
        plane.start_ringbolt(lab.ringbolt(), "controller", &kubeconfig, &["controller"])?;
    stage.service("first", &json!({}))?;
    let first = stage.address("first")?;
    let role = find(&objects, "ClusterRole", CONTROLLER)?;
    plane.apply(&without_services(role)?)?;
    // A watch that is open outlives the right to it; a new server lets nobody go on.
    plane.api_server().restart()?;
    wait_for("it names what it may not do", LIMIT * 2, || {
        let status = node::status(plane.space(), HTTP)?;
        let said = status["sourceProblems"].to_string();
        ensure!(
            said.contains("Forbidden") && said.contains("services"),
            "it says {said}"
        );
        Ok(())
    })?;
    stage.service("late", &json!({}))?;
    stage.untouched("first", QUIET * 2)?;
    ensure!(
        stage.claims_of("first")?.len() == 1,
        "its claim was given up"
    );
    ensure!(
        ingress(&stage.get("late")?).is_empty(),
        "it sees what it may not see"
    );
    plane.apply(role)?;
    let limit = Duration::from_secs(90);
    wait_for("it serves again", limit, || {
        ensure!(!ingress(&stage.get("late")?).is_empty(), "not yet");
        Ok(())
    })?;
    wait_for("nothing stands in its way", LIMIT, || {
        let said = node::status(plane.space(), HTTP)?["sourceProblems"].to_string();
        ensure!(!said.contains("Forbidden"), "it says {said}");
        Ok(())
    })?;
    ensure!(ingress(&stage.get("first")?) == [first], "the first moved");
    drop(daemon);
    plane.succeeded();
    Ok(())
}

/// A role that says nothing about listing and watching Services.
fn without_services(role: &Value) -> Result<Value> {
    let mut without = role.clone();
    let rules = without["rules"].as_array_mut().context("rules")?;
    let rule = rules
        .iter_mut()
        .find(|rule| rule["resources"] == json!(["services"]));
    let verbs = rule.context("a rule for Services")?["verbs"].as_array_mut();
    verbs.context("verbs")?.retain(|verb| verb == "get");
    Ok(without)
}
