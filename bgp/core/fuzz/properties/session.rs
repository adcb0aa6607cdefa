//! What must hold for any order of bytes, connections, changes of mind and time given to a Router:
//!
//! - on a connection it has closed nothing follows but the NOTIFICATION it closed with, and no
//!   connection carries a second one or a word behind it;
//! - what is due lies ahead of the clock after a Tick, an Established session with a hold time is
//!   always due, a silent peer is gone when its hold time is over;
//! - a prefix is held for a peer exactly when its last valid announcement was not followed by a
//!   withdrawal, a fault that withdraws, or a path that leads back to us ([`Told`]).
//!
//! Shared by the fuzz target, the replay of its corpus and the mutants. An input is a list of deeds, an octet each with octets of its own behind it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ringbolt_bgp::policy::NextHops;
use ringbolt_bgp::router::{
    Drain, Flush, Input, Output, PeerStats, Router, RouterConfig, accepted_conn,
};
use ringbolt_bgp::sabotage::Sabotage;
use ringbolt_bgp::session::{Mode, PeerConfig, RemoteAsn, Restart, State};
use ringbolt_bgp::types::{Asn, ConnId, Family, HoldTime, PeerId, RouterId};
use ringbolt_bgp::wire::{self, AsnWidth, MessageLimit, MessageType};

#[path = "told.rs"]
mod told;
#[path = "words.rs"]
mod words;

use told::{Fate, Told, Us};

const OUR_AS: Asn = Asn(65_000);
const PEER_AS: Asn = Asn(65_001);
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// Deeds of one input.
const DEEDS: usize = 400;

/// Panics when a property does not hold.
pub(crate) fn holds_for(input: &[u8]) {
    play(input, None);
}

/// Panics when a property does not hold for a Router with this fault.
pub(crate) fn play(input: &[u8], fault: Option<Sabotage>) {
    let mut script = Script(input);
    let mut stage = Stage::new(script.octet(), fault);
    for _ in 0..DEEDS {
        if script.0.is_empty() {
            return;
        }
        stage.perform(&mut script);
    }
}

