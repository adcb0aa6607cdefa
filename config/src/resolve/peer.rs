//! BGPPeers: own fields, then those of the template, then defaults.

mod template;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::duration;
use super::faults::Faults;
use super::problem::Reason;
use crate::api::bgp_peer::{DynamicAsn, IpFamily};
use crate::api::{BGPPeer, PeerFields};
use crate::model::bgp::{Distance, GracefulRestart, MAX_PASSWORD, Password, Peer, RemoteAsn};
use crate::names::{Kind, ObjectRef, PeerName};
use crate::snapshot::Snapshot;

/// IANA's port for BGP.
const PORT: u16 = 179;
/// Hold time where none is given, seconds; MetalLB's and RFC 4271 §10's.
const HOLD_S: u64 = 90;
/// Time between attempts to connect where none is given, seconds.
const CONNECT_S: u64 = 5;
/// Wait of a drain where none is given, seconds.
const DRAIN_S: u32 = 3;
/// How long a peer is asked to wait for us where nothing is said, seconds.
const RESTART_S: u16 = 60;
/// Greatest that fits into the twelve bits of the restart time (RFC 4724 §3), seconds.
const MAX_RESTART_S: u64 = 4_095;
/// Greatest that fits into an OPEN's hold time, seconds.
const MAX_TIME_S: u64 = 65_535;
/// Entry of a Secret that holds a password.
const PASSWORD_ENTRY: &str = "password";
/// Greatest AS number that may be used; the last one is reserved (RFC 7300).
const MAX_ASN: u64 = 4_294_967_294;

/// A peer.
pub(super) fn compile(
    name: &str,
    object: &BGPPeer,
    snapshot: &Snapshot,
    faults: &mut Faults,
) -> Option<Peer> {
    let own = &object.spec.fields;
    check(own, faults);
    let fields = match object.spec.template_ref.as_deref() {
        Some(template) => template::merge(own, template, snapshot, faults)?,
        None => own.clone(),
    };
    let password = password(&fields, snapshot, faults);
    let parts = require(&fields, faults);
    let read = read(&fields, &mut Faults::new(Kind::BGPPeer, name));
    let name = faults.parse::<PeerName>("metadata.name", name, Reason::InvalidName)?;
    let (my_asn, remote_asn) = parts?;
    let address = read.address?;
    let crossed = read
        .source
        .is_some_and(|source| source.is_ipv4() != address.is_ipv4());
    if crossed && !faults.refused() {
        faults.add(
            "spec.sourceAddress",
            Reason::Disagrees {
                other: "spec.peerAddress",
            },
        );
    }
    let families = families(&fields, address);
    Some(Peer {
        name,
        my_asn,
        local_asn: fields.local_asn,
        remote_asn,
        address,
        port: fields.peer_port.unwrap_or(PORT),
        source: read.source,
        router_id: read.router_id,
        hold_time: read.times.hold,
        keepalive_time: read.times.keepalive,
        connect_time: read.times.connect,
        password,
        distance: distance(&fields),
        passive: fields.passive.unwrap_or(false),
        families,
        graceful_restart: graceful_restart(&fields),
        nodes: Faults::new(Kind::BGPPeer, "").selectors("", fields.node_selectors.as_ref()),
        max_prefixes: fields.max_prefixes,
        drain_wait: Duration::from_secs(
            fields
                .drain
                .as_ref()
                .and_then(|drain| drain.wait_seconds)
                .unwrap_or(DRAIN_S)
                .into(),
        ),
    })
}

/// What of the fields has to be parsed.
struct Read {
    address: Option<IpAddr>,
    source: Option<IpAddr>,
    router_id: Option<Ipv4Addr>,
    times: Times,
}

struct Times {
    hold: Duration,
    keepalive: Duration,
    connect: Duration,
}

fn read(fields: &PeerFields, faults: &mut Faults) -> Read {
    let mut address = |field, text: Option<&String>| {
        text.and_then(|text| faults.parse::<IpAddr>(field, text, |_| Reason::InvalidAddress))
    };
    let peer = address("spec.peerAddress", fields.peer_address.as_ref());
    let source = address("spec.sourceAddress", fields.source_address.as_ref());
    let router_id = fields.router_id.as_ref().and_then(|text| {
        faults.parse::<Ipv4Addr>("spec.routerID", text, |_| Reason::InvalidAddress)
    });
    Read {
        address: peer,
        source,
        router_id,
        times: times(fields, faults),
    }
}

