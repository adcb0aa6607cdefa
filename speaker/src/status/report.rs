//! The JSON of `/status`: sessions, segments, and every Service address with where it is announced from this node, who
//! owns it, or why it is withheld.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ringbolt_bgp::router::{PeerStats, PerFamily, RouterStats};
use ringbolt_bgp::session::State;
use ringbolt_bgp::types::{Family, PeerId, PeerName};
use ringbolt_config::api::condition::Condition;
use ringbolt_config::names::ServiceKey;
use ringbolt_l2_net::Stats as L2Stats;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::object::{capability_name, ip_family, last_error, owned_addresses};
use super::{Phase, Picture, reactions};
use crate::desired::{self, BgpVerdict, L2Verdict, Remark, RouteVerdict, Verdicts, Withheld};

/// Everything, as programs read it; the shape is part of the interface.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    component: &'static str,
    version: &'static str,
    node: &'a str,
    phase: &'static str,
    conditions: &'a [Condition],
    bgp: Option<Value>,
    layer2: Option<Value>,
    services: Services<'a>,
    advertisements: Vec<Value>,
    problems: Vec<Value>,
}

/// The report as JSON text: a tenth of what the same costs as a tree of values.
pub(crate) fn report(picture: &Picture<'_>, conditions: &[Condition]) -> String {
    let report = Report {
        component: "speaker",
        version: env!("CARGO_PKG_VERSION"),
        node: picture.planner.index().node_name().as_str(),
        phase: match picture.phase {
            Phase::Reading(_) => "Reading",
            Phase::Restored(_) => "Restored",
            Phase::Announcing => "Announcing",
            Phase::Leaving => "Leaving",
        },
        conditions,
        bgp: picture.router.map(|router| bgp(picture, router)),
        layer2: picture.layer2.map(layer2),
        services: Services {
            picture,
            up: established(picture.router),
        },
        advertisements: advertisements(picture),
        problems: problems(picture),
    };
    serde_json::to_string(&report).expect("its keys are strings")
}

/// All Services, each computed when it is its turn to be written.
struct Services<'a> {
    picture: &'a Picture<'a>,
    up: BTreeSet<PeerName>,
}

impl Serialize for Services<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = self.picture.planner.index().services().map(|(key, _)| key);
        serializer.collect_seq(keys.map(|key| service(self.picture, key, &self.up)))
    }
}

fn advertisements(picture: &Picture<'_>) -> Vec<Value> {
    let planner = picture.planner;
    let names = planner.local().standing_names();
    names
        .map(|name| {
            let withheld = planner.standing_withheld(name);
            json!({
                "name": name.as_str(),
                "announced": withheld.is_none(),
                "reason": withheld.as_ref().map(Withheld::reason),
                "message": withheld.as_ref().map(Withheld::to_string),
                "prefixes": planner.routes().prefixes_of(name),
            })
        })
        .collect()
}

fn established(router: Option<&RouterStats>) -> BTreeSet<PeerName> {
    let peers = router.into_iter().flat_map(|router| &router.peers);
    let up = peers.filter(|(_, peer)| peer.state == State::Established);
    up.map(|(id, _)| id.name().clone()).collect()
}

fn problems(picture: &Picture<'_>) -> Vec<Value> {
    let source = picture
        .source
        .iter()
        .map(|problem| json!({"reason": problem.reason(), "message": problem.to_string()}));
    let configuration = picture.planner.problems().iter().map(|problem| {
        json!({
            "reason": problem.reason.reason(),
            "object": problem.object.to_string(),
            "field": problem.field,
            "message": problem.to_string(),
        })
    });
    source.chain(configuration).collect()
}

fn bgp(picture: &Picture<'_>, router: &RouterStats) -> Value {
    json!({
        "routerId": router.router_id.to_string(),
        "routes": picture.planner.routes().len(),
        "endOfRib": router.complete,
        "peers": router.peers.iter().map(|peer| session(picture, router, peer)).collect::<Vec<_>>(),
    })
}

fn session(
    picture: &Picture<'_>,
    router: &RouterStats,
    (id, peer): (&PeerId, &PeerStats),
) -> Value {
    let configured = picture.planner.peers().get(id);
    let negotiated = peer
        .negotiated
        .as_deref()
        .filter(|_| peer.state == State::Established);
    json!({
        "peer": id.to_string(),
        "address": configured.map(|config| config.address.to_string()),
        "localAddress": peer.ends.map(|(local, _)| local.ip().to_string()),
        "state": peer.state.name(),
        "since": picture.time_of(peer.since).to_string(),
        "localRouterId": configured.map(|config| {
            config.router_id.unwrap_or(router.router_id).to_string()
        }),
        "localAsn": negotiated.map(|agreed| agreed.local_asn.0),
        "peerAsn": negotiated.map(|agreed| agreed.peer_asn.0),
        "peerRouterId": negotiated.map(|agreed| agreed.peer_router_id.to_string()),
        "holdTimeSeconds": negotiated.map(|agreed| agreed.hold_time.as_secs()),
        "families": negotiated.map(|agreed| agreed.families.iter().map(ip_family).collect::<Vec<_>>()),
        "capabilities": negotiated.map(|agreed| {
            agreed.peer_capabilities.iter().map(capability_name).collect::<Vec<_>>()
        }),
        "prefixesIn": per_family(&peer.prefixes_in, |count| json!(count)),
        "prefixesOut": per_family(&peer.prefixes_out, |count| json!(count)),
        "withheld": per_family(&peer.withheld, |why| json!(why.map(|why| why.reason()))),
        "lastError": last_error(picture, id, peer),
        "flaps": peer.flaps,
        "reactions": BTreeMap::from(reactions(&peer.counters)),
        "oldestUnsentMs": picture.age(router, peer.oldest_unsent).map(milliseconds),
        "sendStalledMs": picture.age(router, peer.send_stalled).map(milliseconds),
    })
}

