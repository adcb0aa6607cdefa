//! Nodes, clients and a segment under one virtual clock. Everything that happens is an entry of one queue, ordered by
//! time and then by the order it was put there: the same seed gives the same run.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringbolt_l2::announcer::{Event, Failback, Input, Link as Carrier, Output, Purpose};
use ringbolt_l2::hello::{Record, decode, encode};
use ringbolt_l2::types::{Epoch, IfIndex, MacAddr, NodeName};

use crate::client::Client;
use crate::link::{Chance, Link, Port};
use crate::watch::Watch;

mod answers;
mod faults;
mod node;

pub(crate) use node::{Life, Node};

pub(crate) const ETH: IfIndex = IfIndex(2);

/// What is deliberately broken, to see that the properties notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    None,
    /// Nodes do not hear claims.
    ClaimsUnheard,
    /// Nodes do not announce.
    Silent,
    /// A drained node goes at once, without a hand-over.
    LeavesWithoutDrain,
    /// Claims are not held against epochs: nodes hear each claim with epoch 1.
    EpochsFlattened,
    /// A node that lost an address goes on answering.
    AnswersForEver,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    Frame(Bytes),
    Sealed { sender: NodeName, plaintext: Bytes },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Happening {
    Deliver {
        to: Port,
        what: Carried,
    },
    Wake {
        node: usize,
    },
    Resume {
        node: usize,
    },
    Use {
        client: usize,
    },
    View {
        node: usize,
        address: IpAddr,
        nodes: BTreeSet<usize>,
        view: u64,
    },
}

/// How the world is made.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) addresses: usize,
    pub(crate) failback: Failback,
    pub(crate) expected: Option<u32>,
    pub(crate) mutant: Mutant,
}

