//! What is remembered for whom, and for how long; the wire side is in the Router's stories.

use std::sync::Arc;

use super::*;
use crate::policy::{PeerSet, RouteAttributes};
use crate::session::Refresh;
use crate::types::{Asn, FamilySet, HoldTime, Peering, Prefix, RouterId};
use crate::wire::AsnWidth;

struct Bench {
    export: Export,
    now: Instant,
}

fn id(name: &str) -> PeerId {
    PeerId::new(name)
}

fn negotiated() -> Negotiated {
    Negotiated {
        local_asn: Asn(65_000),
        peer_asn: Asn(65_001),
        peer_router_id: RouterId::new(2).unwrap(),
        peering: Peering::External,
        hold_time: HoldTime::OFF,
        keepalive: None,
        families: FamilySet::ALL,
        asn_width: AsnWidth::FourOctets,
        refresh: Refresh::Enhanced,
        extended_next_hop: FamilySet::EMPTY,
        graceful_restart: None,
        peer_capabilities: Vec::new(),
    }
}

fn key(number: u32) -> OriginationKey {
    let address = std::net::Ipv4Addr::from(number);
    OriginationKey {
        prefix: Prefix::new(address.into(), 32).unwrap(),
        slot: 0,
    }
}

impl Bench {
    fn new(peers: &[&str]) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time has to start somewhere"
        )]
        let now = Instant::now();
        let mut bench = Self {
            export: Export::new(Saboteur::default()),
            now,
        };
        peers.iter().for_each(|peer| bench.attach(peer));
        bench
    }

    fn attach(&mut self, peer: &str) {
        let ipv4 = Some([10, 0, 0, 1].into());
        let next_hops = NextHops {
            ipv4,
            ..NextHops::default()
        };
        self.export.attach(
            id(peer),
            &negotiated(),
            next_hops,
            Parting::Serving,
            self.now,
        );
    }

    fn originate(&mut self, numbers: impl Iterator<Item = u32>) {
        let attributes = Arc::new(RouteAttributes::default());
        let routes = numbers.map(|number| Origination {
            key: key(number),
            attributes: Arc::clone(&attributes),
            peers: PeerSet::All,
        });
        let routes = routes.collect();
        self.pass();
        self.export.originate(routes, self.now);
    }

    fn withdraw(&mut self, numbers: impl Iterator<Item = u32>) {
        self.pass();
        self.export.withdraw(numbers.map(key).collect(), self.now);
    }

    /// Past every batching window.
    fn pass(&mut self) {
        self.now += Duration::from_secs(1);
        self.export.tick(self.now);
    }

    fn read(&mut self, peer: &str) -> u64 {
        let mut updates = 0;
        loop {
            let mut buf = BytesMut::new();
            updates += self.export.transmit(&id(peer), &mut buf).updates;
            if buf.is_empty() {
                return updates;
            }
        }
    }

    /// Slots that exist, whatever they hold.
    fn slots(&self) -> usize {
        self.export.table(Family::Ipv4Unicast).slots_in_use()
    }

    fn told(&self, peer: &str) -> usize {
        self.export.told(&id(peer), Family::Ipv4Unicast)
    }
}

#[test]
fn a_withdrawn_prefix_is_remembered_until_the_last_holder_has_heard() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.originate(0..3);
    bench.read("a");
    bench.read("b");
    bench.withdraw(0..1);
    assert_eq!(bench.slots(), 3);
    bench.read("a");
    assert_eq!((bench.slots(), bench.told("a"), bench.told("b")), (3, 2, 3));
    bench.read("b");
    assert_eq!((bench.slots(), bench.told("b")), (2, 2));
}

#[test]
fn what_nobody_was_told_is_forgotten_at_once() {
    let mut bench = Bench::new(&["a"]);
    bench.originate(0..5);
    bench.withdraw(0..5);
    assert_eq!(bench.slots(), 0);
    assert_eq!(bench.read("a"), 0);
}

#[test]
fn a_peer_that_never_reads_holds_on_to_no_more_than_it_was_told() {
    let mut bench = Bench::new(&["slow", "quick"]);
    bench.originate(0..100);
    bench.read("slow");
    bench.read("quick");
    for round in 1..200 {
        bench.originate(round * 100..round * 100 + 100);
        bench.read("quick");
        bench.withdraw((round - 1) * 100..round * 100);
        bench.read("quick");
    }
    // A hundred live, a hundred that the slow one must be told are gone.
    assert_eq!(bench.slots(), 200);
    assert!(
        bench
            .export
            .table(Family::Ipv4Unicast)
            .log()
            .entries()
            .count()
            < 2000
    );
    bench.read("slow");
    assert_eq!((bench.slots(), bench.told("slow")), (100, 100));
}

#[test]
fn a_lost_session_needs_nothing_any_longer() {
    let mut bench = Bench::new(&["a"]);
    bench.originate(0..3000);
    bench.read("a");
    bench.withdraw(0..3000);
    bench.export.detach(&id("a"));
    for round in 0..4 {
        bench.originate((0..3000).map(|number| 100_000 + round * 3000 + number));
        bench.withdraw((0..3000).map(|number| 100_000 + round * 3000 + number));
    }
    assert_eq!(bench.slots(), 0);
}

#[test]
fn a_new_session_is_told_what_is_there_and_not_what_was() {
    let mut bench = Bench::new(&["a"]);
    bench.originate(0..10);
    bench.read("a");
    bench.withdraw(0..5);
    bench.attach("b");
    assert_eq!(bench.read("b"), 1);
    assert_eq!(bench.told("b"), 5);
}

#[test]
fn up_to_date_means_told_everything_released_or_not() {
    let mut bench = Bench::new(&["a"]);
    assert!(bench.export.is_up_to_date(&id("a")));
    bench.originate(0..10);
    assert!(!bench.export.is_up_to_date(&id("a")));
    bench.read("a");
    assert!(bench.export.is_up_to_date(&id("a")));
    assert!(bench.export.behind_since(&id("a")).is_none());
    // Inside the window: nothing to read yet, but not up to date either.
    bench.export.originate(Vec::new(), bench.now);
    let attributes = Arc::new(RouteAttributes::default());
    let route = Origination {
        key: key(99),
        attributes,
        peers: PeerSet::All,
    };
    bench.export.originate(vec![route], bench.now);
    assert_eq!(bench.read("a"), 0);
    assert!(!bench.export.is_up_to_date(&id("a")));
}
