//! The driver of every node: carries out what Routers want, moves bytes, and watches what is said.

use std::time::Duration;

use bytes::BytesMut;
use ringbolt_bgp::router::{Flush, Input, Output};
use ringbolt_bgp::types::ConnId;

use crate::link::{LinkId, SOCKET_BUFFER, Side, Socket};
use crate::node::NodeIx;
use crate::observer::Sight;
use crate::world::{Happening, World};

/// Bytes a driver keeps ready for the kernel.
const DRIVER_BUFFER: usize = 16 * 1024;

impl World {
    /// Tells a node's Router something.
    pub(crate) fn give(&mut self, ix: NodeIx, input: Input<'_>) {
        if let Some(router) = &mut self.nodes[ix].router {
            router.handle(input, self.now);
        }
    }

    /// Carries out what a node's Router wants, and writes what it has to say.
    pub(crate) fn pump(&mut self, ix: NodeIx) {
        loop {
            let Some(router) = &mut self.nodes[ix].router else {
                return;
            };
            if let Some(output) = router.poll_output() {
                self.carry_out(ix, output);
                continue;
            }
            if !self.write_all(ix) {
                return;
            }
        }
    }

    fn carry_out(&mut self, ix: NodeIx, output: Output) {
        match output {
            Output::Connect { conn, target, .. } => {
                let life = self.nodes[ix].life;
                let to = self
                    .nodes
                    .iter()
                    .position(|node| node.address == target.remote.ip());
                let to = to.expect("peers are nodes");
                let delay = self.rng.millis(1, 12);
                self.schedule(
                    delay,
                    Happening::Syn {
                        from: ix,
                        life,
                        conn,
                        to,
                    },
                );
            }
            Output::Close { conn, flush } => self.close(ix, conn, flush),
            Output::Event(_) => {}
        }
    }

    fn close(&mut self, ix: NodeIx, conn: ConnId, flush: Flush) {
        let Some((link_id, side)) = self.nodes[ix].conns.get(&conn).copied() else {
            self.nodes[ix].cancelled.push(conn);
            return;
        };
        if flush == Flush::Drain {
            while self.fill(ix, conn, link_id, side) {}
        }
        let Some(link) = self.links.get_mut(&link_id) else {
            return;
        };
        let end = link.end_mut(side);
        if flush == Flush::Drain {
            let rest = std::mem::take(&mut end.out);
            end.wire.extend_from_slice(&rest);
        }
        end.out.clear();
        end.fin = true;
        self.deliver_soon(link_id, side);
        self.schedule(
            Duration::from_millis(1),
            Happening::Gone {
                link: link_id,
                side,
            },
        );
    }

    fn fill(&mut self, ix: NodeIx, conn: ConnId, link_id: LinkId, side: Side) -> bool {
        let Some(router) = &mut self.nodes[ix].router else {
            return false;
        };
        let mut buf = BytesMut::new();
        let more = router.poll_transmit(conn, &mut buf);
        let Some(link) = self.links.get_mut(&link_id) else {
            return false;
        };
        let end = link.end_mut(side);
        end.out.extend_from_slice(&buf);
        let sights = end.said.read(&buf);
        for sight in sights {
            self.check_sight(link_id, side, &sight);
        }
        more
    }

    /// Fills and writes every connection of a node; `true` when anything moved.
    fn write_all(&mut self, ix: NodeIx) -> bool {
        let conns: Vec<_> = self.nodes[ix]
            .conns
            .iter()
            .map(|(conn, at)| (*conn, *at))
            .collect();
        let mut moved = false;
        for (conn, (link_id, side)) in conns {
            let usable = |world: &Self| {
                world.links.get(&link_id).is_some_and(|link| {
                    let end = link.end(side);
                    end.socket == Socket::Open && !end.fin
                })
            };
            if !usable(self) {
                continue;
            }
            while self.links[&link_id].end(side).out.len() < DRIVER_BUFFER
                && self.fill(ix, conn, link_id, side)
            {}
            let Some(link) = self.links.get_mut(&link_id) else {
                continue;
            };
            let end = link.end_mut(side);
            let taken = end
                .out
                .len()
                .min(SOCKET_BUFFER.saturating_sub(end.wire.len()));
            if taken > 0 {
                let bytes = end.out.split_to(taken);
                end.wire.extend_from_slice(&bytes);
                self.deliver_soon(link_id, side);
                self.give(ix, Input::Sent { conn, bytes: taken });
                moved = true;
            }
        }
        moved
    }

    // Rules of conduct that depend on the world.

    /// When a node says that a table is complete, what it has said must be its whole table.
    fn check_sight(&mut self, link_id: LinkId, side: Side, sight: &Sight) {
        let (Sight::EndOfRib(family) | Sight::Repeated(family)) = sight;
        let end = self.links[&link_id].end(side);
        let (ix, to) = (end.node, self.links[&link_id].end(side.other()).node);
        if matches!(sight, Sight::EndOfRib(_)) && !self.nodes[ix].complete {
            self.violations.push(format!(
                "node {ix}: End-of-RIB of {family} before completion"
            ));
        }
        let said = &self.links[&link_id].end(side).said.view;
        if let Some(missing) = crate::check::missing(self, ix, to, *family, said) {
            self.violations
                .push(format!("node {ix} → {to}: {sight:?} without {missing}"));
        }
    }
}