fn milliseconds(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

fn per_family<T>(values: &PerFamily<T>, show: impl Fn(&T) -> Value) -> Value {
    json!({
        "ipv4": show(values.get(Family::Ipv4Unicast)),
        "ipv6": show(values.get(Family::Ipv6Unicast)),
    })
}

fn layer2(stats: &L2Stats) -> Value {
    let interfaces = stats.interfaces.iter().map(|interface| {
        let announcing = stats.announcer.interfaces.get(&interface.index);
        json!({
            "name": interface.name.as_str(),
            "mac": interface.mac.to_string(),
            "addresses": interface.addresses,
            "error": stats.failures.get(&interface.index).map(|error| error.reason()),
            "held": announcing.map(|found| found.held),
            "members": announcing.map(|found| {
                found.members.keys().map(|node| node.as_str()).collect::<Vec<_>>()
            }),
            "conditions": announcing.map(|found| {
                found.conditions.iter().map(|condition| condition.reason()).collect::<Vec<_>>()
            }),
        })
    });
    json!({
        "withheld": stats.announcer.withheld.as_ref().map(|why| why.reason()),
        "owned": owned_addresses(stats),
        "interfaces": interfaces.collect::<Vec<_>>(),
        "kernelDrops": stats.kernel_drops,
    })
}

fn service(picture: &Picture<'_>, key: &ServiceKey, up: &BTreeSet<PeerName>) -> Value {
    let planner = picture.planner;
    let announcements = desired::compute(planner.index(), planner.local(), key);
    let addresses = announcements.addresses.iter().map(|(address, verdicts)| {
        let Verdicts { pool, bgp, l2 } = verdicts;
        json!({
            "address": address,
            "pool": pool.as_ref().map(|pool| pool.as_str()),
            "bgp": bgp_verdict(bgp, up),
            "layer2": l2_verdict(picture, *address, l2),
        })
    });
    json!({
        "namespace": key.namespace(),
        "name": key.name(),
        "addresses": addresses.collect::<Vec<_>>(),
        "remarks": announcements.remarks.iter().map(Remark::reason).collect::<Vec<_>>(),
    })
}

fn bgp_verdict(verdict: &BgpVerdict, up: &BTreeSet<PeerName>) -> Value {
    match verdict {
        BgpVerdict::Withheld(why) => withheld(why),
        BgpVerdict::Announced(routes) => {
            let heard = |route: &RouteVerdict| route.peers.iter().any(|peer| up.contains(peer));
            let any = routes.iter().any(heard);
            json!({
                "announced": any,
                "reason": (!any).then_some("SessionDown"),
                "message": (!any).then_some("no session with a selected peer is Established"),
                "routes": routes.iter().map(|route| json!({
                    "prefix": route.prefix,
                    "advertisement": route.advertisement.as_str(),
                    "peers": names(route, |peer| up.contains(peer)),
                    "peersDown": names(route, |peer| !up.contains(peer)),
                })).collect::<Vec<_>>(),
            })
        }
    }
}

fn names(route: &RouteVerdict, which: impl Fn(&PeerName) -> bool) -> Vec<&str> {
    route
        .peers
        .iter()
        .filter(|peer| which(peer))
        .map(PeerName::as_str)
        .collect()
}

fn l2_verdict(picture: &Picture<'_>, address: IpAddr, verdict: &L2Verdict) -> Value {
    let advertisements = match verdict {
        L2Verdict::Withheld(why) => return withheld(why),
        L2Verdict::Claimable(advertisements) => advertisements,
    };
    let stats = picture.layer2;
    let here = stats.and_then(|stats| stats.announcer.addresses.get(&address));
    let whole = here.and_then(|here| here.withheld.as_ref());
    let on: Vec<Value> = here
        .into_iter()
        .flat_map(|here| &here.on)
        .map(|(index, ownership)| {
            let interface = stats.and_then(|stats| stats.announcer.interfaces.get(index));
            json!({
                "interface": interface.map(|found| found.name.as_str()),
                "owner": ownership.owner.as_ref().map(|node| node.as_str()),
                "announced": ownership.withheld.is_none(),
                "reason": ownership.withheld.as_ref().map(|why| why.reason()),
            })
        })
        .collect();
    let announced = here.is_some_and(|here| here.on.values().any(|found| found.withheld.is_none()));
    let elsewhere =
        here.and_then(|here| here.on.values().find_map(|found| found.withheld.as_ref()));
    let reason = whole.or(elsewhere).map(|why| why.reason());
    json!({
        "announced": announced,
        "reason": if announced { None } else { Some(reason.unwrap_or("NoInterface")) },
        "advertisements": advertisements.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "on": on,
    })
}

fn withheld(why: &Withheld) -> Value {
    json!({"announced": false, "reason": why.reason(), "message": why.to_string()})
}
