//! Dialling a peer: one task per attempt, which ends with a connection or with the reason why
//! there is none.
//!
//! When to dial and for how long is the Router's business: it cancels an attempt that takes too
//! long, and then the task is dropped with everything it holds.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ringbolt_bgp::router::{DialTarget, Ttl};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};

use crate::sockopt;

#[cfg(test)]
mod tests;

/// Why a peer could not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum DialError {
    /// Nobody listens there, or a filter says so.
    #[error("the peer refused the connection")]
    Refused,
    /// No answer: down, filtered, or another MD5 key.
    #[error("the peer did not answer")]
    NoAnswer,
    /// No route, or the link says that the peer is not there.
    #[error("the peer is unreachable")]
    Unreachable,
    /// The configured source address is on no interface.
    #[error("the source address is not on this host")]
    SourceMissing,
    /// A capability or a policy is in the way.
    #[error("not permitted")]
    NotPermitted,
    /// The kernel has no TCP-MD5, or no memory for another key (`net.core.optmem_max`).
    #[error("the kernel takes no TCP-MD5 key")]
    Md5Refused,
    /// The key is longer than the 80 octets the kernel takes.
    #[error("the TCP-MD5 key is longer than 80 octets")]
    Md5KeyTooLong,
    /// Anything else the kernel says.
    #[error("{0}")]
    Other(io::ErrorKind),
}

impl DialError {
    /// The word used in conditions and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Refused => "ConnectionRefused",
            Self::NoAnswer => "NoAnswer",
            Self::Unreachable => "Unreachable",
            Self::SourceMissing => "SourceMissing",
            Self::NotPermitted => "NotPermitted",
            Self::Md5Refused => "Md5Refused",
            Self::Md5KeyTooLong => "Md5KeyTooLong",
            Self::Other(_) => "SocketError",
        }
    }

    fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::NoAnswer,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Self::Unreachable,
            io::ErrorKind::AddrNotAvailable => Self::SourceMissing,
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            kind => Self::Other(kind),
        }
    }
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        Self::from_io(&error)
    }
}

/// Connects to a peer with everything its configuration asks of the socket.
///
/// Cancel-safe: dropping the future closes the socket.
pub(crate) async fn dial(target: &DialTarget) -> Result<TcpStream, DialError> {
    let socket = Socket::new(
        Domain::for_address(target.remote),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if let Some(source) = target.source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    if let Some(key) = &target.password {
        let key = key.expose();
        if key.len() > sockopt::MD5_KEY_MAX {
            return Err(DialError::Md5KeyTooLong);
        }
        sockopt::set_md5_key(&socket, IpNet::from(target.remote.ip()), key)
            .map_err(|_| DialError::Md5Refused)?;
    }
    set_ttl(&socket, target.remote.ip(), target.ttl)?;
    prepare(SockRef::from(&socket))?;
    let socket = TcpSocket::from_std_stream(socket.into());
    Ok(socket.connect(target.remote).await?)
}

/// What every connection has: messages leave when they are written, and a dead host is noticed
/// even where the hold time is off.
pub(crate) fn prepare(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)
}

/// Makes the kernel keep to a peer's distance.
pub(crate) fn set_ttl(socket: &Socket, remote: IpAddr, ttl: Ttl) -> io::Result<()> {
    let send = match ttl {
        Ttl::Any => return Ok(()),
        Ttl::One => 1,
        Ttl::AtLeast(least) => {
            sockopt::set_min_ttl(socket, remote, least)?;
            u32::from(u8::MAX)
        }
    };
    match remote {
        IpAddr::V4(_) => socket.set_ttl_v4(send),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(send),
    }
}
