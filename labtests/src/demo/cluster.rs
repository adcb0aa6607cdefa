//! What only a cluster has: refusals of the API server, a second controller, an API server that fails, `kubectl`.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::change::{BROKEN, BROKEN_FILE};
use super::segment::{DEATH_MAX, SERVICE, counted, neighbour, node_at, wait_members, wait_owner};
use super::steps::{Verdict, verdict};
use crate::client::{Stream, Transport, ask};
use crate::kubelab::{ControlPlane, Resource, User};
use crate::manifests::{self, Policy, SERVICE_PORT};
use crate::node::{CONTROLLER_HTTP, http_get};
use crate::router::established;
use crate::story::{LIMIT, Story};
use crate::wait::{holds_for, wait_for};

fn plane(story: &Story) -> Result<&ControlPlane> {
    let place = story.rack.place.kubernetes();
    place
        .map(|place| &place.plane)
        .context("the lab is on no cluster")
}

/// What `kubectl get service` prints of a Service that holds these addresses; nothing where there is no cluster.
pub(super) fn external_addresses(
    story: &Story,
    service: &str,
    addresses: [IpAddr; 2],
) -> Result<Vec<String>> {
    let Ok(plane) = plane(story) else {
        return Ok(Vec::new());
    };
    let namespace = &story.plan().namespace;
    let shown = plane.kubectl(&["get", "service", service, "--namespace", namespace])?;
    let [v4, v6] = addresses;
    ensure!(
        shown.contains("EXTERNAL-IP") && shown.contains(&format!("{v4},{v6}")),
        "kubectl prints:\n{shown}"
    );
    Ok(shown.lines().map(str::to_owned).collect())
}

/// Datagrams a second while the API server is away.
const RATE: u32 = 100;
/// Until the router has lost a session that nobody keeps alive (9 s), and a little more.
const LONGER_THAN_HOLD: Duration = Duration::from_secs(11);
pub(super) fn broken_object(story: &mut Story) -> Result<Verdict> {
    let before = story.picture()?;
    let mut evidence = refused_by_the_server(story)?;
    // Well-formed, and wrong all the same: only the resolver can know.
    let range = &story.plan().public[0];
    let pool = manifests::resource("IPAddressPool", "overlap", json!({"addresses": [range]}));
    story.rack.put("overlap.yaml", &[pool])?;
    let plane = plane(story)?;
    let condition = wait_for("the pool's status names the overlap", LIMIT, || {
        let resource = Resource::ringbolt("IPAddressPool");
        let pool = plane.get(&resource, None, "overlap")?;
        let pool = pool.context("no such pool")?;
        let conditions = pool["status"]["conditions"].as_array().cloned();
        let found = conditions
            .unwrap_or_default()
            .into_iter()
            .find(|condition| condition["type"] == "Conflicting" && condition["status"] == "True");
        found.with_context(|| format!("its status is {}", pool["status"]))
    })?;
    evidence.push(format!(
        "kubectl describe ipaddresspool overlap: Conflicting, {}: {}",
        condition["reason"].as_str().unwrap_or_default(),
        condition["message"].as_str().unwrap_or_default()
    ));
    holds_for("nothing else changes", Duration::from_secs(3), || {
        ensure!(story.picture()? == before, "addresses or routes changed");
        Ok(())
    })?;
    story.rack.remove("overlap.yaml")?;
    let (services, routes) = before;
    evidence.push(format!(
        "{} Services and {} routes are as before",
        services.len(),
        routes.len()
    ));
    Ok(Verdict::Verified(evidence))
}