/// Everything that can be wrong with fields by themselves, in a peer or in a template.
pub(super) fn check(fields: &PeerFields, faults: &mut Faults) {
    exclusions(fields, faults);
    let read = read(fields, faults);
    faults.selectors("spec.nodeSelectors", fields.node_selectors.as_ref());
    for (field, asn) in [
        ("spec.myASN", fields.my_asn),
        ("spec.peerASN", fields.peer_asn),
        ("spec.localASN", fields.local_asn),
    ] {
        asn.and_then(|asn| faults.within(field, asn, 1, MAX_ASN));
    }
    fields
        .peer_port
        .and_then(|port| faults.within("spec.peerPort", port, 1, 65_535));
    fields
        .ttl_security_hops
        .and_then(|hops| faults.within("spec.ttlSecurityHops", hops, 1, 254));
    fields
        .max_prefixes
        .and_then(|max| faults.within("spec.maxPrefixes", max, 1, u32::MAX.into()));
    let restart = fields.graceful_restart.as_ref();
    restart
        .and_then(|times| times.restart_time_seconds)
        .and_then(|time| {
            let field = "spec.gracefulRestart.restartTimeSeconds";
            faults.within(field, time, 1, MAX_RESTART_S)
        });
    let wait = fields.drain.as_ref().and_then(|drain| drain.wait_seconds);
    wait.and_then(|wait| faults.within("spec.drain.waitSeconds", wait, 0, 300));
    let Some(address) = read.address else { return };
    if address.is_unspecified() || address.is_multicast() {
        faults.add("spec.peerAddress", Reason::InvalidAddress);
    }
    if read
        .source
        .is_some_and(|source| source.is_ipv4() != address.is_ipv4())
    {
        faults.add(
            "spec.sourceAddress",
            Reason::Disagrees {
                other: "spec.peerAddress",
            },
        );
    }
    if read.router_id.is_some_and(|id| id.is_unspecified()) {
        faults.add("spec.routerID", Reason::InvalidAddress);
    }
}

/// What the CEL rules of the CRD say, for sources of objects that do not evaluate them.
fn exclusions(fields: &PeerFields, faults: &mut Faults) {
    let ways = [
        ("spec.peerAddress", fields.peer_address.is_some()),
        ("spec.interface", fields.interface.is_some()),
        ("spec.peerPrefix", fields.peer_prefix.is_some()),
        ("spec.peerNodeSelector", fields.peer_node_selector.is_some()),
        ("spec.peerGateway", fields.peer_gateway.is_some()),
    ];
    let mut present = ways
        .iter()
        .filter(|(_, present)| *present)
        .map(|(field, _)| *field);
    if let (Some(other), Some(field)) = (present.next(), present.next()) {
        faults.add(field, Reason::Excludes { other });
    }
    if fields.peer_asn.is_some() && fields.dynamic_asn.is_some() {
        faults.add(
            "spec.dynamicASN",
            Reason::Excludes {
                other: "spec.peerASN",
            },
        );
    }
    if fields.password.is_some() && fields.password_secret.is_some() {
        faults.add(
            "spec.password",
            Reason::Excludes {
                other: "spec.passwordSecret",
            },
        );
    }
    if fields.ebgp_multi_hop == Some(true) && fields.ttl_security_hops.is_some() {
        faults.add(
            "spec.ttlSecurityHops",
            Reason::Excludes {
                other: "spec.ebgpMultiHop",
            },
        );
    }
    if fields.enable_graceful_restart == Some(false) && fields.graceful_restart.is_some() {
        faults.add(
            "spec.enableGracefulRestart",
            Reason::Disagrees {
                other: "spec.gracefulRestart",
            },
        );
    }
    let count = fields
        .families
        .as_ref()
        .map(|list| list.iter().collect::<BTreeSet<_>>().len());
    if count == Some(0) {
        faults.add("spec.families", Reason::Missing);
    }
    let (single, dual) = (
        fields.disable_mp == Some(true),
        fields.dual_stack_address_family,
    );
    if single && count == Some(2) {
        faults.add(
            "spec.disableMP",
            Reason::Disagrees {
                other: "spec.families",
            },
        );
    }
    if single && dual == Some(true) {
        let other = "spec.dualStackAddressFamily";
        faults.add("spec.disableMP", Reason::Disagrees { other });
    }
    if let (Some(count), Some(dual)) = (count, dual)
        && dual != (count == 2)
    {
        let other = "spec.families";
        faults.add("spec.dualStackAddressFamily", Reason::Disagrees { other });
    }
}

/// What must be there once template and peer are one.
fn require(fields: &PeerFields, faults: &mut Faults) -> Option<(u32, RemoteAsn)> {
    let named = fields.peer_address.is_some()
        || fields.interface.is_some()
        || fields.peer_prefix.is_some()
        || fields.peer_node_selector.is_some()
        || fields.peer_gateway.is_some();
    if !named {
        faults.add("spec.peerAddress", Reason::Missing);
    }
    if fields.my_asn.is_none() {
        faults.add("spec.myASN", Reason::Missing);
    }
    let remote = match (fields.peer_asn, fields.dynamic_asn) {
        (Some(asn), _) => RemoteAsn::Exact(asn),
        (None, Some(DynamicAsn::Internal)) => RemoteAsn::Internal,
        (None, Some(DynamicAsn::External)) => RemoteAsn::External,
        (None, None) => {
            faults.add("spec.peerASN", Reason::Missing);
            return None;
        }
    };
    Some((fields.my_asn?, remote))
}