/// An input being read; behind its end are zeros.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn octets(&mut self, wanted: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(wanted.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A TCP connection from the driver's side.
#[derive(Debug)]
struct Link {
    number: u16,
    /// What the Router has written and is not yet a whole message.
    written: Vec<u8>,
    last_words: LastWords,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastWords {
    Awaited,
    Said,
}

/// A Router with one peer, and what we know of both.
struct Stage {
    router: Router,
    now: Instant,
    shape: u8,
    numbered: u16,
    dials: Vec<ConnId>,
    links: BTreeMap<ConnId, Link>,
    /// What the peer has begun to say, and on which connection.
    unsaid: Option<(ConnId, Vec<u8>)>,
    /// By the number of the Established session's connection.
    told: Option<(u16, Told)>,
}

fn peer() -> PeerId {
    PeerId::new("tor")
}

/// The peer as the bits of an octet want it.
fn config(shape: u8) -> PeerConfig {
    let hold = [90, 3, 0, 30][usize::from(shape >> 1 & 3)];
    PeerConfig {
        mode: if shape & 1 == 0 {
            Mode::Passive
        } else {
            Mode::Active
        },
        hold_time: HoldTime::from_secs(hold).expect("hold times that may be offered"),
        max_prefixes_in: (shape & 8 != 0).then_some(2),
        ..PeerConfig::new(
            peer(),
            RemoteAsn::Exactly(peer_as(shape)),
            IpAddr::V4(THERE),
        )
    }
}

const fn peer_as(shape: u8) -> Asn {
    if shape & 16 == 0 { PEER_AS } else { OUR_AS }
}

fn next_hops() -> NextHops {
    NextHops {
        ipv4: Some(HERE),
        ipv6: "fd00::1".parse().ok(),
        ipv6_link_local: None,
    }
}

impl Stage {
    fn new(shape: u8, fault: Option<Sabotage>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time has to start somewhere"
        )]
        let now = Instant::now();
        let us = RouterConfig {
            router_id: RouterId::new(1).expect("not zero"),
            asn: OUR_AS,
            restart: Restart::Settled,
            seed: 1,
        };
        let router = match fault {
            None => Router::new(&us, now),
            Some(fault) => Router::sabotaged(&us, fault, now),
        };
        let mut stage = Self {
            router,
            now,
            shape,
            numbered: 0,
            dials: Vec::new(),
            links: BTreeMap::new(),
            unsaid: None,
            told: None,
        };
        stage.give(Input::SetPeer(Box::new(config(shape))));
        stage
    }

    fn perform(&mut self, script: &mut Script<'_>) {
        match script.octet() % 24 {
            0..=2 => self.accept(),
            3 => self.dial(script.octet()),
            4..=8 => {
                let bytes = words::message(
                    script.octet(),
                    script.octet(),
                    self.width(),
                    peer_as(self.shape),
                );
                self.say(script.octet(), &bytes);
            }
            9..=12 => {
                let bytes = words::route(script.octet(), script.octet(), self.width());
                self.say(script.octet(), &bytes);
            }
            13 => {
                let kind = script.octet();
                let body = usize::from(script.octet());
                let bytes = words::framed(kind, script.octets(body));
                self.say(script.octet(), &bytes);
            }
            14 => {
                let length = usize::from(script.octet());
                let bytes = script.octets(length);
                self.say(script.octet(), bytes);
            }
            15 => {
                let octet = script.octet();
                if let Some(conn) = self.link(octet) {
                    self.links.remove(&conn);
                    self.give(Input::Closed { conn });
                }
            }
            16 => self.pass(Duration::from_millis(u64::from(script.octet()) * 40)),
            17 => self.pass(Duration::from_secs(u64::from(script.octet()))),
            18 => self.give(Input::Originate(vec![words::origination(script.octet())])),
            19 => self.give(Input::Withdraw(vec![
                words::origination(script.octet()).key,
            ])),
            20 => self.change_mind(script.octet()),
            21 => self.give(Input::OriginationsComplete),
            22 => self.begin(script.octet(), script.octet()),
            _ => self.fetch(),
        }
        self.judge();
    }

    fn change_mind(&mut self, octet: u8) {
        match octet % 8 {
            0 => self.give(Input::ResetPeer {
                peer: peer(),
                reason: Arc::from("fuzz"),
            }),
            1 => self.give(Input::RefreshPeer { peer: peer() }),
            2 => self.give(Input::Drain(Drain::Drained)),
            3 => self.give(Input::Drain(Drain::Serving)),
            4 => self.give(Input::RemovePeer { peer: peer() }),
            _ => {
                self.shape = octet / 8;
                self.give(Input::SetPeer(Box::new(config(self.shape))));
            }
        }
    }

    fn accept(&mut self) {
        self.numbered += 1;
        let conn = accepted_conn(u64::from(self.numbered));
        self.link_up(conn);
        self.give(Input::Accepted {
            conn,
            peer: peer(),
            local: SocketAddr::from((HERE, 179)),
            remote: SocketAddr::from((THERE, self.numbered)),
            next_hops: next_hops(),
        });
    }

    fn link_up(&mut self, conn: ConnId) {
        let link = Link {
            number: self.numbered,
            written: Vec::new(),
            last_words: LastWords::Awaited,
        };
        self.links.insert(conn, link);
    }

    fn dial(&mut self, octet: u8) {
        let Some(conn) = self.dials.pop() else {
            return;
        };
        if octet.is_multiple_of(4) {
            return self.give(Input::DialFailed { conn });
        }
        self.numbered += 1;
        self.link_up(conn);
        self.give(Input::Dialled {
            conn,
            local: SocketAddr::from((HERE, 179)),
            remote: SocketAddr::from((THERE, self.numbered)),
            next_hops: next_hops(),
        });
    }

    /// Mostly the newest.
    fn link(&self, octet: u8) -> Option<ConnId> {
        let by_age: BTreeMap<u16, ConnId> = self
            .links
            .iter()
            .map(|(conn, link)| (link.number, *conn))
            .collect();
        by_age.into_values().nth_back(usize::from(octet / 64))
    }

    fn width(&self) -> AsnWidth {
        let told = self.told.as_ref();
        told.map_or(AsnWidth::FourOctets, |(_, told)| told.asn_width())
    }

    /// The peer writes on some connection; the octet says on which, and where the bytes are cut.
    fn say(&mut self, octet: u8, bytes: &[u8]) {
        let Some(conn) = self.link(octet) else {
            return;
        };
        if let Some((_, rest)) = self.unsaid.take_if(|(begun, _)| *begun == conn) {
            self.hear(conn, &rest);
        }
        let (first, second) = bytes.split_at(bytes.len().min(usize::from(octet % 64)));
        for piece in [first, second] {
            self.hear(conn, piece);
        }
    }

    /// The peer falls silent inside a message.
    fn begin(&mut self, octet: u8, link: u8) {
        let bytes = words::route(octet, 0, self.width());
        let links = &self.links;
        self.unsaid.take_if(|(begun, _)| !links.contains_key(begun));
        let Some(conn) = self.link(link).filter(|_| self.unsaid.is_none()) else {
            return;
        };
        let (first, rest) = bytes.split_at(1 + usize::from(octet) % (bytes.len() - 1));
        self.unsaid = Some((conn, rest.to_vec()));
        self.hear(conn, first);
    }

    /// Octet by octet until the session stands, so that the other reading begins where it does.
    fn hear(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let number = self.links.get(&conn).map(|link| link.number);
            let reads = number.is_some() && number == self.told.as_ref().map(|(number, _)| *number);
            let (piece, later) = rest.split_at(if reads { rest.len() } else { 1 });
            rest = later;
            self.give(Input::Bytes { conn, bytes: piece });
            if reads {
                self.also_read(piece);
            }
            self.notice_session();
        }
    }

    fn also_read(&mut self, bytes: &[u8]) {
        let us = Us {
            asn: OUR_AS,
            router_id: RouterId::new(1).expect("not zero"),
            address: IpAddr::V4(HERE),
        };
        let limit = (self.shape & 8 != 0).then_some(2);
        let Some((number, told)) = &mut self.told else {
            return;
        };
        if told.read(bytes, us, limit, self.now) == Fate::Ended {
            let number = *number;
            assert_ne!(
                self.established().map(|(live, _)| live),
                Some(number),
                "what the peer said ends the session"
            );
        }
    }

    fn give(&mut self, input: Input<'_>) {
        self.router.handle(input, self.now);
        while let Some(output) = self.router.poll_output() {
            match output {
                Output::Connect { conn, .. } => self.dials.push(conn),
                Output::Close { conn, flush } => self.close(conn, flush),
                Output::Event(_) => {}
            }
        }
        self.notice_session();
    }

    fn close(&mut self, conn: ConnId, flush: Flush) {
        self.dials.retain(|dial| *dial != conn);
        let Some(mut link) = self.links.remove(&conn) else {
            return;
        };
        let mut farewell = BytesMut::new();
        while self.router.poll_transmit(conn, &mut farewell) {}
        match flush {
            Flush::Discard => assert!(farewell.is_empty(), "a word behind the close"),
            Flush::Drain => {
                listen(&mut link, &farewell);
                assert_eq!(
                    link.last_words,
                    LastWords::Said,
                    "a close that drains has a last word"
                );
            }
        }
        self.router.handle(Input::Closed { conn }, self.now);
        let mut behind = BytesMut::new();
        assert!(
            !self.router.poll_transmit(conn, &mut behind),
            "a word behind the close"
        );
    }

    /// Takes what the Router has to say on every connection, and the kernel takes it too.
    fn fetch(&mut self) {
        let conns: Vec<ConnId> = self.links.keys().copied().collect();
        for conn in conns {
            let mut bytes = BytesMut::new();
            while self.router.poll_transmit(conn, &mut bytes) {}
            if let Some(link) = self.links.get_mut(&conn) {
                listen(link, &bytes);
            }
            let bytes = bytes.len();
            self.give(Input::Sent { conn, bytes });
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.router.next_deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.give(Input::Tick);
            self.judge();
        }
        self.now = end;
    }

    fn stats(&self) -> Option<PeerStats> {
        self.router.stats().peers.remove(&peer())
    }

    /// The number of the Established connection.
    fn established(&self) -> Option<(u16, PeerStats)> {
        let stats = self.stats()?;
        let ends = stats.ends.filter(|_| stats.state == State::Established)?;
        Some((ends.1.port(), stats))
    }

    /// Begins to read along where a session has come to stand.
    fn notice_session(&mut self) {
        let live = self.established();
        let number = live.as_ref().map(|(number, _)| *number);
        if number == self.told.as_ref().map(|(number, _)| *number) {
            return;
        }
        self.told = live.and_then(|(number, stats)| {
            let agreed = stats.negotiated?;
            Some((number, Told::new(&agreed, self.now)))
        });
    }

    fn judge(&mut self) {
        self.give(Input::Tick);
        let due = self.router.next_deadline();
        if let Some((at, wake)) = due {
            assert!(at > self.now, "{wake:?} is due after its Tick");
        }
        let Some(stats) = self.stats() else {
            return;
        };
        for family in Family::ALL {
            let told = self.told.as_ref().map_or(0, |(_, told)| told.len(family));
            assert_eq!(*stats.prefixes_in.get(family), told, "{family}");
        }
        match stats.state {
            State::Idle | State::Active => {}
            State::Connect | State::OpenSent | State::OpenConfirm => {
                assert!(due.is_some(), "{:?} does not end by itself", stats.state);
            }
            State::Established => self.judge_timers(&stats, due.map(|(at, _)| at)),
        }
    }

    fn judge_timers(&self, stats: &PeerStats, due: Option<Instant>) {
        let (Some(agreed), Some((_, told))) = (&stats.negotiated, &self.told) else {
            panic!("an Established session has agreed on something");
        };
        if agreed.hold_time == HoldTime::OFF {
            return;
        }
        let hold = Duration::from_secs(u64::from(agreed.hold_time.as_secs()));
        assert!(
            due.is_some_and(|at| at <= told.heard + hold),
            "the hold timer is armed"
        );
        assert!(
            self.now < told.heard + hold,
            "a silent peer is gone after its hold time"
        );
    }
}

/// Whole messages, and nothing behind a NOTIFICATION.
fn listen(link: &mut Link, bytes: &[u8]) {
    link.written.extend(bytes);
    let mut rest = &*link.written;
    while let Some(frame) =
        wire::frame(rest, MessageLimit::Standard).expect("our own headers are right")
    {
        assert_eq!(
            link.last_words,
            LastWords::Awaited,
            "a word behind the NOTIFICATION"
        );
        if frame.kind() == MessageType::Notification {
            link.last_words = LastWords::Said;
        }
        rest = &rest[frame.len()..];
    }
    link.written = rest.to_vec();
}
