//! The control plane itself: starts etcd, an API server and the controllers in a namespace of their own, and ends
//! them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use kube::Client;

use super::accounts::{User, write_tokens};
use super::api_server::{ApiServer, Start};
use super::assets::{Assets, Program};
use super::etcd::{Checkpoint, Etcd};
use super::pki::Pki;
use super::processes::{Lifetime, Processes};
use serde_json::json;

use super::reach::Reach;
use crate::lab::{Lab, plug};
use crate::netns::{Netns, run};
use crate::node::Ringbolt;
use crate::process::Daemon;

/// The plane on the network it shares with its nodes: carrier-grade NAT's addresses, which no lab draws.
const ADDRESS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 90, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd90, 0x90, 0, 0, 0, 0, 0, 1)),
];
const PORT: u16 = 6443;
/// ClusterIPs.
const SERVICE_RANGES: &str = "10.96.0.0/16,fd00:96::/112";
/// Names that processes inside the plane use for its interface.
const MANAGEMENT: &str = "mgmt0";

/// The controllers that play a part in Ringbolt's life: endpoints, the ends of namespaces and of what others own.
const CONTROLLERS: &str = "endpointslice-controller,namespace-controller,serviceaccount-controller,\
    garbage-collector-controller,root-ca-certificate-publisher-controller";

/// How a control plane is to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Flags of the API server beside the usual ones.
    pub(crate) api_server_flags: Vec<String>,
    pub(crate) lifetime: Lifetime,
}

