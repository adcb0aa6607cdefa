//! Steps 13 to 16: what changes on purpose, and what must not change by accident.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::steps::{Verdict, verdict};
use crate::client::{Transport, ask};
use crate::manifests::{Policy, SERVICE_PORT};
use crate::netns::Signal;
use crate::story::{LIMIT, Story};
use crate::wait::{holds_for, wait_for};

pub(super) fn endpoint_moves(story: &mut Story) -> Result<Verdict> {
    let target = story.plan().nodes[0].clone();
    let pod = target.pods[1].name.clone();
    let addresses = story.addresses("api")?;
    story
        .rack
        .put_endpoints(&story.plan().service("api"), &[&pod])?;
    let mut evidence = Vec::new();
    for address in addresses {
        evidence.push(story.wait_next_hops(address, std::slice::from_ref(&target.name))?);
    }
    for address in addresses.into_iter().filter(|_| story.forwards()) {
        let to = SocketAddr::new(address, SERVICE_PORT);
        let answer = wait_for(&format!("{pod} answers at {to}"), LIMIT, || {
            let answer = ask(&story.rack.client, Transport::Tcp, to)?;
            ensure!(answer.pod == pod, "{} answers", answer.pod);
            Ok(answer)
        })?;
        evidence.push(format!("client: TCP {to}: answered by {}", answer.pod));
    }
    Ok(verdict(
        story,
        "only the announcement was verified",
        evidence,
    ))
}

pub(super) fn address_used_again(story: &mut Story) -> Result<Verdict> {
    let pods = story.first_pods();
    story.put("old", "public", Policy::Cluster, &pods, &[])?;
    let addresses = story.wait_addresses("old")?;
    for address in addresses {
        story.wait_next_hops(address, &story.node_names())?;
    }
    story.put("new", "public", Policy::Cluster, &pods, &addresses)?;
    holds_for(
        "the new Service waits",
        Duration::from_secs(1),
        || match story.addresses("new") {
            Ok(early) => bail!("it was given {early:?} while another Service holds them"),
            Err(_) => Ok(()),
        },
    )?;
    story.rack.remove_service(&story.plan().service("old"))?;
    let deleted = Instant::now();
    let [mut off, mut free] = [None, None];
    wait_for("the address is given again", LIMIT, || {
        // In this order, so that a free address is never seen before a late withdrawal.
        let given = story.addresses("new").is_ok();
        if off.is_none() && story.lacks(&addresses).is_ok() {
            off = Some(deleted.elapsed());
        }
        ensure!(given, "the new Service waits");
        free = Some(deleted.elapsed());
        Ok(())
    })?;
    let (off, free) = (
        off.context("the address was given again while the router still had it")?,
        free.unwrap_or_default(),
    );
    ensure!(
        story.addresses("new")? == addresses,
        "the new Service has other addresses"
    );
    let mut evidence = vec![format!(
        "router: gone {:.2} s after the deletion; given again after {:.2} s",
        off.as_secs_f64(),
        free.as_secs_f64()
    )];
    for address in addresses {
        evidence.push(story.wait_next_hops(address, &story.node_names())?);
    }
    for address in addresses.into_iter().filter(|_| story.forwards()) {
        let to = SocketAddr::new(address, SERVICE_PORT);
        let answer = wait_for(&format!("TCP to {to}"), LIMIT, || {
            ask(&story.rack.client, Transport::Tcp, to)
        })?;
        evidence.push(format!("client: TCP {to}: answered by {}", answer.pod));
    }
    Ok(verdict(
        story,
        "only the announcement was verified",
        evidence,
    ))
}

/// A pool with a typing error in its fourth field; line and field are what must be named.
pub(super) const BROKEN: &str = "\
apiVersion: ringbolt.io/v1beta1
kind: IPAddressPool
metadata:
  name: broken
spec:
  addresses: [192.0.2.300/24]
  autoAsign: false
";
pub(super) const BROKEN_FILE: &str = "broken.yaml";

pub(super) fn broken_manifest(story: &mut Story) -> Result<Verdict> {
    let before = story.picture()?;
    story.rack.directory.put_text(BROKEN_FILE, BROKEN)?;
    // Text that is no YAML at all, as an editor may leave it half-way.
    story
        .rack
        .directory
        .put_text("half.yaml", "kind: Service\nmetadata: {name: [\n")?;
    let space = story.rack.node_space(&story.plan().nodes[0].name)?;
    let shown = wait_for("the controller names the broken manifest", LIMIT, || {
        let status = crate::node::http_get(space, crate::node::CONTROLLER_HTTP, "/status")?;
        for word in [BROKEN_FILE, "half.yaml", "autoAsign"] {
            ensure!(status.contains(word), "/status does not name {word}");
        }
        Ok(status)
    })?;
    let directory = story.rack.directory.path().to_string_lossy().into_owned();
    let (good, verdict) = story
        .rack
        .ringbolt
        .ask(space, &["validate", "-f", &directory])?;
    ensure!(!good, "`ringbolt validate` finds nothing wrong");
    let named: Vec<String> = verdict
        .lines()
        .filter(|line| line.contains(BROKEN_FILE) || line.contains("half.yaml"))
        .map(|line| format!("validate: {}", line.replace(&format!("{directory}/"), "")))
        .collect();
    ensure!(
        named
            .iter()
            .any(|line| line.contains(&format!("{BROKEN_FILE}:7"))),
        "no line in:\n{verdict}"
    );
    ensure!(
        named.iter().any(|line| line.contains("autoAsign")),
        "no field in:\n{verdict}"
    );
    ensure!(shown.len() > 2, "an empty /status");
    holds_for("nothing else changes", Duration::from_secs(3), || {
        ensure!(story.picture()? == before, "addresses or routes changed");
        Ok(())
    })?;
    story.rack.directory.remove(BROKEN_FILE)?;
    story.rack.directory.remove("half.yaml")?;
    let (services, routes) = before;
    let mut evidence = named;
    evidence.push(format!(
        "{} Services and {} routes are as before",
        services.len(),
        routes.len()
    ));
    Ok(Verdict::Verified(evidence))
}

pub(super) fn restart(story: &mut Story) -> Result<Verdict> {
    let before = story.picture()?;
    let names = story.node_names();
    for name in &names {
        story.rack.speaker(name)?.signal(Signal::Term)?;
    }
    for controller in story.rack.controllers.values_mut() {
        controller.terminate(LIMIT)?;
    }
    story.rack.controllers.clear();
    for name in &names {
        story.rack.speaker(name)?.wait_end(LIMIT)?;
        story.rack.speakers.remove(name);
    }
    ensure!(
        story.picture()?.0 == before.0,
        "an address moved while nobody ran"
    );
    story.rack.start_controllers()?;
    story.rack.start_speakers()?;
    story.wait_sessions()?;
    wait_for("every route is back", LIMIT, || {
        let (services, routes) = story.picture()?;
        ensure!(
            services == before.0,
            "an address moved: {services:?}, before {:?}",
            before.0
        );
        ensure!(
            routes == before.1,
            "{} routes, before {}",
            routes.len(),
            before.1.len()
        );
        Ok(())
    })?;
    holds_for("it stays so", Duration::from_secs(2), || {
        ensure!(story.picture()? == before, "addresses or routes changed");
        Ok(())
    })?;
    let [v4, _] = story.addresses("web")?;
    let mut evidence = vec![story.wait_next_hops(v4, &names)?];
    for (service, addresses) in &before.0 {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        evidence.push(format!("{service}: {} as before", addresses.join(" ")));
    }
    Ok(Verdict::Verified(evidence))
}
