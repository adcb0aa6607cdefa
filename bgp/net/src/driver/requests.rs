//! What the handle asks for, and what dialling and listening bring in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringbolt_bgp::policy::{Origination, OriginationKey};
use ringbolt_bgp::router::{Input, ShutdownMode, Ttl, accepted_conn};
use ringbolt_bgp::session::PeerConfig;
use ringbolt_bgp::types::{ConnId, PeerId};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::{Dirty, Driver, Handles, Leave};
use crate::connector::{self, DialError};
use crate::handle::{ExportChange, Request};

/// Routes carried out between two looks at everything else: a few milliseconds' work.
const SLICE: usize = 16_384;
/// How long a change that takes several slices may keep back what there is to send. Messages at
/// the seams would be sent half empty; keepalives can wait for longer than this.
const KEEP_BACK: Duration = Duration::from_millis(250);

/// A part of a large change that is carried out in one go.
#[derive(Debug)]
pub(super) enum Slice {
    Originate(Vec<Origination>),
    Withdraw(Vec<OriginationKey>),
}

impl Driver {
    /// Does what was asked; `None` when nobody is left to ask.
    pub(super) fn request(&mut self, request: Option<Request>) {
        match request {
            Some(Request::Peers(peers)) => self.set_peers(peers),
            Some(Request::Export(change)) => self.queue_change(change),
            Some(Request::OriginationsComplete) => self.handle(Input::OriginationsComplete),
            Some(Request::NodeAddresses(addresses)) => {
                self.node_addresses = addresses;
                self.survey();
            }
            Some(Request::Drain(drain)) => self.handle(Input::Drain(drain)),
            Some(Request::ResetPeer(peer, reason)) => {
                self.handle(Input::ResetPeer { peer, reason });
            }
            Some(Request::RefreshPeer(peer)) => self.handle(Input::RefreshPeer { peer }),
            Some(Request::Shutdown { mode, reason, done }) => {
                self.waiting.push(done);
                self.leave(mode, reason);
            }
            None => {
                self.handles = Handles::Dropped;
                if self.leave == Leave::Staying {
                    self.leave(ShutdownMode::Plain, Arc::from(""));
                }
            }
        }
    }

    fn leave(&mut self, mode: ShutdownMode, reason: Arc<str>) {
        if self.leave == Leave::Staying {
            self.leave = Leave::Leaving;
        }
        self.listeners.close();
        self.handle(Input::Shutdown { mode, reason });
    }

    /// Peers that are gone first, so that an address they held is free for another.
    fn set_peers(&mut self, peers: BTreeMap<PeerId, PeerConfig>) {
        if self.leave != Leave::Staying {
            return;
        }
        let before = std::mem::replace(&mut self.peers, peers);
        for peer in before.keys().filter(|peer| !self.peers.contains_key(peer)) {
            self.dial_errors.remove(peer);
            let peer = peer.clone();
            self.router
                .handle(Input::RemovePeer { peer }, Instant::now());
        }
        self.carry_out();
        self.log.retain(|peer| self.peers.contains_key(peer));
        self.listeners.follow(self.peers.values(), Instant::now());
        for (id, config) in &self.peers {
            if before.get(id) != Some(config) {
                let config = Box::new(config.clone());
                self.router.handle(Input::SetPeer(config), Instant::now());
            }
        }
        self.connections.wake();
        self.publisher.dirty = Dirty::Changed;
    }

    /// Puts a change into the backlog, in slices.
    fn queue_change(&mut self, change: ExportChange) {
        let ExportChange {
            mut originate,
            mut withdraw,
        } = change;
        while !originate.is_empty() {
            let rest = originate.split_off(originate.len().min(SLICE));
            self.backlog.push_back(Slice::Originate(originate));
            originate = rest;
        }
        while !withdraw.is_empty() {
            let rest = withdraw.split_off(withdraw.len().min(SLICE));
            self.backlog.push_back(Slice::Withdraw(withdraw));
            withdraw = rest;
        }
        self.kept_back_until = Instant::now() + KEEP_BACK;
    }

    /// Whether sending waits for the rest of a large change.
    pub(super) fn keeps_back(&self) -> bool {
        !self.backlog.is_empty() && Instant::now() < self.kept_back_until
    }

    pub(super) fn originate_a_slice(&mut self) {
        match self.backlog.pop_front() {
            Some(Slice::Originate(routes)) => self.handle(Input::Originate(routes)),
            Some(Slice::Withdraw(keys)) => self.handle(Input::Withdraw(keys)),
            None => {}
        }
    }

    pub(super) fn dialled(&mut self, conn: ConnId, outcome: Result<TcpStream, DialError>) {
        let Some(peer) = self.connections.dialling(conn).cloned() else {
            // Cancelled in the meantime; the Router knows.
            return;
        };
        let stands = outcome.and_then(|socket| {
            let ends = (socket.local_addr()?, socket.peer_addr()?);
            Ok((socket, ends))
        });
        match stands {
            Ok((socket, (local, remote))) => {
                self.dial_errors.remove(&peer);
                let node = &self.node_addresses;
                let next_hops = self.connections.adopt(conn, socket, (local, remote), node);
                self.handle(Input::Dialled {
                    conn,
                    local,
                    remote,
                    next_hops,
                });
            }
            Err(error) => {
                if self.dial_errors.insert(peer.clone(), error) != Some(error) {
                    let reason = error.reason();
                    tracing::info!(%peer, reason, %error, "cannot dial BGP peer; trying again");
                }
                self.connections.remove(conn);
                self.handle(Input::DialFailed { conn });
            }
        }
    }

    pub(super) fn accepted(&mut self, socket: TcpStream, remote: SocketAddr) {
        match self.welcome(&socket, remote) {
            Some((peer, local)) => {
                self.accepted += 1;
                let conn = accepted_conn(self.accepted);
                let node = &self.node_addresses;
                let next_hops = self.connections.adopt(conn, socket, (local, remote), node);
                self.handle(Input::Accepted {
                    conn,
                    peer,
                    local,
                    remote,
                    next_hops,
                });
            }
            // Dropping the socket closes it before anything was allocated for it.
            None => {
                self.refused += 1;
                self.publisher.dirty = Dirty::Changed;
                tracing::debug!(%remote, "refused a BGP connection: no such peer");
            }
        }
    }

    /// The peer that dialled us, when its connection is what the configuration asks for.
    fn welcome(&self, socket: &TcpStream, remote: SocketAddr) -> Option<(PeerId, SocketAddr)> {
        let local = socket.local_addr().ok()?;
        let peer = peer_at(self.peers.values(), local, remote)?;
        if peer.password.is_some() && !self.listeners.vouches_for(remote.ip()) {
            return None;
        }
        let peering = peer.remote_asn.peering(peer.local_asn.unwrap_or(self.asn));
        let ttl = Ttl::of(peer.hops, peering);
        connector::set_ttl(&SockRef::from(socket), remote.ip(), ttl).ok()?;
        connector::prepare(SockRef::from(socket)).ok()?;
        Some((peer.id.clone(), local))
    }
}

/// The peer with this address; of several the one whose source address was dialled.
fn peer_at<'a>(
    peers: impl Iterator<Item = &'a PeerConfig>,
    local: SocketAddr,
    remote: SocketAddr,
) -> Option<&'a PeerConfig> {
    peers
        .filter(|peer| peer.address == remote.ip())
        .filter(|peer| peer.source.is_none_or(|source| source == local.ip()))
        .max_by_key(|peer| peer.source.is_some())
}
