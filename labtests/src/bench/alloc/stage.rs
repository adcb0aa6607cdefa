//! The control plane of a benchmark with a controller on it, and what is done to both.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{Api, DynamicObject};
use serde_json::json;

use super::super::usage;
use super::client::{self, Class, SPACE};
use crate::kubelab::{Assets, ControlPlane, Options, Resource, User};
use crate::node::{CONTROLLER_HTTP, Ringbolt, http_get};
use crate::process::Daemon;
use crate::wait::{holds_for, wait_for};

/// The longest wait for a burst.
pub(super) const LIMIT: Duration = Duration::from_secs(300);
/// Our Services get their addresses from here.
const POOL: &str = "10.200.0.0/16";

/// The controller comes first: it ends before the control plane.
pub(super) struct Stage {
    pub(super) controller: Daemon,
    pub(super) other: Option<Other>,
    pub(super) plane: ControlPlane,
}

/// A foreign controller that is measured beside ours: a program that serves the class `example.com/other` of the
/// cluster that its KUBECONFIG names, whatever it needs for that.
pub(super) struct Other {
    pub(super) name: String,
    daemon: Daemon,
}

impl Other {
    fn start(program: &Path, plane: &ControlPlane) -> Result<Self> {
        let name = program.file_stem().context("a program has a name")?;
        let name = name.to_string_lossy().into_owned();
        let mut command = plane.space().command(program);
        command.env("KUBECONFIG", plane.kubeconfig(User::Admin));
        let daemon = plane.start_other(&name, &mut command)?;
        Ok(Self { name, daemon })
    }

    /// Its processes.
    pub(super) fn pids(&self) -> Vec<u32> {
        usage::family(self.daemon.pid())
    }
}

impl Stage {
    pub(super) fn new(ringbolt: &Ringbolt, assets: &Assets, other: Option<&Path>) -> Result<Self> {
        let plane = ControlPlane::start(assets, "bench", &Options::default())?;
        plane.install_definitions()?;
        plane.make_home()?;
        plane.apply(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}),
        )?;
        let admin = plane.kubeconfig(User::Admin);
        let args = ["controller", "--default-provider", "false"];
        let controller = plane.start_ringbolt(ringbolt, "controller", &admin, &args)?;
        let other = other.map(|program| Other::start(program, &plane));
        let stage = Self {
            other: other.transpose()?,
            controller,
            plane,
        };
        wait_for("the controller leads", Duration::from_secs(60), || {
            let status = http_get(stage.plane.space(), CONTROLLER_HTTP, "/status")?;
            ensure!(status.contains("\"Leading\""), "not yet");
            Ok(())
        })?;
        Ok(stage)
    }

    pub(super) fn put_pool(&self) -> Result<()> {
        self.plane
            .apply(&json!({
                "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
                "metadata": {"name": SPACE}, "spec": {"addresses": [POOL]},
            }))
            .map(drop)
    }

    pub(super) fn remove_pool(&self) -> Result<()> {
        self.plane
            .delete(&Resource::ringbolt("IPAddressPool"), None, SPACE)
    }

    pub(super) fn services(&self) -> Result<Api<DynamicObject>> {
        let client = self.plane.client(User::Admin)?;
        Ok(Resource::service().api(client, Some(SPACE)))
    }

    /// The processes of who serves a class.
    pub(super) fn pids(&self, class: Class) -> Vec<u32> {
        match class {
            Class::Ours => vec![self.controller.pid()],
            Class::Bare => vec![std::process::id()],
            Class::Other => self.other.as_ref().map(Other::pids).unwrap_or_default(),
        }
    }

    /// What they have used once they have come to rest: work that trails behind counts too. The bare client is not
    /// waited for: it does nothing that it does not wait for itself.
    pub(super) fn settled_cpu(&mut self, class: Class) -> Result<Duration> {
        if class != Class::Bare {
            let quiet = Duration::from_millis(300);
            holds_for("the controller comes to rest", quiet, || {
                self.controller.check_alive()
            })?;
        }
        usage::cpu(&self.pids(class))
    }

    /// Takes every Service and claim away again.
    pub(super) fn clear(&self) -> Result<()> {
        let services = self.services()?;
        let client = self.plane.client(User::Admin)?;
        let claims = Resource::ringbolt("IPAllocation").api(client, None);
        self.plane.run(client::delete_all(&services))??;
        wait_for("all Services are gone", LIMIT, || {
            let left = self.plane.list(&Resource::service(), Some(SPACE))?;
            ensure!(left.is_empty(), "{} are left", left.len());
            Ok(())
        })?;
        self.plane.run(client::delete_all(&claims))?
    }
}
