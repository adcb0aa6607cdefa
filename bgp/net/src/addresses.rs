//! Next hops a session can offer, from the addresses of its interface.
//!
//! For the session's own family the source address of the socket is the next hop, which the core
//! knows. For the other family it is the global address of that family on the interface that
//! holds the source; where there are several, the Node's own address; where there is none,
//! nothing is guessed, and the family is withheld or goes over RFC 8950.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use ringbolt_bgp::policy::NextHops;

use crate::sockopt::InterfaceAddress;

#[cfg(test)]
mod tests;

/// What a session between `local` and `remote` can offer beyond its own family.
pub(crate) fn next_hops(
    local: IpAddr,
    remote: IpAddr,
    interfaces: &[InterfaceAddress],
    node: &[IpAddr],
) -> NextHops {
    let holder = interfaces.iter().find(|entry| entry.net.addr() == local);
    let Some(holder) = holder else {
        return NextHops::default();
    };
    let on_interface = || {
        interfaces
            .iter()
            .filter(|entry| entry.interface == holder.interface)
            .map(|entry| entry.net)
    };
    let global = |net: IpNet| net.addr();
    match local {
        IpAddr::V4(_) => {
            let candidates = on_interface().map(global).filter_map(global_v6).collect();
            NextHops {
                ipv6: choose(candidates, node.iter().copied().filter_map(global_v6)),
                ..NextHops::default()
            }
        }
        IpAddr::V6(_) => {
            let candidates = on_interface().map(global).filter_map(global_v4).collect();
            let on_link = on_interface().any(|net| net.contains(&remote));
            let link_local = on_interface().find_map(|net| match net.addr() {
                IpAddr::V6(address) => address.is_unicast_link_local().then_some(address),
                IpAddr::V4(_) => None,
            });
            NextHops {
                ipv4: choose(candidates, node.iter().copied().filter_map(global_v4)),
                ipv6: None,
                // RFC 2545 §3: only where the peer is on the same link.
                ipv6_link_local: link_local.filter(|_| on_link),
            }
        }
    }
}

/// The only candidate; of several the one that is the Node's.
fn choose<T: Copy + PartialEq>(candidates: Vec<T>, mut node: impl Iterator<Item = T>) -> Option<T> {
    match candidates.as_slice() {
        [] => None,
        [only] => Some(*only),
        _ => node.next(),
    }
}

fn global_v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(v4) if !(v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()) => {
            Some(v4)
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn global_v6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(v6)
            if !(v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified()) =>
        {
            Some(v6)
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}
