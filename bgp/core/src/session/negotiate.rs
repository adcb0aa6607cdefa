//! What two OPENs agree on, and what makes them disagree.
//!
//! Owns the OPEN we send ([`our_open`]) and the judgement of the peer's ([`negotiate`]), as far as
//! it depends on configuration; syntax has been judged by the decoder.

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use crate::types::{Asn, Family, FamilySet, HoldTime, Peering, RouterId};
use crate::wire::capability::{
    Capability, ExtendedNextHop, GracefulFamily, GracefulRestart as GracefulCapability,
};
use crate::wire::notification::OpenError;
use crate::wire::{
    AsnWidth, DecodeCtx, EncodeCtx, ErrorCode, MessageLimit, Notification, Open, RefreshForm,
};

use super::config::{PeerConfig, RemoteAsn};
use super::timers::Spans;

#[cfg(test)]
mod tests;

/// Who we are on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) router_id: RouterId,
    pub(crate) asn: Asn,
}

impl Identity {
    /// Who we are towards one peer, where that differs from who we are towards the rest.
    pub(crate) fn towards(self, peer: &PeerConfig) -> Self {
        Self {
            router_id: peer.router_id.unwrap_or(self.router_id),
            asn: peer.local_asn.unwrap_or(self.asn),
        }
    }
}

/// Whether this process has come back after a restart that peers may know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// No session has been complete since the process started: OPEN says so (RFC 4724 §3, R bit).
    Recovering,
    /// The initial routes have been sent; a later loss of the session is no restart.
    Settled,
}

/// What a session runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The AS number we showed.
    pub local_asn: Asn,
    /// The AS the peer is in.
    pub peer_asn: Asn,
    /// Who the peer says it is.
    pub peer_router_id: RouterId,
    /// iBGP or eBGP.
    pub peering: Peering,
    /// The smaller of both offers.
    pub hold_time: HoldTime,
    /// How often we send KEEPALIVE, before jitter; `None` with hold time 0.
    pub keepalive: Option<Duration>,
    /// Families both sides carry.
    pub families: FamilySet,
    /// Width of AS numbers.
    pub asn_width: AsnWidth,
    /// Whether the peer answers ROUTE-REFRESH, and in which form.
    pub refresh: Refresh,
    /// Families whose routes may have an IPv6 next hop although they are IPv4 (RFC 8950).
    pub extended_next_hop: FamilySet,
    /// The peer's graceful restart capability, where we offered ours as well.
    pub graceful_restart: Option<GracefulCapability>,
    /// Everything the peer offered, for people.
    pub peer_capabilities: Vec<Capability>,
}

/// How routes can be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refresh {
    /// Not at all.
    Unsupported,
    /// RFC 2918.
    Plain,
    /// RFC 7313: the answer is bracketed.
    Enhanced,
}

impl Negotiated {
    /// Whether a NOTIFICATION leaves the routes with the peer, so that only a Hard Reset takes them (RFC 8538 §3).
    pub(crate) fn keeps_routes_on_notification(&self) -> bool {
        self.graceful_restart
            .as_ref()
            .is_some_and(|theirs| theirs.notifications)
    }

    pub(crate) const fn decode_ctx(&self) -> DecodeCtx {
        DecodeCtx {
            asn_width: self.asn_width,
            families: self.families,
            extended_next_hop: self.extended_next_hop,
            peering: self.peering,
            refresh: match self.refresh {
                Refresh::Enhanced => RefreshForm::Enhanced,
                Refresh::Plain | Refresh::Unsupported => RefreshForm::Plain,
            },
            limit: MessageLimit::Standard,
        }
    }

    pub(crate) const fn encode_ctx(&self) -> EncodeCtx {
        EncodeCtx {
            asn_width: self.asn_width,
            limit: MessageLimit::Standard,
        }
    }
}

/// The OPEN we send on a connection whose own end is `local`.
pub(crate) fn our_open(config: &PeerConfig, us: Identity, local: IpAddr, restart: Restart) -> Open {
    let mut capabilities: Vec<Capability> = config
        .families
        .iter()
        .map(|family| Capability::Multiprotocol(family.afi_safi()))
        .collect();
    capabilities.push(Capability::RouteRefresh);
    if offers_ipv4_over_ipv6(config, local) {
        capabilities.push(Capability::ExtendedNextHop(vec![
            ExtendedNextHop::IPV4_OVER_IPV6,
        ]));
    }
    if let Some(graceful) = config.graceful_restart {
        capabilities.push(Capability::GracefulRestart(GracefulCapability {
            restarting: restart == Restart::Recovering,
            notifications: true,
            restart_time_s: graceful.restart_time_s,
            // What Services need in order to be reached is the kernel's: it forwards meanwhile.
            families: config
                .families
                .iter()
                .map(|family| GracefulFamily {
                    family: family.afi_safi(),
                    forwarding: true,
                })
                .collect(),
        }));
    }
    capabilities.push(Capability::FourOctetAs(us.asn));
    capabilities.push(Capability::EnhancedRouteRefresh);
    Open {
        asn: us.asn,
        hold_time: config.hold_time,
        router_id: us.router_id,
        capabilities,
    }
}

