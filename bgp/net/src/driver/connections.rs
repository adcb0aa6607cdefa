//! The connections the driver holds, from the attempt to dial to the last word.
//!
//! Counts what each has under way, so that bytes are asked of the Router only where there is room
//! for them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use ringbolt_bgp::policy::NextHops;
use ringbolt_bgp::router::{DialTarget, Flush, Input, Router};
use ringbolt_bgp::types::{ConnId, PeerId};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::Report;
use crate::addresses::next_hops;
use crate::connector;
use crate::sockopt::{InterfaceAddress, interface_addresses};
use crate::stream::{AbortOnDrop, Leaving, Stream};

#[cfg(test)]
mod tests;

/// More than this under way, and the connection gets no more: about one chunk of the Router's.
const ENOUGH: usize = 64 * 1024;
/// Room that is kept in the scratch buffer, so that most chunks grow without moving.
const ROOM: usize = 16 * 1024;

/// All connections.
#[derive(Debug)]
pub(super) struct Connections {
    by_id: BTreeMap<ConnId, Connection>,
    reports: mpsc::Sender<Report>,
    /// Where the Router writes; chunks are split off it.
    scratch: BytesMut,
    /// Counts the Router's inputs: what had nothing to send before the last one may have now.
    inputs: u64,
}

/// One connection.
#[derive(Debug)]
enum Connection {
    /// Being dialled.
    Dialling { peer: PeerId, _task: AbortOnDrop },
    /// Standing.
    Live(Live),
    /// Carrying its last words.
    Leaving { _stream: Leaving },
}

#[derive(Debug)]
struct Live {
    stream: Stream,
    local: IpAddr,
    remote: IpAddr,
    next_hops: NextHops,
    /// Octets handed to the stream and not taken by the kernel.
    under_way: usize,
    /// The value of `inputs` at which the Router had nothing to send.
    silent_at: Option<u64>,
}

impl Live {
    /// Few octets are under way, and in few chunks: a peer that does not read holds up messages of
    /// any size.
    fn has_room(&self) -> bool {
        self.under_way < ENOUGH && self.stream.has_room()
    }
}

/// How a connection ended that was closed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    BeforeItStood,
    AfterItStood,
}

impl Ended {
    pub(super) const fn input(self, conn: ConnId) -> Input<'static> {
        match self {
            Self::BeforeItStood => Input::DialFailed { conn },
            Self::AfterItStood => Input::Closed { conn },
        }
    }
}

/// Whether there is more to send right away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    No,
    Yes,
}