/// What the API server and `ringbolt validate` say about a manifest with an unknown field.
fn refused_by_the_server(story: &Story) -> Result<Vec<String>> {
    let file = story.rack.directory.path().join(BROKEN_FILE);
    story.rack.directory.put_text(BROKEN_FILE, BROKEN)?;
    let plane = plane(story)?;
    let path = file.display().to_string();
    let mut command = plane.kubectl_command(&plane.kubeconfig(User::Admin));
    let applied = command.args(["apply", "-f", &path]).output()?;
    let complaint = String::from_utf8_lossy(&applied.stderr).into_owned();
    ensure!(!applied.status.success(), "kubectl apply took it");
    ensure!(
        complaint.contains("autoAsign"),
        "the field is not named in:\n{complaint}"
    );
    let space = story.rack.node_space(&story.plan().nodes[0].name)?;
    let (good, said) = story.rack.ringbolt.ask(space, &["validate", "-f", &path])?;
    ensure!(!good, "`ringbolt validate` finds nothing wrong");
    ensure!(
        said.contains(&format!("{BROKEN_FILE}:7")),
        "no line in:\n{said}"
    );
    story.rack.directory.remove(BROKEN_FILE)?;
    let folder = format!("{}/", story.rack.directory.path().display());
    let lines = complaint
        .lines()
        .map(|line| format!("kubectl apply: {line}"));
    let said = said.lines().filter(|line| line.contains(BROKEN_FILE));
    let lines = lines.chain(said.map(|line| format!("validate: {line}")));
    Ok(lines.map(|line| line.replace(&folder, "")).collect())
}

/// The node whose controller leads.
fn leader(story: &Story) -> Result<String> {
    for node in story.rack.controllers.keys() {
        let metrics = http_get(story.rack.node_space(node)?, CONTROLLER_HTTP, "/metrics")?;
        let mut samples = metrics.lines().filter(|line| !line.starts_with('#'));
        if samples.any(|line| line.contains("_leading") && line.ends_with(" 1")) {
            return Ok(node.clone());
        }
    }
    anyhow::bail!("nobody leads")
}

pub(super) fn leader_killed(story: &mut Story) -> Result<Verdict> {
    let before = story.picture()?.0;
    let first = wait_for("one controller leads", LIMIT, || leader(story))?;
    story.rack.kill_controller(&first)?;
    let killed = Instant::now();
    let pods = story.first_pods();
    story.put("next", "public", Policy::Cluster, &pods, &[])?;
    let addresses = story.wait_addresses("next")?;
    let served = killed.elapsed();
    let second = leader(story)?;
    let mut evidence = vec![format!(
        "the controller of {first} was killed; that of {second} gave the next Service its addresses {:.1} s later",
        served.as_secs_f64()
    )];
    for address in addresses {
        evidence.push(story.wait_next_hops(address, &story.node_names())?);
    }
    let after = story.picture()?.0;
    for (service, addresses) in &before {
        ensure!(
            after.get(service) == Some(addresses),
            "{service} holds {:?}, before {addresses:?}",
            after.get(service)
        );
    }
    story.rack.start_controller(&first)?;
    Ok(Verdict::Verified(evidence))
}

pub(super) fn server_stopped(story: &mut Story) -> Result<Verdict> {
    let before = story.picture()?;
    let [printer, _] = story.addresses(SERVICE)?;
    let [web, _] = story.addresses("web")?;
    let to = SocketAddr::new(web, SERVICE_PORT);
    let stream = story
        .forwards()
        .then(|| Stream::start(&story.rack.client, to, RATE));
    let stream = stream.transpose()?;
    plane(story)?.api_server().kill()?;
    holds_for("routes stay", LONGER_THAN_HOLD, || {
        ensure!(story.router.table()? == before.1, "routes changed");
        Ok(())
    })?;
    let mut evidence = vec![format!(
        "no API server for {} s: {} routes and all sessions are as before",
        LONGER_THAN_HOLD.as_secs(),
        before.1.len()
    )];
    if let Some(stream) = stream {
        let account = stream.finish()?;
        ensure!(account.lost() == 0, "{}", counted(&account));
        evidence.push(format!("client: UDP {to}: {}", counted(&account)));
    }
    wait_members(story)?;
    let (owner, _) = wait_owner(story, printer)?;
    evidence.push(fail_over(story, &owner, printer)?);
    evidence.push(restart_without_server(story, &owner)?);
    plane(story)?.api_server().start()?;
    wait_for("everything is as before", LIMIT, || {
        let now = story.picture()?;
        ensure!(
            now.0 == before.0,
            "an address moved: {:?}, before {:?}",
            now.0,
            before.0
        );
        ensure!(
            now.1 == before.1,
            "{} routes, before {}",
            now.1.len(),
            before.1.len()
        );
        Ok(())
    })?;
    holds_for("it stays so", Duration::from_secs(5), || {
        ensure!(story.picture()? == before, "addresses or routes changed");
        Ok(())
    })?;
    evidence.push(format!(
        "the API server is back: {} Services and {} routes are as before",
        before.0.len(),
        before.1.len()
    ));
    // Kubernetes' own controllers pause for up to a minute between two tries; that is not what is shown here.
    plane(story)?.restart_controllers()?;
    let pods = story.first_pods();
    story.put("later", "public", Policy::Cluster, &pods, &[])?;
    let [later, _] = story.wait_addresses("later")?;
    evidence.push(story.wait_next_hops(later, &story.node_names())?);
    let by = "routes, sessions and the failover were verified";
    Ok(verdict(story, by, evidence))
}

