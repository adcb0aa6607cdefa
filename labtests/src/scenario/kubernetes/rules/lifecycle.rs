//! From the request to the release: what an address survives, and in which order it goes.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::stage::{LIMIT, Stage, has_finalizer, ingress, number, version};
use crate::kubelab::KubeLab;
use crate::wait::wait_for;

pub(super) fn rule_10_an_address_survives_every_edit(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-10", &["10.110.0.1-10.110.0.9"])?;
    stage.service("web", &json!({}))?;
    let address = stage.address("web")?;
    let edits = [
        json!({"spec": {"ports": [{"name": "web", "port": 81, "protocol": "TCP"}]}}),
        json!({"spec": {"ports": [{"name": "web", "port": 81, "protocol": "TCP", "nodePort": 30123}]}}),
        json!({"spec": {"externalTrafficPolicy": "Local"}}),
        json!({"spec": {"externalTrafficPolicy": "Cluster"}}),
        json!({"spec": {"selector": {"app": "another"}}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
    ];
    for edit in edits {
        let edited = stage.patch("web", &edit)?;
        kept(&stage, &edited, &address).with_context(|| edit.to_string())?;
    }
    stage.pool(&["10.110.0.0-10.110.0.20", "fd00:110::1-fd00:110::9"])?;
    // The wider pool is in force when it serves somebody.
    stage.service("v6", &json!({"ipFamilies": ["IPv6"]}))?;
    stage.address("v6")?;
    let now = ingress(&stage.get("web")?);
    ensure!(now == [address.clone()], "it became {now:?}");
    let both =
        json!({"spec": {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]}});
    stage.patch("web", &both)?;
    let now = stage.addresses("web", 2)?;
    ensure!(now[0] == address, "the first family became {now:?}");
    let single = json!({"spec": {"ipFamilyPolicy": "SingleStack"}});
    stage.patch("web", &single)?;
    let now = stage.addresses("web", 1)?;
    ensure!(now == [address], "the first family became {now:?}");
    Ok(())
}

/// That the controller has seen an edit and the address is what it was: another Service that is created after the
/// edit has its own by then.
fn kept(stage: &Stage<'_>, edited: &Value, address: &str) -> Result<()> {
    let probe = format!("probe-{}", version(edited)?);
    stage.service(&probe, &json!({}))?;
    stage.address(&probe)?;
    stage.delete(&probe)?;
    let now = ingress(&stage.get("web")?);
    ensure!(now == [address], "the address became {now:?}");
    Ok(())
}

pub(super) fn rule_15_a_type_change_releases_what_the_server_has_wiped(
    lab: &KubeLab,
) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-15", &["10.115.0.1"])?;
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    let changed = stage.patch("web", &json!({"spec": {"type": "ClusterIP"}}))?;
    ensure!(
        ingress(&changed).is_empty(),
        "the server has kept {}",
        changed["status"]
    );
    stage.released("web")?;
    // The only address of the pool is free again.
    stage.service("next", &json!({}))?;
    ensure!(stage.address("next")? == "10.115.0.1", "another address");
    Ok(())
}

pub(super) fn rule_23_the_finalizer_comes_with_the_address(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-23", &["10.123.0.1-10.123.0.9"])?;
    let created = stage.service("web", &json!({}))?;
    stage.address("web")?;
    let history = stage.history("web", version(&created)?)?;
    ensure!(!history.is_empty(), "nothing was told");
    for (_, service) in &history {
        ensure!(
            ingress(service).is_empty() || has_finalizer(service),
            "an address without finalizer: {service}"
        );
    }
    let claims = stage.claims_of("web")?;
    let claim = claims.first().context("no claim")?;
    let published = history
        .iter()
        .find(|(_, service)| !ingress(service).is_empty());
    let (_, published) = published.context("no version with an address")?;
    ensure!(
        number(claim)? < number(published)?,
        "the claim came after the address"
    );
    Ok(())
}

