//! A message as JSON. Owns the names that programs rely on; decides nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringbolt_bgp::types::Prefix;
use ringbolt_bgp::wire::{
    Aggregator, AsPath, AttrFault, DecodeError, FaultCause, Message, MessageType, NextHop,
    Notification, Open, Origin, PathAttributes, Reach, Reaction, RefreshKind, RouteRefresh,
    SegmentKind, Update,
};
use serde::Serialize;

use super::decode::Decoded;
use super::hex;

mod capability;

#[cfg(test)]
mod tests;

/// A message, what was wrong with it, and what follows from that.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    #[serde(flatten)]
    body: Body,
    reaction: Option<&'static str>,
    faults: Vec<Fault>,
    notification: Option<Note>,
}

impl Shown {
    /// Of what is no message: nobody reacts to it.
    pub(super) const fn nothing(kind: Option<&'static str>) -> Self {
        Self {
            kind,
            body: Body::Nothing {},
            reaction: None,
            faults: Vec::new(),
            notification: None,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
#[expect(
    clippy::large_enum_variant,
    reason = "UPDATE is the usual message, and one exists at a time"
)]
enum Body {
    Update(Routes),
    Open {
        asn: u32,
        router_id: String,
        hold_time: u16,
        capabilities: Vec<capability::Shown>,
    },
    Notification {
        #[serde(flatten)]
        note: Note,
        reason: &'static str,
        text: Option<String>,
    },
    RouteRefresh {
        family: String,
        subtype: &'static str,
    },
    Nothing {},
}

/// What an UPDATE says.
#[derive(Debug, Default, Serialize)]
struct Routes {
    withdrawn: Vec<String>,
    announced: Vec<String>,
    /// Of the first family announced.
    next_hop: Option<IpAddr>,
    /// One entry per family announced.
    next_hops: Vec<Hop>,
    attributes: Attributes,
    end_of_rib: bool,
    /// The family whose table is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<String>,
}

#[derive(Debug, Serialize)]
struct Hop {
    family: String,
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_local: Option<Ipv6Addr>,
}

/// Only what the message carries.
#[derive(Debug, Default, Serialize)]
struct Attributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_path: Option<Vec<Hops>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    med: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_pref: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    atomic_aggregate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregator: Option<Joiner>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    communities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    originator_id: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cluster_list: Vec<Ipv4Addr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extended_communities: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    large_communities: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<Foreign>,
}

/// A number of a sequence, or a segment of another kind under its name.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Hops {
    Number(u32),
    Set { set: Vec<u32> },
    ConfedSequence { confed_sequence: Vec<u32> },
    ConfedSet { confed_set: Vec<u32> },
}

#[derive(Debug, Serialize)]
struct Joiner {
    asn: u32,
    router: Ipv4Addr,
}

#[derive(Debug, Serialize)]
struct Foreign {
    code: u8,
    flags: u8,
    value: String,
}

#[derive(Debug, Serialize)]
struct Fault {
    /// `None` where no single attribute is at fault.
    attribute: Option<u8>,
    reaction: &'static str,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct Note {
    code: u8,
    subcode: u8,
    data: String,
}

/// All of a message that was decoded, or was not.
pub(super) fn message(decoded: &Decoded) -> Shown {
    let kind = decoded.kind.map(kind);
    match &decoded.outcome {
        Ok(message) => Shown {
            kind,
            body: body(message),
            reaction: Some(reaction(strongest(message))),
            faults: faults(message),
            notification: None,
        },
        Err(error) => Shown {
            kind,
            body: match decoded.kind {
                Some(MessageType::Update) => Body::Update(Routes::default()),
                _ => Body::Nothing {},
            },
            reaction: Some(reaction(Reaction::Reset)),
            faults: vec![broken(error)],
            notification: Some(note(&error.notification())),
        },
    }
}

/// The word for a message type.
pub(super) const fn kind(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Open => "open",
        MessageType::Update => "update",
        MessageType::Notification => "notification",
        MessageType::Keepalive => "keepalive",
        MessageType::RouteRefresh => "route_refresh",
    }
}

const fn reaction(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Accept => "accept",
        Reaction::Discard => "discard",
        Reaction::Withdraw => "withdraw",
        Reaction::Reset => "reset",
    }
}

fn strongest(message: &Message) -> Reaction {
    match message {
        Message::Update(update) => update.reaction(),
        Message::Open(_)
        | Message::Notification(_)
        | Message::Keepalive
        | Message::RouteRefresh(_) => Reaction::Accept,
    }
}

fn faults(message: &Message) -> Vec<Fault> {
    match message {
        Message::Update(update) => update.faults.iter().map(fault).collect(),
        Message::Open(_)
        | Message::Notification(_)
        | Message::Keepalive
        | Message::RouteRefresh(_) => Vec::new(),
    }
}

fn fault(fault: &AttrFault) -> Fault {
    Fault {
        attribute: (fault.code != 0).then_some(fault.code),
        reaction: reaction(fault.reaction),
        reason: cause(fault.cause),
    }
}

/// The one fault that ends a session.
fn broken(error: &DecodeError) -> Fault {
    let reason = match error {
        DecodeError::Attribute(worst) => return fault(worst),
        DecodeError::Marker => "marker",
        DecodeError::Length { .. } | DecodeError::RefreshLength { .. } => "message_length",
        DecodeError::Type { .. } => "message_type",
        DecodeError::Version { .. } => "version",
        DecodeError::PeerAsZero => "as_zero",
        DecodeError::RouterIdZero => "router_id_zero",
        DecodeError::HoldTime { .. } => "hold_time",
        DecodeError::OptionalParameter { .. } => "optional_parameter",
        DecodeError::OpenParameters => "open_parameters",
        DecodeError::UpdateSections => "update_sections",
        DecodeError::Nlri { .. } => "prefix",
    };
    Fault {
        attribute: None,
        reaction: reaction(Reaction::Reset),
        reason,
    }
}

