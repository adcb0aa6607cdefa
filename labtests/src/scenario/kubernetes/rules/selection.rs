//! Which Services are ours: classes, and statuses that somebody else writes.

use anyhow::{Result, ensure};
use serde_json::json;

use super::stage::{LIMIT, QUIET, Stage, has_finalizer, ingress, reason};
use crate::kubelab::{KubeLab, Options, User};
use crate::wait::{holds_for, wait_for};

pub(super) fn rule_01_a_foreign_class_is_never_touched(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-01", &["10.101.0.1-10.101.0.9"])?;
    stage.service("theirs", &json!({"loadBalancerClass": "example.com/other"}))?;
    stage.service("plain", &json!({}))?;
    stage.service(
        "ours",
        &json!({"loadBalancerClass": "ringbolt.io/ringbolt"}),
    )?;
    stage.address("plain")?;
    stage.address("ours")?;
    stage.untouched("theirs", QUIET)?;
    ensure!(
        ingress(&stage.get("theirs")?).is_empty(),
        "it has an address"
    );
    ensure!(
        !has_finalizer(&stage.get("theirs")?),
        "it has our finalizer"
    );
    ensure!(
        stage.events("theirs")?.is_empty(),
        "events: {:?}",
        stage.events("theirs")
    );
    ensure!(stage.claims_of("theirs")?.is_empty(), "a claim names it");
    Ok(())
}

pub(super) fn rule_02_a_class_that_changes_is_a_release_and_a_new_request(
    lab: &KubeLab,
) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-02", &["10.102.0.1-10.102.0.9"])?;
    stage.service("web", &json!({"loadBalancerClass": "ringbolt.io/ringbolt"}))?;
    stage.address("web")?;
    stage.patch(
        "web",
        &json!({"spec": {"type": "ClusterIP", "loadBalancerClass": null}}),
    )?;
    stage.released("web")?;
    let foreign =
        json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}});
    stage.patch("web", &foreign)?;
    stage.untouched("web", QUIET)?;
    stage.patch(
        "web",
        &json!({"spec": {"type": "ClusterIP", "loadBalancerClass": null}}),
    )?;
    let ours =
        json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "ringbolt.io/ringbolt"}});
    stage.patch("web", &ours)?;
    stage.address("web")?;
    Ok(())
}

pub(super) fn rule_03_a_status_of_somebody_else_is_left_alone(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("foreign", &Options::default())?;
    plane.make_home()?;
    let stage = Stage::new(&plane, "rule-03", &["10.103.0.1-10.103.0.9"])?;
    stage.service("theirs", &json!({}))?;
    let status = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}});
    stage.patch_status("theirs", &status)?;
    let admin = plane.kubeconfig(User::Admin);
    let controller = plane.start_ringbolt(lab.ringbolt(), "controller", &admin, &["controller"])?;
    reason(&stage, "theirs", "ForeignStatus")?;
    holds_for("the address stays theirs", QUIET, || {
        let service = stage.get("theirs")?;
        ensure!(
            ingress(&service) == ["203.0.113.7"],
            "it is {}",
            service["status"]
        );
        ensure!(!has_finalizer(&service), "it has our finalizer");
        Ok(())
    })?;
    let events = stage.events("theirs")?;
    ensure!(
        events == ["ForeignStatus", "SyncLoadBalancerFailed"],
        "events: {events:?}"
    );
    drop(controller);
    plane.succeeded();
    Ok(())
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
        if ingress(&service) != ["203.0.113.8"] {
            rounds += 1;
            ensure!(rounds < 20, "it was written {rounds} times");
            stage.patch_status("web", &theirs)?;
        }
        let conditions = service["status"]["conditions"].to_string();
        ensure!(
            conditions.contains("StatusContested"),
            "conditions {conditions}"
        );
        Ok(())
    })?;
    stage.untouched("web", QUIET)?;
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
    stage.delete("web")?;
    ensure!(stage.find("web")?.is_none(), "something holds it back");
    Ok(())
}

pub(super) fn rule_27_a_headless_service_is_refused_by_the_server(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-27", &["10.127.0.1-10.127.0.9"])?;
    let refused = stage.service("headless", &json!({"clusterIP": "None"}));
    let complaint = format!(
        "{:#}",
        refused
            .err()
            .unwrap_or_else(|| anyhow::anyhow!("it was taken"))
    );
    ensure!(complaint.contains("clusterIP"), "{complaint}");
    Ok(())
}