impl Connections {
    pub(super) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self {
            by_id: BTreeMap::new(),
            reports,
            scratch: BytesMut::new(),
            inputs: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn is_live(&self, conn: ConnId) -> bool {
        matches!(self.by_id.get(&conn), Some(Connection::Live(_)))
    }

    /// The Router had an input: ask it again what there is to send.
    pub(super) const fn wake(&mut self) {
        self.inputs += 1;
    }

    /// Starts an attempt to dial.
    pub(super) fn dial(&mut self, conn: ConnId, peer: PeerId, target: DialTarget) {
        let reports = self.reports.clone();
        let attempt = async move {
            let outcome = connector::dial(&target).await;
            // An error means that the driver is gone.
            let _ = reports.send(Report::Dialled { conn, outcome }).await;
        };
        let task = AbortOnDrop(tokio::spawn(attempt));
        self.by_id
            .insert(conn, Connection::Dialling { peer, _task: task });
    }

    /// The peer being dialled on `conn`; `None` when the attempt was cancelled.
    pub(super) fn dialling(&self, conn: ConnId) -> Option<&PeerId> {
        match self.by_id.get(&conn)? {
            Connection::Dialling { peer, .. } => Some(peer),
            Connection::Live(_) | Connection::Leaving { .. } => None,
        }
    }

    /// Takes over a connection that stands, and says what it can offer as next hops.
    pub(super) fn adopt(
        &mut self,
        conn: ConnId,
        socket: TcpStream,
        ends: (SocketAddr, SocketAddr),
        node: &[IpAddr],
    ) -> NextHops {
        let (local, remote) = (ends.0.ip(), ends.1.ip());
        let next_hops = next_hops(local, remote, &addresses(), node);
        let live = Live {
            stream: Stream::spawn(conn, socket, self.reports.clone()),
            local,
            remote,
            next_hops,
            under_way: 0,
            silent_at: None,
        };
        self.by_id.insert(conn, Connection::Live(live));
        next_hops
    }

    /// Closes a connection, or cancels an attempt. What it says is how it ended, when it has
    /// ended; a connection that takes leave reports its end later.
    pub(super) fn close(
        &mut self,
        conn: ConnId,
        flush: Flush,
        router: &mut Router,
    ) -> Option<Ended> {
        match (self.by_id.remove(&conn)?, flush) {
            (Connection::Dialling { .. }, _) => Some(Ended::BeforeItStood),
            (Connection::Live(_), Flush::Discard) => Some(Ended::AfterItStood),
            (Connection::Live(live), Flush::Drain) => {
                // There is little: a NOTIFICATION.
                while router.poll_transmit(conn, &mut self.scratch) {}
                live.stream.write(self.scratch.split());
                let stream = live.stream.leave();
                self.by_id
                    .insert(conn, Connection::Leaving { _stream: stream });
                None
            }
            (leaving @ Connection::Leaving { .. }, _) => {
                self.by_id.insert(conn, leaving);
                None
            }
        }
    }

    /// Forgets a connection whose task has ended; `false` when it was forgotten before.
    pub(super) fn remove(&mut self, conn: ConnId) -> bool {
        self.by_id.remove(&conn).is_some()
    }

    /// The kernel took octets of a connection; `false` when that is of no interest any more.
    pub(super) fn sent(&mut self, conn: ConnId, octets: usize) -> bool {
        match self.by_id.get_mut(&conn) {
            Some(Connection::Live(live)) => {
                live.under_way = live.under_way.saturating_sub(octets);
                true
            }
            Some(Connection::Dialling { .. } | Connection::Leaving { .. }) | None => false,
        }
    }

    /// Gives each connection with room one chunk, and says whether any could take another.
    pub(super) fn fill(&mut self, router: &mut Router) -> More {
        let mut more = More::No;
        for (conn, connection) in &mut self.by_id {
            let Connection::Live(live) = connection else {
                continue;
            };
            if !live.has_room() || live.silent_at == Some(self.inputs) {
                continue;
            }
            if self.scratch.capacity() - self.scratch.len() < ROOM {
                self.scratch.reserve(ENOUGH + ROOM);
            }
            if !router.poll_transmit(*conn, &mut self.scratch) {
                live.silent_at = Some(self.inputs);
                continue;
            }
            let chunk = self.scratch.split();
            live.under_way += chunk.len();
            live.stream.write(chunk);
            if live.has_room() {
                more = More::Yes;
            }
        }
        more
    }

    /// Connections that can offer other next hops than when last asked.
    pub(super) fn changed_next_hops(&mut self, node: &[IpAddr]) -> Vec<(ConnId, NextHops)> {
        if self.by_id.is_empty() {
            return Vec::new();
        }
        let addresses = addresses();
        let mut changed = Vec::new();
        for (conn, connection) in &mut self.by_id {
            let Connection::Live(live) = connection else {
                continue;
            };
            let present = next_hops(live.local, live.remote, &addresses, node);
            if present != live.next_hops {
                live.next_hops = present;
                changed.push((*conn, present));
            }
        }
        changed
    }
}

/// The addresses of this host; none when the kernel does not tell.
fn addresses() -> Vec<InterfaceAddress> {
    interface_addresses().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read interface addresses");
        Vec::new()
    })
}
