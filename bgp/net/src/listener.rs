//! Listening sockets: which there should be, keeping them bound, and the keys on them.
//!
//! Sockets exist while peers need them, one per family, never both in one (a key for an IPv4 peer
//! would have to be given for its mapped address). A port that is busy or forbidden is tried
//! again, with the reason in [`ListenerStats`]. Each listening socket has one task, which accepts
//! and reports; whether the caller is a peer is the driver's to say.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use ringbolt_bgp::session::{Mode, PeerConfig};
use ringbolt_bgp::types::Secret;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::driver::Report;
use crate::sockopt;
use crate::stream::AbortOnDrop;

#[cfg(test)]
mod tests;

/// Connections the kernel completes before they are accepted.
const BACKLOG: i32 = 64;
/// First and longest wait before a port is tried again.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Pause after accepting failed: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How a listening socket is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStats {
    /// Whether it listens.
    pub state: ListenerState,
    /// Peers whose connections are refused because their TCP-MD5 key could not be set.
    pub unkeyed: BTreeSet<IpAddr>,
}

/// Whether a wanted socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerState {
    /// Peers can connect.
    Listening,
    /// They cannot.
    Waiting {
        /// Why not.
        problem: ListenProblem,
        /// When it is tried again.
        retry_at: Instant,
    },
}

/// What keeps a socket from listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenProblem {
    /// Another process has the port.
    PortBusy,
    /// A port below 1024 without CAP_NET_BIND_SERVICE.
    NotPermitted,
    /// The address is on no interface.
    AddressMissing,
    /// Anything else the kernel says.
    Other(io::ErrorKind),
}

impl ListenProblem {
    /// The word used in conditions and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::PortBusy => "PortBusy",
            Self::NotPermitted => "NotPermitted",
            Self::AddressMissing => "AddressMissing",
            Self::Other(_) => "SocketError",
        }
    }

    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortBusy,
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            io::ErrorKind::AddrNotAvailable => Self::AddressMissing,
            kind => Self::Other(kind),
        }
    }
}

/// TCP-MD5 keys by peer address.
type Keys = BTreeMap<IpAddr, Secret<Arc<[u8]>>>;

/// All listening sockets of a speaker.
#[derive(Debug)]
pub(crate) struct Listeners {
    listen: Option<SocketAddr>,
    sockets: BTreeMap<SocketAddr, Listener>,
    reports: mpsc::Sender<Report>,
}

/// One wanted socket.
#[derive(Debug)]
struct Listener {
    keys: Keys,
    socket: Option<Bound>,
    /// Why there is none, and when to try again.
    problem: Option<(ListenProblem, Instant)>,
    backoff: Duration,
}

/// One socket that listens.
#[derive(Debug)]
struct Bound {
    socket: Arc<TcpListener>,
    /// Keys the kernel has.
    keyed: Keys,
    unkeyed: BTreeSet<IpAddr>,
    _task: AbortOnDrop,
}

/// The sockets that these peers need.
pub(crate) fn wanted<'a>(
    listen: Option<SocketAddr>,
    peers: impl Iterator<Item = &'a PeerConfig>,
) -> BTreeSet<SocketAddr> {
    let dials_us = |peer: &&PeerConfig| listen.is_some() || peer.mode == Mode::Passive;
    let any = |peer: IpAddr| match peer {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let address = |peer: &PeerConfig| match listen {
        None => Some(SocketAddr::new(any(peer.address), PeerConfig::PORT)),
        Some(listen) if listen.ip().is_unspecified() => {
            Some(SocketAddr::new(any(peer.address), listen.port()))
        }
        Some(listen) => (listen.is_ipv4() == peer.address.is_ipv4()).then_some(listen),
    };
    peers.filter(dials_us).filter_map(address).collect()
}

impl Listeners {
    pub(crate) fn new(listen: Option<SocketAddr>, reports: mpsc::Sender<Report>) -> Self {
        Self {
            listen,
            sockets: BTreeMap::new(),
            reports,
        }
    }

    /// Makes the sockets and their keys follow the peers. Keys are in the kernel when this
    /// returns, so a peer may be told about afterwards.
    pub(crate) fn follow<'a>(
        &mut self,
        peers: impl Iterator<Item = &'a PeerConfig> + Clone,
        now: Instant,
    ) {
        let wanted = wanted(self.listen, peers.clone());
        self.sockets.retain(|address, _| wanted.contains(address));
        for address in wanted {
            let keys = peers
                .clone()
                .filter(|peer| peer.address.is_ipv4() == address.is_ipv4())
                .filter_map(|peer| Some((peer.address, peer.password.clone()?)))
                .collect();
            let listener = self.sockets.entry(address).or_insert_with(Listener::new);
            listener.set_keys(keys);
            listener.open_if_due(address, &self.reports, now);
        }
    }

    /// Tries again what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        for (address, listener) in &mut self.sockets {
            listener.open_if_due(*address, &self.reports, now);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let problems = self
            .sockets
            .values()
            .filter_map(|listener| listener.problem);
        problems.map(|(_, retry_at)| retry_at).min()
    }

    /// Whether a connection from `peer` is known to carry the key its configuration asks for.
    pub(crate) fn vouches_for(&self, peer: IpAddr) -> bool {
        let mut bound = self
            .sockets
            .values()
            .filter_map(|listener| listener.socket.as_ref());
        !bound.any(|bound| bound.unkeyed.contains(&peer))
    }

    /// Closes everything; nobody is welcome any more.
    pub(crate) fn close(&mut self) {
        self.sockets.clear();
    }

    pub(crate) fn stats(&self) -> BTreeMap<SocketAddr, ListenerStats> {
        let stats = |(address, listener): (&SocketAddr, &Listener)| (*address, listener.stats());
        self.sockets.iter().map(stats).collect()
    }
}

