//! What a peer of the stateful target says: messages that are right, and some that are not quite; and the
//! few routes of our own.

use std::sync::Arc;

use bytes::BytesMut;
use ringbolt_bgp::policy::{Origination, OriginationKey, PeerSet, RouteAttributes};
use ringbolt_bgp::types::{Asn, Family, HoldTime, RouterId};
use ringbolt_bgp::wire::{
    self, AsnWidth, Capability, EncodeCtx, Message, MessageLimit, Notification, Open, RefreshKind,
    RouteRefresh,
};

/// Some message that needs no route.
pub(crate) fn message(kind: u8, octet: u8, asn_width: AsnWidth, asn: Asn) -> Vec<u8> {
    let message = match kind % 8 {
        0..=2 => Message::Open(open(octet, asn)),
        3..=5 => Message::Keepalive,
        6 => Message::RouteRefresh(RouteRefresh {
            family: Family::ALL[usize::from(octet % 2)].afi_safi(),
            kind: [
                RefreshKind::Request,
                RefreshKind::BeginOfRib,
                RefreshKind::EndOfRib,
            ][usize::from(octet / 2 % 3)],
        }),
        _ => Message::Notification(Notification::decode(&[octet / 16, octet % 16])),
    };
    let ctx = EncodeCtx {
        asn_width,
        limit: MessageLimit::Standard,
    };
    let mut bytes = BytesMut::new();
    wire::encode(&message, &ctx, &mut bytes).expect("only UPDATEs can be refused");
    bytes.to_vec()
}

fn open(octet: u8, asn: Asn) -> Open {
    let mut capabilities = vec![
        Capability::Multiprotocol(Family::Ipv4Unicast.afi_safi()),
        Capability::Multiprotocol(Family::Ipv6Unicast.afi_safi()),
        Capability::RouteRefresh,
        Capability::EnhancedRouteRefresh,
        Capability::FourOctetAs(asn),
    ];
    // Most OPENs offer everything.
    if octet & 1 != 0 {
        capabilities.pop();
    }
    if octet & 2 != 0 {
        capabilities.remove(0);
    }
    Open {
        asn,
        hold_time: HoldTime::from_secs(if octet & 4 == 0 { 90 } else { 3 }).expect("hold times"),
        router_id: RouterId::new(u32::from(octet / 8) + 1).expect("not zero"),
        capabilities,
    }
}

/// An UPDATE about one of a few prefixes: announced well, announced badly, or withdrawn.
pub(crate) fn route(octet: u8, fault: u8, width: AsnWidth) -> Vec<u8> {
    let prefix = [
        &[24, 203, 0, 113 + octet % 4][..],
        &[48, 0x20, 1, 0x0d, 0xb8, 0, octet % 4],
    ];
    let (v4, v6) = (prefix[0], prefix[1]);
    let origin: &[u8] = if fault % 16 == 1 {
        &[0x40, 1, 1, 3]
    } else {
        &[0x40, 1, 1, 0]
    };
    let path = match fault % 16 {
        2 => path(&[65_001, 65_000], width),
        3 => path(&[65_001, 0], width),
        _ => path(&[65_001], width),
    };
    let last = if fault % 16 == 4 { 1 } else { 2 };
    let hop = [0x40, 3, 4, 10, 0, 0, last];
    let more: &[u8] = match fault % 16 {
        5 => &[0x80, 4, 3, 0, 0, 1],
        6 => &[0x40, 1],
        7 => &[0xc0, 7, 1, 0],
        8 => &[0xc0, 99, 1, 0],
        9 => &[0x80, 9, 4, 0, 0, 0, 1],
        _ => &[],
    };
    let (withdrawn, attributes, nlri) = match octet / 4 % 6 {
        0 | 1 => (&[][..], [origin, &path, &hop, more].concat(), v4),
        2 => (v4, Vec::new(), &[][..]),
        3 => (
            &[][..],
            [origin, &path, more, &reach_6(last, v6)].concat(),
            &[][..],
        ),
        4 => (
            &[][..],
            [&[0x80, 15, 3 + 7, 0, 2, 1][..], v6].concat(),
            &[][..],
        ),
        _ => (v4, [origin, &path, &hop, more].concat(), v4),
    };
    let mut body = octets(withdrawn.len()).to_vec();
    body.extend(withdrawn);
    body.extend(octets(attributes.len()));
    body.extend(attributes);
    body.extend(nlri);
    framed(2, &body)
}

fn reach_6(last: u8, prefix: &[u8]) -> Vec<u8> {
    let mut value = vec![0x80, 14, 21 + 7, 0, 2, 1, 16, 0xfd];
    value.extend([0; 14]);
    value.extend([last, 0]);
    value.extend(prefix);
    value
}

fn path(asns: &[u32], width: AsnWidth) -> Vec<u8> {
    let count = u8::try_from(asns.len()).expect("short paths");
    let mut segment = vec![2, count];
    for asn in asns {
        let [high, low, rest @ ..] = asn.to_be_bytes();
        if width == AsnWidth::FourOctets {
            segment.extend([high, low]);
        }
        segment.extend(rest);
    }
    let length = u8::try_from(segment.len()).expect("short paths");
    [&[0x40, 2, length][..], &segment].concat()
}

/// Any body with a header that fits.
pub(crate) fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    bytes.extend(octets(body.len() + 19));
    bytes.push(kind % 7);
    bytes.extend(body);
    bytes
}

fn octets(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("short messages").to_be_bytes()
}

/// One of a few routes of ours.
pub(crate) fn origination(octet: u8) -> Origination {
    let text = if octet < 128 {
        format!("192.0.2.{}/32", octet % 8)
    } else {
        format!("2001:db8::{}/128", octet % 8)
    };
    Origination {
        key: OriginationKey {
            prefix: text.parse().expect("prefixes"),
            slot: 0,
        },
        attributes: Arc::new(RouteAttributes::default()),
        peers: PeerSet::All,
    }
}
