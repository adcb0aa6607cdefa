//! What is written: form, amount, events, conditions.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::stage::{QUIET, Stage, ingress, version, writes};
use crate::kubelab::KubeLab;
use crate::wait::{holds_for, wait_for};

pub(super) fn rule_12_addresses_are_written_in_canonical_form(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(
        &lab.served()?.plane,
        "rule-12",
        &["fd00:0112::000a-fd00:112::00ff"],
    )?;
    let v6 = json!(["IPv6"]);
    stage.service("chosen", &json!({"ipFamilies": v6}))?;
    ensure!(
        stage.address("chosen")? == "fd00:112::a",
        "{:?}",
        stage.get("chosen")
    );
    // The API server does not look into this field.
    stage.service(
        "asked",
        &json!({"ipFamilies": v6, "loadBalancerIP": "FD00:112:0::00B0"}),
    )?;
    ensure!(
        stage.address("asked")? == "fd00:112::b0",
        "{:?}",
        stage.get("asked")
    );
    stage.service("odd", &json!({"loadBalancerIP": "010.112.0.1"}))?;
    stage.service("worse", &json!({"loadBalancerIP": "no address"}))?;
    stage.service("last", &json!({"ipFamilies": v6}))?;
    stage.address("last")?;
    ensure!(
        ingress(&stage.get("worse")?).is_empty(),
        "it has an address"
    );
    Ok(())
}

pub(super) fn rule_13_ingress_is_an_ip_with_mode_vip(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-13", &["10.113.0.1-10.113.0.9"])?;
    stage.service("web", &json!({}))?;
    let address = stage.address("web")?;
    let service = stage.get("web")?;
    let wanted = json!({"ingress": [{"ip": address, "ipMode": "VIP"}]});
    ensure!(
        service["status"]["loadBalancer"] == wanted,
        "{}",
        service["status"]
    );
    Ok(())
}

pub(super) fn rule_14_ports_are_absent_for_mixed_protocols(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-14", &["10.114.0.1-10.114.0.9"])?;
    let ports = json!([
        {"name": "tcp", "port": 53, "protocol": "TCP"},
        {"name": "udp", "port": 53, "protocol": "UDP"},
        {"name": "sctp", "port": 54, "protocol": "SCTP"},
    ]);
    stage.service("dns", &json!({"ports": ports}))?;
    stage.address("dns")?;
    let service = stage.get("dns")?;
    let entry = &service["status"]["loadBalancer"]["ingress"][0];
    ensure!(entry["ports"].is_null(), "{entry}");
    ensure!(
        !service["status"]["conditions"]
            .to_string()
            .contains("LoadBalancerPortsError"),
        "{}",
        service["status"]
    );
    Ok(())
}

pub(super) fn rule_33_nothing_is_written_where_nothing_differs(lab: &KubeLab) -> Result<()> {
    let served = lab.served()?;
    let stage = Stage::new(&served.plane, "rule-33", &["10.133.0.1-10.133.0.9"])?;
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    settled(lab)?;
    let before = writes(&served.plane)?;
    let edited = stage.patch(
        "web",
        &json!({"metadata": {"annotations": {"example.com/note": "1"}}}),
    )?;
    stage.service("web", &json!({}))?;
    stage.untouched("web", QUIET)?;
    let after = writes(&served.plane)?;
    ensure!(before == after, "before {before:?}, after {after:?}");
    let history = stage.history("web", version(&edited)?)?;
    ensure!(history.is_empty(), "it was written: {history:?}");
    Ok(())
}

/// Waits until the controller has nothing left to write: statuses of pools follow what they count.
fn settled(lab: &KubeLab) -> Result<()> {
    let plane = &lab.served()?.plane;
    wait_for("nothing more is written", super::stage::LIMIT, || {
        let before = writes(plane)?;
        holds_for("nothing is written", QUIET, || {
            ensure!(writes(plane)? == before, "something is");
            Ok(())
        })
    })
}

pub(super) fn rule_47_services_in_a_row_get_different_addresses(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-47", &["10.147.0.1-10.147.0.40"])?;
    let names: Vec<String> = (0..40).map(|number| format!("web-{number}")).collect();
    for name in &names {
        stage.service(name, &json!({"allocateLoadBalancerNodePorts": false}))?;
    }
    let mut given = BTreeSet::new();
    for name in &names {
        let address = stage.address(name)?;
        ensure!(given.insert(address.clone()), "{address} was given twice");
    }
    Ok(())
}

pub(super) fn rule_48_events_are_those_of_the_changes(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-48", &["10.148.0.1"])?;
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    stage.service("late", &json!({}))?;
    super::stage::reason(&stage, "late", "PoolExhausted")?;
    wait_for("the events are there", super::stage::LIMIT, || {
        let (web, late) = (stage.events("web")?, stage.events("late")?);
        // Each under our name and under that of upstream controllers.
        ensure!(
            web == ["EnsuredLoadBalancer", "IPAllocated"],
            "web: {web:?}"
        );
        ensure!(
            late == ["PoolExhausted", "SyncLoadBalancerFailed"],
            "late: {late:?}"
        );
        Ok(())
    })?;
    // Nothing is told twice.
    stage.patch("web", &json!({"metadata": {"labels": {"a": "b"}}}))?;
    stage.patch("late", &json!({"metadata": {"labels": {"a": "b"}}}))?;
    holds_for("nothing is told twice", QUIET, || {
        let told = stage.events("web")?.len() + stage.events("late")?.len();
        ensure!(told == 4, "{told} events");
        Ok(())
    })
}

pub(super) fn rule_49_conditions_are_our_own_and_leave_others_alone(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-49", &["10.149.0.1-10.149.0.9"])?;
    stage.service("web", &json!({"loadBalancerIP": "10.149.0.77"}))?;
    super::stage::reason(&stage, "web", "AddressOutsidePools")?;
    let condition = json!({
        "type": "example.com/Checked", "status": "True", "reason": "Test", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let mut conditions = stage.get("web")?["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    conditions.push(condition.clone());
    stage.patch_status("web", &json!({"conditions": conditions}))?;
    stage.patch("web", &json!({"spec": {"loadBalancerIP": "10.149.0.5"}}))?;
    ensure!(stage.address("web")? == "10.149.0.5", "another address");
    let service = stage.get("web")?;
    let conditions = service["status"]["conditions"].as_array().context("none")?;
    ensure!(conditions.contains(&condition), "{conditions:?}");
    let ours = |name: &str| name.starts_with("ringbolt.io/") || name == "example.com/Checked";
    ensure!(
        conditions
            .iter()
            .all(|condition| condition["type"].as_str().is_some_and(ours)),
        "{conditions:?}"
    );
    Ok(())
}
