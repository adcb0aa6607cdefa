//! Where the objects of a lab live. In every lab people write manifests into a directory; on Kubernetes they also
//! apply them, Ringbolt's processes use the API server, and the real kube-proxy and EndpointSlice controller do what
//! the lab plays otherwise.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::kubelab::{
    Assets, CONTROLLER, ControlPlane, KubeNode, Lifetime, NodeSpec, Options, PodSpec, Resource,
    SPEAKER, User,
};
use crate::netns::Netns;
use crate::plan::{NodePlan, Plan};

/// What a lab is to be built on.
#[derive(Debug, Clone)]
pub(crate) enum Ground {
    /// The directory alone.
    Directory,
    /// A control plane of its own.
    Kubernetes(Assets, Lifetime),
}

/// What it was built on.
#[derive(Debug)]
pub(crate) enum Place {
    Directory,
    Kubernetes(Box<KubePlace>),
}

/// Where a process of Ringbolt takes its objects from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Manifests(PathBuf),
    Kubernetes {
        kubeconfig: PathBuf,
        /// Where a speaker keeps the last view it had.
        state: Option<PathBuf>,
    },
}

impl Source {
    /// The flags and their values.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let flags = match self {
            Self::Manifests(path) => [("--manifests", Some(path)), ("--state-dir", None)],
            Self::Kubernetes { kubeconfig, state } => [
                ("--kubeconfig", Some(kubeconfig)),
                ("--state-dir", state.as_ref()),
            ],
        };
        let given = flags
            .iter()
            .filter_map(|(flag, path)| Some((flag, (*path)?)));
        given
            .flat_map(|(flag, path)| [(*flag).to_owned(), path.display().to_string()])
            .collect()
    }
}

/// A control plane with the lab's nodes in it.
#[derive(Debug)]
pub(crate) struct KubePlace {
    /// They come first: kube-proxy ends before what it talks to.
    nodes: BTreeMap<String, KubeNode>,
    pub(crate) plane: ControlPlane,
    /// Where the Services and pods of the lab are.
    pub(crate) namespace: String,
    pods: Vec<String>,
    /// Kubeconfigs by pod: a token outlives the process it was made for, as a pod's does.
    tokens: RefCell<BTreeMap<String, PathBuf>>,
}

impl Place {
    pub(crate) fn build(ground: &Ground, name: &str, plan: &Plan) -> Result<Self> {
        Ok(match ground {
            Ground::Directory => Self::Directory,
            Ground::Kubernetes(assets, lifetime) => {
                let place = KubePlace::start(assets, *lifetime, name, plan)?;
                Self::Kubernetes(Box::new(place))
            }
        })
    }

    /// The control plane, if there is one.
    pub(crate) fn kubernetes(&self) -> Option<&KubePlace> {
        match self {
            Self::Directory => None,
            Self::Kubernetes(place) => Some(place),
        }
    }

    pub(crate) fn kubernetes_mut(&mut self) -> Option<&mut KubePlace> {
        match self {
            Self::Directory => None,
            Self::Kubernetes(place) => Some(place),
        }
    }
}

