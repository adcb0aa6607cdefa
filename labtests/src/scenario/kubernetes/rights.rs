//! Controller and speaker at work with exactly the rights of manifests/base: nothing they ask for is refused, and every
//! verb that the manifests give them is asked for. What happens without one is `access`'s business.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::access::{
    CONTROLLER, NODE, SPEAKER, asker, installed, pod_kubeconfig, rules, table, target,
};
use super::exact::{Answer, Asker, Verb};
use super::rendered::{SPACE, find};
use crate::kubelab::{ControlPlane, KubeLab, Resource};
use crate::node::{CONTROLLER_HTTP, SPEAKER_HTTP, http_get};
use crate::scenario::KubeScenario;
use crate::wait::wait_for;

pub(super) const SCENARIOS: &[KubeScenario] = &[
    KubeScenario {
        name: "kubernetes: daemons_need_each_right_they_are_given_and_no_other",
        run: needed,
    },
    KubeScenario {
        name: "kubernetes: without_one_right_to_leases_no_controller_leads",
        run: leases,
    },
];

const LIMIT: Duration = Duration::from_secs(60);
const NAME: &str = "rights";

/// Rights that this story does not show in use.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    // Taking a lease is a read and a write, and is counted as a patch; the scenario below takes these away.
    (CONTROLLER, "create", "leases"),
    (CONTROLLER, "get", "leases"),
    // Read when a name is taken, which takes two controllers that work at once.
    (CONTROLLER, "get", "ipallocations"),
    // A freed claim rests for ten minutes before it goes.
    (CONTROLLER, "delete", "ipallocations"),
    // Counts an event once more that has been reported minutes ago.
    (CONTROLLER, "patch", "events"),
];

/// A verb on a kind of object; subresources count as their object.
type Use = (String, String);

fn needed(lab: &KubeLab) -> Result<()> {
    let (mut plane, objects) = installed(lab, "rights")?;
    let state = plane.folder().join("state");
    let state = state.to_str().context("a folder with a readable name")?;
    let of = |account: &str| pod_kubeconfig(&plane, account);
    let (program, controller) = (lab.ringbolt(), of(CONTROLLER)?);
    let mut controller =
        plane.start_ringbolt(program, "controller", &controller, &["controller"])?;
    let flags = ["speaker", "--node-name", NODE, "--state-dir", state];
    let mut speaker = plane.start_ringbolt(program, "speaker", &of(SPEAKER)?, &flags)?;
    story(&plane)?;
    for (account, port) in [(SPEAKER, SPEAKER_HTTP), (CONTROLLER, CONTROLLER_HTTP)] {
        let cells = table(&rules(&objects, account)?);
        let given: BTreeSet<Use> = cells
            .iter()
            .map(|(target, verb)| {
                let object = target.resource.split('/').next().unwrap_or_default();
                (verb.name().to_owned(), object.to_owned())
            })
            .collect();
        wait_for(&format!("{account} uses all of its rights"), LIMIT, || {
            let (used, refused) = uses(&plane, port)?;
            ensure!(refused.is_empty(), "{account} was refused {refused:?}");
            let more: Vec<&Use> = used.difference(&given).collect();
            ensure!(more.is_empty(), "{account} asks for {more:?}");
            let idle: Vec<&Use> = given
                .difference(&used)
                .filter(|(verb, kind)| !ELSEWHERE.contains(&(account, verb, kind)))
                .collect();
            ensure!(idle.is_empty(), "{account} has no use for {idle:?}");
            Ok(())
        })?;
    }
    controller.check_alive()?;
    speaker.check_alive()?;
    plane.succeeded();
    Ok(())
}

/// Metrics do not tell a lease's calls apart: a controller that lacks one of the verbs is seen not to lead.
fn leases(lab: &KubeLab) -> Result<()> {
    let (mut plane, objects) = installed(lab, "leases")?;
    let role = find(&objects, "Role", CONTROLLER)?;
    let kubeconfig = pod_kubeconfig(&plane, CONTROLLER)?;
    let (lease, leads) = (Resource::lease(), "this controller leads");
    for verb in ["get", "create", "patch"] {
        let mut without = role.clone();
        let rules = without["rules"].as_array_mut().context("rules")?;
        let rule = rules
            .iter_mut()
            .find(|rule| rule["resources"][0] == "leases");
        let verbs = rule.context("a rule for leases")?["verbs"].as_array_mut();
        verbs.context("verbs")?.retain(|kept| kept != verb);
        plane.delete(&lease, Some(SPACE), CONTROLLER)?;
        plane.apply(&without)?;
        settle(
            &asker(&plane, CONTROLLER)?,
            Verb::named(verb)?,
            &Answer::NoRole,
        )?;
        let name = format!("controller-without-{verb}");
        let mut daemon =
            plane.start_ringbolt(lab.ringbolt(), &name, &kubeconfig, &["controller"])?;
        let log = daemon.log().to_path_buf();
        let said = || fs::read_to_string(&log).unwrap_or_default();
        wait_for(
            &format!("it says that it may not {verb} leases"),
            LIMIT,
            || {
                let complaint = format!("cannot {verb} resource \"leases\"");
                ensure!(said().contains(&complaint), "it says:\n{}", said());
                Ok(())
            },
        )?;
        ensure!(!said().contains(leads), "it leads without {verb}");
        plane.apply(role)?;
        wait_for("it leads once it may", LIMIT, || {
            ensure!(said().contains(leads), "it says:\n{}", said());
            Ok(())
        })?;
        daemon.terminate(LIMIT)?;
    }
    plane.succeeded();
    Ok(())
}