pub(super) fn rule_24_deletion_withdraws_before_release(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-24", &["10.124.0.1"])?;
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    let before = stage.get("web")?;
    let started = std::time::Instant::now();
    stage.delete("web")?;
    // Somebody waits for the only address of the pool.
    stage.service("next", &json!({}))?;
    stage.gone("web")?;
    let took = started.elapsed();
    ensure!(
        took.as_secs_f64() >= 1.9,
        "speakers had {took:?} to withdraw, and not 2 s"
    );
    ensure!(stage.address("next")? == "10.124.0.1", "another address");
    let history = stage.history("web", version(&before)?)?;
    let marked = history
        .iter()
        .filter(|(what, service)| what == "MODIFIED" && ingress(service) == ["10.124.0.1"])
        .count();
    ensure!(marked >= 1, "no version with mark and address: {history:?}");
    let (what, last) = history.last().context("no history")?;
    ensure!(what == "DELETED", "it ends with {what}");
    let claims = stage.claims_of("next")?;
    let claim = claims.first().context("no claim")?;
    ensure!(
        number(claim)? > number(last)?,
        "the claim was given on before the Service was cleared"
    );
    Ok(())
}

pub(super) fn rule_25_every_other_type_releases(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-25", &["10.125.0.1"])?;
    let changes = [
        ("ClusterIP", json!({"spec": {"type": "ClusterIP"}})),
        ("NodePort", json!({"spec": {"type": "NodePort"}})),
        (
            "ExternalName",
            json!({"spec": {
                "type": "ExternalName", "externalName": "example.com",
                "clusterIP": "", "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null,
            }}),
        ),
    ];
    for (kind, change) in changes {
        let name = kind.to_lowercase();
        stage.service(&name, &json!({}))?;
        stage.address(&name)?;
        stage.patch(&name, &change).context(kind)?;
        stage.released(&name).context(kind)?;
        let now = stage.get(&name)?;
        ensure!(now["spec"]["type"] == kind, "it is {}", now["spec"]);
    }
    Ok(())
}

pub(super) fn rule_26_the_same_name_again_is_another_service(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-26", &["10.126.0.1"])?;
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    let old = stage.get("web")?["metadata"]["uid"].clone();
    stage.delete("web")?;
    // Somebody forces it.
    stage.patch("web", &json!({"metadata": {"finalizers": null}}))?;
    stage.service("web", &json!({}))?;
    ensure!(stage.address("web")? == "10.126.0.1", "another address");
    wait_for("the claim names the new Service alone", LIMIT, || {
        let claims = stage.claims_of("web")?;
        let holders = &claims.first().context("no claim")?["spec"]["holders"];
        ensure!(holders[0]["uid"] != old, "it names {holders}");
        ensure!(holders[1].is_null(), "it names {holders}");
        Ok(())
    })
}

pub(super) fn a8_the_finalizer_follows_the_type(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-a8", &["10.118.0.1-10.118.0.9"])?;
    stage.service("web", &json!({}))?;
    stage.address("web")?;
    ensure!(has_finalizer(&stage.get("web")?), "no finalizer");
    stage.patch("web", &json!({"spec": {"type": "ClusterIP"}}))?;
    stage.released("web")?;
    stage.patch("web", &json!({"spec": {"type": "LoadBalancer"}}))?;
    stage.address("web")?;
    ensure!(has_finalizer(&stage.get("web")?), "no finalizer");
    stage.delete("web")?;
    stage.gone("web")
}

pub(super) fn a9_node_ports_are_neither_needed_nor_noticed(lab: &KubeLab) -> Result<()> {
    let stage = Stage::new(&lab.served()?.plane, "rule-a9", &["10.109.0.1-10.109.0.9"])?;
    stage.service("web", &json!({"allocateLoadBalancerNodePorts": false}))?;
    let address = stage.address("web")?;
    let ports = stage.get("web")?["spec"]["ports"].clone();
    ensure!(ports[0]["nodePort"].is_null(), "ports {ports}");
    let edited = stage.patch(
        "web",
        &json!({"spec": {"allocateLoadBalancerNodePorts": true}}),
    )?;
    kept(&stage, &edited, &address)
}
