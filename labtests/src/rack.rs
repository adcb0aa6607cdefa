//! A plan, built: router, clients, nodes and pods as namespaces; Ringbolt's processes on the nodes; the manifests
//! they all read.
//!
//! The lab plays what standalone leaves to a cluster: the proxy of every node, and the Node and EndpointSlice
//! objects. It verifies nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::lab::{Lab, link, plug};
use crate::manifests::{self, Directory, Endpoint};
use crate::netns::Netns;
use crate::node::Ringbolt;
use crate::place::{Ground, Place, Source};
use crate::plan::{NodePlan, Plan};
use crate::process::Daemon;
use crate::router::{Neighbour, RouterSetup};

/// The interface of every node on the layer-2 segment.
pub(crate) const SEGMENT: &str = "seg0";
/// The interface of every node towards the router.
pub(crate) const RACK: &str = "rack0";

/// How long a speaker that ends keeps its routes after the warning. Longer than the datagrams of the hand-over flow
/// after the signal: pods of its node are reached through the router, which forgets them when the session ends.
const DRAIN_WAIT_S: u32 = 4;

/// Everything of a lab but the router's daemon. Daemons come before the lab: they end first.
#[derive(Debug)]
pub(crate) struct Rack {
    pub(crate) plan: Plan,
    pub(crate) speakers: BTreeMap<String, Daemon>,
    /// Running controllers by their nodes.
    pub(crate) controllers: BTreeMap<String, Daemon>,
    services: Vec<Daemon>,
    pub(crate) place: Place,
    pub(crate) ringbolt: Ringbolt,
    pub(crate) directory: Directory,
    pub(crate) router: Netns,
    pub(crate) client: Netns,
    pub(crate) desk: Netns,
    rack_switch: Netns,
    segment_switch: Netns,
    nodes: BTreeMap<String, Netns>,
    pods: BTreeMap<String, Netns>,
    pub(crate) lab: Lab,
}

impl Rack {
    /// Builds the network and what the ground brings along, starts the pods and a proxy on every node, and makes the
    /// Node objects.
    pub(crate) fn build(
        ground: &Ground,
        name: &str,
        plan: Plan,
        ringbolt: Ringbolt,
    ) -> Result<Self> {
        let mut lab = Lab::new(name)?;
        let directory = Directory::create(lab.folder().join("manifests"))?;
        let (rack_switch, segment_switch) = (lab.switch("rack")?, lab.switch("segment")?);
        let router = lab.forwarder("router")?;
        let (client, desk) = (lab.host("client")?, lab.host("desk")?);
        plug(&router, RACK, &rack_switch, "router")?;
        plug(&desk, SEGMENT, &segment_switch, "desk")?;
        link(&router, "cli0", &client, "eth0")?;
        addresses(&router, RACK, plan.router)?;
        addresses(&router, "cli0", plan.gateway)?;
        addresses(&client, "eth0", plan.client)?;
        addresses(&desk, SEGMENT, plan.desk)?;
        default_route(&client, plan.gateway)?;
        let mut rack = Self {
            speakers: BTreeMap::new(),
            controllers: BTreeMap::new(),
            services: Vec::new(),
            ringbolt,
            place: Place::build(ground, name, &plan)?,
            directory,
            router,
            client,
            desk,
            rack_switch,
            segment_switch,
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            lab,
            plan: plan.clone(),
        };
        for (index, node) in plan.nodes.iter().enumerate() {
            rack.add_node(index, node)?;
        }
        match rack.place.kubernetes_mut() {
            None => rack.start_proxy()?,
            Some(place) => place.wait_proxies()?,
        }
        Ok(rack)
    }