fn settle(asker: &Asker<'_>, verb: Verb, wanted: &Answer) -> Result<()> {
    let target = target("coordination.k8s.io", "leases");
    wait_for("the role is in force", LIMIT, || {
        let content = json!({"metadata": {"name": CONTROLLER}});
        let answer = asker.send(verb, &target, CONTROLLER, &content)?;
        ensure!(answer == *wanted, "it is {answer:?}");
        Ok(())
    })
}

/// What a daemon has asked for, and what of it was refused.
fn uses(plane: &ControlPlane, port: u16) -> Result<(BTreeSet<Use>, BTreeSet<Use>)> {
    let page = http_get(plane.space(), port, "/metrics")?;
    let (mut used, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for line in page.lines() {
        let Some(labels) = line.strip_prefix("ringbolt_api_calls_total{") else {
            continue;
        };
        let label = |name: &str| -> Result<String> {
            let (_, rest) = labels
                .split_once(&format!("{name}=\""))
                .with_context(|| line.to_owned())?;
            let (value, _) = rest.split_once('"').with_context(|| line.to_owned())?;
            Ok(value.to_owned())
        };
        let asked = (label("verb")?, label("kind")?);
        if label("outcome")? == "Forbidden" {
            refused.insert(asked.clone());
        }
        used.insert(asked);
    }
    ensure!(!used.is_empty(), "no call is counted");
    Ok((used, refused))
}

/// Something for every right to be used for.
fn story(plane: &ControlPlane) -> Result<()> {
    let ours = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "ringbolt.io/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        })
    };
    plane.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": SPACE, "name": NAME},
        "stringData": {"password": "a password"},
    }))?;
    let peer = json!({
        "myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.200", "passwordSecret": {"name": NAME},
    });
    plane.apply(&ours("BGPPeer", NAME, peer))?;
    let pool = json!({"addresses": ["192.0.2.64/28"], "onRemoval": "Keep"});
    plane.apply(&ours("IPAddressPool", NAME, pool))?;
    plane.apply(&ours(
        "L2Advertisement",
        NAME,
        json!({"ipAddressPools": [NAME]}),
    ))?;
    plane.apply(&ours(
        "BGPAdvertisement",
        NAME,
        json!({"ipAddressPools": [NAME]}),
    ))?;
    plane.apply(&ours("BFDProfile", NAME, json!({})))?;
    plane.apply(&ours("BGPPeerTemplate", NAME, json!({"holdTime": "9s"})))?;
    plane.apply(&ours("Community", NAME, json!({"communities": []})))?;
    plane.apply(&ours("RouteImport", NAME, json!({})))?;
    for name in ["one", "two"] {
        plane.apply(&service(name, &json!({})))?;
        wait_for(&format!("{name} has an address"), LIMIT, || {
            let found = plane.get(&Resource::service(), Some("default"), name)?;
            let status = &found.context("the Service")?["status"]["loadBalancer"]["ingress"];
            ensure!(status[0]["ip"].is_string(), "its status is {status}");
            Ok(())
        })?;
    }
    // Refused for ever: an event that is repeated.
    let wish = json!({"ringbolt.io/loadBalancerIPs": "198.51.100.1"});
    plane.apply(&service("three", &wish))?;
    let pool = Resource::ringbolt("IPAddressPool");
    wait_for("the pool is held while it is in use", LIMIT, || {
        let found = plane.get(&pool, None, NAME)?.context("the pool went")?;
        let held = found["metadata"]["finalizers"].to_string();
        ensure!(
            held.contains("ringbolt.io/in-use"),
            "its finalizers are {held}"
        );
        Ok(())
    })?;
    plane.delete(&pool, None, NAME)?;
    // Its new type is not among what is watched; what has become of it must be asked for.
    let change = json!({"spec": {"type": "ClusterIP"}});
    plane.patch(&Resource::service(), Some("default"), "two", &change)?;
    plane.delete(&Resource::service(), Some("default"), "one")?;
    wait_for("the pool goes when nobody uses it", LIMIT, || {
        let found = plane.get(&pool, None, NAME)?;
        ensure!(found.is_none(), "it is still there: {found:?}");
        Ok(())
    })
}

fn service(name: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": name, "annotations": annotations},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    })
}
