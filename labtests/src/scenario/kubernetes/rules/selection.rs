//! Which Services are ours: classes, and statuses that somebody else writes.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::json;

use super::faults::controller;
use super::stage::{FINALIZER, LIMIT, QUIET, Stage, condition, has_finalizer, ingress};
use crate::kubelab::{KubeLab, Options};
use crate::node::CONTROLLER_HTTP;
use crate::wait::{Hopeless, holds_for, wait_for};

/// Our own class.
const CLASS: &str = "ringbolt.io/ringbolt";

pub(super) fn rule_01_a_foreign_class_is_never_touched(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-01", &["10.101.0.1-10.101.0.9"])?;
    // A class is ours as a whole or not at all; a plain Service of another type asks for nothing.
    let others = [
        ("theirs", json!({"loadBalancerClass": "example.com/other"})),
        (
            "longer",
            json!({"loadBalancerClass": "ringbolt.io/ringbolt2"}),
        ),
        ("inner", json!({"type": "ClusterIP"})),
        ("port", json!({"type": "NodePort"})),
    ];
    for (name, spec) in &others {
        stage.service(name, spec)?;
    }
    stage.service("plain", &json!({}))?;
    let ours = json!({"loadBalancerClass": CLASS});
    stage.service("ours", &ours)?;
    stage.address("plain")?;
    stage.address("ours")?;
    for (name, _) in &others {
        left_alone(&stage, name, QUIET / 4)?;
    }
    Ok(())
}

/// That we do nothing about a Service that has no address of ours.
fn left_alone(stage: &Stage<'_>, name: &str, span: Duration) -> Result<()> {
    stage.untouched(name, span)?;
    let service = stage.get(name)?;
    ensure!(ingress(&service).is_empty(), "{name} has an address");
    ensure!(!has_finalizer(&service), "{name} has our finalizer");
    let said = condition(&service);
    ensure!(said.is_null(), "{name} has our condition: {said}");
    let told = stage.events(name)?;
    ensure!(told.is_empty(), "{name}: events {told:?}");
    let claims = stage.claims_of(name)?;
    ensure!(claims.is_empty(), "claims name {name}: {claims:?}");
    Ok(())
}

pub(super) fn rule_01_without_a_class_only_the_default_provider_serves(
    lab: &KubeLab,
) -> Result<()> {
    let mut plane = lab.fresh("by-class", &Options::default())?;
    let stage = Stage::new(&plane, "by-class", &["10.161.0.1-10.161.0.9"])?;
    let flags = [
        "--default-provider=false",
        "--load-balancer-class=example.com/a",
        "--load-balancer-class=example.com/b",
        "--leader-election=false",
    ];
    let daemon = controller(lab, &plane, "controller", CONTROLLER_HTTP, &flags)?;
    let classes = [
        ("plain", json!({})),
        ("default", json!({"loadBalancerClass": CLASS})),
        ("a", json!({"loadBalancerClass": "example.com/a"})),
        ("b", json!({"loadBalancerClass": "example.com/b"})),
    ];
    for (name, spec) in &classes {
        stage.service(name, spec)?;
    }
    for name in ["a", "b"] {
        stage.address(name)?;
    }
    for name in ["plain", "default"] {
        left_alone(&stage, name, QUIET / 2)?;
    }
    drop(daemon);
    plane.succeeded();
    Ok(())
}