/// One word per cause.
const fn cause(cause: FaultCause) -> &'static str {
    match cause {
        FaultCause::Flags => "flags",
        FaultCause::Length => "length",
        FaultCause::Value => "value",
        FaultCause::AsPath => "as_path",
        FaultCause::AsZero => "as_zero",
        FaultCause::ConfederationFromOutside => "confederation_from_outside",
        FaultCause::NextHop => "next_hop",
        FaultCause::NextHopNotNegotiated => "next_hop_not_negotiated",
        FaultCause::Repeated | FaultCause::MultiprotocolRepeated => "repeated",
        FaultCause::Multiprotocol => "multiprotocol",
        FaultCause::MultiprotocolNlri => "prefix",
        FaultCause::Missing => "missing",
        FaultCause::ListOverrun => "overrun",
        FaultCause::ListOverrunWithoutNlri => "overrun_without_prefixes",
        FaultCause::UnknownWellKnown => "unknown_well_known",
        FaultCause::NotFromThisPeer => "not_from_this_peer",
        FaultCause::FamilyNotNegotiated => "family_not_negotiated",
    }
}

fn note(notification: &Notification) -> Note {
    let (code, subcode) = notification.code.octets();
    Note {
        code,
        subcode,
        data: hex::text(&notification.data),
    }
}

fn body(message: &Message) -> Body {
    match message {
        Message::Open(open) => open_body(open),
        Message::Update(update) => Body::Update(routes(update)),
        Message::Notification(notification) => Body::Notification {
            note: note(notification),
            reason: notification.code.reason(),
            text: notification.text(),
        },
        Message::Keepalive => Body::Nothing {},
        Message::RouteRefresh(refresh) => refresh_body(refresh),
    }
}

fn open_body(open: &Open) -> Body {
    Body::Open {
        asn: open.asn.0,
        router_id: open.router_id.to_string(),
        hold_time: open.hold_time.as_secs(),
        capabilities: open.capabilities.iter().map(capability::shown).collect(),
    }
}

fn refresh_body(refresh: &RouteRefresh) -> Body {
    Body::RouteRefresh {
        family: capability::family(refresh.family),
        subtype: match refresh.kind {
            RefreshKind::Request => "request",
            RefreshKind::BeginOfRib => "begin_of_rib",
            RefreshKind::EndOfRib => "end_of_rib",
            RefreshKind::Unknown(_) => "unknown",
        },
    }
}

fn routes(update: &Update) -> Routes {
    let reaches = update
        .announced
        .as_ref()
        .map_or(&[][..], |announced| &announced.reaches);
    Routes {
        withdrawn: update.withdrawn.iter().map(Prefix::to_string).collect(),
        announced: reaches
            .iter()
            .flat_map(|reach| reach.prefixes.iter().map(Prefix::to_string))
            .collect(),
        next_hop: reaches.first().map(|reach| reach.next_hop.address()),
        next_hops: reaches.iter().map(hop).collect(),
        attributes: update
            .announced
            .as_ref()
            .map(|announced| attributes(&announced.attributes))
            .unwrap_or_default(),
        end_of_rib: update.end_of_rib.is_some(),
        family: update.end_of_rib.map(|family| family.to_string()),
    }
}

fn hop(reach: &Reach) -> Hop {
    Hop {
        family: reach.family.to_string(),
        address: reach.next_hop.address(),
        link_local: match reach.next_hop {
            NextHop::V6LinkLocal { link_local, .. } => Some(link_local),
            NextHop::V4(_) | NextHop::V6(_) => None,
        },
    }
}

fn attributes(attributes: &PathAttributes) -> Attributes {
    let joiner = |aggregator: Aggregator| Joiner {
        asn: aggregator.asn.0,
        router: aggregator.router,
    };
    Attributes {
        origin: Some(match attributes.origin {
            Origin::Igp => "igp",
            Origin::Egp => "egp",
            Origin::Incomplete => "incomplete",
        }),
        as_path: Some(as_path(&attributes.as_path)),
        med: attributes.med,
        local_pref: attributes.local_pref,
        atomic_aggregate: attributes.atomic_aggregate.then_some(true),
        aggregator: attributes.aggregator.map(joiner),
        communities: texts(&attributes.communities),
        originator_id: attributes.originator_id,
        cluster_list: attributes.cluster_list.clone(),
        extended_communities: attributes
            .extended_communities
            .iter()
            .map(|community| hex::text(&community.0))
            .collect(),
        large_communities: texts(&attributes.large_communities),
        unknown: attributes
            .unknown
            .iter()
            .map(|unknown| Foreign {
                code: unknown.code,
                flags: unknown.flags,
                value: hex::text(&unknown.bytes),
            })
            .collect(),
    }
}

fn texts(all: &[impl ToString]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn as_path(path: &AsPath) -> Vec<Hops> {
    path.segments()
        .flat_map(|segment| {
            let numbers: Vec<u32> = segment.asns().map(|asn| asn.0).collect();
            match segment.kind {
                SegmentKind::Sequence => numbers.into_iter().map(Hops::Number).collect(),
                SegmentKind::Set => vec![Hops::Set { set: numbers }],
                SegmentKind::ConfedSequence => vec![Hops::ConfedSequence {
                    confed_sequence: numbers,
                }],
                SegmentKind::ConfedSet => vec![Hops::ConfedSet {
                    confed_set: numbers,
                }],
            }
        })
        .collect()
}
