//! Ringbolt as an installation leaves it in the cluster: everything of manifests/base, and the pods of its accounts.
//! Nobody runs those pods; a lab starts a process in their stead, with the token a pod would be given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::accounts::BoundTo;
use super::objects::Resource;
use super::plane::ControlPlane;
use super::pods::PodSpec;
use crate::wait::wait_for;

/// The namespace and the accounts of an installation, as the manifests have them.
pub(crate) const SYSTEM: &str = "ringbolt-system";
pub(crate) const CONTROLLER: &str = "ringbolt-controller";
pub(crate) const SPEAKER: &str = "ringbolt-speaker";

/// The API server reads roles from a cache of its own.
const IN_FORCE: Duration = Duration::from_secs(20);

impl ControlPlane {
    /// Applies manifests/base as a person does, and waits until its definitions and roles are in force.
    pub(crate) fn install(&self) -> Result<()> {
        let base = base();
        let base = base.to_str().context("a folder with a readable name")?;
        self.kubectl(&["apply", "--server-side", "-k", base])?;
        self.wait_definitions()?;
        let pools = Resource::ringbolt("IPAddressPool");
        for account in [CONTROLLER, SPEAKER] {
            let kubeconfig = self.account_kubeconfig(SYSTEM, account, None)?;
            let api = pools.api(self.client_of(&kubeconfig)?, None);
            wait_for("the roles are in force", IN_FORCE, || {
                self.ask(async { api.list(&kube::api::ListParams::default()).await })??;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Makes the pod of an account on a node, unless it is there; returns a kubeconfig with the token that the kubelet
    /// would give to that pod.
    pub(crate) fn pod_kubeconfig(&self, account: &str, node: &str) -> Result<PathBuf> {
        let pod = pod_of(account, node);
        self.put_pod(&PodSpec {
            namespace: SYSTEM,
            name: &pod,
            node,
            labels: &[("app.kubernetes.io/name", "ringbolt")],
            addresses: &[],
            service_account: Some(account),
        })?;
        self.account_kubeconfig(SYSTEM, account, Some(BoundTo { pod: &pod }))
    }

    /// Ends the pod of an account on a node: its tokens are good for nothing from then on.
    pub(crate) fn remove_account_pod(&self, account: &str, node: &str) -> Result<()> {
        self.remove_pod(SYSTEM, &pod_of(account, node))
    }
}

fn pod_of(account: &str, node: &str) -> String {
    format!("{account}-{node}")
}

/// The manifests in the source this program was built from.
fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/base")
}
