//! The control plane of the lab without Ringbolt: what passes here is not Ringbolt's merit, and what fails here is
//! not its fault.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::kubelab::{
    ControlPlane, KubeLab, NodeSpec, Options, PodSpec, Readiness, Resource, User, flags,
};
use crate::scenario::KubeScenario;
use crate::story::LIMIT;
use crate::wait::wait_for;

pub(super) const SCENARIOS: &[KubeScenario] = &[
    KubeScenario {
        name: "kubernetes: the_plane_serves_and_knows_who_comes",
        run: serves,
    },
    KubeScenario {
        name: "kubernetes: the_plane_makes_endpoint_slices_of_pods",
        run: slices,
    },
    KubeScenario {
        name: "kubernetes: the_plane_survives_what_scenarios_do_to_it",
        run: faults,
    },
];

fn serves(lab: &KubeLab) -> Result<()> {
    let plane = lab.shared()?;
    let shown = plane.kubectl(&["get", "services", "--all-namespaces"])?;
    ensure!(shown.contains("kubernetes"), "kubectl prints:\n{shown}");
    let mut command = plane.kubectl_command(&plane.kubeconfig(User::Stranger));
    let refused = command.args(["get", "services"]).output()?;
    let complaint = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        complaint.contains("lab-stranger") && complaint.contains("forbidden"),
        "a stranger is told: {complaint}"
    );
    let kinds = plane.kubectl(&["get", "crds", "-o", "name"])?;
    ensure!(kinds.contains("ipallocations.ringbolt.io"), "{kinds}");
    Ok(())
}

fn slices(lab: &KubeLab) -> Result<()> {
    let plane = lab.shared()?;
    let space = "plane-slices";
    plane.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}))?;
    plane.apply(&json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": space, "name": "web"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    }))?;
    // The controller believes in no pod whose node it does not know.
    plane.put_node(&NodeSpec {
        name: "plane-node",
        addresses: &["10.1.0.1".parse()?],
        pod_cidrs: &[],
        labels: &[],
    })?;
    plane.put_pod(&PodSpec {
        namespace: space,
        name: "web-1",
        node: "plane-node",
        labels: &[("app", "web")],
        addresses: &["10.1.1.1".parse()?],
        service_account: None,
    })?;
    wait_for("a slice with the pod's address", LIMIT, || {
        let slices = plane.list(&Resource::endpoint_slice(), Some(space))?;
        let slice = slices.first().context("no slice")?;
        let endpoint = &slice["endpoints"][0];
        ensure!(
            endpoint["addresses"][0] == "10.1.1.1",
            "it holds {endpoint}"
        );
        Ok(())
    })?;
    endpoint_becomes(plane, space, "ready", true)?;
    plane.set_readiness(space, "web-1", Readiness::NotReady)?;
    endpoint_becomes(plane, space, "ready", false)?;
    plane.set_readiness(space, "web-1", Readiness::Ready)?;
    endpoint_becomes(plane, space, "ready", true)?;
    plane.terminate_pod(space, "web-1")?;
    endpoint_becomes(plane, space, "terminating", true)?;
    plane.remove_pod(space, "web-1")?;
    plane.delete(&Resource::node(), None, "plane-node")?;
    plane.delete(&Resource::service(), Some(space), "web")
}

fn endpoint_becomes(
    plane: &ControlPlane,
    space: &str,
    condition: &str,
    wanted: bool,
) -> Result<()> {
    wait_for(&format!("{condition} becomes {wanted}"), LIMIT, || {
        let slices = plane.list(&Resource::endpoint_slice(), Some(space))?;
        let endpoint = &slices.first().context("no slice")?["endpoints"][0];
        ensure!(endpoint["conditions"][condition] == wanted, "{endpoint}");
        Ok(())
    })
}

fn faults(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("faults", &Options::default())?;
    let (service, name) = (Resource::service(), "before");
    let object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": name},
        "spec": {"ports": [{"port": 80}]},
    });
    plane.apply(&object)?;
    let checkpoint = plane.checkpoint("one")?;

    let other = plane.second_api_server(&[])?;
    plane.delete(&service, Some("default"), name)?;
    let api = service.api(other.client(User::Admin)?, Some("default"));
    let seen = plane.run(async { api.get_opt(name).await })??;
    ensure!(
        seen.is_none(),
        "the second server still has what the first one deleted"
    );
    other.kill()?;
    drop(other);

    plane.api_server().pause()?;
    let hangs = plane.get(&service, Some("default"), "kubernetes");
    ensure!(hangs.is_err(), "a paused server answers");
    plane.api_server().resume()?;
    plane.api_server().wait_ready()?;

    plane.etcd().pause()?;
    ensure!(
        plane.apply(&object).is_err(),
        "a write succeeds without etcd"
    );
    plane.etcd().resume()?;
    plane.api_server().wait_ready()?;

    plane.restore(&checkpoint)?;
    let back = plane.get(&service, Some("default"), name)?;
    ensure!(back.is_some(), "what the checkpoint held is not there");
    plane.api_server().restart_with(flags::CROWDED)?;
    plane.api_server().restart_with(&[])?;
    plane.check_alive()?;
    plane.succeeded();
    Ok(())
}
