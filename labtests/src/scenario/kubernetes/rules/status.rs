//! What is written: form, amount, events, conditions.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::stage::{QUIET, Stage, both, condition, ingress, version, writes};
use crate::kubelab::KubeLab;
use crate::wait::{holds_for, wait_for};

pub(super) fn rule_12_addresses_are_written_in_canonical_form(lab: &KubeLab) -> Result<()> {
    let pool = ["fd00:0112::000a-fd00:112::00ff", "10.112.0.1-10.112.0.9"];
    let stage = Stage::new(&lab.served()?.plane, "rule-12", &pool)?;
    let v6 = json!(["IPv6"]);
    stage.service("chosen", &json!({"ipFamilies": v6}))?;
    ensure!(
        stage.address("chosen")? == "fd00:112::a",
        "{:?}",
        stage.get("chosen")
    );
    // The API server does not look into this field.
    let requests = [
        ("long", "IPv6", "FD00:112:0::00B0", "fd00:112::b0"),
        ("zeros", "IPv4", "010.112.000.007", "10.112.0.7"),
        ("mapped", "IPv4", "::ffff:10.112.0.8", "10.112.0.8"),
    ];
    for (name, family, asked, wanted) in requests {
        let spec = json!({"ipFamilies": [family], "loadBalancerIP": asked});
        stage.service(name, &spec)?;
        let given = stage.address(name)?;
        ensure!(given == wanted, "{asked} became {given}");
    }
    stage.service("worse", &json!({"loadBalancerIP": "no address"}))?;
    stage.refused("worse", "RequestInvalid")?;
    ensure!(
        ingress(&stage.get("worse")?).is_empty(),
        "it has an address"
    );
    // It has stopped nobody.
    stage.service("last", &both())?;
    stage.addresses("last", 2).map(drop)
}

pub(super) fn rule_13_ingress_is_an_ip_with_mode_vip(lab: &KubeLab) -> Result<()> {
    let pool = ["10.113.0.1-10.113.0.9", "fd00:113::1-fd00:113::9"];
    let stage = Stage::new(&lab.served()?.plane, "rule-13", &pool)?;
    stage.service("web", &both())?;
    let found = stage.addresses("web", 2)?;
    let service = stage.get("web")?;
    let entries = found.iter().map(|ip| json!({"ip": ip, "ipMode": "VIP"}));
    let wanted = json!({"ingress": entries.collect::<Vec<_>>()});
    ensure!(
        service["status"]["loadBalancer"] == wanted,
        "{}",
        service["status"]
    );
    Ok(())
}

pub(super) fn rule_14_ports_are_absent_for_mixed_protocols(lab: &KubeLab) -> Result<()> {
    let pool = ["10.114.0.1-10.114.0.9", "fd00:114::1-fd00:114::9"];
    let stage = Stage::new(&lab.served()?.plane, "rule-14", &pool)?;
    let mut spec = both();
    spec["ports"] = json!([
        {"name": "tcp", "port": 53, "protocol": "TCP"},
        {"name": "udp", "port": 53, "protocol": "UDP"},
        {"name": "sctp", "port": 54, "protocol": "SCTP"},
    ]);
    stage.service("dns", &spec)?;
    stage.addresses("dns", 2)?;
    let service = stage.get("dns")?;
    let entries = service["status"]["loadBalancer"]["ingress"].as_array();
    for entry in entries.into_iter().flatten() {
        ensure!(entry["ports"].is_null(), "{entry}");
    }
    ensure!(
        condition(&service)["status"] == "True",
        "{}",
        service["status"]
    );
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
    const COUNT: usize = 40;
    // As many as there are Services: one that is given twice leaves somebody without.
    let pool = ["10.147.0.1-10.147.0.40", "fd00:147::1-fd00:147::28"];
    let stage = Stage::new(&lab.served()?.plane, "rule-47", &pool)?;
    let names: Vec<String> = (0..COUNT).map(|number| format!("web-{number}")).collect();
    let mut spec = both();
    spec["allocateLoadBalancerNodePorts"] = json!(false);
    for name in &names {
        stage.service(name, &spec)?;
    }
    let mut given = BTreeSet::new();
    for name in &names {
        for address in stage.addresses(name, 2)? {
            ensure!(given.insert(address.clone()), "{address} was given twice");
        }
    }
    Ok(())
}

pub(super) fn rule_48_events_are_those_of_the_changes(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-48", &["10.148.0.1"])?;
    // Each under our name and under that of upstream controllers.
    let given = ["Normal EnsuredLoadBalancer", "Normal IPAllocated"];
    let exhausted = ["Warning PoolExhausted", "Warning SyncLoadBalancerFailed"];
    let released = ["Normal DeletedLoadBalancer", "Normal IPReleased"];
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    stage.told("web", &given)?;
    stage.service("late", &json!({}))?;
    stage.refused("late", "PoolExhausted")?;
    stage.told("late", &exhausted)?;
    // What a person sees; kubectl asks for the events of this very object.
    let args = ["describe", "service", "late", "--namespace", &stage.space];
    let shown = stage.plane.kubectl(&args)?;
    for part in ["PoolExhausted", "SyncLoadBalancerFailed", "ringbolt"] {
        ensure!(shown.contains(part), "kubectl shows no {part}:\n{shown}");
    }
    // Nothing is told twice.
    stage.patch("web", &json!({"metadata": {"labels": {"a": "b"}}}))?;
    stage.patch("late", &json!({"metadata": {"labels": {"a": "b"}}}))?;
    holds_for("nothing is told twice", QUIET, || {
        let told = [stage.events("web")?, stage.events("late")?];
        ensure!(told == [&given[..], &exhausted[..]], "{told:?}");
        Ok(())
    })?;
    // An address that goes is told, once, whether its Service leaves the type or ends.
    stage.patch("web", &json!({"spec": {"type": "ClusterIP"}}))?;
    stage.released("web")?;
    stage.address("late")?;
    stage.told("web", &[released[0], given[0], given[1], released[1]])?;
    stage.delete("late")?;
    stage.gone("late")?;
    let all = [released, given].concat();
    let mut all = [all, exhausted.to_vec()].concat();
    all.sort_unstable();
    stage.told("late", &all)?;
    holds_for("nothing is told twice", QUIET, || {
        let told = stage.events("late")?;
        ensure!(told == all, "{told:?}");
        Ok(())
    })
}

pub(super) fn rule_49_conditions_are_our_own_and_leave_others_alone(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-49", &["10.149.0.1-10.149.0.9"])?;
    stage.service("web", &json!({"loadBalancerIP": "10.149.0.77"}))?;
    stage.refused("web", "AddressOutsidePools")?;
    let checked = json!({
        "type": "example.com/Checked", "status": "True", "reason": "Test", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let mut conditions = stage.get("web")?["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    conditions.push(checked.clone());
    stage.patch_status("web", &json!({"conditions": conditions}))?;
    stage.patch("web", &json!({"spec": {"loadBalancerIP": "10.149.0.5"}}))?;
    ensure!(stage.address("web")? == "10.149.0.5", "another address");
    let service = stage.get("web")?;
    let conditions = service["status"]["conditions"].as_array().context("none")?;
    ensure!(conditions.contains(&checked), "{conditions:?}");
    let mut types: Vec<_> = conditions.iter().map(|one| one["type"].as_str()).collect();
    types.sort_unstable();
    let wanted = [Some("example.com/Checked"), Some("ringbolt.io/Allocated")];
    ensure!(types == wanted, "{conditions:?}");
    ensure!(condition(&service)["status"] == "True", "{conditions:?}");
    Ok(())
}
