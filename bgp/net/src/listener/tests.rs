//! Which sockets are wanted, and that a busy port is tried again.

use std::net::{TcpListener as StdListener, TcpStream};

use ringbolt_bgp::session::RemoteAsn;
use ringbolt_bgp::types::{Asn, PeerId};

use super::*;

fn peer(address: &str, mode: Mode) -> PeerConfig {
    let address = address.parse().unwrap();
    let remote = RemoteAsn::Exactly(Asn(65_000));
    PeerConfig {
        mode,
        ..PeerConfig::new(PeerId::new("tor"), remote, address)
    }
}

fn addresses(list: &[&str]) -> BTreeSet<SocketAddr> {
    list.iter()
        .map(|address| address.parse().unwrap())
        .collect()
}

#[test]
fn without_an_address_only_passive_peers_need_a_socket() {
    let active = [peer("10.0.0.1", Mode::Active)];
    assert_eq!(wanted(None, active.iter()), addresses(&[]));
    let mixed = [
        peer("10.0.0.1", Mode::Active),
        peer("2001:db8::1", Mode::Passive),
    ];
    assert_eq!(wanted(None, mixed.iter()), addresses(&["[::]:179"]));
}

#[test]
fn an_unspecified_address_follows_the_families_of_the_peers() {
    let listen = Some("0.0.0.0:1179".parse().unwrap());
    let both = [
        peer("10.0.0.1", Mode::Active),
        peer("2001:db8::1", Mode::Active),
    ];
    assert_eq!(
        wanted(listen, both.iter()),
        addresses(&["0.0.0.0:1179", "[::]:1179"])
    );
    assert_eq!(
        wanted(listen, both[..1].iter()),
        addresses(&["0.0.0.0:1179"])
    );
    assert_eq!(wanted(listen, both[..0].iter()), addresses(&[]));
}

#[test]
fn a_specific_address_serves_its_own_family_only() {
    let listen = Some("10.0.0.9:179".parse().unwrap());
    let both = [
        peer("10.0.0.1", Mode::Active),
        peer("2001:db8::1", Mode::Active),
    ];
    assert_eq!(wanted(listen, both.iter()), addresses(&["10.0.0.9:179"]));
    assert_eq!(wanted(listen, both[1..].iter()), addresses(&[]));
}

#[tokio::test]
async fn a_busy_port_is_a_condition_and_tried_again_with_backoff() {
    let squatter = StdListener::bind("127.0.0.1:0").unwrap();
    let address = squatter.local_addr().unwrap();
    let (reports, _keep) = mpsc::channel(1);
    let mut listeners = Listeners::new(Some(address), reports);
    let peers = [peer("127.0.0.1", Mode::Passive)];
    let start = Instant::now();

    listeners.follow(peers.iter(), start);
    let waiting = |retry_at| ListenerState::Waiting {
        problem: ListenProblem::PortBusy,
        retry_at,
    };
    assert_eq!(
        listeners.stats()[&address].state,
        waiting(start + RETRY_MIN)
    );
    listeners.tick(start + RETRY_MIN / 2);
    assert_eq!(
        listeners.next_deadline(),
        Some(start + RETRY_MIN),
        "not before it is due"
    );
    listeners.tick(start + RETRY_MIN);
    assert_eq!(
        listeners.next_deadline(),
        Some(start + RETRY_MIN * 3),
        "twice as long"
    );

    drop(squatter);
    listeners.tick(start + RETRY_MIN * 3);
    assert_eq!(listeners.stats()[&address].state, ListenerState::Listening);
    assert_eq!(listeners.next_deadline(), None);
    assert!(TcpStream::connect(address).is_ok());

    listeners.follow([].iter(), start);
    assert!(listeners.stats().is_empty());
}

#[tokio::test]
async fn an_address_of_another_host_is_a_condition() {
    let address = "192.0.2.1:1179".parse().unwrap();
    let (reports, _keep) = mpsc::channel(1);
    let mut listeners = Listeners::new(Some(address), reports);
    listeners.follow([peer("10.0.0.1", Mode::Passive)].iter(), Instant::now());
    let state = &listeners.stats()[&address].state;
    let missing = matches!(
        state,
        ListenerState::Waiting {
            problem: ListenProblem::AddressMissing,
            ..
        }
    );
    assert!(missing, "{state:?}");
}
