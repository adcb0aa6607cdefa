//! Two speakers over loopback: sessions come up, routes arrive, keys matter, and nobody waits for
//! a peer that does not read.
//!
//! Loopback addresses are no next hops, so the routes here name one.

#![expect(clippy::unwrap_used, reason = "what fails a helper fails the test")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ringbolt_bgp::policy::{NextHops, Origination, OriginationKey, PeerSet, RouteAttributes};
use ringbolt_bgp::router::{PeerStats, RouterConfig, ShutdownMode};
use ringbolt_bgp::session::{Mode, PeerConfig, RemoteAsn, Restart, State};
use ringbolt_bgp::types::{Asn, Family, HoldTime, PeerId, Prefix, RouterId, Secret};
use ringbolt_bgp::wire::{Capability, Cease, ErrorCode, Message, MessageLimit, Open, header};
use ringbolt_bgp::wire::{DecodeCtx, decode, frame};
use ringbolt_bgp_net::{Bgp, ExportChange, ListenProblem, ListenerState, Settings, Stats};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Everything here happens within a second or two; a machine under load gets more.
const LIMIT: Duration = Duration::from_secs(20);
const LEFT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
const RIGHT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 12));

#[tokio::test(flavor = "multi_thread")]
async fn two_speakers_exchange_routes_of_both_families() {
    let (left, right) = pair(|_| {}).await;
    left.apply(originate(&[
        "203.0.113.1/32",
        "203.0.113.2/32",
        "2001:db8:1::1/128",
    ]))
    .await;
    left.originations_complete().await;
    let right_sees = wait_for(&right, |stats| {
        let peer = peer(stats);
        *peer.prefixes_in.get(Family::Ipv4Unicast) == 2
            && *peer.prefixes_in.get(Family::Ipv6Unicast) == 1
            && *peer.end_of_rib_received.get(Family::Ipv6Unicast)
    })
    .await;
    assert_eq!(peer(&right_sees).state, State::Established);

    let withdraw = vec![key("203.0.113.2/32")];
    let change = ExportChange {
        withdraw,
        ..ExportChange::default()
    };
    left.apply(change).await;
    wait_for(&right, |stats| {
        *peer(stats).prefixes_in.get(Family::Ipv4Unicast) == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_routes_arrive() {
    let (left, right) = pair(|_| {}).await;
    left.apply(ExportChange {
        originate: host_routes(Family::Ipv4Unicast, 100_000),
        ..ExportChange::default()
    })
    .await;
    wait_for(&right, |stats| heard(stats) == 100_000).await;
    let updates = peer(&right.stats().borrow()).counters.updates_in;
    assert!(updates <= 125, "{updates} UPDATEs where 124 would do");
}

#[tokio::test(flavor = "multi_thread")]
async fn speakers_that_dial_each_other_keep_one_session() {
    let port = free_port();
    let left = speaker(LEFT, 65_001, port);
    let right = speaker(RIGHT, 65_002, port);
    left.set_peers(peers([towards(RIGHT, 65_002, port, LEFT)]))
        .await;
    right
        .set_peers(peers([towards(LEFT, 65_001, port, RIGHT)]))
        .await;
    wait_for(&left, is_up).await;
    wait_for(&right, is_up).await;
    left.apply(originate(&["203.0.113.1/32"])).await;
    wait_for(&right, |stats| {
        *peer(stats).prefixes_in.get(Family::Ipv4Unicast) == 1
    })
    .await;
    assert_eq!(peer(&left.stats().borrow()).flaps, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_on_both_sides_establishes_a_session() {
    let key = || Some(Secret::new(Arc::from(&b"swordfish"[..])));
    pair(|config| config.password = key()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_does_not() {
    let port = free_port();
    let left = speaker(LEFT, 65_001, port);
    let right = speaker(RIGHT, 65_002, port);
    let with_key = |config: PeerConfig, key: &[u8]| PeerConfig {
        password: Some(Secret::new(Arc::from(key))),
        ..config
    };
    let passive = PeerConfig {
        mode: Mode::Passive,
        ..towards(RIGHT, 65_002, port, LEFT)
    };
    left.set_peers(peers([with_key(passive.clone(), b"swordfish")]))
        .await;
    wait_for(&left, listens).await;
    right
        .set_peers(peers([with_key(
            towards(LEFT, 65_001, port, RIGHT),
            b"catfish",
        )]))
        .await;
    holds_for(&right, Duration::from_millis(700), |stats| !is_up(stats)).await;
    // The right key makes the difference, on a listener that is already listening.
    left.set_peers(peers([with_key(passive, b"catfish")])).await;
    wait_for(&right, is_up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_stops_reading_does_not_delay_another() {
    let port = free_port();
    let left = speaker(LEFT, 65_001, port);
    let right = speaker(RIGHT, 65_002, port);
    let stuck_at: IpAddr = "127.0.0.13".parse().unwrap();
    let passive = |config: PeerConfig| PeerConfig {
        mode: Mode::Passive,
        ..config
    };
    let mut stuck_config = passive(towards(stuck_at, 65_003, port, LEFT));
    stuck_config.id = PeerId::new("stuck");
    left.set_peers(peers([
        passive(towards(RIGHT, 65_002, port, LEFT)),
        stuck_config,
    ]))
    .await;
    wait_for(&left, listens).await;
    right
        .set_peers(peers([towards(LEFT, 65_001, port, RIGHT)]))
        .await;
    let stuck = shake_hands(stuck_at, SocketAddr::new(LEFT, port), 65_003).await;
    let both_up = |stats: &Stats| {
        stats
            .router
            .peers
            .values()
            .all(|peer| peer.state == State::Established)
    };
    wait_for(&left, both_up).await;

    left.apply(ExportChange {
        originate: host_routes(Family::Ipv6Unicast, 400_000),
        ..ExportChange::default()
    })
    .await;
    wait_for(&right, |stats| heard(stats) == 400_000).await;
    let behind = left.stats().borrow().router.peers[&PeerId::new("stuck")].clone();
    assert_eq!(behind.state, State::Established);
    assert!(
        *behind.prefixes_out.get(Family::Ipv6Unicast) < 400_000,
        "it has not read them"
    );
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_is_a_condition_until_it_is_free() {
    let port = free_port();
    let squatter = TcpListener::bind((LEFT, port)).unwrap();
    let left = speaker(LEFT, 65_001, port);
    let right = speaker(RIGHT, 65_002, port);
    let passive = PeerConfig {
        mode: Mode::Passive,
        ..towards(RIGHT, 65_002, port, LEFT)
    };
    left.set_peers(peers([passive])).await;
    wait_for(&left, |stats| {
        let mut states = stats.listeners.values().map(|listener| &listener.state);
        let busy = |state: &ListenerState| match state {
            ListenerState::Waiting { problem, .. } => *problem == ListenProblem::PortBusy,
            ListenerState::Listening => false,
        };
        states.next().is_some_and(busy)
    })
    .await;
    drop(squatter);
    right
        .set_peers(peers([towards(LEFT, 65_001, port, RIGHT)]))
        .await;
    wait_for(&right, is_up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_tells_the_peer_why_and_withdraws_first() {
    let (left, right) = pair(|config| config.drain_wait = Duration::ZERO).await;
    left.apply(originate(&["203.0.113.1/32"])).await;
    wait_for(&right, |stats| {
        *peer(stats).prefixes_in.get(Family::Ipv4Unicast) == 1
    })
    .await;
    tokio::time::timeout(LIMIT, left.shutdown(ShutdownMode::Leave, "new kernel"))
        .await
        .unwrap();
    let down = wait_for(&right, |stats| peer(stats).flaps == 1).await;
    let record = peer(&down).last_notification.clone().unwrap();
    let shutdown = ErrorCode::Cease(Cease::AdministrativeShutdown);
    assert_eq!((record.code, record.subcode), shutdown.octets());
    assert_eq!(record.text.as_deref(), Some("new kernel"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_peer_is_told_so() {
    let (left, right) = pair(|_| {}).await;
    left.set_peers(BTreeMap::new()).await;
    let down = wait_for(&right, |stats| peer(stats).flaps == 1).await;
    let record = peer(&down).last_notification.clone().unwrap();
    let gone = ErrorCode::Cease(Cease::PeerDeconfigured);
    assert_eq!((record.code, record.subcode), gone.octets());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_turned_away() {
    let port = free_port();
    let left = speaker(LEFT, 65_001, port);
    let passive = PeerConfig {
        mode: Mode::Passive,
        ..towards(RIGHT, 65_002, port, LEFT)
    };
    left.set_peers(peers([passive])).await;
    wait_for(&left, listens).await;
    let mut stranger = TcpStream::connect((LEFT, port)).await.unwrap();
    let read = tokio::time::timeout(LIMIT, stranger.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "closed without a word");
    wait_for(&left, |stats| stats.refused == 1).await;
}

/// Two speakers with a session between them; the right one dials. `adjust` changes both configs.
async fn pair(adjust: impl Fn(&mut PeerConfig)) -> (Bgp, Bgp) {
    let port = free_port();
    let left = speaker(LEFT, 65_001, port);
    let right = speaker(RIGHT, 65_002, port);
    let mut accepting = towards(RIGHT, 65_002, port, LEFT);
    accepting.mode = Mode::Passive;
    let mut dialling = towards(LEFT, 65_001, port, RIGHT);
    adjust(&mut accepting);
    adjust(&mut dialling);
    left.set_peers(peers([accepting])).await;
    wait_for(&left, listens).await;
    right.set_peers(peers([dialling])).await;
    wait_for(&left, is_up).await;
    wait_for(&right, is_up).await;
    (left, right)
}

fn speaker(address: IpAddr, asn: u32, port: u16) -> Bgp {
    let router = RouterConfig {
        router_id: RouterId::new(asn).unwrap(),
        asn: Asn(asn),
        restart: Restart::Settled,
        seed: u64::from(asn),
    };
    Bgp::spawn(Settings {
        router,
        listen: Some(SocketAddr::new(address, port)),
    })
}

/// A peer called `peer` at `address`, reached from `source`.
fn towards(address: IpAddr, asn: u32, port: u16, source: IpAddr) -> PeerConfig {
    PeerConfig {
        port,
        source: Some(source),
        connect_retry: Duration::from_millis(100),
        ..PeerConfig::new(PeerId::new("peer"), RemoteAsn::Exactly(Asn(asn)), address)
    }
}

fn peers<const N: usize>(list: [PeerConfig; N]) -> BTreeMap<PeerId, PeerConfig> {
    list.into_iter()
        .map(|config| (config.id.clone(), config))
        .collect()
}

fn key(prefix: &str) -> OriginationKey {
    let prefix = prefix.parse().unwrap();
    OriginationKey { prefix, slot: 0 }
}

fn attributes() -> Arc<RouteAttributes> {
    Arc::new(RouteAttributes {
        next_hop: NextHops {
            ipv4: Some(Ipv4Addr::new(10, 0, 0, 1)),
            ipv6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
            ipv6_link_local: None,
        },
        ..RouteAttributes::default()
    })
}

fn originate(prefixes: &[&str]) -> ExportChange {
    let attributes = attributes();
    let origination = |prefix: &&str| Origination {
        key: key(prefix),
        attributes: Arc::clone(&attributes),
        peers: PeerSet::All,
    };
    ExportChange {
        originate: prefixes.iter().map(origination).collect(),
        ..ExportChange::default()
    }
}

/// This many host routes; IPv6 ones take 17 octets each on the wire.
fn host_routes(family: Family, count: u32) -> Vec<Origination> {
    let attributes = attributes();
    let address = |n: u32| match family {
        Family::Ipv4Unicast => IpAddr::V4(Ipv4Addr::from(0x0a80_0000 + n)),
        Family::Ipv6Unicast => IpAddr::V6(Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(n))),
    };
    let origination = |n| Origination {
        key: OriginationKey {
            prefix: Prefix::from(address(n)),
            slot: 0,
        },
        attributes: Arc::clone(&attributes),
        peers: PeerSet::All,
    };
    (0..count).map(origination).collect()
}

/// A port that was free a moment ago on all loopback addresses used here.
fn free_port() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn peer(stats: &Stats) -> &PeerStats {
    &stats.router.peers[&PeerId::new("peer")]
}

/// Prefixes the peer has announced, kept or not, of which there is one family.
fn heard(stats: &Stats) -> u64 {
    let peer = peer(stats);
    let kept: usize = Family::ALL
        .map(|family| *peer.prefixes_in.get(family))
        .iter()
        .sum();
    u64::try_from(kept).unwrap() + peer.prefixes_not_kept
}

fn is_up(stats: &Stats) -> bool {
    let peer = stats.router.peers.get(&PeerId::new("peer"));
    peer.is_some_and(|peer| peer.state == State::Established)
}

fn listens(stats: &Stats) -> bool {
    let mut listeners = stats.listeners.values();
    listeners.any(|listener| listener.state == ListenerState::Listening)
}

/// The first stats that satisfy `condition`.
async fn wait_for(bgp: &Bgp, condition: impl Fn(&Stats) -> bool) -> Arc<Stats> {
    let mut stats = bgp.stats();
    let found = stats.wait_for(|stats| condition(stats));
    match tokio::time::timeout(LIMIT, found).await {
        Ok(found) => Arc::clone(&found.expect("the speaker runs")),
        Err(_) => panic!("not within {LIMIT:?}: {:#?}", bgp.stats().borrow()),
    }
}

/// `condition` is true for the whole of `span`.
async fn holds_for(bgp: &Bgp, span: Duration, condition: impl Fn(&Stats) -> bool) {
    let mut stats = bgp.stats();
    let broken = stats.wait_for(|stats| !condition(stats));
    if let Ok(broken) = tokio::time::timeout(span, broken).await {
        panic!("broken: {:#?}", broken.expect("the speaker runs"));
    }
}

/// A peer that opens a session by hand and reads nothing after that.
async fn shake_hands(from: IpAddr, to: SocketAddr, asn: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let open = Open {
        asn: Asn(asn),
        hold_time: HoldTime::OFF,
        router_id: RouterId::new(asn).unwrap(),
        capabilities: vec![
            Capability::Multiprotocol(Family::Ipv6Unicast.afi_safi()),
            Capability::FourOctetAs(Asn(asn)),
        ],
    };
    let mut hello = BytesMut::new();
    open.encode(&mut hello);
    header::encode_keepalive(&mut hello);
    stream.write_all(&hello).await.unwrap();
    let mut read = BytesMut::new();
    loop {
        stream.read_buf(&mut read).await.unwrap();
        while let Some(framed) = frame(&read, MessageLimit::Standard).unwrap() {
            let message = decode(framed, &DecodeCtx::before_open()).unwrap();
            let octets = framed.len();
            if message == Message::Keepalive {
                return stream;
            }
            let _ = read.split_to(octets);
        }
    }
}
