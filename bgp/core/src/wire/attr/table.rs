//! The rows: everything that differs from one attribute to the next.
//!
//! Adding an attribute is one row, a field in `PathAttributes` and `Collected`, and two functions.

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use super::super::fault::{FaultCause, Reaction};
use super::super::reader::exact;
use super::super::{AsnWidth, DecodeCtx, EncodeCtx};
use super::as_path::AsPath;
use super::{
    Aggregator, Collected, FLAG_OPTIONAL, FLAG_TRANSITIVE, Origin, PathAttributes, community, mp,
};
use crate::types::{Asn, Peering};

/// One attribute this speaker knows.
pub(super) struct Row {
    pub(super) code: u8,
    pub(super) class: Class,
    pub(super) scope: Scope,
    /// What a malformed value leads to.
    malformed: Reaction,
    pub(super) decode: Decode,
    pub(super) encode: Encode,
}

/// Reads a value into what has been collected.
type Decode = for<'a> fn(&mut Collected<'a>, u8, &'a [u8], &DecodeCtx) -> Result<(), FaultCause>;
/// Appends the value and returns `true` when the attribute is there.
type Encode = fn(&PathAttributes, &EncodeCtx, &mut BytesMut) -> bool;

/// Which of the two flags an attribute carries (RFC 4271 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    WellKnown,
    OptionalTransitive,
    OptionalNonTransitive,
}

impl Class {
    pub(super) const fn flags(self) -> u8 {
        match self {
            Self::WellKnown => FLAG_TRANSITIVE,
            Self::OptionalTransitive => FLAG_OPTIONAL | FLAG_TRANSITIVE,
            Self::OptionalNonTransitive => FLAG_OPTIONAL,
        }
    }
}

/// From whom an attribute is taken; from others it is discarded unread (RFC 7606 §7.5, §7.9,
/// §7.10; RFC 6793 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Anyone,
    InternalPeers,
    TwoOctetSpeakers,
}

impl Scope {
    pub(super) fn admits(self, ctx: &DecodeCtx) -> bool {
        match self {
            Self::Anyone => true,
            Self::InternalPeers => ctx.peering == Peering::Internal,
            Self::TwoOctetSpeakers => ctx.asn_width == AsnWidth::TwoOctets,
        }
    }
}

impl Row {
    const fn only_from(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// RFC 7606 §3 c. The companions of two-octet speakers never cost a route (RFC 6793 §6).
    pub(super) const fn on_wrong_flags(&self) -> Reaction {
        match self.scope {
            Scope::TwoOctetSpeakers => Reaction::Discard,
            Scope::Anyone | Scope::InternalPeers => Reaction::Withdraw,
        }
    }

    /// What a fault found in the value leads to.
    pub(super) const fn reaction(&self, cause: FaultCause) -> Reaction {
        match cause {
            FaultCause::Multiprotocol
            | FaultCause::MultiprotocolNlri
            | FaultCause::MultiprotocolRepeated
            | FaultCause::ListOverrunWithoutNlri => Reaction::Reset,
            FaultCause::FamilyNotNegotiated
            | FaultCause::NotFromThisPeer
            | FaultCause::Repeated => Reaction::Discard,
            FaultCause::Flags
            | FaultCause::Length
            | FaultCause::Value
            | FaultCause::AsPath
            | FaultCause::AsZero
            | FaultCause::ConfederationFromOutside
            | FaultCause::NextHop
            | FaultCause::NextHopNotNegotiated
            | FaultCause::Missing
            | FaultCause::ListOverrun
            | FaultCause::UnknownWellKnown => self.malformed,
        }
    }
}

/// The row of an attribute, when it has one.
pub(super) fn row(code: u8) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.code == code)
}

/// Shorthand for a row that anybody may send.
const fn anyone(
    code: u8,
    class: Class,
    malformed: Reaction,
    decode: Decode,
    encode: Encode,
) -> Row {
    Row {
        code,
        class,
        scope: Scope::Anyone,
        malformed,
        decode,
        encode,
    }
}

