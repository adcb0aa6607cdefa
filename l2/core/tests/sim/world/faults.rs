//! What is done to the nodes: started, configured, stopped, cut off, drained, told.
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ringbolt_l2::announcer::{
    Advertisement, Announcer, Claimable, DefaultRoute, EligibleNodes, Identity, Input, Interface,
    InterfaceChoice, Keys, Link as Carrier, Share,
};
use ringbolt_l2::types::{
    AdvertisementName, ClusterId, Incarnation, Instance, InterfaceName, KeyId, ServiceName,
    Standing, View,
};

use super::{ETH, Happening, Life, Mutant, World};

impl World {
    /// Starts every node at the same time.
    pub(crate) fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node, 1);
        }
    }

    /// Starts a node's process with a counter.
    pub(crate) fn start(&mut self, node: usize, incarnation: u64) {
        let instance = Instance(self.chance.next());
        let name = self.nodes[node].name.clone();
        self.stop_answering(node);
        self.nodes[node].announcer = Announcer::new();
        self.nodes[node].life = Life::Running;
        self.nodes[node].draining = false;
        self.nodes[node].incarnation = incarnation;
        let cluster = ClusterId([7; 16]);
        let incarnation = Incarnation(incarnation);
        self.give(
            node,
            Input::SetNode(Identity {
                cluster,
                node: name,
                incarnation,
                instance,
            }),
        );
        self.give(node, Input::SetKeys(Keys::Present([KeyId(1)].into())));
        self.give(node, Input::SetExpectedSpeakers(self.setup.expected));
        self.give_interfaces(node);
        self.give(
            node,
            Input::SetAdvertisements(vec![Advertisement {
                name: AdvertisementName::new("all").unwrap(),
                standing: Some(Standing::default()),
                interfaces: InterfaceChoice::Any,
                failback: self.setup.failback,
                refresh: Duration::from_secs(60),
            }]),
        );
        let claimables: Vec<Claimable> = self
            .addresses
            .iter()
            .map(|address| self.claimable(node, *address))
            .collect();
        self.give(node, Input::SetAddresses(claimables));
    }

    pub(crate) fn give_interfaces(&mut self, node: usize) {
        let (ipv4, mac, carrier) = (
            self.nodes[node].ipv4,
            self.nodes[node].mac,
            self.nodes[node].carrier,
        );
        let last = u16::from(ipv4.octets()[3]);
        let addresses = vec![
            format!("{ipv4}/24").parse().unwrap(),
            format!("fe80::{last:x}/64").parse().unwrap(),
            format!("fd00::{last:x}/64").parse().unwrap(),
        ];
        let gateways = vec![self.clients[0].ipv4.into(), self.clients[0].ipv6.into()];
        let interface = Interface {
            index: ETH,
            name: InterfaceName::new("eth0").unwrap(),
            mac,
            addresses,
            gateways,
            default_route: DefaultRoute {
                ipv4: true,
                ipv6: true,
            },
            link: carrier,
        };
        self.give(node, Input::SetInterfaces(vec![interface]));
    }

    pub(super) fn claimable(&self, node: usize, address: IpAddr) -> Claimable {
        let nodes = match self.nodes[node].views.get(&address) {
            None => EligibleNodes::Any,
            Some((nodes, view)) => EligibleNodes::Only {
                nodes: nodes
                    .iter()
                    .map(|one| self.nodes[*one].name.clone())
                    .collect(),
                view: Some(View(*view)),
            },
        };
        let share = Share {
            service: ServiceName::new(&format!("default/{address}")).unwrap(),
            advertisements: [AdvertisementName::new("all").unwrap()].into(),
            nodes,
        };
        Claimable {
            address,
            shares: vec![share],
        }
    }

    /// Moves the endpoints of an address; each node hears of it after a lag of its own.
    pub(crate) fn set_endpoints(&mut self, address: IpAddr, nodes: &[usize], lag: Duration) {
        let view = self.local.get(&address).map_or(0, |(_, view)| *view) + 1;
        let nodes: BTreeSet<usize> = nodes.iter().copied().collect();
        self.local.insert(address, (nodes.clone(), view));
        for node in 0..self.nodes.len() {
            let delay = self.chance.between(Duration::ZERO, lag);
            self.after(
                delay,
                Happening::View {
                    node,
                    address,
                    nodes: nodes.clone(),
                    view,
                },
            );
        }
    }

    /// The process dies; the kernel of its node lives.
    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].life = Life::Crashed;
        self.stop_answering(node);
    }

    pub(crate) fn power_off(&mut self, node: usize) {
        self.nodes[node].life = Life::Off;
        self.stop_answering(node);
    }

    pub(crate) fn pause(&mut self, node: usize, pause: Duration) {
        let until = self.now + pause;
        self.nodes[node].life = Life::Paused {
            inbox: VecDeque::new(),
            until,
        };
        self.stop_answering(node);
        self.after(pause, Happening::Resume { node });
    }

    pub(crate) fn drain(&mut self, node: usize) {
        if self.setup.mutant == Mutant::LeavesWithoutDrain {
            return self.leave(node);
        }
        self.nodes[node].draining = true;
        self.give(node, Input::Drain);
    }

    pub(crate) fn leave(&mut self, node: usize) {
        self.give(node, Input::Leave);
        self.crash(node);
    }

    pub(crate) fn set_carrier(&mut self, node: usize, carrier: Carrier) {
        self.nodes[node].carrier = carrier;
        if matches!(self.nodes[node].life, Life::Running) {
            self.give_interfaces(node);
        }
    }

    pub(crate) fn verdict(&mut self, dead: usize) {
        let name = self.nodes[dead].name.clone();
        for node in 0..self.nodes.len() {
            if node != dead && matches!(self.nodes[node].life, Life::Running) {
                self.give(
                    node,
                    Input::Verdict {
                        node: name.clone(),
                        interface: ETH,
                    },
                );
            }
        }
    }
}