/// A running control plane. Dropping it ends everything in it.
pub(crate) struct ControlPlane {
    controllers: Mutex<Option<Daemon>>,
    api: ApiServer,
    etcd: Etcd,
    admin: Client,
    reach: Arc<Reach>,
    pki: Pki,
    assets: Assets,
    processes: Processes,
    /// Last octet of the next node on the plane's network.
    next_address: AtomicU8,
    next_port: AtomicU32,
    lab: Lab,
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("folder", &self.folder())
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Starts etcd, API server and controllers, and waits until the API server is ready.
    pub(crate) fn start(assets: &Assets, name: &str, options: &Options) -> Result<Self> {
        static PLANES: AtomicU32 = AtomicU32::new(0);
        let number = PLANES.fetch_add(1, Ordering::Relaxed);
        let mut lab = Lab::new(&format!("kube-{name}-{number}"))?;
        let space = lab.switch(&format!("kube{number}"))?;
        let [v4, v6] = ADDRESS;
        space.ip(&format!("addr add {v4}/24 dev br0"))?;
        space.ip(&format!("addr add {v6}/64 dev br0 nodad"))?;
        let folder = lab.folder().to_path_buf();
        let loopback = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)),
        ];
        let pki = Pki::create(&folder.join("pki"), &[&ADDRESS[..], &loopback].concat())?;
        write_tokens(&folder.join("tokens.csv"))?;
        let reach = Arc::new(Reach::into(space.clone())?);
        let processes = Processes {
            space,
            folder: folder.clone(),
            kept: lab.kept().clone(),
            lifetime: options.lifetime,
        };
        let etcd = Etcd::start_new(assets.path(Program::Etcd), processes.clone())?;
        let api = ApiServer::start_new(Start {
            name: "kube-apiserver",
            program: assets.path(Program::ApiServer),
            fixed: server_flags(&pki, &folder, &etcd, PORT),
            varied: &options.api_server_flags,
            url: format!("https://{v4}:{PORT}"),
            authority: &pki.authority,
            reach: Arc::clone(&reach),
            processes: processes.clone(),
        })?;
        let admin = api.client(User::Admin)?;
        let plane = Self {
            controllers: Mutex::new(None),
            api,
            etcd,
            admin,
            reach,
            pki,
            assets: assets.clone(),
            processes,
            next_address: AtomicU8::new(10),
            next_port: AtomicU32::new(0),
            lab,
        };
        plane.start_controllers()?;
        Ok(plane)
    }

    /// The namespace everything runs in.
    pub(crate) fn space(&self) -> &Netns {
        self.reach.space()
    }

    /// Where logs, keys and kubeconfigs lie.
    pub(crate) fn folder(&self) -> &Path {
        self.lab.folder()
    }

    pub(super) fn processes(&self) -> &Processes {
        &self.processes
    }

    pub(crate) fn assets(&self) -> &Assets {
        &self.assets
    }

    /// The URL of the first API server.
    pub(super) fn url(&self) -> String {
        format!("https://{}:{PORT}", ADDRESS[0])
    }

    /// The certificate that API servers are known by.
    pub(super) fn authority(&self) -> &Path {
        &self.pki.authority
    }

    /// Everything of the plane stays when this process ends; it was started so that it may.
    pub(crate) fn keep(&self) {
        self.lab.kept().keep();
    }

    /// The first API server, and what can be done to it.
    pub(crate) fn api_server(&self) -> &ApiServer {
        &self.api
    }

    pub(crate) fn etcd(&self) -> &Etcd {
        &self.etcd
    }

    /// Another API server on the same etcd, with kubeconfigs of its own. It ends with the value.
    pub(crate) fn second_api_server(&self, flags: &[&str]) -> Result<ApiServer> {
        let number = self.next_port.fetch_add(1, Ordering::Relaxed) + 1;
        let port = PORT + u16::try_from(number)?;
        let varied: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        ApiServer::start_new(Start {
            name: &format!("kube-apiserver-{port}"),
            program: self.assets.path(Program::ApiServer),
            fixed: server_flags(&self.pki, self.folder(), &self.etcd, port),
            varied: &varied,
            url: format!("https://{}:{port}", ADDRESS[0]),
            authority: &self.pki.authority,
            reach: Arc::clone(&self.reach),
            processes: self.processes.clone(),
        })
    }

    /// Copies everything the cluster holds at this moment.
    pub(crate) fn checkpoint(&self, name: &str) -> Result<Checkpoint> {
        self.etcd.copy(name)
    }

    /// Brings the cluster back to a checkpoint, as a restored backup does: versions run again from there. Second
    /// API servers must have ended.
    pub(crate) fn restore(&self, checkpoint: &Checkpoint) -> Result<()> {
        self.stop_controllers();
        if self.api.is_running() {
            self.api.kill()?;
        }
        self.etcd.kill()?;
        self.etcd.put_back(checkpoint)?;
        self.etcd.start()?;
        self.api.start()?;
        self.start_controllers()
    }

    /// A kubeconfig that works in the plane's namespace and in those plugged into it.
    pub(crate) fn kubeconfig(&self, user: User) -> PathBuf {
        self.api.kubeconfig(user)
    }

    /// A client as a user. It works inside [`Self::run`].
    pub(crate) fn client(&self, user: User) -> Result<Client> {
        self.api.client(user)
    }

    /// A client as whoever a kubeconfig belongs to. It works inside [`Self::run`].
    pub(crate) fn client_of(&self, kubeconfig: &Path) -> Result<Client> {
        self.reach.client(kubeconfig)
    }

    pub(super) fn admin(&self) -> Client {
        self.admin.clone()
    }

    /// Runs a future to its end; it and all it spawns open their sockets in the plane's namespace.
    pub(crate) fn run<T: Send>(&self, future: impl Future<Output = T> + Send) -> Result<T> {
        self.reach.run(future)
    }

    /// As [`Self::run`], for one question to an API server: one that does not answer within seconds is an error.
    pub(crate) fn ask<T: Send>(
        &self,
        question: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<kube::Result<T>> {
        self.reach.ask(question)
    }

    /// `kubectl ARGS` as the administrator: what it prints, or its complaint.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Result<String> {
        run(self
            .kubectl_command(&self.kubeconfig(User::Admin))
            .args(args))
    }

    /// `kubectl` as whoever a kubeconfig belongs to; nothing of it has run yet.
    pub(crate) fn kubectl_command(&self, kubeconfig: &Path) -> Command {
        let mut command = self.space().command(self.assets.path(Program::Kubectl));
        command
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", self.folder());
        for proxy in [
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
        ] {
            command.env_remove(proxy);
        }
        command
    }

    /// Starts `ringbolt ARGS --kubeconfig …` in the plane's namespace; its log is NAME.log in the plane's folder.
    pub(crate) fn start_ringbolt(
        &self,
        ringbolt: &Ringbolt,
        name: &str,
        kubeconfig: &Path,
        args: &[&str],
    ) -> Result<Daemon> {
        let mut command = self.processes.command(ringbolt.program());
        command.args(args).arg("--kubeconfig").arg(kubeconfig);
        self.processes.start(name, &mut command)
    }

    /// Starts a program that is not Ringbolt's; its log is NAME.log in the plane's folder.
    pub(crate) fn start_other(&self, name: &str, command: &mut Command) -> Result<Daemon> {
        self.processes.start(name, command)
    }

    /// Gives a namespace an interface on the plane's network, and returns the name of the plane's end of the cable.
    pub(crate) fn plug(&self, space: &Netns) -> Result<String> {
        let number = self.next_address.fetch_add(1, Ordering::Relaxed);
        let port = format!("port{number}");
        plug(space, MANAGEMENT, self.space(), &port)?;
        let v4 = Ipv4Addr::new(100, 90, 0, number);
        let v6 = Ipv6Addr::new(0xfd90, 0x90, 0, 0, 0, 0, 0, number.into());
        space.ip(&format!("addr add {v4}/24 dev {MANAGEMENT}"))?;
        space.ip(&format!("addr add {v6}/64 dev {MANAGEMENT} nodad"))?;
        Ok(port)
    }

    /// Makes Ringbolt's own namespace.
    pub(crate) fn make_home(&self) -> Result<()> {
        let home = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ringbolt-system"},
        });
        self.apply(&home).map(drop)
    }

    /// Puts Ringbolt's resource definitions in place, and waits until they serve.
    pub(crate) fn install_definitions(&self) -> Result<()> {
        let folder = definitions();
        let folder = folder.to_str().context("a folder with a readable name")?;
        self.kubectl(&["apply", "--server-side", "-f", folder])?;
        self.wait_definitions()
    }

    /// Waits until Ringbolt's resource definitions serve.
    pub(super) fn wait_definitions(&self) -> Result<()> {
        let folder = definitions();
        let folder = folder.to_str().context("a folder with a readable name")?;
        let mut args = vec!["wait", "--for=condition=Established", "--timeout=30s"];
        args.extend(["-f", folder]);
        self.kubectl(&args).map(drop)
    }

    /// Ends Kubernetes' own controllers and starts them again.
    pub(crate) fn restart_controllers(&self) -> Result<()> {
        self.stop_controllers();
        self.start_controllers()
    }

    fn start_controllers(&self) -> Result<()> {
        let program = self.assets.path(Program::ControllerManager);
        let mut command = self.processes.command(&program);
        let kubeconfig = self.kubeconfig(User::Admin);
        command.arg(format!("--kubeconfig={}", kubeconfig.display()));
        command.arg(format!("--controllers={CONTROLLERS}"));
        command.arg(format!("--root-ca-file={}", self.pki.authority.display()));
        let key = self.pki.accounts_key.display();
        command.arg(format!("--service-account-private-key-file={key}"));
        command.args(["--leader-elect=false", "--secure-port=0"]);
        let daemon = self
            .processes
            .start("kube-controller-manager", &mut command)?;
        *self.controllers() = Some(daemon);
        Ok(())
    }

    fn stop_controllers(&self) {
        *self.controllers() = None;
    }

    fn controllers(&self) -> MutexGuard<'_, Option<Daemon>> {
        self.controllers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An error once a process of the plane has ended by itself.
    pub(crate) fn check_alive(&self) -> Result<()> {
        match self.controllers().as_mut() {
            Some(daemon) => daemon.check_alive(),
            None => Ok(()),
        }
    }

    /// Nothing failed: logs go with the plane.
    pub(crate) fn succeeded(&mut self) {
        self.lab.succeeded();
    }
}

/// The folder of Ringbolt's resource definitions in the source this program was built from.
fn definitions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds")
}

fn server_flags(pki: &Pki, folder: &Path, etcd: &Etcd, port: u16) -> Vec<String> {
    let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    let advertised = ADDRESS[0];
    vec![
        format!("--etcd-servers={}", etcd.url()),
        format!("--secure-port={port}"),
        format!("--bind-address={advertised}"),
        format!("--advertise-address={advertised}"),
        format!("--service-cluster-ip-range={SERVICE_RANGES}"),
        file("tls-cert-file", &pki.certificate),
        file("tls-private-key-file", &pki.key),
        file("token-auth-file", &folder.join("tokens.csv")),
        file("service-account-key-file", &pki.accounts_public),
        file("service-account-signing-key-file", &pki.accounts_key),
        "--service-account-issuer=https://lab.invalid".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        // Pods may be made before the account controller has given their namespace an account.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
    ]
}
