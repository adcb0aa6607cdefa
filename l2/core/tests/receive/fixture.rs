//! One announcer on one segment, with a member beside it that is only messages.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringbolt_l2::announcer::{
    Advertisement, Announcer, Claimable, Counters, DefaultRoute, EligibleNodes, Event, Failback,
    Identity, Input, Interface, InterfaceChoice, InterfaceStats, Keys, Link, Output, Purpose,
    Share,
};
use ringbolt_l2::hello::{
    AdvertisementId, Claim, Eligibility, Eligible, Hello, HelloFlags, Message, Record, Scope,
    Sender, decode, encode,
};
use ringbolt_l2::types::{
    AdvertisementName, ClusterId, Epoch, IfIndex, Incarnation, Instance, InterfaceName, KeyId,
    MacAddr, NodeName, ServiceName, Standing,
};

pub(crate) const ETH: IfIndex = IfIndex(2);
pub(crate) const OUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 10]);
pub(crate) const MEMBER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 11]);
pub(crate) const ASKER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 9, 9]);
pub(crate) const STRANGER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 6, 6]);
pub(crate) const NODE4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
pub(crate) const GATEWAY4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const ASKER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
/// Owned by us.
pub(crate) const OWN4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
/// Owned by the member.
pub(crate) const OTHER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 101);
pub(crate) const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x10);
pub(crate) const ASKER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x77);
pub(crate) const OWN6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
/// Owned by the member, in the same solicited-node group as `OWN6`.
pub(crate) const OTHER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 1, 0, 0x100);

pub(crate) const ANSWER: Purpose = Purpose::Answer;

#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) announcer: Announcer,
    pub(crate) now: Instant,
    sequence: u64,
}

impl Fixture {
    /// Owns `OWN4` and `OWN6`; the member owns the others; the schedules are through.
    pub(crate) fn settled() -> Self {
        let mut fixture = Self::listening();
        fixture.pass(Duration::from_secs(20));
        fixture.outputs();
        assert_eq!(
            fixture.announcer.owned(ETH),
            [IpAddr::from(OWN4), OWN6.into()]
        );
        fixture
    }

    /// As configured, still listening.
    pub(crate) fn listening() -> Self {
        let mut fixture = Self {
            announcer: Announcer::new(),
            now: origin(),
            sequence: 0,
        };
        fixture.give(Input::SetNode(Identity {
            cluster: ClusterId([7; 16]),
            node: NodeName::new("here").unwrap(),
            incarnation: Incarnation(1),
            instance: Instance(99),
        }));
        fixture.give(Input::SetKeys(Keys::Present([KeyId(1)].into())));
        fixture.give(Input::SetExpectedSpeakers(Some(2)));
        fixture.give(Input::SetInterfaces(vec![interface()]));
        fixture.give(Input::SetAdvertisements(vec![advertisement()]));
        let ours: [IpAddr; 2] = [OWN4.into(), OWN6.into()];
        let theirs: [IpAddr; 2] = [OTHER4.into(), OTHER6.into()];
        let ours = ours.map(|address| only(address, "here"));
        let theirs = theirs.map(|address| only(address, "there"));
        fixture.give(Input::SetAddresses(
            ours.into_iter().chain(theirs).collect(),
        ));
        fixture
    }

    /// Lets time pass; the member keeps saying hello and claims what it owns.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        let mut hello = self.now;
        while self.now < until {
            let deadline = self.announcer.next_deadline().map_or(until, |(at, _)| at);
            self.now = deadline.min(hello).min(until).max(self.now);
            if self.now >= hello {
                self.member_says(vec![hello_record(), eligible_record()]);
                self.member_says(
                    [OTHER4.into(), OTHER6.into()]
                        .map(|one| claim_record(one, 1))
                        .to_vec(),
                );
                hello = self.now + Duration::from_secs(2);
            }
            self.give(Input::Tick);
        }
    }

    /// Lets time pass in silence.
    pub(crate) fn pass_alone(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            let deadline = self.announcer.next_deadline().map_or(until, |(at, _)| at);
            self.now = deadline.min(until).max(self.now);
            self.give(Input::Tick);
        }
    }

    pub(crate) fn member_says(&mut self, records: Vec<Record>) {
        self.sequence += 1;
        let plaintext = encode(&Message {
            sender: member(self.sequence),
            records,
        });
        let sender = NodeName::new("there").unwrap();
        self.give(Input::Opened {
            interface: ETH,
            sender,
            plaintext: &plaintext,
        });
    }

    /// One of many other nodes says hello.
    pub(crate) fn others_say_hello(&mut self, number: u16) {
        let node = NodeName::new(&format!("node-{number}")).unwrap();
        let sender = Sender {
            node: node.clone(),
            ..member(1)
        };
        let Record::Hello(hello) = hello_record() else {
            unreachable!()
        };
        let [high, low] = number.to_be_bytes();
        let hello = Hello {
            mac: MacAddr([2, 1, 1, 1, high, low]),
            held: 0,
            ..hello
        };
        let plaintext = encode(&Message {
            sender,
            records: vec![Record::Hello(hello)],
        });
        self.give(Input::Opened {
            interface: ETH,
            sender: node,
            plaintext: &plaintext,
        });
    }

    pub(crate) fn give(&mut self, input: Input<'_>) {
        self.announcer.handle(input, self.now);
    }

    pub(crate) fn arp(&mut self, frame: &[u8]) -> Vec<Output> {
        self.give(Input::Arp {
            interface: ETH,
            frame,
        });
        self.outputs()
    }

    pub(crate) fn ndp(&mut self, frame: &[u8]) -> Vec<Output> {
        self.give(Input::Ndp {
            interface: ETH,
            frame,
        });
        self.outputs()
    }

    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.announcer.poll_output()).collect()
    }

    pub(crate) fn stats(&self) -> InterfaceStats {
        self.announcer.stats().interfaces[&ETH].clone()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.stats().counters
    }
}

