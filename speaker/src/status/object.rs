//! The Speaker object: what everybody may read of one node, within bounds.

use ringbolt_bgp::policy::Withheld;
use ringbolt_bgp::router::{PeerStats, PerFamily, RouterStats};
use ringbolt_bgp::session::{DownReason, State};
use ringbolt_bgp::types::{Family, FamilySet, PeerId};
use ringbolt_bgp::wire::Capability;
use ringbolt_config::api::bgp_peer::IpFamily;
use ringbolt_config::api::condition::Condition;
use ringbolt_config::api::speaker::{
    InterfaceStatus, SessionError, SessionStatus, Speaker, SpeakerSpec, SpeakerStatus,
};
use ringbolt_l2_net::Stats as L2Stats;

use super::{ADDRESSES_LISTED, Picture, bounded};

/// Most sessions, and most interfaces, that an object lists.
const LISTED: usize = 256;
/// Most addresses of an interface, and most capabilities of a session, that an object lists.
const PARTS_LISTED: usize = 32;

/// The Speaker object of this node, with conditions that were brought up to date before.
pub(crate) fn speaker(picture: &Picture<'_>, conditions: Vec<Condition>) -> Speaker {
    let sessions: Vec<SessionStatus> = picture
        .router
        .map(|router| sessions(picture, router))
        .unwrap_or_default();
    let established = sessions
        .iter()
        .filter(|session| session.state == "Established")
        .count();
    let owned = picture.layer2.map(owned_addresses).unwrap_or_default();
    let status = SpeakerStatus {
        peers: Some(format!("{established}/{}", sessions.len())),
        sessions,
        owned_addresses: Some(count(owned.len())),
        addresses: owned.into_iter().take(ADDRESSES_LISTED).collect(),
        interfaces: picture.layer2.map(interfaces).unwrap_or_default(),
        routes_announced: Some(count(picture.planner.routes().len())),
        routes_installed: None,
        routes_refused: None,
        key_ids: picture.key_ids.to_vec(),
        config: Some(picture.planner.fingerprint().to_owned()).filter(|word| !word.is_empty()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        updated_at: Some(picture.time),
        conditions,
    };
    let mut speaker = Speaker::new(picture.planner.index().node_name().as_str(), SpeakerSpec {});
    speaker.status = Some(status);
    speaker
}

fn sessions(picture: &Picture<'_>, router: &RouterStats) -> Vec<SessionStatus> {
    let peers = router.peers.iter().take(LISTED);
    peers.map(|(id, peer)| session(picture, id, peer)).collect()
}

fn session(picture: &Picture<'_>, id: &PeerId, peer: &PeerStats) -> SessionStatus {
    let configured = picture.planner.peers().get(id);
    let negotiated = peer
        .negotiated
        .as_deref()
        .filter(|_| peer.state == State::Established);
    let total = |counts: &PerFamily<usize>| count(counts.ipv4 + counts.ipv6);
    SessionStatus {
        peer: id.to_string(),
        address: configured.map(|config| config.address.to_string()),
        state: peer.state.name().to_owned(),
        since: Some(picture.time_of(peer.since)),
        last_error: last_error(picture, id, peer),
        families: negotiated
            .map(|agreed| announced_families(agreed.families, &peer.withheld))
            .unwrap_or_default(),
        prefixes_in: total(&peer.prefixes_in),
        prefixes_out: total(&peer.prefixes_out),
        capabilities: negotiated
            .map(|agreed| {
                let capabilities = agreed.peer_capabilities.iter().take(PARTS_LISTED);
                capabilities.map(capability_name).collect()
            })
            .unwrap_or_default(),
        flaps: u32::try_from(peer.flaps).unwrap_or(u32::MAX),
    }
}

/// The families of a session in which routes are told: agreed on, and not withheld (contracts 5).
fn announced_families(agreed: FamilySet, withheld: &PerFamily<Option<Withheld>>) -> Vec<IpFamily> {
    let told = agreed
        .iter()
        .filter(|family| withheld.get(*family).is_none());
    told.map(ip_family).collect()
}

/// The NOTIFICATION that ended the last session or attempt, or what else did.
pub(super) fn last_error(
    picture: &Picture<'_>,
    id: &PeerId,
    peer: &PeerStats,
) -> Option<SessionError> {
    let down = peer.last_down.as_ref()?;
    let (record, way) = match down {
        DownReason::NotificationReceived(record) => (Some(record), "received"),
        DownReason::NotificationSent(record) => (Some(record), "sent"),
        _ => (None, ""),
    };
    let (code, subcode, text) = match record {
        Some(record) => (record.code, record.subcode, format!("{way} {record}")),
        None => {
            let text = picture.dial_error(id).unwrap_or_else(|| down.to_string());
            (0, 0, text)
        }
    };
    Some(SessionError {
        code,
        subcode,
        text: bounded(&text),
    })
}

/// A capability of a peer's OPEN by name, without what strangers put into it.
pub(super) fn capability_name(capability: &Capability) -> String {
    match capability {
        Capability::Multiprotocol(family) => match Family::from_afi_safi(*family) {
            Some(Family::Ipv4Unicast) => "IPv4 unicast".to_owned(),
            Some(Family::Ipv6Unicast) => "IPv6 unicast".to_owned(),
            None => format!("family {}/{}", family.afi, family.safi),
        },
        Capability::RouteRefresh => "route refresh".to_owned(),
        Capability::ExtendedNextHop(_) => "extended next hop".to_owned(),
        Capability::ExtendedMessage => "extended message".to_owned(),
        Capability::GracefulRestart(_) => "graceful restart".to_owned(),
        Capability::FourOctetAs(_) => "4-octet AS".to_owned(),
        Capability::EnhancedRouteRefresh => "enhanced route refresh".to_owned(),
        Capability::Unknown { code, .. } => format!("code {code}"),
    }
}

pub(super) fn ip_family(family: Family) -> IpFamily {
    match family {
        Family::Ipv4Unicast => IpFamily::IPv4,
        Family::Ipv6Unicast => IpFamily::IPv6,
    }
}

/// Addresses that this node answers for on some interface, in order.
pub(super) fn owned_addresses(stats: &L2Stats) -> Vec<String> {
    let wanted = stats.announcer.addresses.iter();
    let owned =
        wanted.filter(|(_, address)| address.on.values().any(|here| here.withheld.is_none()));
    owned.map(|(address, _)| address.to_string()).collect()
}

fn interfaces(stats: &L2Stats) -> Vec<InterfaceStatus> {
    let all = stats.interfaces.iter().take(LISTED);
    all.map(|interface| InterfaceStatus {
        name: interface.name.to_string(),
        mac: Some(interface.mac.to_string()),
        addresses: interface
            .addresses
            .iter()
            .take(PARTS_LISTED)
            .map(ToString::to_string)
            .collect(),
    })
    .collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