    fn add_node(&mut self, index: usize, node: &NodePlan) -> Result<()> {
        let space = self.lab.forwarder(&node.name)?;
        plug(&space, RACK, &self.rack_switch, &port(index))?;
        plug(&space, SEGMENT, &self.segment_switch, &port(index))?;
        addresses(&space, RACK, node.rack)?;
        addresses(&space, SEGMENT, node.segment)?;
        default_route(&space, self.plan.router)?;
        space.ip("link add cni0 type bridge forward_delay 0")?;
        space.ip("link set cni0 up")?;
        let gateway = node
            .pod_cidrs
            .map(|cidr| cidr.hosts().next().unwrap_or(cidr.addr()));
        let gateway = [gateway[0], first_host(gateway[1])];
        addresses(&space, "cni0", gateway)?;
        for (number, pod) in node.pods.iter().enumerate() {
            let pod_space = self.lab.host(&pod.name)?;
            let outside = format!("pod{number}");
            link(&pod_space, "eth0", &space, &outside)?;
            space.ip(&format!("link set {outside} master cni0"))?;
            addresses(&pod_space, "eth0", pod.addresses)?;
            default_route(&pod_space, gateway)?;
            let mut command = pod_space.command(own_program()?);
            command.args(["pod", &pod.name]);
            let daemon =
                Daemon::start(&pod.name, &mut command, self.lab.folder(), self.lab.kept())?;
            self.services.push(daemon);
            self.pods.insert(pod.name.clone(), pod_space);
        }
        if let Some(place) = self.place.kubernetes_mut() {
            place.add_node(&space, node)?;
        }
        self.nodes.insert(node.name.clone(), space);
        let file = format!("node-{}.yaml", node.name);
        self.directory.put(
            &file,
            &[manifests::node(&node.name, &node.rack, &node.pod_cidrs)],
        )
    }

    fn start_proxy(&mut self) -> Result<()> {
        let mut command = Command::new(own_program()?);
        command.arg("proxy").arg(self.directory.path());
        command.args(
            self.nodes
                .iter()
                .map(|(name, space)| format!("{name}={}", space.name())),
        );
        let daemon = Daemon::start("proxy", &mut command, self.lab.folder(), self.lab.kept())?;
        self.services.push(daemon);
        Ok(())
    }

    /// What the router is told: it expects every node.
    pub(crate) fn router_setup(&self) -> RouterSetup {
        let [address, _] = self.plan.router;
        let IpAddr::V4(id) = address else {
            unreachable!("the first of a pair is IPv4")
        };
        let neighbours = self.plan.nodes.iter().map(|node| Neighbour {
            name: node.name.clone(),
            address: node.rack[0],
            asn: self.plan.node_asn,
            password: self.plan.password.clone(),
        });
        RouterSetup {
            asn: self.plan.router_asn,
            id,
            address,
            neighbours: neighbours.collect(),
        }
    }

    /// Writes the pools, the peer and the advertisements of the story.
    pub(crate) fn write_configuration(&self) -> Result<()> {
        self.write_peer(self.peer_spec())?;
        let resource = manifests::resource;
        let pools = [
            resource(
                "IPAddressPool",
                "public",
                json!({"addresses": self.plan.public}),
            ),
            resource(
                "IPAddressPool",
                "segment",
                json!({"addresses": self.plan.local}),
            ),
        ];
        self.put("pools.yaml", &pools)?;
        let services = json!({"ipAddressPools": ["public"]});
        let services = resource("BGPAdvertisement", "services", services);
        self.put("services.yaml", &[services])?;
        let pods = resource("BGPAdvertisement", "pods", json!({"source": "PodCIDR"}));
        self.put("pods.yaml", &[pods])?;
        let layer2 = json!({"ipAddressPools": ["segment"], "interfaces": [SEGMENT]});
        self.put(
            "layer2.yaml",
            &[resource("L2Advertisement", "segment", layer2)],
        )
    }

    /// Writes a manifest; on Kubernetes its objects are applied.
    pub(crate) fn put(&self, file: &str, objects: &[Value]) -> Result<()> {
        self.directory.put(file, objects)?;
        match self.place.kubernetes() {
            Some(place) => place.put(objects),
            None => Ok(()),
        }
    }