/// A node dies that answers for an address; waits until another does. Nobody takes its pods out of the Services.
fn fail_over(story: &mut Story, owner: &str, address: IpAddr) -> Result<String> {
    let before = neighbour(story, address)?;
    story.rack.speaker(owner)?.kill()?;
    story.rack.speakers.remove(owner);
    story.rack.set_cables(owner, "down")?;
    let died = Instant::now();
    let heir = wait_for("another node answers", DEATH_MAX, || {
        let at = neighbour(story, address)?;
        ensure!(at != before, "the client still sends to {owner}");
        node_at(story, at)
    })?;
    let took = died.elapsed();
    let to = SocketAddr::new(address, SERVICE_PORT);
    let answer = wait_for("a living pod answers", LIMIT, || {
        ask(&story.rack.desk, Transport::Udp, to)
    })?;
    Ok(format!(
        "no API server; {owner} died; desk: {address} is at {heir} after {:.2} s, answered by {}",
        took.as_secs_f64(),
        answer.pod
    ))
}

/// The node comes back and its speaker starts while nobody can tell it anything: it goes on from the last view it had.
fn restart_without_server(story: &mut Story, node: &str) -> Result<String> {
    story.rack.set_cables(node, "up")?;
    story.rack.start_speaker(node)?;
    if story.plan().password.is_some() {
        return Ok(format!(
            "no API server; {node} is back; passwords are kept nowhere, so its session waits for the server"
        ));
    }
    let neighbour = story.plan().nodes.iter().find(|known| known.name == node);
    let neighbour = neighbour.context("no such node")?.rack[0];
    wait_for("its session is back", LIMIT, || {
        established(story.router.as_ref(), &[neighbour])
    })?;
    for address in story.last_addresses("web")? {
        story.wait_next_hops(address, &story.node_names())?;
    }
    Ok(format!(
        "no API server; {node} is back, and its speaker announces what it last knew"
    ))
}

pub(super) fn told(story: &mut Story) -> Result<Verdict> {
    let plane = plane(story)?;
    let [v4, v6] = story.addresses("web")?;
    let all = plane.kubectl(&["get", "ringbolt"])?;
    let nodes = story.node_names();
    let wanted = [v4.to_string(), "public".to_owned(), "tor".to_owned()];
    for word in wanted.iter().chain(&nodes) {
        ensure!(all.contains(word), "{word} is not in:\n{all}");
    }
    let mut evidence = vec!["kubectl get ringbolt".to_owned()];
    evidence.extend(all.lines().map(|line| format!("  {line}")));
    let namespace = story.plan().namespace.clone();
    let name = story.plan().service("web");
    let described = plane.kubectl(&["describe", "service", &name, "--namespace", &namespace])?;
    for address in [v4, v6] {
        ensure!(
            described.contains(&address.to_string()),
            "{address} is not in:\n{described}"
        );
    }
    let events: Vec<&str> = described
        .lines()
        .skip_while(|line| !line.starts_with("Events:"))
        .collect();
    ensure!(
        events.iter().any(|line| line.contains("ringbolt")),
        "no event of ours in:\n{described}"
    );
    evidence.push(format!("kubectl describe service {name}"));
    let shown = described
        .lines()
        .filter(|line| line.starts_with("LoadBalancer Ingress"));
    evidence.extend(shown.chain(events).map(|line| format!("  {line}")));
    let peer = plane.kubectl(&["describe", "bgppeer", "tor"])?;
    ensure!(peer.contains("Conditions:"), "no conditions in:\n{peer}");
    let shown = peer.lines().skip_while(|line| !line.starts_with("Status:"));
    evidence.push("kubectl describe bgppeer tor".to_owned());
    evidence.extend(shown.map(|line| format!("  {line}")));
    Ok(Verdict::Verified(evidence))
}
