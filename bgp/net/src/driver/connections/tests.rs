//! Nothing that the Router gave is lost on the way to a peer that does not read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringbolt_bgp::policy::{Origination, OriginationKey, PeerSet, RouteAttributes};
use ringbolt_bgp::router::{Output, RouterConfig, accepted_conn};
use ringbolt_bgp::session::{Mode, PeerConfig, RemoteAsn, Restart};
use ringbolt_bgp::types::{Asn, Family, RouterId};
use ringbolt_bgp::wire::{
    AsnWidth, Capability, DecodeCtx, Message, MessageLimit, Open, Update, decode, frame, header,
};
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket};

use super::*;

const ROUTES: u32 = 500;
const PEER_AS: Asn = Asn(65_001);

fn peer_config() -> PeerConfig {
    PeerConfig {
        mode: Mode::Passive,
        ..PeerConfig::new(
            PeerId::new("peer"),
            RemoteAsn::Exactly(PEER_AS),
            IpAddr::from([127, 0, 0, 1]),
        )
    }
}

fn router(now: Instant) -> Router {
    let config = RouterConfig {
        router_id: RouterId::new(1).unwrap(),
        asn: Asn(65_000),
        restart: Restart::Settled,
        seed: 1,
    };
    let mut router = Router::new(&config, now);
    router.handle(Input::SetPeer(Box::new(peer_config())), now);
    router
}

/// What a peer says to have a session.
fn hello() -> BytesMut {
    let open = Open {
        asn: PEER_AS,
        hold_time: peer_config().hold_time,
        router_id: RouterId::new(2).unwrap(),
        capabilities: vec![Capability::FourOctetAs(PEER_AS)],
    };
    let mut hello = BytesMut::new();
    open.encode(&mut hello);
    header::encode_keepalive(&mut hello);
    hello
}

fn route(number: u32) -> Origination {
    Origination {
        key: OriginationKey {
            prefix: IpAddr::from((0x0a80_0000 + number).to_be_bytes()).into(),
            slot: 0,
        },
        // Each its own, so that no two share a message.
        attributes: Arc::new(RouteAttributes {
            med: Some(number),
            ..RouteAttributes::default()
        }),
        peers: PeerSet::All,
    }
}

/// Takes out the UPDATEs that are complete.
fn updates(read: &mut BytesMut) -> Vec<Update> {
    let ctx = DecodeCtx {
        asn_width: AsnWidth::FourOctets,
        families: Family::ALL.into_iter().collect(),
        ..DecodeCtx::before_open()
    };
    let mut updates = Vec::new();
    while let Some(framed) = frame(read, MessageLimit::Standard).unwrap() {
        let octets = framed.len();
        if let Message::Update(update) = decode(framed, &ctx).unwrap() {
            updates.push(update);
        }
        let _ = read.split_to(octets);
    }
    updates
}

/// Two ends of a connection between which the kernel keeps little.
async fn narrow_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    let peer = socket.connect(listener.local_addr().unwrap());
    let (peer, accepted) = tokio::join!(peer, listener.accept());
    let (socket, _) = accepted.unwrap();
    SockRef::from(&socket).set_send_buffer_size(1).unwrap();
    (socket, peer.unwrap())
}

#[tokio::test]
async fn small_messages_wait_for_a_peer_that_does_not_read() {
    let mut now = Instant::now();
    let mut router = router(now);
    let (reports, mut told) = mpsc::channel(64);
    let mut connections = Connections::new(reports);
    let (socket, mut peer) = narrow_pair().await;
    let ends = (socket.local_addr().unwrap(), socket.peer_addr().unwrap());
    let conn = accepted_conn(1);
    let next_hops = connections.adopt(conn, socket, ends, &[]);
    let accepted = Input::Accepted {
        conn,
        peer: PeerId::new("peer"),
        local: ends.0,
        remote: ends.1,
        next_hops,
    };
    router.handle(accepted, now);
    let bytes = &hello();
    router.handle(Input::Bytes { conn, bytes }, now);
    for number in 0..ROUTES {
        now += Duration::from_millis(20);
        router.handle(Input::Originate(vec![route(number)]), now);
        connections.wake();
        connections.fill(&mut router);
        tokio::task::yield_now().await;
        while let Ok(Report::Sent { conn, bytes }) = told.try_recv() {
            connections.sent(conn, bytes);
        }
    }
    while let Some(output) = router.poll_output() {
        assert!(!matches!(output, Output::Close { .. }), "{output:?}");
    }

    let mut read = BytesMut::new();
    let mut announced = 0;
    while announced < ROUTES {
        tokio::select! {
            octets = peer.read_buf(&mut read) => assert_ne!(octets.unwrap(), 0),
            report = told.recv() => if let Some(Report::Sent { conn, bytes }) = report {
                connections.sent(conn, bytes);
                router.handle(Input::Sent { conn, bytes }, now);
                connections.wake();
            },
            () = tokio::time::sleep(Duration::from_secs(5)) => {
                panic!("{announced} of {ROUTES} routes have arrived and nothing more comes")
            }
        }
        connections.fill(&mut router);
        announced += u32::try_from(updates(&mut read).len()).unwrap();
    }
}
