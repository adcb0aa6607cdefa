//! What a case happens to: a speaker with real sockets, and a second peer of it that watches.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use ringbolt_bgp::policy::{NextHops, Origination, OriginationKey, PeerSet, RouteAttributes};
use ringbolt_bgp::router::{PeerStats, RouterConfig};
use ringbolt_bgp::session::{Mode, PeerConfig, RemoteAsn, Restart, State};
use ringbolt_bgp::types::{Asn, Family, PeerId, RouterId};
use ringbolt_bgp::wire::{Message, RefreshForm};
use ringbolt_bgp_net::{Bgp, ExportChange, ListenerState, Settings, Stats};

use super::peer::{LIMIT, Peer, open};
use super::table::bytes::{HOP, ORIGIN, PATH, update_of};
use super::table::{Case, Session};
use super::{OUR_AS, PEER_AS};

const WATCHER_AS: u32 = 65_003;

/// The addresses of one case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) speaker: SocketAddr,
    pub(crate) hostile: IpAddr,
    pub(crate) watcher: IpAddr,
}

impl Place {
    pub(crate) fn new(number: u8) -> Self {
        let address = |host| IpAddr::V4(Ipv4Addr::new(127, 1, number, host));
        let listener = TcpListener::bind((address(1), 0)).unwrap();
        Self {
            speaker: listener.local_addr().unwrap(),
            hostile: address(2),
            watcher: address(3),
        }
    }
}

/// A speaker that waits for both its peers and has one route.
pub(crate) async fn speaker(case: &Case, place: Place) -> Bgp {
    let bgp = Bgp::spawn(Settings {
        router: RouterConfig {
            router_id: RouterId::new(Ipv4Addr::new(10, 0, 0, 1).to_bits()).unwrap(),
            asn: Asn(OUR_AS),
            restart: Restart::Settled,
            seed: u64::from(case.row),
        },
        listen: Some(place.speaker),
    });
    let asn = if case.session == Session::Internal {
        OUR_AS
    } else {
        PEER_AS
    };
    let hostile = PeerConfig {
        max_prefixes_in: (case.session == Session::TwoPrefixes).then_some(2),
        ..towards("hostile", asn, place.hostile)
    };
    let watcher = towards("watcher", WATCHER_AS, place.watcher);
    let peers = [hostile, watcher].map(|config| (config.id.clone(), config));
    bgp.set_peers(BTreeMap::from(peers)).await;
    bgp.apply(originate("192.0.2.1/32")).await;
    bgp.originations_complete().await;
    let listens = |stats: &Stats| {
        let mut listeners = stats.listeners.values();
        listeners.any(|listener| listener.state == ListenerState::Listening)
    };
    wait_for(&bgp, listens).await.expect("the speaker listens");
    bgp
}

fn towards(name: &str, asn: u32, address: IpAddr) -> PeerConfig {
    PeerConfig {
        mode: Mode::Passive,
        // Longer than the pace of stats, so that a pause is seen.
        connect_retry: Duration::from_millis(400),
        ..PeerConfig::new(id(name), RemoteAsn::Exactly(Asn(asn)), address)
    }
}

pub(crate) fn id(name: &str) -> PeerId {
    PeerId::new(name)
}

fn originate(prefix: &str) -> ExportChange {
    let attributes = RouteAttributes {
        next_hop: NextHops {
            ipv4: Some(Ipv4Addr::new(10, 0, 0, 1)),
            ipv6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
            ipv6_link_local: None,
        },
        ..RouteAttributes::default()
    };
    let route = Origination {
        key: OriginationKey {
            prefix: prefix.parse().unwrap(),
            slot: 0,
        },
        attributes: Arc::new(attributes),
        peers: PeerSet::All,
    };
    ExportChange {
        originate: vec![route],
        ..ExportChange::default()
    }
}

/// A peer with a route of its own that has been told everything.
pub(crate) async fn watch(bgp: &Bgp, place: Place) -> Peer {
    let mut watcher = Peer::dial(place.watcher, place.speaker).await;
    watcher
        .handshake(&open(WATCHER_AS, 90, RefreshForm::Enhanced))
        .await;
    watcher.write(&sentinel()).await;
    let mut complete = BTreeSet::new();
    while complete.len() < Family::ALL.len() {
        if let Message::Update(update) = watcher.message().await.expect("a session that stands") {
            complete.extend(update.end_of_rib);
        }
    }
    let kept = |stats: &Stats| held(&stats.router.peers[&id("watcher")]) == 2;
    wait_for(bgp, kept)
        .await
        .expect("the watcher's routes are kept");
    watcher
}

/// What the watcher hears is a route that appears now, and its session and routes are untouched.
pub(crate) async fn hears_nothing_but_news(case: &Case, bgp: &Bgp, watcher: &mut Peer) {
    bgp.apply(originate("192.0.2.2/32")).await;
    loop {
        match watcher.message().await {
            Some(Message::Keepalive) => {}
            Some(Message::Update(update)) => {
                let reaches = update
                    .announced
                    .iter()
                    .flat_map(|announced| &announced.reaches);
                let prefixes: Vec<_> = reaches.flat_map(|reach| &reach.prefixes).collect();
                assert_eq!(
                    prefixes,
                    [&"192.0.2.2/32".parse().unwrap()],
                    "{case}: the watcher hears {update:?}"
                );
                assert!(
                    update.withdrawn.is_empty(),
                    "{case}: the watcher loses {update:?}"
                );
                break;
            }
            other => panic!("{case}: the watcher hears {other:?}"),
        }
    }
    let stats = bgp.stats().borrow().router.peers[&id("watcher")].clone();
    assert_eq!(
        (stats.state, stats.flaps, held(&stats)),
        (State::Established, 0, 2),
        "{case}: the watcher"
    );
}

/// Prefixes kept of both families.
pub(crate) fn held(stats: &PeerStats) -> usize {
    let held = Family::ALL.map(|family| *stats.prefixes_in.get(family));
    held.iter().sum()
}

/// The first stats that satisfy `condition`, or the last ones when none did in time.
pub(crate) async fn wait_for(
    bgp: &Bgp,
    condition: impl Fn(&Stats) -> bool,
) -> Result<Arc<Stats>, Arc<Stats>> {
    let mut stats = bgp.stats();
    let found = stats.wait_for(|stats| condition(stats));
    match tokio::time::timeout(LIMIT, found).await {
        Ok(found) => Ok(Arc::clone(&found.expect("the speaker runs"))),
        Err(_) => Err(Arc::clone(&bgp.stats().borrow())),
    }
}
/// Two other routes.
pub(crate) fn sentinel() -> Vec<u8> {
    update_of("", &[ORIGIN, PATH, HOP].concat(), "19 c6336400 19 c6336480")
}
