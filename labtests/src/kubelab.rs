//! A real Kubernetes control plane for scenarios: etcd, API server and controllers, and nodes with the real kube-proxy.
//!
//! ```text
//!   namespace of the plane                                namespaces of nodes
//!   etcd (unix socket) ◄─ kube-apiserver ◄─┐
//!                         kube-controller-manager         kube-proxy (nftables), pods behind it
//!                         br0 100.90.0.1 ───────────────── mgmt0
//! ```
//!
//! [`KubeLab`] is what a scenario is given. Most share one [`ControlPlane`], started when the first asks for it:
//! they name their objects so that no other scenario means them. Whoever breaks a plane (kills its server for good,
//! restores an older state) starts one of its own. Everything ends with the value that owns it.
//!
//! Knows Kubernetes; of Ringbolt it knows the program, its resource definitions and its accounts.

mod accounts;
mod api_server;
mod assets;
mod etcd;
mod installation;
mod nodes;
mod objects;
mod pki;
mod plane;
mod pods;
mod processes;
mod reach;

use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};

pub(crate) use accounts::User;
pub(crate) use api_server::flags;
pub(crate) use assets::{Assets, Program};
pub(crate) use installation::{CONTROLLER, SPEAKER, SYSTEM};
pub(crate) use nodes::{KubeNode, NodeSpec};
pub(crate) use objects::Resource;
pub(crate) use plane::{ControlPlane, Options};
pub(crate) use pods::{PodSpec, Readiness};
pub(crate) use processes::Lifetime;

use crate::node::Ringbolt;
use crate::process::Daemon;

/// What a scenario on Kubernetes starts from.
#[derive(Debug)]
pub(crate) struct KubeLab {
    ringbolt: Ringbolt,
    assets: Assets,
    shared: OnceLock<ControlPlane>,
    conformance: OnceLock<ControlPlane>,
    served: OnceLock<Served>,
    /// Held while a shared plane is started.
    starting: Mutex<()>,
}

/// Where the pods of a control plane are that are on no node of a lab.
pub(crate) const NODE: &str = "some-node";

/// A control plane on which a controller works, with the usual flags.
#[derive(Debug)]
pub(crate) struct Served {
    controller: Mutex<Daemon>,
    pub(crate) plane: ControlPlane,
}

impl KubeLab {
    pub(crate) fn new(ringbolt: Ringbolt, assets: Assets) -> Self {
        Self {
            ringbolt,
            assets,
            shared: OnceLock::new(),
            conformance: OnceLock::new(),
            served: OnceLock::new(),
            starting: Mutex::new(()),
        }
    }

    /// The program under test.
    pub(crate) fn ringbolt(&self) -> &Ringbolt {
        &self.ringbolt
    }

    pub(crate) fn assets(&self) -> &Assets {
        &self.assets
    }

    /// The control plane of all scenarios that break none, with Ringbolt installed in it.
    pub(crate) fn shared(&self) -> Result<&ControlPlane> {
        self.started(&self.shared, "shared")
    }

    /// The control plane of the conformance checks: each begins with no objects at all.
    pub(crate) fn conformance(&self) -> Result<&ControlPlane> {
        self.started(&self.conformance, "conformance")
    }

    /// The control plane of all scenarios about what a controller does with Services. They stop it for a moment
    /// at most, and name their namespaces and pools so that no other scenario means them.
    pub(crate) fn served(&self) -> Result<&Served> {
        let turn = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.served.get().is_none() {
            let plane = self.fresh("served", &Options::default())?;
            let kubeconfig = plane.pod_kubeconfig(CONTROLLER, NODE)?;
            let controller =
                plane.start_ringbolt(&self.ringbolt, "controller", &kubeconfig, &["controller"])?;
            let controller = Mutex::new(controller);
            self.served.set(Served { controller, plane }).ok();
        }
        drop(turn);
        let served = self.served.get().context("it was started")?;
        let controller = served.controller.lock();
        controller
            .unwrap_or_else(PoisonError::into_inner)
            .check_alive()?;
        Ok(served)
    }

    fn started<'a>(
        &self,
        plane: &'a OnceLock<ControlPlane>,
        name: &str,
    ) -> Result<&'a ControlPlane> {
        let turn = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if plane.get().is_none() {
            let started = self.fresh(name, &Options::default())?;
            plane.set(started).ok();
        }
        drop(turn);
        plane.get().context("it was started")
    }

    /// A control plane of one's own, with Ringbolt installed in it.
    pub(crate) fn fresh(&self, name: &str, options: &Options) -> Result<ControlPlane> {
        let plane = ControlPlane::start(&self.assets, name, options)?;
        plane.install()?;
        Ok(plane)
    }

    /// Nothing failed: logs of the shared plane go with it.
    pub(crate) fn succeeded(mut self) {
        for plane in [&mut self.shared, &mut self.conformance] {
            if let Some(plane) = plane.get_mut() {
                plane.succeeded();
            }
        }
        if let Some(served) = self.served.get_mut() {
            served.plane.succeeded();
        }
    }
}