/// Frames written to the wire, with their purpose.
pub(crate) fn frames(outputs: &[Output]) -> Vec<(Bytes, Purpose)> {
    let frames = outputs.iter().filter_map(|output| match output {
        Output::Send { frame, purpose, .. } => Some((frame.clone(), *purpose)),
        _ => None,
    });
    frames.collect()
}

/// Records of the sealed messages.
pub(crate) fn said(outputs: &[Output]) -> Vec<Record> {
    let messages = outputs.iter().filter_map(|output| match output {
        Output::SendSealed { plaintext, .. } => Some(decode(plaintext).unwrap().records),
        _ => None,
    });
    messages.flatten().collect()
}

pub(crate) fn events(outputs: &[Output]) -> Vec<Event> {
    let events = outputs.iter().filter_map(|output| match output {
        Output::Event(event) => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

pub(crate) fn interface() -> Interface {
    Interface {
        index: ETH,
        name: InterfaceName::new("eth0").unwrap(),
        mac: OUR_MAC,
        addresses: vec![
            format!("{NODE4}/24").parse().unwrap(),
            format!("{LINK_LOCAL}/64").parse().unwrap(),
            "fd00::10/64".parse().unwrap(),
        ],
        gateways: vec![GATEWAY4.into()],
        default_route: DefaultRoute {
            ipv4: true,
            ipv6: true,
        },
        link: Link::Up,
    }
}

pub(crate) fn advertisement() -> Advertisement {
    Advertisement {
        name: AdvertisementName::new("all").unwrap(),
        standing: Some(Standing::default()),
        interfaces: InterfaceChoice::Any,
        failback: Failback::Auto,
        refresh: Duration::from_secs(60),
    }
}

/// An address that one node alone may own.
pub(crate) fn only(address: IpAddr, node: &str) -> Claimable {
    let nodes = [NodeName::new(node).unwrap()].into();
    with_nodes(address, EligibleNodes::Only { nodes, view: None })
}

pub(crate) fn with_nodes(address: IpAddr, nodes: EligibleNodes) -> Claimable {
    Claimable {
        address,
        shares: vec![share(&address.to_string(), nodes)],
    }
}

pub(crate) fn share(service: &str, nodes: EligibleNodes) -> Share {
    Share {
        service: ServiceName::new(service).unwrap(),
        advertisements: [AdvertisementName::new("all").unwrap()].into(),
        nodes,
    }
}

pub(crate) fn member(sequence: u64) -> Sender {
    Sender {
        cluster: ClusterId([7; 16]),
        node: NodeName::new("there").unwrap(),
        incarnation: Incarnation(3),
        instance: Instance(5),
        sequence,
    }
}

/// A hello whose digest says nothing, so that we ask now and then.
pub(crate) fn hello_record() -> Record {
    Record::Hello(Hello {
        interval: Duration::from_millis(2_400),
        flags: HelloFlags::default(),
        mac: MEMBER_MAC,
        held: 2,
        digest: 0,
        eligibility: 5,
        keys: [KeyId(1)].into(),
        addresses: vec![
            "10.0.0.11/24".parse().unwrap(),
            "fd00::11/64".parse().unwrap(),
        ],
    })
}

pub(crate) fn eligible_record() -> Record {
    let advertisement = AdvertisementId::of(&AdvertisementName::new("all").unwrap());
    let entry = Eligible {
        advertisement,
        standing: Standing::default(),
        scope: Scope::Default,
    };
    Record::Eligibility(Eligibility {
        list: 5,
        part: 0,
        parts: 1,
        entries: vec![entry],
    })
}

pub(crate) fn claim_record(address: IpAddr, epoch: u64) -> Record {
    let (epoch, standing) = (Epoch(epoch), Standing::default());
    Record::Claim(Claim {
        address,
        epoch,
        view: None,
        standing,
        moves: 0,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "an origin for virtual time; only differences count"
)]
fn origin() -> Instant {
    Instant::now()
}