/// Every known attribute, ascending.
pub(super) static ROWS: &[Row] = &[
    anyone(
        1,
        Class::WellKnown,
        Reaction::Withdraw,
        decode_origin,
        encode_origin,
    ),
    anyone(
        2,
        Class::WellKnown,
        Reaction::Withdraw,
        decode_as_path,
        encode_as_path,
    ),
    // Judged with the prefixes it belongs to, and written by whoever knows them.
    anyone(
        3,
        Class::WellKnown,
        Reaction::Withdraw,
        decode_next_hop,
        absent,
    ),
    anyone(
        4,
        Class::OptionalNonTransitive,
        Reaction::Withdraw,
        decode_med,
        encode_med,
    ),
    anyone(
        5,
        Class::WellKnown,
        Reaction::Withdraw,
        decode_local_pref,
        encode_local_pref,
    )
    .only_from(Scope::InternalPeers),
    anyone(
        6,
        Class::WellKnown,
        Reaction::Discard,
        decode_atomic,
        encode_atomic,
    ),
    anyone(
        7,
        Class::OptionalTransitive,
        Reaction::Discard,
        decode_aggregator,
        encode_aggregator,
    ),
    anyone(
        8,
        Class::OptionalTransitive,
        Reaction::Withdraw,
        decode_communities,
        encode_communities,
    ),
    anyone(
        9,
        Class::OptionalNonTransitive,
        Reaction::Withdraw,
        decode_originator,
        encode_originator,
    )
    .only_from(Scope::InternalPeers),
    anyone(
        10,
        Class::OptionalNonTransitive,
        Reaction::Withdraw,
        decode_clusters,
        encode_clusters,
    )
    .only_from(Scope::InternalPeers),
    // Written around the prefixes by the message builder.
    anyone(
        14,
        Class::OptionalNonTransitive,
        Reaction::Withdraw,
        decode_mp_reach,
        absent,
    ),
    anyone(
        15,
        Class::OptionalNonTransitive,
        Reaction::Withdraw,
        decode_mp_unreach,
        absent,
    ),
    anyone(
        16,
        Class::OptionalTransitive,
        Reaction::Withdraw,
        decode_extended,
        encode_extended,
    ),
    anyone(
        17,
        Class::OptionalTransitive,
        Reaction::Discard,
        decode_as4_path,
        encode_as4_path,
    )
    .only_from(Scope::TwoOctetSpeakers),
    anyone(
        18,
        Class::OptionalTransitive,
        Reaction::Discard,
        decode_as4_aggregator,
        encode_as4_aggregator,
    )
    .only_from(Scope::TwoOctetSpeakers),
    // Checked, then carried like an unknown one.
    anyone(
        25,
        Class::OptionalTransitive,
        Reaction::Withdraw,
        decode_ipv6_extended,
        absent,
    ),
    anyone(
        32,
        Class::OptionalTransitive,
        Reaction::Withdraw,
        decode_large,
        encode_large,
    ),
];

fn absent(_: &PathAttributes, _: &EncodeCtx, _: &mut BytesMut) -> bool {
    false
}

fn u32_value(value: &[u8]) -> Result<u32, FaultCause> {
    exact(value)
        .map(u32::from_be_bytes)
        .ok_or(FaultCause::Length)
}

fn put_u32(value: Option<u32>, buf: &mut BytesMut) -> bool {
    value.map(|value| buf.put_u32(value)).is_some()
}

fn decode_origin(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.origin = Some(match exact(value).ok_or(FaultCause::Length)? {
        [0] => Origin::Igp,
        [1] => Origin::Egp,
        [2] => Origin::Incomplete,
        [_] => return Err(FaultCause::Value),
    });
    Ok(())
}

fn encode_origin(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    buf.put_u8(match from.origin {
        Origin::Igp => 0,
        Origin::Egp => 1,
        Origin::Incomplete => 2,
    });
    true
}

fn decode_as_path(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    ctx: &DecodeCtx,
) -> Result<(), FaultCause> {
    let path = AsPath::decode(value, ctx.asn_width)?;
    if ctx.peering == Peering::External && path.has_confederation() {
        return Err(FaultCause::ConfederationFromOutside);
    }
    to.as_path = Some(path);
    Ok(())
}

fn encode_as_path(from: &PathAttributes, ctx: &EncodeCtx, buf: &mut BytesMut) -> bool {
    from.as_path.encode(ctx.asn_width, buf);
    true
}

fn decode_next_hop<'a>(
    to: &mut Collected<'a>,
    _: u8,
    value: &'a [u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.next_hop = Some(value);
    Ok(())
}

fn decode_med(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.med = Some(u32_value(value)?);
    Ok(())
}

fn encode_med(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    put_u32(from.med, buf)
}

fn decode_local_pref(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.local_pref = Some(u32_value(value)?);
    Ok(())
}

fn encode_local_pref(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    put_u32(from.local_pref, buf)
}

