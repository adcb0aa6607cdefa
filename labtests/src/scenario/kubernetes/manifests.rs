//! Kustomizations and the chart: that they mean the same, that a real API server takes them, and that what they say
//! about pods is what they are meant to say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::rendered::{SPACE, find, folder, helm, kustomize};
use crate::kubelab::{ControlPlane, KubeLab, Options, Resource, User};
use crate::netns::run;
use crate::scenario::KubeScenario;

pub(super) const SCENARIOS: &[KubeScenario] = &[
    KubeScenario {
        name: "kubernetes: kustomize_and_helm_render_the_same_objects",
        run: same,
    },
    KubeScenario {
        name: "kubernetes: the_server_takes_base_overlays_and_chart_twice",
        run: taken,
    },
    KubeScenario {
        name: "kubernetes: pods_are_as_confined_as_they_can_be",
        run: confined,
    },
];

const OVERLAYS: &[&str] = &[
    "overlays/default",
    "overlays/routes-only",
    "overlays/single-replica",
    "overlays/by-class",
];

type Key = (String, String, String);

fn by_name(objects: Vec<Value>) -> Result<BTreeMap<Key, Value>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut map = BTreeMap::new();
    for object in objects {
        let meta = &object["metadata"];
        let key = (
            text(&object["kind"]),
            text(&meta["namespace"]),
            text(&meta["name"]),
        );
        ensure!(
            map.insert(key.clone(), whole(object)).is_none(),
            "{key:?} is there twice"
        );
    }
    Ok(map)
}

/// Numbers as YAML means them: `255.0` and `255` are the same.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .map_or(Value::Number(number), |number| json!(number)),
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(fields.map(|(name, value)| (name, whole(value))).collect())
        }
        other => other,
    }
}

/// The chart keeps definitions when it goes, by an annotation that means nothing to anybody else.
fn without_policy(mut object: Value) -> Result<Value> {
    if object["kind"] == "CustomResourceDefinition" {
        let meta = object["metadata"].as_object_mut().context("metadata")?;
        let annotations = meta.remove("annotations");
        let wanted = json!({"helm.sh/resource-policy": "keep"});
        ensure!(
            annotations == Some(wanted),
            "a definition would go with the chart: {meta:?}"
        );
    }
    Ok(object)
}

fn same(lab: &KubeLab) -> Result<()> {
    let mut base = by_name(kustomize(lab.assets(), "base")?)?;
    let with_namespace = ["--set", "namespace.create=true"];
    let Some(chart) = helm(lab.assets(), &with_namespace)? else {
        println!("skipped: no helm was built with the lab; the chart is not compared");
        return Ok(());
    };
    let chart = chart
        .into_iter()
        .map(without_policy)
        .collect::<Result<_>>()?;
    agree(&base, &by_name(chart)?)?;
    // By default the namespace is the installer's: Helm needs it before it begins.
    base.retain(|(kind, _, _), _| kind != "Namespace");
    let plain = helm(lab.assets(), &[])?.context("helm was there")?;
    let plain = plain
        .into_iter()
        .map(without_policy)
        .collect::<Result<_>>()?;
    agree(&base, &by_name(plain)?)?;
    let overlays = [
        ("overlays/routes-only", "speaker.layer2=false"),
        ("overlays/single-replica", "controller.replicas=1"),
        ("overlays/by-class", "defaultProvider=false"),
    ];
    for (overlay, value) in overlays {
        let chart = helm(
            lab.assets(),
            &["--set", "namespace.create=true", "--set", value],
        )?;
        let chart = chart
            .context("helm was there")?
            .into_iter()
            .map(without_policy);
        let overlay = by_name(kustomize(lab.assets(), overlay)?)?;
        agree(&overlay, &by_name(chart.collect::<Result<_>>()?)?).context(value)?;
    }
    for wrong in [
        "speaker.layer3=true",
        "log.format=xml",
        "loadBalancerClasses=null",
    ] {
        ensure!(
            helm(lab.assets(), &["--set", wrong]).is_err(),
            "{wrong} is taken"
        );
    }
    let old = helm(lab.assets(), &["--kube-version", "1.30.9"]);
    ensure!(
        old.is_err(),
        "the chart is rendered for a server that cannot take it"
    );
    Ok(())
}

fn agree(left: &BTreeMap<Key, Value>, right: &BTreeMap<Key, Value>) -> Result<()> {
    let keys: BTreeSet<&Key> = left.keys().chain(right.keys()).collect();
    for key in keys {
        let (left, right) = (left.get(key), right.get(key));
        ensure!(
            left == right,
            "{key:?} differs:\n{}\n{}",
            left.map_or_else(String::new, Value::to_string),
            right.map_or_else(String::new, Value::to_string)
        );
    }
    Ok(())
}

fn taken(lab: &KubeLab) -> Result<()> {
    let mut plane = ControlPlane::start(lab.assets(), "manifests", &Options::default())?;
    apply_twice(&plane, "base")?;
    for overlay in OVERLAYS {
        apply_twice(&plane, overlay)?;
    }
    plane.succeeded();
    drop(plane);
    // Helm takes over nothing that others have made: a cluster without the definitions.
    let mut plane = ControlPlane::start(lab.assets(), "chart", &Options::default())?;
    with_helm(&plane)?;
    plane.succeeded();
    Ok(())
}

