//! The world: a calendar, nodes, and the connections between them.
//!
//! Bytes travel with delays and arbitrary cuts; `driver` is what stands between them and the
//! Routers. Time jumps from one happening to the next. What goes wrong is collected in
//! `violations`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ringbolt_bgp::router::{Input, Router, RouterConfig, accepted_conn};
use ringbolt_bgp::sabotage::Sabotage;
use ringbolt_bgp::session::Restart;
use ringbolt_bgp::types::{ConnId, Peering};

use crate::link::{End, Link, LinkId, Side, Socket};
use crate::node::{Node, NodeIx, peer_id};
use crate::rng::Rng;

/// Wake-ups at one instant before the Router is said to spin.
const SPIN_LIMIT: u32 = 200;

/// Something on the calendar.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A SYN reaches the other machine.
    Syn {
        from: NodeIx,
        life: u32,
        conn: ConnId,
        to: NodeIx,
    },
    /// An end learns that its connection stands.
    Connected { link: LinkId, side: Side },
    /// Nobody answered.
    DialFailed {
        node: NodeIx,
        life: u32,
        conn: ConnId,
    },
    /// Bytes said by `side` reach the other end.
    Deliver { link: LinkId, side: Side },
    /// An end learns that its connection is gone.
    Gone { link: LinkId, side: Side },
    /// Something the scenario wants.
    Act(usize),
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    calendar: BTreeMap<(Instant, u64), Happening>,
    entries: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    last_link: LinkId,
    pub(crate) violations: Vec<String>,
    sabotage: Option<Sabotage>,
    spins: u32,
}

impl World {
    pub(crate) fn new(seed: u64, sabotage: Option<Sabotage>, start: Instant) -> Self {
        Self {
            now: start,
            rng: Rng::new(seed),
            calendar: BTreeMap::new(),
            entries: 0,
            nodes: Vec::new(),
            links: BTreeMap::new(),
            last_link: 0,
            violations: Vec::new(),
            sabotage,
            spins: 0,
        }
    }

    pub(crate) fn schedule(&mut self, after: Duration, happening: Happening) {
        self.entries += 1;
        self.calendar
            .insert((self.now + after, self.entries), happening);
    }

    /// Goes on until `end`; the scenario carries out its own happenings.
    pub(crate) fn run_until(&mut self, end: Instant, mut act: impl FnMut(&mut Self, usize)) {
        loop {
            let deadline = (0..self.nodes.len())
                .filter_map(|ix| Some((self.nodes[ix].router.as_ref()?.next_deadline()?.0, ix)))
                .min();
            let entry = self.calendar.keys().next().copied();
            let next = deadline
                .map(|(at, _)| at)
                .into_iter()
                .chain(entry.map(|(at, _)| at))
                .min();
            let Some(at) = next.filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.advance_to(at);
            if self.violations.len() > 3 {
                return;
            }
            match (deadline, entry) {
                (Some((due, ix)), _) if due <= self.now => {
                    self.give(ix, Input::Tick);
                    self.pump(ix);
                }
                (_, Some(key)) => {
                    let happening = self.calendar.remove(&key).expect("it was looked up");
                    match happening {
                        Happening::Act(which) => act(self, which),
                        happening => self.happen(happening),
                    }
                }
                _ => {}
            }
        }
    }

    fn advance_to(&mut self, at: Instant) {
        if at > self.now {
            self.now = at;
            self.spins = 0;
            return;
        }
        self.spins += 1;
        if self.spins > SPIN_LIMIT {
            let wakes: Vec<_> = self
                .nodes
                .iter()
                .filter_map(|node| node.router.as_ref().map(Router::next_deadline))
                .collect();
            self.violations
                .push(format!("time stands still: {wakes:?}"));
            self.spins = 0;
            self.now += Duration::from_secs(1);
        }
    }

    // Lives.

