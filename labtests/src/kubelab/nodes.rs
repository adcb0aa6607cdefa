//! Nodes of the cluster: their objects, and the real kube-proxy in a namespace that plays one.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use ipnet::IpNet;
use serde_json::{Value, json};

use super::accounts::User;
use super::assets::Program;
use super::objects::Resource;
use super::plane::ControlPlane;
use crate::netns::Netns;
use crate::process::Daemon;
use crate::wait::wait_for;

/// Until a kube-proxy has seen the cluster and written its rules.
const PROXY_READY: Duration = Duration::from_secs(40);
/// kube-proxy's own pages, on the node's loopback.
const PROXY_HEALTH: u16 = 10256;
const PROXY_METRICS: u16 = 10249;

/// What a Node object says.
#[derive(Debug, Clone)]
pub(crate) struct NodeSpec<'a> {
    pub(crate) name: &'a str,
    /// Its InternalIPs.
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) pod_cidrs: &'a [IpNet],
    /// Beside `kubernetes.io/hostname`.
    pub(crate) labels: &'a [(&'a str, &'a str)],
}

impl ControlPlane {
    /// Makes a Node object, ready.
    pub(crate) fn put_node(&self, spec: &NodeSpec<'_>) -> Result<()> {
        let mut labels = json!({"kubernetes.io/hostname": spec.name});
        for (key, value) in spec.labels {
            labels[*key] = json!(value);
        }
        let mut object = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": spec.name, "labels": labels},
        });
        if let Some(first) = spec.pod_cidrs.first() {
            object["spec"] = json!({"podCIDR": first, "podCIDRs": spec.pod_cidrs});
        }
        self.apply(&object)?;
        let internal = spec.addresses.iter();
        let addresses: Vec<Value> = internal
            .map(|address| json!({"type": "InternalIP", "address": address}))
            .collect();
        let ready = json!([{"type": "Ready", "status": "True", "reason": "Lab"}]);
        let status = json!({"addresses": addresses, "conditions": ready});
        self.patch_status(&Resource::node(), None, spec.name, &status)
            .map(drop)
    }

    /// Plugs a namespace into the plane, makes it a node and starts kube-proxy in it, in nftables mode; its first
    /// rules take a moment, see [`KubeNode::wait_proxy`]. The namespace needs a default route, or the kernel answers
    /// before the rules do.
    pub(crate) fn join(&self, space: &Netns, spec: &NodeSpec<'_>) -> Result<KubeNode> {
        let port = self.plug(space)?;
        self.put_node(spec)?;
        Ok(KubeNode {
            name: spec.name.to_owned(),
            port,
            space: space.clone(),
            proxy: self.start_proxy(space, spec.name)?,
        })
    }

    fn start_proxy(&self, space: &Netns, node: &str) -> Result<Daemon> {
        let program = self.assets().path(Program::Proxy);
        let mut command = self.processes().command_in(space, &program);
        let kubeconfig = self.kubeconfig(User::Proxy);
        command.arg(format!("--kubeconfig={}", kubeconfig.display()));
        command.arg(format!("--hostname-override={node}"));
        command.arg(format!("--healthz-bind-address=127.0.0.1:{PROXY_HEALTH}"));
        command.arg(format!("--metrics-bind-address=127.0.0.1:{PROXY_METRICS}"));
        command.args([
            "--proxy-mode=nftables",
            // A pod's own network is known by its node; other addresses of the lab are clients.
            "--detect-local-mode=NodeCIDR",
            "--nodeport-addresses=primary",
            // A namespace may not set the kernel's connection tracking.
            "--conntrack-max-per-core=0",
            "--conntrack-min=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ]);
        self.processes()
            .start(&format!("kube-proxy-{node}"), &mut command)
    }
}

/// A namespace that is a node of the cluster. kube-proxy ends with the value; the Node object stays.
#[derive(Debug)]
pub(crate) struct KubeNode {
    name: String,
    port: String,
    space: Netns,
    proxy: Daemon,
}

impl KubeNode {
    /// Waits until kube-proxy has written its first rules.
    pub(crate) fn wait_proxy(&mut self) -> Result<()> {
        let what = format!("kube-proxy of {} has its rules", self.name);
        wait_for(&what, PROXY_READY, || {
            self.proxy.check_alive()?;
            crate::node::http_get(&self.space, PROXY_HEALTH, "/healthz")?;
            let tables = self.space.run("nft list tables")?;
            ensure!(tables.contains("kube-proxy"), "no table of its own yet");
            Ok(())
        })
    }

    /// The plane's end of the cable to this node.
    pub(crate) fn port(&self) -> &str {
        &self.port
    }

    pub(crate) fn proxy(&mut self) -> &mut Daemon {
        &mut self.proxy
    }
}
