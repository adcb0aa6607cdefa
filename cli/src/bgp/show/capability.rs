//! Capabilities of an OPEN as JSON.

use ringbolt_bgp::types::{AfiSafi, Family};
use ringbolt_bgp::wire::Capability;
use serde::Serialize;

use super::hex;

/// One capability: its code, its name where it has one, and what it says.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    code: u8,
    name: &'static str,
    #[serde(flatten)]
    value: Value,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value {
    Nothing {},
    Family {
        family: String,
    },
    Families {
        families: Vec<String>,
    },
    Restart {
        restarting: bool,
        notifications: bool,
        restart_time: u16,
        families: Vec<Kept>,
    },
    Asn {
        asn: u32,
    },
    Octets {
        value: String,
    },
}

#[derive(Debug, Serialize)]
struct Kept {
    family: String,
    forwarding: bool,
}

pub(super) fn shown(capability: &Capability) -> Shown {
    let (name, value) = match capability {
        Capability::Multiprotocol(raw) => (
            "multiprotocol",
            Value::Family {
                family: family(*raw),
            },
        ),
        Capability::RouteRefresh => ("route_refresh", Value::Nothing {}),
        Capability::ExtendedNextHop(entries) => (
            "extended_next_hop",
            Value::Families {
                families: entries.iter().map(|entry| family(entry.prefixes)).collect(),
            },
        ),
        Capability::ExtendedMessage => ("extended_message", Value::Nothing {}),
        Capability::GracefulRestart(graceful) => (
            "graceful_restart",
            Value::Restart {
                restarting: graceful.restarting,
                notifications: graceful.notifications,
                restart_time: graceful.restart_time_s,
                families: graceful
                    .families
                    .iter()
                    .map(|kept| Kept {
                        family: family(kept.family),
                        forwarding: kept.forwarding,
                    })
                    .collect(),
            },
        ),
        Capability::FourOctetAs(asn) => ("four_octet_as", Value::Asn { asn: asn.0 }),
        Capability::EnhancedRouteRefresh => ("enhanced_route_refresh", Value::Nothing {}),
        Capability::Unknown { bytes, .. } => (
            "unknown",
            Value::Octets {
                value: hex::text(bytes),
            },
        ),
    };
    Shown {
        code: capability.code(),
        name,
        value,
    }
}

/// The name of a family, or its numbers as `AFI/SAFI`.
pub(super) fn family(raw: AfiSafi) -> String {
    Family::from_afi_safi(raw).map_or_else(|| raw.to_string(), |family| family.to_string())
}