/// A duration of whole seconds within bounds, or a problem and the fallback.
fn seconds(
    faults: &mut Faults,
    field: &str,
    text: Option<&String>,
    bounds: (u64, u64),
    fallback: u64,
) -> u64 {
    let (min_s, max_s) = bounds;
    let Some(text) = text else { return fallback };
    let whole = duration::parse(text).filter(|time| time.subsec_nanos() == 0);
    let whole = whole.map(|time| time.as_secs());
    let off = field == HOLD_FIELD && whole == Some(0);
    whole
        .filter(|s| off || (min_s..=max_s).contains(s))
        .unwrap_or_else(|| {
            faults.add(field, Reason::InvalidDuration { min_s, max_s });
            fallback
        })
}

/// The hold time may also be zero, which turns both timers off (RFC 4271 §4.2).
const HOLD_FIELD: &str = "spec.holdTime";

fn times(fields: &PeerFields, faults: &mut Faults) -> Times {
    let keepalive_field = "spec.keepaliveTime";
    let given = fields.keepalive_time.as_ref();
    // A keepalive time alone implies the hold time of which it is a third.
    let implied = given
        .and_then(|text| duration::parse(text))
        .map(|time| time.as_secs() * 3);
    let implied = implied.map_or(HOLD_S, |s| s.clamp(3, MAX_TIME_S));
    let hold = seconds(
        faults,
        HOLD_FIELD,
        fields.hold_time.as_ref(),
        (3, MAX_TIME_S),
        implied,
    );
    let keepalive = if hold == 0 {
        0
    } else {
        seconds(faults, keepalive_field, given, (1, hold - 1), hold / 3)
    };
    let connect = fields.connect_time.as_ref();
    let connect = seconds(
        faults,
        "spec.connectTime",
        connect,
        (1, MAX_TIME_S),
        CONNECT_S,
    );
    Times {
        hold: Duration::from_secs(hold),
        keepalive: Duration::from_secs(keepalive),
        connect: Duration::from_secs(connect),
    }
}

fn distance(fields: &PeerFields) -> Distance {
    match (fields.ttl_security_hops, fields.ebgp_multi_hop) {
        (Some(hops), _) => Distance::TtlSecurity { hops },
        (None, Some(true)) => Distance::MultiHop,
        (None, _) => Distance::Usual,
    }
}

/// `enableGracefulRestart: true` says the same as `gracefulRestart: {}`.
fn graceful_restart(fields: &PeerFields) -> Option<GracefulRestart> {
    let times = fields.graceful_restart.as_ref();
    let restart_time_s = times.and_then(|times| times.restart_time_seconds);
    let wanted = times.is_some() || fields.enable_graceful_restart == Some(true);
    wanted.then_some(GracefulRestart {
        restart_time_s: restart_time_s.unwrap_or(RESTART_S),
    })
}

fn families(fields: &PeerFields, address: IpAddr) -> BTreeSet<IpFamily> {
    let own = if address.is_ipv4() {
        IpFamily::IPv4
    } else {
        IpFamily::IPv6
    };
    match (&fields.families, fields.dual_stack_address_family) {
        (Some(list), _) => list.iter().copied().collect(),
        (None, Some(true)) => BTreeSet::from([IpFamily::IPv4, IpFamily::IPv6]),
        (None, _) => BTreeSet::from([own]),
    }
}

fn password(fields: &PeerFields, snapshot: &Snapshot, faults: &mut Faults) -> Option<Password> {
    if let Some(text) = &fields.password {
        if text.len() > MAX_PASSWORD {
            faults.add("spec.password", Reason::TooLong { max: MAX_PASSWORD });
        }
        if text.is_empty() {
            faults.add("spec.password", Reason::Missing);
        }
        return Some(Password::new(text.as_bytes()));
    }
    let reference = fields.password_secret.as_ref()?;
    let namespace = reference
        .namespace
        .as_deref()
        .unwrap_or(&snapshot.home_namespace);
    let key = (namespace.into(), reference.name.as_str().into());
    let name: Box<str> = format!("{namespace}/{}", reference.name).into();
    let Some(secret) = snapshot.secrets.get(&key) else {
        faults.add(
            "spec.passwordSecret",
            Reason::Unknown {
                kind: Kind::Secret,
                name,
            },
        );
        return None;
    };
    let entry = secret.entries.get(PASSWORD_ENTRY);
    let usable = entry.filter(|bytes| (1..=MAX_PASSWORD).contains(&bytes.expose().len()));
    if usable.is_none() {
        let key = PASSWORD_ENTRY;
        faults.add("spec.passwordSecret", Reason::SecretEntry { name, key });
    }
    usable.cloned()
}

/// Reference to a template.
fn template_ref(name: &str) -> ObjectRef {
    ObjectRef {
        kind: Kind::BGPPeerTemplate,
        namespace: None,
        name: name.into(),
    }
}
