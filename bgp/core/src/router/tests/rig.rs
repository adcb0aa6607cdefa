//! A Router, a hand to play its peers with, and a clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use crate::policy::{NextHops, Origination, OriginationKey, PeerSet, RouteAttributes};
use crate::router::{Event, Flush, Input, Output, Router, RouterConfig, accepted_conn};
use crate::session::{PeerConfig, RemoteAsn, Restart};
use crate::types::{Asn, ConnId, Family, FamilySet, HoldTime, PeerId, Peering, RouterId};
use crate::wire::{
    self, AsnWidth, Capability, DecodeCtx, EncodeCtx, Message, MessageLimit, Open, RefreshForm,
    Update,
};

pub(super) const OUR_AS: Asn = Asn(65_000);
pub(super) const PEER_AS: Asn = Asn(65_001);

/// The Router under test.
pub(super) struct Rig {
    pub(super) router: Router,
    pub(super) now: Instant,
    pub(super) outputs: Vec<Output>,
    accepted: u64,
}

pub(super) fn peer() -> PeerId {
    PeerId::new("tor")
}

/// Passive, so that a test decides when a connection comes.
pub(super) fn config() -> PeerConfig {
    PeerConfig {
        mode: crate::session::Mode::Passive,
        ..PeerConfig::new(
            peer(),
            RemoteAsn::Exactly(PEER_AS),
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
        )
    }
}

/// What a current router says of itself.
pub(super) fn open() -> Open {
    Open {
        asn: PEER_AS,
        hold_time: HoldTime::from_secs(90).unwrap(),
        router_id: RouterId::new(0x0a00_0002).unwrap(),
        capabilities: vec![
            Capability::Multiprotocol(Family::Ipv4Unicast.afi_safi()),
            Capability::Multiprotocol(Family::Ipv6Unicast.afi_safi()),
            Capability::RouteRefresh,
            Capability::EnhancedRouteRefresh,
            Capability::FourOctetAs(PEER_AS),
        ],
    }
}

pub(super) fn next_hops() -> NextHops {
    NextHops {
        ipv4: None,
        ipv6: Some("fd00::1".parse().unwrap()),
        ipv6_link_local: None,
    }
}

pub(super) fn originate(prefix: &str) -> Origination {
    with(prefix, RouteAttributes::default())
}

pub(super) fn with(prefix: &str, attributes: RouteAttributes) -> Origination {
    Origination {
        key: key(prefix),
        attributes: Arc::new(attributes),
        peers: PeerSet::All,
    }
}

pub(super) fn key(prefix: &str) -> OriginationKey {
    OriginationKey {
        prefix: prefix.parse().unwrap(),
        slot: 0,
    }
}

