//! Membership of solicited-node groups, so that switches that snoop on MLD let solicitations through (RFC 4541).
//!
//! A membership is held by a plain UDP socket, which needs no capability. One socket holds a limited number before the
//! kernel answers ENOMEM (`net.core.optmem_max`), so there are as many as needed. The sockets are never read.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;

use ringbolt_l2::types::IfIndex;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::warn;

/// Memberships asked of one socket at most.
const PER_SOCKET: usize = 2_000;

#[derive(Debug, Default)]
pub(crate) struct Joins {
    sockets: Vec<(Socket, usize)>,
    held: BTreeMap<(IfIndex, Ipv6Addr), usize>,
}

impl Joins {
    /// Joins the group; a failure is logged, and the address is still answered for where nothing snoops.
    pub(crate) fn join(&mut self, interface: IfIndex, group: Ipv6Addr) {
        if self.held.contains_key(&(interface, group)) {
            return;
        }
        match self.join_somewhere(interface, group) {
            Ok(socket) => {
                self.held.insert((interface, group), socket);
            }
            Err(error) => warn!(%interface, %group, %error, "cannot join solicited-node group"),
        }
    }

    pub(crate) fn leave(&mut self, interface: IfIndex, group: Ipv6Addr) {
        let Some(at) = self.held.remove(&(interface, group)) else {
            return;
        };
        if let Some((socket, count)) = self.sockets.get_mut(at) {
            *count -= 1;
            // An interface that is gone took its memberships with it.
            let _gone = socket.leave_multicast_v6(&group, interface.0);
        }
    }

    /// Forgets memberships of interfaces that are gone: the kernel dropped them.
    pub(crate) fn keep(&mut self, is_open: impl Fn(IfIndex) -> bool) {
        let gone: Vec<_> = self
            .held
            .keys()
            .filter(|(interface, _)| !is_open(*interface))
            .copied()
            .collect();
        for (interface, group) in gone {
            self.leave(interface, group);
        }
    }

    fn join_somewhere(&mut self, interface: IfIndex, group: Ipv6Addr) -> io::Result<usize> {
        for (at, (socket, count)) in self.sockets.iter_mut().enumerate() {
            if *count >= PER_SOCKET {
                continue;
            }
            match socket.join_multicast_v6(&group, interface.0) {
                Ok(()) => {
                    *count += 1;
                    return Ok(at);
                }
                // A smaller optmem_max than usual: this socket is full.
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
                Err(error) => return Err(error),
            }
        }
        let socket = Socket::new(Domain::IPV6, Type::DGRAM.cloexec(), Some(Protocol::UDP))?;
        socket.join_multicast_v6(&group, interface.0)?;
        self.sockets.push((socket, 1));
        Ok(self.sockets.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IfIndex = IfIndex(1);

    fn group(n: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, n)
    }

    #[test]
    fn more_groups_than_a_socket_holds_are_spread_over_several() {
        let mut joins = Joins::default();
        for n in 1..=2_500 {
            joins.join(LOOPBACK, group(n));
        }
        assert_eq!(joins.held.len(), 2_500);
        assert!(joins.sockets.len() >= 2);
        for n in 1..=2_500 {
            joins.leave(LOOPBACK, group(n));
        }
        assert!(joins.sockets.iter().all(|(_, count)| *count == 0));
    }

    #[test]
    fn a_group_is_held_once_and_forgotten_with_its_interface() {
        let mut joins = Joins::default();
        joins.join(LOOPBACK, group(1));
        joins.join(LOOPBACK, group(1));
        assert_eq!(joins.sockets[0].1, 1);
        joins.keep(|interface| interface != LOOPBACK);
        assert!(joins.held.is_empty());
        joins.join(IfIndex(u32::MAX), group(2));
        assert!(joins.held.is_empty(), "an interface that does not exist");
    }
}