    /// A node's process starts.
    pub(crate) fn start(&mut self, ix: NodeIx) {
        let node = &mut self.nodes[ix];
        node.life += 1;
        node.complete = false;
        let config = RouterConfig {
            router_id: node.router_id,
            asn: node.asn,
            restart: Restart::Recovering,
            seed: self.rng.next(),
        };
        node.router = Some(match self.sabotage {
            None => Router::new(&config, self.now),
            Some(sabotage) => Router::sabotaged(&config, sabotage, self.now),
        });
        let drain = node.drain;
        let peers: Vec<_> = node.peers.values().cloned().collect();
        self.give(ix, Input::Drain(drain));
        for config in peers {
            self.give(ix, Input::SetPeer(Box::new(config)));
        }
        self.pump(ix);
    }

    /// A node's process dies; its kernel closes the sockets, or the machine is gone with it.
    pub(crate) fn kill(&mut self, ix: NodeIx, power_loss: bool) {
        self.nodes[ix].router = None;
        for (link_id, side) in std::mem::take(&mut self.nodes[ix].conns).into_values() {
            let Some(link) = self.links.get_mut(&link_id) else {
                continue;
            };
            link.end_mut(side).socket = Socket::Closed;
            if power_loss {
                link.void = true;
            } else {
                link.end_mut(side).fin = true;
                self.deliver_soon(link_id, side);
            }
        }
    }

    /// The network loses one connection.
    pub(crate) fn break_link(&mut self, link: LinkId) {
        for side in Side::BOTH {
            let delay = self.rng.millis(0, 60);
            self.schedule(delay, Happening::Gone { link, side });
        }
    }