impl Rig {
    pub(super) fn bare() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time has to start somewhere"
        )]
        let now = Instant::now();
        let config = RouterConfig {
            router_id: RouterId::new(0x0a00_0001).unwrap(),
            asn: OUR_AS,
            restart: Restart::Recovering,
            seed: 1,
        };
        Self {
            router: Router::new(&config, now),
            now,
            outputs: Vec::new(),
            accepted: 0,
        }
    }

    /// With one peer.
    pub(super) fn new(config: PeerConfig) -> Self {
        let mut rig = Self::bare();
        rig.give(Input::SetPeer(Box::new(config)));
        rig
    }

    /// With one peer whose session is Established, as this OPEN negotiates it.
    pub(super) fn established(config: PeerConfig, open: &Open) -> (Self, ConnId) {
        let mut rig = Self::new(config);
        let conn = rig.establish(open);
        (rig, conn)
    }

    pub(super) fn give(&mut self, input: Input<'_>) {
        self.router.handle(input, self.now);
        while let Some(output) = self.router.poll_output() {
            self.outputs.push(output);
        }
    }

    /// The peer connects.
    pub(super) fn connect(&mut self) -> ConnId {
        self.accepted += 1;
        let conn = accepted_conn(self.accepted);
        self.give(Input::Accepted {
            conn,
            peer: peer(),
            local: SocketAddr::from(([10, 0, 0, 1], 179)),
            remote: SocketAddr::from(([10, 0, 0, 2], 40_000)),
            next_hops: next_hops(),
        });
        conn
    }

    pub(super) fn establish(&mut self, open: &Open) -> ConnId {
        let conn = self.connect();
        self.say(conn, &Message::Open(open.clone()));
        self.say(conn, &Message::Keepalive);
        conn
    }

    /// The peer says something.
    pub(super) fn say(&mut self, conn: ConnId, message: &Message) {
        let mut bytes = BytesMut::new();
        wire::encode(message, &EncodeCtx::USUAL, &mut bytes).unwrap();
        self.give(Input::Bytes {
            conn,
            bytes: &bytes,
        });
    }

    /// What the Router has to say, read and acknowledged.
    pub(super) fn hear(&mut self, conn: ConnId) -> Vec<Message> {
        let bytes = self.bytes(conn);
        self.give(Input::Sent {
            conn,
            bytes: bytes.len(),
        });
        read(bytes)
    }

    /// What the Router has to say, taken from it and not written anywhere.
    pub(super) fn bytes(&mut self, conn: ConnId) -> BytesMut {
        let mut buf = BytesMut::new();
        while self.router.poll_transmit(conn, &mut buf) {}
        buf
    }

    /// Only the UPDATEs of it.
    pub(super) fn updates(&mut self, conn: ConnId) -> Vec<Update> {
        let updates = self
            .hear(conn)
            .into_iter()
            .filter_map(|message| match message {
                Message::Update(update) => Some(update),
                Message::Open(_)
                | Message::Notification(_)
                | Message::Keepalive
                | Message::RouteRefresh(_) => None,
            });
        updates.collect()
    }

    /// Code and subcode of the NOTIFICATION that ends what the Router has to say.
    pub(super) fn last_words(&mut self, conn: ConnId) -> Option<(u8, u8)> {
        match self.hear(conn).pop() {
            Some(Message::Notification(notification)) => Some(notification.code.octets()),
            _ => None,
        }
    }

    /// Lets time pass, with a tick at every deadline.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.router.next_deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.give(Input::Tick);
        }
        self.now = end;
    }

    /// Lets time pass on a session whose peer says KEEPALIVE every second and reads all.
    pub(super) fn pass_alive(&mut self, conn: ConnId, span: Duration) -> Vec<Message> {
        let mut heard = Vec::new();
        for _ in 0..span.as_secs() {
            self.pass(Duration::from_secs(1));
            self.say(conn, &Message::Keepalive);
            heard.extend(self.hear(conn));
        }
        heard
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        let outputs = std::mem::take(&mut self.outputs).into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Event(event) => Some(event),
                Output::Connect { .. } | Output::Close { .. } => None,
            })
            .collect()
    }

    /// Connections the Router has closed, and how.
    pub(super) fn closes(&self) -> Vec<(ConnId, Flush)> {
        let closes = self.outputs.iter().filter_map(|output| match output {
            Output::Close { conn, flush } => Some((*conn, *flush)),
            Output::Connect { .. } | Output::Event(_) => None,
        });
        closes.collect()
    }

    /// Connections the Router has asked for.
    pub(super) fn dials(&self) -> Vec<ConnId> {
        let dials = self.outputs.iter().filter_map(|output| match output {
            Output::Connect { conn, .. } => Some(*conn),
            Output::Close { .. } | Output::Event(_) => None,
        });
        dials.collect()
    }

    pub(super) fn stats(&self) -> super::super::PeerStats {
        self.router.stats().peers[&peer()].clone()
    }
}

/// Decodes what the Router says to an eBGP peer that understands everything.
pub(super) fn read(mut bytes: BytesMut) -> Vec<Message> {
    let ctx = DecodeCtx {
        asn_width: AsnWidth::FourOctets,
        families: FamilySet::ALL,
        extended_next_hop: FamilySet::only(Family::Ipv4Unicast),
        peering: Peering::Internal,
        refresh: RefreshForm::Enhanced,
        limit: MessageLimit::Standard,
    };
    let mut messages = Vec::new();
    while let Some(frame) = wire::frame(&bytes, ctx.limit).unwrap() {
        let length = frame.len();
        messages.push(wire::decode(frame, &ctx).unwrap());
        bytes.advance(length);
    }
    assert!(bytes.is_empty(), "whole messages only");
    messages
}