/// RFC 8950 is of use only where the session itself runs over IPv6.
const fn offers_ipv4_over_ipv6(config: &PeerConfig, local: IpAddr) -> bool {
    config.families.contains(Family::Ipv4Unicast) && matches!(local, IpAddr::V6(_))
}

/// Why an OPEN that can be read is refused: what it says, and what is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum OpenRefusal {
    #[error("it says AS {said}, {}", wanted(*configured, *ours))]
    PeerAs {
        said: Asn,
        configured: RemoteAsn,
        ours: Asn,
    },
    #[error("its BGP identifier {0} is ours")]
    RouterId(RouterId),
    #[error("it carries none of {}", names(*.0))]
    Families(FamilySet),
}

fn wanted(configured: RemoteAsn, ours: Asn) -> String {
    match configured {
        RemoteAsn::Exactly(asn) => format!("configured is {asn}"),
        RemoteAsn::Any(Peering::Internal) => format!("configured is ours, {ours}"),
        RemoteAsn::Any(Peering::External) => format!("configured is any but ours, {ours}"),
    }
}

fn names(families: FamilySet) -> String {
    let names: Vec<String> = families.iter().map(|family| family.to_string()).collect();
    names.join(", ")
}

impl OpenRefusal {
    /// The NOTIFICATION that refuses it (RFC 4271 §6.2).
    pub(crate) fn notification(self) -> Notification {
        let (error, contents) = match self {
            Self::PeerAs { .. } => (OpenError::BadPeerAs, Vec::new()),
            Self::RouterId(_) => (OpenError::BadIdentifier, Vec::new()),
            Self::Families(families) => (
                OpenError::UnsupportedCapability,
                required_capabilities(families),
            ),
        };
        Notification::new(ErrorCode::OpenMessage(error), contents)
    }
}

/// What follows from the peer's OPEN.
///
/// # Errors
/// Why it is refused.
pub(crate) fn negotiate(
    config: &PeerConfig,
    us: Identity,
    local: IpAddr,
    theirs: &Open,
) -> Result<Negotiated, OpenRefusal> {
    if !config.remote_asn.admits(theirs.asn, us.asn) {
        return Err(OpenRefusal::PeerAs {
            said: theirs.asn,
            configured: config.remote_asn,
            ours: us.asn,
        });
    }
    let peering = if theirs.asn == us.asn {
        Peering::Internal
    } else {
        Peering::External
    };
    // RFC 6286 §2.2: identifiers must differ inside an AS, and only there.
    if peering == Peering::Internal && theirs.router_id == us.router_id {
        return Err(OpenRefusal::RouterId(theirs.router_id));
    }
    let families = theirs.families().intersection(config.families);
    if families.is_empty() {
        return Err(OpenRefusal::Families(config.families));
    }
    let hold_time = config.hold_time.negotiate(theirs.hold_time);
    let extended = theirs.ipv4_over_ipv6() && offers_ipv4_over_ipv6(config, local);
    let refresh = match (theirs.route_refresh(), theirs.enhanced_route_refresh()) {
        (true, true) => Refresh::Enhanced,
        (true, false) => Refresh::Plain,
        (false, _) => Refresh::Unsupported,
    };
    Ok(Negotiated {
        local_asn: us.asn,
        peer_asn: theirs.asn,
        peer_router_id: theirs.router_id,
        peering,
        hold_time,
        keepalive: Spans::new(hold_time, config.keepalive).keepalive(),
        families,
        asn_width: if theirs.four_octet_as() {
            AsnWidth::FourOctets
        } else {
            AsnWidth::TwoOctets
        },
        refresh,
        extended_next_hop: if extended {
            FamilySet::only(Family::Ipv4Unicast)
        } else {
            FamilySet::EMPTY
        },
        graceful_restart: config
            .graceful_restart
            .and_then(|_| theirs.graceful_restart().cloned()),
        peer_capabilities: theirs.capabilities.clone(),
    })
}

/// RFC 5492 §5: the data of 2/7 lists the capabilities we would have needed.
fn required_capabilities(families: FamilySet) -> Vec<u8> {
    families
        .iter()
        .flat_map(|family| {
            let raw = family.afi_safi();
            let [high, low] = raw.afi.to_be_bytes();
            [1, 4, high, low, 0, raw.safi]
        })
        .collect()
}