    /// Machines that came back answer bytes of dead connections with a reset.
    pub(crate) fn reset_void_links(&mut self) {
        let void: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| link.void)
            .map(|(id, _)| *id)
            .collect();
        for link in void {
            self.break_link(link);
        }
    }

    // Happenings.

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Syn {
                from,
                life,
                conn,
                to,
            } => self.syn(from, life, conn, to),
            Happening::Connected { link, side } => self.connected(link, side),
            Happening::DialFailed { node, life, conn } => {
                if self.nodes[node].life == life && self.nodes[node].router.is_some() {
                    self.give(node, Input::DialFailed { conn });
                    self.pump(node);
                }
            }
            Happening::Deliver { link, side } => self.deliver(link, side),
            Happening::Gone { link, side } => self.gone(link, side),
            Happening::Act(_) => unreachable!("the scenario's own"),
        }
    }

    fn syn(&mut self, from: NodeIx, life: u32, conn: ConnId, to: NodeIx) {
        let dialler = &self.nodes[from];
        if dialler.life != life || dialler.router.is_none() || dialler.cancelled.contains(&conn) {
            return;
        }
        let known = self.nodes[to].peers.contains_key(&from);
        if self.nodes[to].router.is_none() || !known {
            let delay = self.rng.millis(1, 400);
            self.schedule(
                delay,
                Happening::DialFailed {
                    node: from,
                    life,
                    conn,
                },
            );
            return;
        }
        let peering = self.peering(from, to);
        self.nodes[to].accepted += 1;
        let accepted = accepted_conn(self.nodes[to].accepted);
        self.last_link += 1;
        let link = self.last_link;
        self.links.insert(
            link,
            Link {
                dialler: End::new(from, life, conn, peering),
                acceptor: End::new(to, self.nodes[to].life, accepted, peering),
                void: false,
            },
        );
        self.nodes[from].conns.insert(conn, (link, Side::Dialler));
        self.nodes[to]
            .conns
            .insert(accepted, (link, Side::Acceptor));
        for side in Side::BOTH {
            let delay = self.rng.millis(0, 15);
            self.schedule(delay, Happening::Connected { link, side });
        }
    }

    pub(crate) fn peering(&self, one: NodeIx, other: NodeIx) -> Peering {
        if self.nodes[one].asn == self.nodes[other].asn {
            Peering::Internal
        } else {
            Peering::External
        }
    }

    fn connected(&mut self, link: LinkId, side: Side) {
        let Some(end) = self.links.get_mut(&link).map(|link| link.end_mut(side)) else {
            return;
        };
        if end.socket != Socket::Pending {
            return;
        }
        end.socket = Socket::Open;
        let (ix, conn) = (end.node, end.conn);
        let other = self.links[&link].end(side.other()).node;
        let local = (self.nodes[ix].address, 179).into();
        let remote = (self.nodes[other].address, 40_000).into();
        let next_hops = self.nodes[ix].next_hops;
        match side {
            Side::Dialler => self.give(
                ix,
                Input::Dialled {
                    conn,
                    local,
                    remote,
                    next_hops,
                },
            ),
            Side::Acceptor => {
                let peer = peer_id(other);
                self.give(
                    ix,
                    Input::Accepted {
                        conn,
                        peer,
                        local,
                        remote,
                        next_hops,
                    },
                );
            }
        }
        self.pump(ix);
    }

    pub(crate) fn deliver_soon(&mut self, link_id: LinkId, side: Side) {
        let delay = self.rng.millis(0, 8);
        let Some(link) = self.links.get_mut(&link_id) else {
            return;
        };
        let end = link.end_mut(side);
        if !end.delivering {
            end.delivering = true;
            self.schedule(
                delay,
                Happening::Deliver {
                    link: link_id,
                    side,
                },
            );
        }
    }

    fn deliver(&mut self, link_id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&link_id) else {
            return;
        };
        link.end_mut(side).delivering = false;
        if link.void {
            return;
        }
        let (reader, socket) = (link.end(side.other()).node, link.end(side.other()).socket);
        let deaf_until = self.nodes[reader].deaf_until;
        if socket == Socket::Pending || deaf_until > self.now {
            let wait = deaf_until.saturating_duration_since(self.now);
            link.end_mut(side).delivering = true;
            let wait = wait.max(Duration::from_millis(2));
            self.schedule(
                wait,
                Happening::Deliver {
                    link: link_id,
                    side,
                },
            );
            return;
        }
        let under_way = link.end(side).wire.len();
        let whole = self.rng.chance(70);
        let cut = if whole || under_way == 0 {
            under_way
        } else {
            1 + self.rng.below(under_way)
        };
        let link = self.links.get_mut(&link_id).expect("looked up before");
        let chunk = link.end_mut(side).wire.split_to(cut);
        if socket == Socket::Open && !chunk.is_empty() {
            let conn = link.end(side.other()).conn;
            link.end_mut(side).heard.read(&chunk);
            self.give(
                reader,
                Input::Bytes {
                    conn,
                    bytes: &chunk,
                },
            );
        }
        let Some(link) = self.links.get(&link_id) else {
            return;
        };
        let end = link.end(side);
        let (writer, open) = (end.node, end.socket == Socket::Open);
        match (end.wire.is_empty(), end.fin) {
            (true, true) => {
                self.schedule(
                    Duration::ZERO,
                    Happening::Gone {
                        link: link_id,
                        side: side.other(),
                    },
                );
            }
            (true, false) => {}
            (false, _) => self.deliver_soon(link_id, side),
        }
        self.pump(reader);
        if open {
            self.pump(writer);
        }
    }

    /// An end's kernel tells its process that the connection is gone.
    fn gone(&mut self, link_id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&link_id) else {
            return;
        };
        let end = link.end_mut(side);
        let (ix, life, conn, before) = (end.node, end.life, end.conn, end.socket);
        end.socket = Socket::Closed;
        end.fin = true;
        end.out.clear();
        if self.nodes[ix].life == life && self.nodes[ix].router.is_some() {
            self.nodes[ix].conns.remove(&conn);
            let input = match before {
                Socket::Open => Some(Input::Closed { conn }),
                Socket::Pending if side == Side::Dialler => Some(Input::DialFailed { conn }),
                Socket::Pending | Socket::Closed => None,
            };
            if let Some(input) = input {
                self.give(ix, input);
                self.pump(ix);
            }
        }
        self.deliver_soon(link_id, side);
        self.collect_dead(link_id);
    }

    fn collect_dead(&mut self, link_id: LinkId) {
        let dead = self.links.get(&link_id).is_some_and(|link| {
            Side::BOTH
                .iter()
                .all(|side| link.end(*side).socket == Socket::Closed)
        });
        if dead && let Some(link) = self.links.remove(&link_id) {
            for side in Side::BOTH {
                let end = link.end(side);
                let broken = end.said.violations.iter().chain(&end.heard.violations);
                let named = broken.map(|what| format!("node {}: {what}", end.node));
                self.violations.extend(named);
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time has to start somewhere"
)]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