pub(super) fn rule_02_a_class_that_changes_is_a_release_and_a_new_request(
    lab: &KubeLab,
) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-02", &["10.102.0.1"])?;
    stage.service("web", &json!({"loadBalancerClass": CLASS}))?;
    stage.address("web")?;
    let other = json!({"spec": {"loadBalancerClass": "example.com/other"}});
    ensure!(stage.patch("web", &other).is_err(), "the class can change");
    let away = json!({"spec": {"type": "ClusterIP", "loadBalancerClass": null}});
    stage.patch("web", &away)?;
    stage.released("web")?;
    let foreign =
        json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}});
    stage.patch("web", &foreign)?;
    stage.untouched("web", QUIET)?;
    stage.released("web")?;
    // What it had is free for others meanwhile: it asks anew, and waits.
    stage.service("next", &json!({}))?;
    let next = stage.address("next")?;
    stage.patch("web", &away)?;
    let ours = json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": CLASS}});
    stage.patch("web", &ours)?;
    stage.refused("web", "PoolExhausted")?;
    stage.delete("next")?;
    ensure!(stage.address("web")? == next, "another address");
    Ok(())
}

/// What others had written before the controller came, and what permits it to take over (contracts 1.5).
pub(super) fn rule_03_a_status_of_somebody_else_is_left_alone(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("foreign", &Options::default())?;
    let stage = Stage::new(&plane, "rule-03", &["10.103.0.1-10.103.0.9", "fd00:103::1"])?;
    let class = json!({"loadBalancerClass": CLASS});
    let (outside, inside) = ("203.0.113.7", "10.103.0.7");
    let cases = [
        ("outside", json!({}), json!([{"ip": outside}])),
        ("inside", json!({}), json!([{"ip": inside}])),
        ("named", json!({}), json!([{"hostname": "lb.example.com"}])),
        ("reserved", json!({}), json!([{"ip": "10.103.0.5"}])),
        ("ours-inside", class.clone(), json!([{"ip": "10.103.0.6"}])),
        ("ours-outside", class, json!([{"ip": "203.0.113.8"}])),
    ];
    for (name, spec, entries) in &cases {
        stage.service(name, spec)?;
        stage.patch_status(name, &json!({"loadBalancer": {"ingress": entries}}))?;
    }
    plane.apply(&json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAllocation",
        "metadata": {"name": "v4-10-103-0-5"},
        "spec": {"address": "10.103.0.5", "reservedFor": {"namespace": stage.space, "name": "reserved"}},
    }))?;
    let daemon = controller(lab, &plane, "controller", CONTROLLER_HTTP, &[])?;
    let (theirs, ours) = cases.split_at(3);
    for (name, _, _) in theirs {
        stage.refused(name, "ForeignStatus")?;
        stage.told(
            name,
            &["Warning ForeignStatus", "Warning SyncLoadBalancerFailed"],
        )?;
    }
    for (name, _, _) in ours {
        wait_for(&format!("{name} is taken over"), LIMIT, || {
            let service = stage.get(name)?;
            ensure!(has_finalizer(&service), "no finalizer");
            ensure!(condition(&service)["status"] == "True", "{service}");
            Ok(())
        })?;
    }
    ensure!(stage.address("reserved")? == "10.103.0.5", "it has moved");
    ensure!(
        stage.address("ours-inside")? == "10.103.0.6",
        "it has moved"
    );
    let replaced = stage.address("ours-outside")?;
    ensure!(replaced.starts_with("10.103.0."), "it has {replaced}");
    holds_for("what is theirs stays theirs", QUIET, || {
        for (name, _, entries) in theirs {
            let service = stage.get(name)?;
            let now = &service["status"]["loadBalancer"]["ingress"];
            let same = |field| now[0][field] == entries[0][field];
            ensure!(same("ip") && same("hostname"), "{name} says {now}");
            ensure!(!has_finalizer(&service), "{name} has our finalizer");
            let claims = stage.claims_of(name)?;
            ensure!(claims.is_empty(), "claims name {name}: {claims:?}");
        }
        Ok(())
    })?;
    drop(daemon);
    plane.succeeded();
    Ok(())
}