impl Setup {
    pub(crate) fn new(seed: u64, nodes: usize) -> Self {
        let expected = Some(u32::try_from(nodes).unwrap());
        Self {
            seed,
            nodes,
            addresses: 8,
            failback: Failback::Auto,
            expected,
            mutant: Mutant::None,
        }
    }
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) chance: Chance,
    pub(crate) link: Link,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Endpoints of `Local` addresses as they are.
    pub(crate) local: BTreeMap<IpAddr, (BTreeSet<usize>, u64)>,
    pub(crate) watch: Watch,
    /// Digest of everything that happened.
    pub(crate) trace: u64,
    pub(crate) violations: Vec<String>,
    /// Who announced each address last, by Ethernet address.
    pub(crate) last_announcer: BTreeMap<IpAddr, MacAddr>,
    /// Frames of any kind that each node sent.
    pub(crate) sent: Vec<u64>,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    turn: u64,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let start = origin();
        let mut world = Self {
            now: start,
            start,
            chance: Chance(setup.seed),
            link: Link::default(),
            nodes: Vec::new(),
            clients: Vec::new(),
            addresses: (0..setup.addresses).map(address).collect(),
            local: BTreeMap::new(),
            watch: Watch::default(),
            trace: 0,
            violations: Vec::new(),
            last_announcer: BTreeMap::new(),
            sent: vec![0; setup.nodes],
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            turn: 0,
            setup,
        };
        // Client 0 is the gateway.
        for client in 0..3_u8 {
            world.clients.push(Client {
                mac: MacAddr([2, 0, 0, 0, 1, client]),
                ipv4: Ipv4Addr::new(10, 0, 0, 1 + client),
                ipv6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1 + u16::from(client)),
                cache: BTreeMap::new(),
            });
            world.after(
                Duration::from_millis(u64::from(client) * 7),
                Happening::Use {
                    client: usize::from(client),
                },
            );
        }
        for node in 0..world.setup.nodes {
            world.nodes.push(Node::new(node, start));
        }
        world
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(Reverse((at, turn))) = self
            .queue
            .peek()
            .copied()
            .filter(|Reverse((at, _))| *at <= until)
        {
            self.queue.pop();
            let Some(happening) = self.happenings.remove(&turn) else {
                continue;
            };
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.now = until;
        self.watch.advance(self.now);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver {
                to: Port::Client(client),
                what: Carried::Frame(frame),
            } => {
                if let Some(answer) = self.clients[client].take(&frame, self.now) {
                    self.carry(Port::Client(client), Carried::Frame(answer));
                }
            }
            Happening::Deliver {
                to: Port::Client(_),
                ..
            } => {}
            Happening::Deliver {
                to: Port::Node(node),
                what,
            } => self.arrive(node, what),
            Happening::Wake { node } => self.wake(node),
            Happening::Resume { node } => self.resume(node),
            Happening::Use { client } => {
                let pick = self.chance.below(self.addresses.len());
                let address = self.addresses[pick];
                if let Some(question) = self.clients[client].use_address(address, self.now) {
                    self.carry(Port::Client(client), Carried::Frame(question));
                }
                self.after(Duration::from_millis(90), Happening::Use { client });
            }
            Happening::View {
                node,
                address,
                nodes,
                view,
            } => {
                // Views of one node come in order: a later one is not overtaken.
                let newer = self.nodes[node]
                    .views
                    .get(&address)
                    .is_none_or(|(_, old)| *old < view);
                if newer {
                    self.nodes[node].views.insert(address, (nodes, view));
                    if matches!(self.nodes[node].life, Life::Running | Life::Paused { .. }) {
                        let set = vec![self.claimable(node, address)];
                        self.give(
                            node,
                            Input::ChangeAddresses {
                                set,
                                removed: Vec::new(),
                            },
                        );
                    }
                }
            }
        }
    }

    fn arrive(&mut self, node: usize, what: Carried) {
        let down = self.nodes[node].carrier == Carrier::Down;
        if down || matches!(self.nodes[node].life, Life::Off) {
            return;
        }
        if let Carried::Frame(frame) = &what
            && let Some(answer) = self.nodes[node].kernel_answer(frame)
        {
            self.carry(Port::Node(node), Carried::Frame(answer));
        }
        match &mut self.nodes[node].life {
            Life::Paused { inbox, .. } => {
                if inbox.len() < 10_000 {
                    inbox.push_back(what);
                }
            }
            Life::Running => self.take_in(node, &what),
            Life::Crashed | Life::Off => {}
        }
    }

    fn take_in(&mut self, node: usize, what: &Carried) {
        let arp = [8, 6];
        match what {
            Carried::Frame(frame) if frame.get(12..14) == Some(&arp) => {
                self.give(
                    node,
                    Input::Arp {
                        interface: ETH,
                        frame,
                    },
                );
            }
            Carried::Frame(frame) => self.give(
                node,
                Input::Ndp {
                    interface: ETH,
                    frame,
                },
            ),
            Carried::Sealed { sender, plaintext } => {
                let plaintext = self.mutated(plaintext);
                let (interface, sender) = (ETH, sender.clone());
                self.give(
                    node,
                    Input::Opened {
                        interface,
                        sender,
                        plaintext: &plaintext,
                    },
                );
            }
        }
    }

    /// What a mutant hears.
    fn mutated(&self, plaintext: &Bytes) -> Bytes {
        let Ok(mut message) = decode(plaintext) else {
            return plaintext.clone();
        };
        match self.setup.mutant {
            Mutant::ClaimsUnheard => {
                message
                    .records
                    .retain(|record| !matches!(record, Record::Claim(_)));
            }
            Mutant::EpochsFlattened => {
                for record in &mut message.records {
                    if let Record::Claim(claim) = record {
                        claim.epoch = Epoch(1);
                    }
                }
            }
            _ => return plaintext.clone(),
        }
        encode(&message)
    }

    fn wake(&mut self, node: usize) {
        self.nodes[node].wake = None;
        if !matches!(self.nodes[node].life, Life::Running) {
            return;
        }
        let due = self.nodes[node].announcer.next_deadline().map(|(at, _)| at);
        if due.is_some_and(|at| at <= self.now) {
            let (at, count) = self.nodes[node].ticks_at;
            let count = if at == self.now { count + 1 } else { 0 };
            self.nodes[node].ticks_at = (self.now, count);
            if count > 100 {
                let reason = self.nodes[node].announcer.next_deadline();
                return self.violation(format!(
                    "node {node} wants to be woken for ever: {reason:?}"
                ));
            }
            self.give(node, Input::Tick);
        } else {
            self.plan_wake(node);
        }
    }

    fn resume(&mut self, node: usize) {
        let Life::Paused { inbox, until } = &mut self.nodes[node].life else {
            return;
        };
        if *until > self.now {
            return;
        }
        let inbox = std::mem::take(inbox);
        self.nodes[node].life = Life::Running;
        // Link events waited in their socket, too.
        self.give_interfaces(node);
        // Whether the driver looks at its timers or at its sockets first must not matter.
        if self.chance.per_mille(500) {
            self.give(node, Input::Tick);
        }
        for what in inbox {
            self.take_in(node, &what);
        }
        self.give(node, Input::Tick);
    }

    /// Gives an input and carries out what comes of it.
    pub(crate) fn give(&mut self, node: usize, input: Input<'_>) {
        let now = self.now;
        self.nodes[node].announcer.handle(input, now);
        self.note_answering(node);
        while let Some(output) = self.nodes[node].announcer.poll_output() {
            self.carry_out(node, output);
        }
        if matches!(self.nodes[node].life, Life::Running) {
            self.plan_wake(node);
        }
    }

    fn plan_wake(&mut self, node: usize) {
        let Some((at, _)) = self.nodes[node].announcer.next_deadline() else {
            return;
        };
        if self.nodes[node]
            .wake
            .is_some_and(|planned| planned <= at && planned >= self.now)
        {
            return;
        }
        self.nodes[node].wake = Some(at);
        self.after(
            at.saturating_duration_since(self.now),
            Happening::Wake { node },
        );
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        self.record(node, &output);
        match output {
            Output::Send { frame, purpose, .. } => {
                self.sent[node] += 1;
                if let Purpose::Announcement(address) = purpose {
                    if self.setup.mutant == Mutant::Silent {
                        return;
                    }
                    if !self.nodes[node].announcer.owned(ETH).contains(&address) {
                        self.violation(format!(
                            "node {node} announces {address}, which it does not own"
                        ));
                    }
                    self.last_announcer.insert(address, self.nodes[node].mac);
                }
                self.carry(Port::Node(node), Carried::Frame(frame));
            }
            Output::SendSealed { plaintext, .. } => {
                self.sent[node] += 1;
                let sender = self.nodes[node].name.clone();
                self.carry(Port::Node(node), Carried::Sealed { sender, plaintext });
            }
            Output::Event(event) => {
                if let Event::IncarnationRaised { incarnation } = event {
                    self.nodes[node].incarnation = incarnation.0;
                }
                let now = self.now;
                self.nodes[node].events.push((now, event));
            }
            Output::JoinGroup { .. } | Output::LeaveGroup { .. } => {}
        }
    }

    /// Puts a frame on the segment.
    pub(crate) fn carry(&mut self, from: Port, what: Carried) {
        if let Port::Node(node) = from
            && (self.nodes[node].carrier == Carrier::Down
                || matches!(self.nodes[node].life, Life::Off))
        {
            return;
        }
        let nodes = (0..self.nodes.len()).map(Port::Node);
        let ports: Vec<Port> = nodes
            .chain((0..self.clients.len()).map(Port::Client))
            .collect();
        for to in ports {
            let sealed = matches!(what, Carried::Sealed { .. });
            if to == from || (sealed && matches!(to, Port::Client(_))) || !self.addressed(&what, to)
            {
                continue;
            }
            for delay in self.link.carry(from, to, &mut self.chance) {
                self.after(
                    delay,
                    Happening::Deliver {
                        to,
                        what: what.clone(),
                    },
                );
            }
        }
    }

    /// Whether the switch forwards a frame to a port.
    fn addressed(&self, what: &Carried, to: Port) -> bool {
        let Carried::Frame(frame) = what else {
            return true;
        };
        let destination = MacAddr(frame[..6].try_into().unwrap());
        let mac = match to {
            Port::Node(node) => self.nodes[node].mac,
            Port::Client(client) => self.clients[client].mac,
        };
        destination.0[0] & 1 == 1 || destination == mac
    }

    fn after(&mut self, delay: Duration, happening: Happening) {
        self.turn += 1;
        self.happenings.insert(self.turn, happening);
        self.queue.push(Reverse((self.now + delay, self.turn)));
    }
}

pub(crate) fn address(index: usize) -> IpAddr {
    let number = u8::try_from(100 + index / 2).unwrap();
    match index % 2 {
        0 => Ipv4Addr::new(10, 0, 0, number).into(),
        _ => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)).into(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an origin for virtual time; only differences count"
)]
fn origin() -> Instant {
    Instant::now()
}
