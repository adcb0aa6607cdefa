//! Pods as the API server knows them. No kubelet runs: whoever plays one says what state a pod is in, and the real
//! EndpointSlice controller draws its conclusions.

use std::net::IpAddr;

use anyhow::Result;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::objects::Resource;
use super::plane::ControlPlane;

/// What a Pod object says.
#[derive(Debug, Clone)]
pub(crate) struct PodSpec<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) node: &'a str,
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) addresses: &'a [IpAddr],
    /// Whose tokens it may have.
    pub(crate) service_account: Option<&'a str>,
}

/// Whether a pod says that it can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    NotReady,
}

impl ControlPlane {
    /// Makes a pod that runs on its node and is ready.
    pub(crate) fn put_pod(&self, spec: &PodSpec<'_>) -> Result<()> {
        let mut labels = json!({});
        for (key, value) in spec.labels {
            labels[*key] = json!(value);
        }
        let mut object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": spec.namespace, "name": spec.name, "labels": labels},
            "spec": {
                "nodeName": spec.node,
                "containers": [{"name": "lab", "image": "lab.invalid/none"}],
            },
        });
        if let Some(account) = spec.service_account {
            object["spec"]["serviceAccountName"] = json!(account);
        }
        self.apply(&object)?;
        let addresses: Vec<Value> = spec
            .addresses
            .iter()
            .map(|address| json!({"ip": address}))
            .collect();
        let mut status = json!({"phase": "Running", "conditions": conditions(Readiness::Ready)});
        if let Some(first) = spec.addresses.first() {
            status["podIP"] = json!(first);
            status["podIPs"] = json!(addresses);
        }
        self.patch_status(&Resource::pod(), Some(spec.namespace), spec.name, &status)
            .map(drop)
    }

    /// Says whether a pod can serve.
    pub(crate) fn set_readiness(
        &self,
        namespace: &str,
        name: &str,
        readiness: Readiness,
    ) -> Result<()> {
        let status = json!({"conditions": conditions(readiness)});
        self.patch_status(&Resource::pod(), Some(namespace), name, &status)
            .map(drop)
    }

    /// Merges `labels` into a pod's; `null` removes one. Services select by them.
    pub(crate) fn set_pod_labels(&self, namespace: &str, name: &str, labels: &Value) -> Result<()> {
        let change = json!({"metadata": {"labels": labels}});
        self.patch(&Resource::pod(), Some(namespace), name, &change)
            .map(drop)
    }

    /// Asks a pod to end. It terminates, and stays so until [`Self::remove_pod`].
    pub(crate) fn terminate_pod(&self, namespace: &str, name: &str) -> Result<()> {
        let api = Resource::pod().api(self.admin(), Some(namespace));
        let params = DeleteParams::default().grace_period(3600);
        self.ask(async { api.delete(name, &params).await })??;
        Ok(())
    }

    /// The pod is gone.
    pub(crate) fn remove_pod(&self, namespace: &str, name: &str) -> Result<()> {
        self.delete(&Resource::pod(), Some(namespace), name)
    }
}

fn conditions(readiness: Readiness) -> Value {
    let ready = match readiness {
        Readiness::Ready => "True",
        Readiness::NotReady => "False",
    };
    json!([
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": ready},
        {"type": "ContainersReady", "status": ready},
    ])
}
