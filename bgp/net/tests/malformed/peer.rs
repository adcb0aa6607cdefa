//! A peer that is written down octet by octet: it dials, says what it is told to and reads whole messages.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use ringbolt_bgp::types::{Asn, Family, FamilySet, HoldTime, Peering, RouterId};
use ringbolt_bgp::wire::{
    AsnWidth, Capability, DecodeCtx, Message, MessageLimit, Notification, Open, RefreshForm,
    decode, frame, header,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Everything here happens within a second or four; a machine under load gets more.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What this peer can read: everything a speaker says to it.
const CTX: DecodeCtx = DecodeCtx {
    asn_width: AsnWidth::FourOctets,
    families: FamilySet::ALL,
    extended_next_hop: FamilySet::ALL,
    peering: Peering::Internal,
    refresh: RefreshForm::Enhanced,
    limit: MessageLimit::Standard,
};

/// One connection to a speaker.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: TcpStream,
    read: BytesMut,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With these last words.
    Notified(Notification),
    /// Without any.
    Silent,
}

impl Peer {
    pub(crate) async fn dial(from: IpAddr, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        let stream = socket.connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: BytesMut::new(),
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // One that has closed already says why in what it wrote.
        let _ = self.stream.write_all(bytes).await;
    }

    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next message; `None` when the connection has ended.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some(framed) =
                frame(&self.read, CTX.limit).expect("a speaker's headers are right")
            {
                let message = decode(framed, &CTX).expect("a speaker's messages can be read");
                let octets = framed.len();
                let _ = self.read.split_to(octets);
                return Some(message);
            }
            let more = self.stream.read_buf(&mut self.read);
            match tokio::time::timeout(LIMIT, more)
                .await
                .expect("a speaker answers")
            {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Reads until the speaker says that it is alive, which answers an OPEN.
    pub(crate) async fn confirmed(&mut self) {
        loop {
            match self.message().await.expect("a session opens") {
                Message::Keepalive => return,
                Message::Open(_) => {}
                other => panic!("in place of KEEPALIVE: {other:?}"),
            }
        }
    }

    /// Opens a session with this OPEN.
    pub(crate) async fn handshake(&mut self, open: &[u8]) {
        self.write(open).await;
        self.confirmed().await;
        self.write(&keepalive()).await;
    }

    /// Reads to the end. Nothing may follow the last words.
    pub(crate) async fn end(&mut self) -> End {
        let mut end = End::Silent;
        while let Some(message) = self.message().await {
            assert_eq!(end, End::Silent, "{message:?} behind the NOTIFICATION");
            if let Message::Notification(notification) = message {
                end = End::Notified(notification);
            }
        }
        end
    }
}

pub(crate) fn keepalive() -> BytesMut {
    let mut bytes = BytesMut::new();
    header::encode_keepalive(&mut bytes);
    bytes
}

/// An OPEN that offers everything, or not quite.
pub(crate) fn open(asn: u32, hold: u16, refresh: RefreshForm) -> BytesMut {
    let mut capabilities = vec![
        Capability::Multiprotocol(Family::Ipv4Unicast.afi_safi()),
        Capability::Multiprotocol(Family::Ipv6Unicast.afi_safi()),
        Capability::RouteRefresh,
        Capability::FourOctetAs(Asn(asn)),
    ];
    if refresh == RefreshForm::Enhanced {
        capabilities.push(Capability::EnhancedRouteRefresh);
    }
    let open = Open {
        asn: Asn(asn),
        hold_time: HoldTime::from_secs(hold).unwrap(),
        router_id: RouterId::new(Ipv4Addr::new(10, 0, 0, 2).to_bits()).unwrap(),
        capabilities,
    };
    let mut bytes = BytesMut::new();
    open.encode(&mut bytes);
    bytes
}