impl KubePlace {
    /// Starts a control plane and installs what the manifests install: definitions, accounts, roles, policies. Their
    /// Deployment and DaemonSet stay objects; the lab runs the processes.
    fn start(assets: &Assets, lifetime: Lifetime, name: &str, plan: &Plan) -> Result<Self> {
        let options = Options {
            lifetime,
            ..Options::default()
        };
        let plane = ControlPlane::start(assets, name, &options)?;
        plane.install()?;
        let namespace = plan.namespace.clone();
        plane.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        }))?;
        Ok(Self {
            nodes: BTreeMap::new(),
            plane,
            namespace,
            pods: Vec::new(),
            tokens: RefCell::default(),
        })
    }

    /// Makes a namespace a node of the cluster, with its pods; kube-proxy starts.
    pub(crate) fn add_node(&mut self, space: &Netns, node: &NodePlan) -> Result<()> {
        let joined = self.plane.join(
            space,
            &NodeSpec {
                name: &node.name,
                addresses: &node.rack,
                pod_cidrs: &node.pod_cidrs,
                labels: &[],
            },
        )?;
        self.nodes.insert(node.name.clone(), joined);
        for pod in &node.pods {
            self.plane.put_pod(&PodSpec {
                namespace: &self.namespace,
                name: &pod.name,
                node: &node.name,
                labels: &[],
                addresses: &pod.addresses,
                service_account: None,
            })?;
            self.pods.push(pod.name.clone());
        }
        Ok(())
    }

    /// Waits until kube-proxy has its rules on every node.
    pub(crate) fn wait_proxies(&mut self) -> Result<()> {
        self.nodes.values_mut().try_for_each(KubeNode::wait_proxy)
    }

    pub(crate) fn put(&self, objects: &[Value]) -> Result<()> {
        objects
            .iter()
            .try_for_each(|object| self.plane.apply(object).map(drop))
    }

    pub(crate) fn delete(&self, objects: &[Value]) -> Result<()> {
        objects.iter().try_for_each(|object| {
            let metadata = &object["metadata"];
            let name = metadata["name"].as_str().context("no name")?;
            let namespace = metadata["namespace"].as_str();
            self.plane.delete(&Resource::of(object)?, namespace, name)
        })
    }

    /// Puts exactly these pods behind a Service, by the label its selector asks for.
    pub(crate) fn put_endpoints(&self, service: &str, pods: &[&str]) -> Result<()> {
        let label = crate::manifests::endpoint_label(service);
        self.pods.iter().try_for_each(|pod| {
            let value = pods.contains(&pod.as_str()).then_some("yes");
            self.plane
                .set_pod_labels(&self.namespace, pod, &json!({&label: value}))
        })
    }

    /// The addresses in the status of every LoadBalancer Service.
    pub(crate) fn services(&self) -> Result<BTreeMap<String, Vec<IpAddr>>> {
        let services = self
            .plane
            .list(&Resource::service(), Some(&self.namespace))?;
        let ours = services
            .iter()
            .filter(|service| service["spec"]["type"] == "LoadBalancer");
        Ok(ours
            .filter_map(|service| {
                let name = service["metadata"]["name"].as_str()?.to_owned();
                Some((name, crate::manifests::ingress(&service["status"])))
            })
            .collect())
    }

    pub(crate) fn addresses(&self, service: &str) -> Vec<IpAddr> {
        let found = self
            .plane
            .get(&Resource::service(), Some(&self.namespace), service);
        match found {
            Ok(Some(service)) => crate::manifests::ingress(&service["status"]),
            Ok(None) | Err(_) => Vec::new(),
        }
    }

    /// What the controller's pod on a node would be given.
    pub(crate) fn controller_source(&self, node: &str) -> Result<Source> {
        let kubeconfig = self.account(CONTROLLER, node)?;
        Ok(Source::Kubernetes {
            kubeconfig,
            state: None,
        })
    }

    /// What the speaker's pod on a node would be given.
    pub(crate) fn speaker_source(&self, node: &str) -> Result<Source> {
        let kubeconfig = self.account(SPEAKER, node)?;
        let state = self.plane.folder().join(format!("state-of-{node}"));
        fs::create_dir_all(&state)?;
        Ok(Source::Kubernetes {
            kubeconfig,
            state: Some(state),
        })
    }

    fn account(&self, account: &str, node: &str) -> Result<PathBuf> {
        let pod = format!("{account} on {node}");
        let mut tokens = self.tokens.borrow_mut();
        if let Some(file) = tokens.get(&pod) {
            return Ok(file.clone());
        }
        let file = self.plane.pod_kubeconfig(account, node)?;
        tokens.insert(pod, file.clone());
        Ok(file)
    }

    /// Who looks on.
    pub(crate) fn admin_source(&self) -> Source {
        Source::Kubernetes {
            kubeconfig: self.plane.kubeconfig(User::Admin),
            state: None,
        }
    }

    /// Pulls or plugs the cable between a node and the control plane.
    pub(crate) fn set_cable(&self, node: &str, state: &str) -> Result<()> {
        let node = self.nodes.get(node).context("no such node")?;
        let port = node.port();
        self.plane
            .space()
            .ip(&format!("link set {port} {state}"))
            .map(drop)
    }

    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.plane.check_alive()?;
        let mut nodes = self.nodes.values_mut();
        nodes.try_for_each(|node| node.proxy().check_alive())
    }
}
