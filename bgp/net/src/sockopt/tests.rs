//! The options reach the kernel: what they forbid does not happen on real loopback sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::*;

/// Nothing that should arrive on loopback takes this long.
const SOON: Duration = Duration::from_secs(5);
/// A SYN is sent again after a second; within this time a connection that can be made is made.
const NEVER: Duration = Duration::from_millis(300);

fn socket(address: &str) -> Socket {
    let address: SocketAddr = address.parse().unwrap();
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

fn connect(socket: &Socket, to: SocketAddr, limit: Duration) -> io::Result<()> {
    socket.connect_timeout(&to.into(), limit)
}

/// A listener at `address` that wants `key` from the loopback peers in `peers`.
fn listener(address: &str, peers: &str, key: &[u8]) -> TcpListener {
    let socket = socket(address);
    set_md5_key(&socket, peers.parse().unwrap(), key).unwrap();
    socket.listen(8).unwrap();
    socket.into()
}

#[test]
fn only_the_right_md5_key_connects() {
    let cases = [
        ("127.0.0.1:0", "127.0.0.1/32"),
        ("127.0.0.1:0", "127.0.0.0/8"),
        ("[::1]:0", "::1/128"),
    ];
    for (address, peers) in cases {
        let listener = listener(address, peers, b"right");
        let to = listener.local_addr().unwrap();
        let dial = |key: Option<&[u8]>, limit| {
            let socket = socket(address);
            if let Some(key) = key {
                set_md5_key(&socket, IpNet::from(to.ip()), key).unwrap();
            }
            connect(&socket, to, limit)
        };
        assert!(dial(Some(b"right"), SOON).is_ok(), "{peers}: the right key");
        assert!(dial(Some(b"wrong"), NEVER).is_err(), "{peers}: a wrong key");
        assert!(dial(None, NEVER).is_err(), "{peers}: no key");
    }
}

#[test]
fn a_lifted_key_lets_unsigned_connections_in() {
    let listener = listener("127.0.0.1:0", "127.0.0.1/32", b"key");
    set_md5_key(&listener, "127.0.0.1/32".parse().unwrap(), &[]).unwrap();
    let to = listener.local_addr().unwrap();
    assert!(connect(&socket("127.0.0.1:0"), to, SOON).is_ok());
}

#[test]
fn a_key_beyond_the_kernels_limit_is_refused() {
    let socket = socket("127.0.0.1:0");
    let error = set_md5_key(&socket, "127.0.0.1/32".parse().unwrap(), &[1; 81]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    set_md5_key(&socket, "127.0.0.1/32".parse().unwrap(), &[1; 80]).unwrap();
}

#[test]
fn bytes_from_too_far_away_do_not_arrive() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        for (sent, arrives) in [(255_u32, true), (254, false)] {
            let listener = TcpListener::bind(address).unwrap();
            let dialled = socket(address);
            connect(&dialled, listener.local_addr().unwrap(), SOON).unwrap();
            let (mut accepted, remote) = listener.accept().unwrap();
            set_min_ttl(&accepted, remote.ip(), 255).unwrap();
            match remote {
                SocketAddr::V4(_) => dialled.set_ttl_v4(sent).unwrap(),
                SocketAddr::V6(_) => dialled.set_unicast_hops_v6(sent).unwrap(),
            }
            TcpStream::from(dialled).write_all(b"x").unwrap();
            accepted
                .set_read_timeout(Some(if arrives { SOON } else { NEVER }))
                .unwrap();
            let read = accepted.read(&mut [0; 1]);
            assert_eq!(matches!(read, Ok(1)), arrives, "{address} with {sent}");
        }
    }
}

#[test]
fn the_loopback_interface_has_its_addresses_with_their_prefixes() {
    let addresses = interface_addresses().unwrap();
    let lo = |net: &str| InterfaceAddress {
        interface: "lo".to_owned(),
        net: net.parse().unwrap(),
    };
    assert!(addresses.contains(&lo("127.0.0.1/8")), "{addresses:?}");
}