/// As a person does it; the second time nothing is left to do.
fn apply_twice(plane: &ControlPlane, name: &str) -> Result<()> {
    let path = folder(name);
    let path = path.to_str().context("a folder with a readable name")?;
    let apply = ["apply", "--server-side", "--force-conflicts", "-k", path];
    plane.kubectl(&apply).context(name.to_owned())?;
    let before = versions(plane, path)?;
    plane.kubectl(&apply).context(name.to_owned())?;
    let after = versions(plane, path)?;
    for (object, version) in before {
        let again = after.get(&object);
        ensure!(
            again == Some(&version),
            "{name}: {object} changes when it is applied again"
        );
    }
    Ok(())
}

/// The generation of every object of a kustomization, or what stands for it where there is none.
fn versions(plane: &ControlPlane, path: &str) -> Result<BTreeMap<String, String>> {
    let shown = plane.kubectl(&["get", "-k", path, "-o", "json"])?;
    let list: Value = serde_json::from_str(&shown)?;
    let items = list["items"].as_array().context("a list")?;
    let entries = items.iter().map(|object| {
        let meta = &object["metadata"];
        let version = match meta.get("generation") {
            Some(generation) => generation.to_string(),
            // Nobody but us writes to objects that count no generations, but to namespaces and accounts.
            None => object["spec"].to_string() + &meta["labels"].to_string(),
        };
        (format!("{} {}", object["kind"], meta["name"]), version)
    });
    Ok(entries.collect())
}

/// Install, upgrade, uninstall; the definitions stay, and so does a pool.
fn with_helm(plane: &ControlPlane) -> Result<()> {
    let Some(program) = plane.assets().helm() else {
        println!("skipped: no helm was built with the lab; the chart is not installed");
        return Ok(());
    };
    plane.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}))?;
    let kubeconfig = plane.kubeconfig(User::Admin);
    let chart = folder("chart/ringbolt");
    let helm = |args: &[&str], chart: Option<&Path>| {
        let mut command = plane.space().command(&program);
        command.args(args).args(chart);
        command.args(["--namespace", SPACE]);
        command
            .env("KUBECONFIG", &kubeconfig)
            .env("HOME", plane.folder());
        command.env_remove("HTTPS_PROXY").env_remove("https_proxy");
        run(&mut command)
    };
    helm(&["install", "ringbolt"], Some(&chart))?;
    let pool = json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "kept"}, "spec": {"addresses": ["192.0.2.0/24"]},
    });
    plane.apply(&pool)?;
    helm(
        &["upgrade", "ringbolt", "--set", "controller.replicas=3"],
        Some(&chart),
    )?;
    let resource = Resource::new("apps/v1", "Deployment");
    let deployment = plane.get(&resource, Some(SPACE), "ringbolt-controller")?;
    ensure!(deployment.context("no Deployment")?["spec"]["replicas"] == 3);
    helm(&["uninstall", "ringbolt"], None)?;
    let gone = plane.get(&resource, Some(SPACE), "ringbolt-controller")?;
    ensure!(gone.is_none(), "the Deployment stays: {gone:?}");
    let kept = plane.get(&Resource::ringbolt("IPAddressPool"), None, "kept")?;
    ensure!(kept.is_some(), "the pool went with the chart");
    Ok(())
}

/// Pod Security as the API server judges it: controllers are `restricted`, speakers break `baseline` by what they
/// need and by nothing else.
fn confined(lab: &KubeLab) -> Result<()> {
    let plane = lab.shared()?;
    let base = kustomize(lab.assets(), "base")?;
    for level in ["restricted", "baseline"] {
        plane.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": format!("confined-{level}"), "labels": {
                "pod-security.kubernetes.io/enforce": level,
            }},
        }))?;
    }
    let pod = |kind: &str, name: &str, level: &str| -> Result<Value> {
        let template = &find(&base, kind, name)?["spec"]["template"];
        let mut spec = template["spec"].clone();
        // The account lives in another namespace; who may use which is no matter of Pod Security.
        spec["serviceAccountName"] = json!("default");
        let meta = json!({"namespace": format!("confined-{level}"), "name": name});
        Ok(json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}))
    };
    plane
        .create(&pod("Deployment", "ringbolt-controller", "restricted")?)
        .context("the controller in a namespace that is restricted")?;
    plane.delete(
        &Resource::pod(),
        Some("confined-restricted"),
        "ringbolt-controller",
    )?;
    let said = match plane.create(&pod("DaemonSet", "ringbolt-speaker", "baseline")?) {
        Ok(_) => anyhow::bail!("a speaker passes as baseline"),
        Err(error) => format!("{error:#}"),
    };
    let (_, reasons) = said
        .split_once("violates PodSecurity")
        .context(said.clone())?;
    for reason in [
        "host namespaces (hostNetwork=true)",
        "hostPath volumes",
        "hostPort",
        "\"NET_RAW\"",
    ] {
        ensure!(
            reasons.contains(reason),
            "`{reason}` is no reason: {reasons}"
        );
    }
    for other in [
        "privileged",
        "NET_ADMIN",
        "SYS_ADMIN",
        "procMount",
        "seccomp",
        "hostPID",
        "hostIPC",
    ] {
        ensure!(!reasons.contains(other), "`{other}` is a reason: {reasons}");
    }
    // Not judged by that level, and meant all the same.
    let speaker = find(&base, "DaemonSet", "ringbolt-speaker")?;
    let container = &speaker["spec"]["template"]["spec"]["containers"][0]["securityContext"];
    let wanted = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": ["NET_RAW", "NET_BIND_SERVICE"]},
    });
    ensure!(*container == wanted, "a speaker's container: {container}");
    Ok(())
}