fn decode_atomic(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    let [] = exact(value).ok_or(FaultCause::Length)?;
    to.atomic_aggregate = true;
    Ok(())
}

fn encode_atomic(from: &PathAttributes, _: &EncodeCtx, _: &mut BytesMut) -> bool {
    from.atomic_aggregate
}

/// RFC 7607 §2 forbids AS 0 here as everywhere.
fn aggregator(asn: u32, router: [u8; 4]) -> Result<Aggregator, FaultCause> {
    match asn {
        0 => Err(FaultCause::AsZero),
        _ => Ok(Aggregator {
            asn: Asn(asn),
            router: Ipv4Addr::from(router),
        }),
    }
}

fn wide_aggregator(value: &[u8]) -> Result<Aggregator, FaultCause> {
    let [a, b, c, d, router @ ..] = exact::<8>(value).ok_or(FaultCause::Length)?;
    aggregator(u32::from_be_bytes([a, b, c, d]), router)
}

fn decode_aggregator(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    ctx: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.aggregator = Some(match ctx.asn_width {
        AsnWidth::FourOctets => wide_aggregator(value)?,
        AsnWidth::TwoOctets => {
            let [a, b, router @ ..] = exact::<6>(value).ok_or(FaultCause::Length)?;
            aggregator(u32::from(u16::from_be_bytes([a, b])), router)?
        }
    });
    Ok(())
}

fn encode_aggregator(from: &PathAttributes, ctx: &EncodeCtx, buf: &mut BytesMut) -> bool {
    let Some(Aggregator { asn, router }) = from.aggregator else {
        return false;
    };
    match ctx.asn_width {
        AsnWidth::FourOctets => buf.put_u32(asn.0),
        AsnWidth::TwoOctets => buf.put_u16(asn.in_two_octets()),
    }
    buf.put_slice(&router.octets());
    true
}

fn decode_communities(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.communities = community::communities(value)?;
    Ok(())
}

fn encode_communities(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    community::encode_communities(&from.communities, buf);
    !from.communities.is_empty()
}

fn decode_originator(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.originator_id = Some(Ipv4Addr::from(u32_value(value)?));
    Ok(())
}

fn encode_originator(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    put_u32(from.originator_id.map(u32::from), buf)
}

fn decode_clusters(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.cluster_list = community::identifiers(value)?;
    Ok(())
}

fn encode_clusters(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    from.cluster_list
        .iter()
        .for_each(|cluster| buf.put_slice(&cluster.octets()));
    !from.cluster_list.is_empty()
}

fn decode_mp_reach(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    ctx: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.mp_reach = Some(mp::reach(value, ctx)?);
    Ok(())
}

fn decode_mp_unreach(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    ctx: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.mp_unreach = Some(mp::unreach(value, ctx)?);
    Ok(())
}

fn decode_extended(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.extended_communities = community::extended(value)?;
    Ok(())
}

fn encode_extended(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    community::encode_extended(&from.extended_communities, buf);
    !from.extended_communities.is_empty()
}

fn decode_as4_path(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.as4_path = Some(AsPath::decode(value, AsnWidth::FourOctets)?);
    Ok(())
}

fn encode_as4_path(from: &PathAttributes, ctx: &EncodeCtx, buf: &mut BytesMut) -> bool {
    let needed = ctx.asn_width == AsnWidth::TwoOctets && from.as_path.needs_four_octets();
    if needed {
        from.as_path.encode_as4(buf);
    }
    needed
}

fn decode_as4_aggregator(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.as4_aggregator = Some(wide_aggregator(value)?);
    Ok(())
}

fn encode_as4_aggregator(from: &PathAttributes, ctx: &EncodeCtx, buf: &mut BytesMut) -> bool {
    let wide = from
        .aggregator
        .filter(|aggregator| !aggregator.asn.fits_two_octets());
    let Some(Aggregator { asn, router }) = wide else {
        return false;
    };
    if ctx.asn_width == AsnWidth::FourOctets {
        return false;
    }
    buf.put_u32(asn.0);
    buf.put_slice(&router.octets());
    true
}

fn decode_ipv6_extended(
    to: &mut Collected<'_>,
    flags: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    community::ipv6_extended(value)?;
    to.keep(flags, 25, value);
    Ok(())
}

fn decode_large(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.large_communities = community::large(value)?;
    Ok(())
}

fn encode_large(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    community::encode_large(&from.large_communities, buf);
    !from.large_communities.is_empty()
}