/// Another provider takes Services without class too: as k3s, it writes addresses of nodes, and holds the Service by
/// the finalizer that all providers share.
pub(super) fn rule_05_another_provider_is_noticed_and_keeps_its_service(
    lab: &KubeLab,
) -> Result<()> {
    let stage = Stage::without_pool(&lab.served()?.plane, "rule-05")?;
    let finalizer = json!({"metadata": {"finalizers": [FINALIZER]}});
    let theirs = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.11"}, {"ip": "192.0.2.12"}]}});
    // No pool serves this namespace yet, so that the other one comes first.
    stage.service("web", &json!({}))?;
    stage.patch("web", &finalizer)?;
    stage.patch_status("web", &theirs)?;
    stage.pool(&["10.105.0.1-10.105.0.9"])?;
    stage.refused("web", "ForeignStatus")?;
    stage.delete("web")?;
    let kept = || -> Result<()> {
        let service = stage.get("web")?;
        ensure!(has_finalizer(&service), "we have let it go");
        let now = ingress(&service);
        ensure!(now == ["192.0.2.11", "192.0.2.12"], "it says {now:?}");
        Ok(())
    };
    // As long as our own withdrawal would have taken, and more.
    holds_for("its provider ends it", QUIET * 2, kept)?;
    stage.patch("web", &json!({"metadata": {"finalizers": null}}))?;
    stage.gone("web")
}

pub(super) fn rule_04_a_contested_status_is_not_fought_for(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-04", &["10.104.0.1-10.104.0.9"])?;
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    let theirs = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.8"}]}});
    let mut rounds = 0;
    // Somebody else insists until it is let be.
    wait_for("the controller lets it be", LIMIT, || {
        let service = stage.get("web")?;
        let now = ingress(&service);
        // Two who write never blend.
        if now.len() > 1 {
            return Err(Hopeless(format!("it says {now:?}")).into());
        }
        if now != ["203.0.113.8"] {
            rounds += 1;
            ensure!(rounds < 20, "it was written {rounds} times");
            stage.patch_status("web", &theirs)?;
        }
        let said = condition(&service);
        ensure!(said["reason"] == "StatusContested", "condition {said}");
        Ok(())
    })?;
    stage.untouched("web", QUIET)?;
    stage.refused("web", "StatusContested")?;
    ensure!(
        ingress(&stage.get("web")?) == ["203.0.113.8"],
        "the other one's address is not there"
    );
    Ok(())
}

pub(super) fn a19_a_service_status_lifecycle_under_a_foreign_class(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-a19", &["10.119.0.1-10.119.0.9"])?;
    stage.service("web", &json!({"loadBalancerClass": "example.com/test"}))?;
    let expected = |service: &serde_json::Value, ip: &str| ingress(service) == [ip];
    for ip in ["203.0.113.1", "203.0.113.2"] {
        stage.patch_status("web", &json!({"loadBalancer": {"ingress": [{"ip": ip}]}}))?;
        ensure!(expected(&stage.get("web")?, ip), "the patch is not there");
        stage.untouched("web", QUIET / 2)?;
    }
    let condition = json!({
        "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "set by a test",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    stage.patch_status("web", &json!({"conditions": [condition]}))?;
    stage.untouched("web", QUIET / 2)?;
    let (told, claims) = (stage.events("web")?, stage.claims_of("web")?);
    ensure!(told.is_empty(), "events {told:?}");
    ensure!(claims.is_empty(), "claims {claims:?}");
    stage.delete("web")?;
    ensure!(stage.find("web")?.is_none(), "something holds it back");
    Ok(())
}

pub(super) fn rule_27_a_headless_service_is_refused_by_the_server(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-27", &["10.127.0.1-10.127.0.9"])?;
    let refused = stage.service("headless", &json!({"clusterIP": "None"}));
    let Err(refused) = refused else {
        bail!("the server takes a headless LoadBalancer")
    };
    let complaint = format!("{refused:#}");
    ensure!(complaint.contains("clusterIP"), "{complaint}");
    stage.service("inner", &json!({"type": "ClusterIP", "clusterIP": "None"}))?;
    stage.service("plain", &json!({}))?;
    stage.address("plain")?;
    left_alone(&stage, "inner", QUIET / 2)
}