    /// Removes a manifest; on Kubernetes its objects are deleted.
    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        if let Some(place) = self.place.kubernetes() {
            place.delete(&self.directory.read(file)?)?;
        }
        self.directory.remove(file)
    }

    /// Where the one who looks on takes objects from.
    pub(crate) fn source(&self) -> Source {
        match self.place.kubernetes() {
            Some(place) => place.admin_source(),
            None => self.directory.source(),
        }
    }

    /// The addresses in a Service's status.
    pub(crate) fn addresses(&self, service: &str) -> Vec<IpAddr> {
        match self.place.kubernetes() {
            Some(place) => place.addresses(service),
            None => self.directory.addresses(&self.plan.namespace, service),
        }
    }

    /// The addresses of every Service that has a status.
    pub(crate) fn all_addresses(&self) -> Result<BTreeMap<String, Vec<IpAddr>>> {
        match self.place.kubernetes() {
            Some(place) => place.services(),
            None => self.directory.all_addresses(&self.plan.namespace),
        }
    }

    /// Writes the session with the router.
    pub(crate) fn write_peer(&self, spec: Value) -> Result<()> {
        self.put("peer.yaml", &[manifests::resource("BGPPeer", "tor", spec)])
    }

    /// The session with the router: both families on it, and timers that notice a dead node soon.
    pub(crate) fn peer_spec(&self) -> Value {
        let mut spec = json!({
            "myASN": self.plan.node_asn,
            "peerASN": self.plan.router_asn,
            "peerAddress": self.plan.router[0],
            "families": ["IPv4", "IPv6"],
            "connectTime": "1s",
            "holdTime": "9s",
            "keepaliveTime": "3s",
            "drain": {"waitSeconds": DRAIN_WAIT_S},
        });
        if let Some(password) = &self.plan.password {
            spec["password"] = json!(password);
        }
        spec
    }

    /// Writes a Service.
    pub(crate) fn put_service(&self, service: &Value) -> Result<()> {
        let name = service["metadata"]["name"]
            .as_str()
            .context("a Service without a name")?;
        self.put(
            &format!("service-{name}.yaml"),
            std::slice::from_ref(service),
        )
    }

    /// Writes which pods are behind a Service.
    pub(crate) fn put_endpoints(&self, service: &str, pods: &[&str]) -> Result<()> {
        if let Some(place) = self.place.kubernetes() {
            return place.put_endpoints(service, pods);
        }
        let endpoints: Vec<Endpoint> = pods
            .iter()
            .map(|pod| self.endpoint(pod))
            .collect::<Result<_>>()?;
        let slices = manifests::endpoint_slices(&self.plan.namespace, service, &endpoints);
        self.directory
            .put(&format!("endpoints-{service}.yaml"), &slices)
    }

    /// Removes a Service and its slices, as a person would.
    pub(crate) fn remove_service(&self, name: &str) -> Result<()> {
        self.remove(&format!("service-{name}.yaml"))?;
        match self.place.kubernetes() {
            Some(_) => self.put_endpoints(name, &[]),
            None => self.directory.remove(&format!("endpoints-{name}.yaml")),
        }
    }

    fn endpoint(&self, pod: &str) -> Result<Endpoint> {
        let node = self
            .plan
            .node_of(pod)
            .with_context(|| format!("no pod {pod}"))?;
        let pod = node
            .pods
            .iter()
            .find(|known| known.name == pod)
            .context("the node has its pod")?;
        Ok(Endpoint {
            addresses: pod.addresses,
            node: node.name.clone(),
        })
    }

    /// Starts the controller on the first node; on Kubernetes, another one on the second.
    pub(crate) fn start_controllers(&mut self) -> Result<()> {
        let replicas = match self.place.kubernetes() {
            Some(_) => 2,
            None => 1,
        };
        let nodes = self.plan.nodes.iter().take(replicas);
        let names: Vec<String> = nodes.map(|node| node.name.clone()).collect();
        names
            .iter()
            .try_for_each(|name| self.start_controller(name))
    }

    /// Starts a controller on a node, in place of the one the lab knew there.
    pub(crate) fn start_controller(&mut self, node: &str) -> Result<()> {
        let (folder, kept) = (self.lab.folder(), self.lab.kept());
        let (source, name) = match self.place.kubernetes() {
            Some(place) => (place.controller_source(node)?, format!("controller-{node}")),
            None => (self.directory.source(), "controller".to_owned()),
        };
        let space = self.node_space(node)?;
        let daemon = self
            .ringbolt
            .controller(space, &name, &source, folder, kept)?;
        self.controllers.insert(node.to_owned(), daemon);
        Ok(())
    }

    /// SIGKILL for the controller on a node.
    pub(crate) fn kill_controller(&mut self, node: &str) -> Result<()> {
        let controller = self.controllers.remove(node);
        let mut controller = controller.with_context(|| format!("no controller on {node}"))?;
        controller.kill()
    }

    /// Starts the speaker of a node.
    pub(crate) fn start_speaker(&mut self, node: &str) -> Result<()> {
        let space = self.node_space(node)?;
        let source = match self.place.kubernetes() {
            Some(place) => place.speaker_source(node)?,
            None => self.directory.source(),
        };
        let (folder, kept) = (self.lab.folder(), self.lab.kept());
        let daemon = self.ringbolt.speaker(space, node, &source, folder, kept)?;
        self.speakers.insert(node.to_owned(), daemon);
        Ok(())
    }

    pub(crate) fn start_speakers(&mut self) -> Result<()> {
        let names: Vec<String> = self
            .plan
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect();
        names.iter().try_for_each(|name| self.start_speaker(name))
    }

    pub(crate) fn speaker(&mut self, node: &str) -> Result<&mut Daemon> {
        self.speakers
            .get_mut(node)
            .with_context(|| format!("no speaker runs on {node}"))
    }

    pub(crate) fn node_space(&self, node: &str) -> Result<&Netns> {
        self.nodes
            .get(node)
            .with_context(|| format!("no node {node}"))
    }

    pub(crate) fn pod_space(&self, pod: &str) -> Result<&Netns> {
        self.pods.get(pod).with_context(|| format!("no pod {pod}"))
    }

    /// Sets both switch ports of a node: `down` is a pulled cable.
    pub(crate) fn set_cables(&self, node: &str, state: &str) -> Result<()> {
        let index = self
            .plan
            .nodes
            .iter()
            .position(|known| known.name == node)
            .context("no such node")?;
        for switch in [&self.rack_switch, &self.segment_switch] {
            switch.ip(&format!("link set {} {state}", port(index)))?;
        }
        match self.place.kubernetes() {
            Some(place) => place.set_cable(node, state),
            None => Ok(()),
        }
    }

    /// The hardware address of a node on the segment.
    pub(crate) fn segment_mac(&self, node: &str) -> Result<crate::frames::Mac> {
        let text = self
            .node_space(node)?
            .ip(&format!("link show dev {SEGMENT}"))?;
        let after = text
            .split_whitespace()
            .skip_while(|word| *word != "link/ether")
            .nth(1);
        after
            .and_then(crate::frames::Mac::parse)
            .with_context(|| format!("no hardware address: {text}"))
    }

    /// The lab stays when this process ends.
    pub(crate) fn keep(&self) {
        self.lab.kept().keep();
        if let Some(place) = self.place.kubernetes() {
            place.plane.keep();
        }
    }

    /// Nothing failed: logs go with the lab.
    pub(crate) fn succeeded(&mut self) {
        self.lab.succeeded();
        if let Some(place) = self.place.kubernetes_mut() {
            place.plane.succeeded();
        }
    }

    /// An error once any process of the lab has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        let daemons = self
            .speakers
            .values_mut()
            .chain(self.controllers.values_mut())
            .chain(&mut self.services);
        for daemon in daemons {
            daemon.check_alive()?;
        }
        match self.place.kubernetes_mut() {
            Some(place) => place.check_alive(),
            None => Ok(()),
        }
    }
}

/// The switch port of the node of that number.
fn port(index: usize) -> String {
    format!("node{index}")
}

fn own_program() -> Result<PathBuf> {
    std::env::current_exe().context("where is this program?")
}

fn first_host(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V6(address) if address.segments()[7] == 0 => {
            IpAddr::V6((u128::from(address) + 1).into())
        }
        other => other,
    }
}

fn addresses(space: &Netns, interface: &str, pair: [IpAddr; 2]) -> Result<()> {
    let [v4, v6] = pair;
    let lines = [
        format!("addr add {v4}/24 dev {interface}"),
        format!("addr add {v6}/64 dev {interface} nodad"),
    ];
    space.ip_batch(&lines)
}

fn default_route(space: &Netns, via: [IpAddr; 2]) -> Result<()> {
    let [v4, v6] = via;
    space.ip_batch(&[
        format!("route add default via {v4}"),
        format!("route add default via {v6}"),
    ])
}
