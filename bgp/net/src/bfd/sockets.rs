//! UDP for BFD: RFC 5881 §4 and §5, RFC 5883 §3. Which ports, which TTL, which class; knows nothing
//! of sessions.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;

use ringbolt_bfd::{Arrival, Hop, Source};
use socket2::{Domain, Protocol, Socket, Type};

use super::SessionKey;
use crate::sockopt::{self, Datagram};

/// Where control packets arrive, for single hops and for several.
pub(super) const SINGLE_PORT: u16 = 3784;
pub(super) const MULTI_PORT: u16 = 4784;
/// First of the ports they are sent from (RFC 5881 §4).
const SOURCE_PORT_MIN: u16 = 49_152;
/// Tries for a free one.
const SOURCE_PORT_TRIES: u16 = 64;
/// CS6, network control: packets queue before others where anybody cares.
const CLASS: u8 = 0xc0;
/// The highest that needs no privilege; what the local queues make of a class.
const PRIORITY: u32 = 6;
const TTL: u8 = 255;

/// The port on which sessions of that kind receive.
pub(super) const fn port(hop: Hop) -> u16 {
    match hop {
        Hop::Single => SINGLE_PORT,
        Hop::Multi { .. } => MULTI_PORT,
    }
}

/// A socket that receives, and tells the TTL of what it does.
pub(super) fn receiver(address: SocketAddr) -> io::Result<Socket> {
    let socket = open(address.ip())?;
    sockopt::tell_arrivals(&socket, address.ip())?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A socket from which one session sends, and its port: `port` where it is set, so that the
/// session keeps it (RFC 5881 §4), or a free one at or after `draw`.
pub(super) fn sender(key: SessionKey, port: Option<u16>, draw: u16) -> io::Result<(Socket, u16)> {
    let socket = open(key.remote)?;
    match key.remote {
        IpAddr::V4(_) => {
            socket.set_ttl_v4(TTL.into())?;
            socket.set_tos_v4(CLASS.into())?;
        }
        IpAddr::V6(_) => {
            socket.set_unicast_hops_v6(TTL.into())?;
            socket.set_tclass_v6(CLASS.into())?;
        }
    }
    socket.set_priority(PRIORITY)?;
    // Nothing is read from it.
    socket.set_recv_buffer_size(0)?;
    if let Some(interface) = key.interface.and_then(NonZeroU32::new) {
        match key.remote {
            IpAddr::V4(_) => socket.bind_device_by_index_v4(Some(interface))?,
            IpAddr::V6(_) => socket.bind_device_by_index_v6(Some(interface))?,
        }
    }
    let local = key.local.unwrap_or(unspecified(key.remote));
    let span = u16::MAX - SOURCE_PORT_MIN + 1;
    let drawn = (0..SOURCE_PORT_TRIES)
        .map(|step| SOURCE_PORT_MIN + (draw % span + step) % span)
        .collect();
    let ports: Vec<u16> = port.map_or(drawn, |port| vec![port]);
    let mut outcome = Err(io::ErrorKind::AddrInUse.into());
    for port in ports {
        match socket.bind(&address(local, port, key.interface).into()) {
            Ok(()) => {
                outcome = Ok(port);
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    outcome.map(|port| (socket, port))
}

/// Where packets of a session go.
pub(super) fn destination(key: SessionKey, hop: Hop) -> SocketAddr {
    address(key.remote, port(hop), key.interface)
}

/// What tells a session's packets apart as long as they carry no discriminator of ours.
pub(super) fn source(key: SessionKey, hop: Hop) -> Source {
    let remote = key.remote;
    match hop {
        Hop::Single => Source::Single {
            interface: key.interface.unwrap_or(0),
            remote,
        },
        Hop::Multi { .. } => Source::Multi {
            local: key.local.unwrap_or(unspecified(remote)),
            remote,
        },
    }
}

/// How a datagram came in on `port`.
pub(super) fn arrival(datagram: &Datagram, port: u16) -> Arrival {
    let remote = datagram.from;
    let source = if port == SINGLE_PORT {
        Source::Single {
            interface: datagram.interface,
            remote,
        }
    } else {
        Source::Multi {
            local: datagram.to.unwrap_or(unspecified(remote)),
            remote,
        }
    };
    Arrival {
        source,
        ttl: datagram.ttl,
    }
}

const fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn address(ip: IpAddr, port: u16, interface: Option<u32>) -> SocketAddr {
    match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, port, 0, interface.unwrap_or(0)).into()
        }
        ip => SocketAddr::new(ip, port),
    }
}

fn open(family: IpAddr) -> io::Result<Socket> {
    let domain = match family {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if family.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}