impl Listener {
    const fn new() -> Self {
        Self {
            keys: BTreeMap::new(),
            socket: None,
            problem: None,
            backoff: RETRY_MIN,
        }
    }

    fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
        if let Some(bound) = &mut self.socket {
            bound.set_keys(&self.keys);
        }
    }

    fn open_if_due(&mut self, address: SocketAddr, reports: &mpsc::Sender<Report>, now: Instant) {
        let due = self.problem.is_none_or(|(_, retry_at)| retry_at <= now);
        if self.socket.is_some() || !due {
            return;
        }
        match Bound::open(address, &self.keys, reports) {
            Ok(bound) => {
                tracing::info!(%address, "listening for BGP");
                self.socket = Some(bound);
                self.problem = None;
                self.backoff = RETRY_MIN;
            }
            Err(error) => {
                let problem = ListenProblem::from_io(&error);
                if self.problem.is_none_or(|(before, _)| before != problem) {
                    let reason = problem.reason();
                    tracing::warn!(%address, reason, %error, "cannot listen for BGP; trying again");
                }
                self.problem = Some((problem, now + self.backoff));
                self.backoff = RETRY_MAX.min(self.backoff * 2);
            }
        }
    }

    fn stats(&self) -> ListenerStats {
        ListenerStats {
            state: match self.problem {
                None => ListenerState::Listening,
                Some((problem, retry_at)) => ListenerState::Waiting { problem, retry_at },
            },
            unkeyed: self
                .socket
                .as_ref()
                .map(|bound| bound.unkeyed.clone())
                .unwrap_or_default(),
        }
    }
}

impl Bound {
    fn open(address: SocketAddr, keys: &Keys, reports: &mpsc::Sender<Report>) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        // Connections of a process that has ended linger on the port; they are nobody's.
        socket.set_reuse_address(true)?;
        // A peer with TTL security counts the hops of our SYN-ACK as well (RFC 5082 §3).
        match address {
            SocketAddr::V4(_) => socket.set_ttl_v4(255)?,
            SocketAddr::V6(_) => {
                socket.set_only_v6(true)?;
                socket.set_unicast_hops_v6(255)?;
            }
        }
        socket.bind(&address.into())?;
        let mut keyed = Keys::new();
        let mut unkeyed = BTreeSet::new();
        // Before listening, so that no unsigned connection is ever accepted.
        apply_keys(&socket, keys, &mut keyed, &mut unkeyed);
        socket.listen(BACKLOG)?;
        let socket = Arc::new(TcpListener::from_std(socket.into())?);
        let task = tokio::spawn(accept(Arc::clone(&socket), reports.clone()));
        Ok(Self {
            socket,
            keyed,
            unkeyed,
            _task: AbortOnDrop(task),
        })
    }

    fn set_keys(&mut self, keys: &Keys) {
        apply_keys(&self.socket, keys, &mut self.keyed, &mut self.unkeyed);
    }
}

/// Brings the kernel's keys in line with those wanted. A peer whose key the kernel does not take
/// is remembered: its connections would not be authenticated.
fn apply_keys(
    socket: &impl std::os::fd::AsFd,
    keys: &Keys,
    keyed: &mut Keys,
    unkeyed: &mut BTreeSet<IpAddr>,
) {
    let gone: Vec<IpAddr> = keyed
        .keys()
        .filter(|peer| !keys.contains_key(peer))
        .copied()
        .collect();
    for peer in gone {
        // A key that cannot be lifted keeps unsigned connections out, which is no harm.
        let _ = sockopt::set_md5_key(socket, IpNet::from(peer), &[]);
        keyed.remove(&peer);
    }
    unkeyed.retain(|peer| keys.contains_key(peer));
    for (peer, key) in keys {
        if keyed.get(peer) == Some(key) {
            continue;
        }
        match sockopt::set_md5_key(socket, IpNet::from(*peer), key.expose()) {
            Ok(()) => {
                keyed.insert(*peer, key.clone());
                unkeyed.remove(peer);
            }
            Err(error) => {
                tracing::warn!(%peer, %error, "cannot set a TCP-MD5 key; the peer cannot dial us");
                unkeyed.insert(*peer);
            }
        }
    }
}

/// Accepts until the task is dropped.
async fn accept(socket: Arc<TcpListener>, reports: mpsc::Sender<Report>) {
    loop {
        match socket.accept().await {
            Ok((socket, remote)) => {
                if reports
                    .send(Report::Accepted { socket, remote })
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
