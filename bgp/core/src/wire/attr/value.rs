//! How the value of each attribute is read and written: two functions per row of the table.
//!
//! A reader stores what it has read and names what is wrong with it; what follows from that is
//! the table's business. A writer appends the value and says whether the attribute is there.

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use super::super::fault::FaultCause;
use super::super::reader::exact;
use super::super::{AsnWidth, DecodeCtx, EncodeCtx};
use super::as_path::AsPath;
use super::{Aggregator, Collected, Origin, PathAttributes, community, mp};
use crate::types::{Asn, Peering};

pub(super) fn absent(_: &PathAttributes, _: &EncodeCtx, _: &mut BytesMut) -> bool {
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

pub(super) fn decode_origin(
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

pub(super) fn encode_origin(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    buf.put_u8(match from.origin {
        Origin::Igp => 0,
        Origin::Egp => 1,
        Origin::Incomplete => 2,
    });
    true
}

pub(super) fn decode_as_path(
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

pub(super) fn encode_as_path(from: &PathAttributes, ctx: &EncodeCtx, buf: &mut BytesMut) -> bool {
    from.as_path.encode(ctx.asn_width, buf);
    true
}

pub(super) fn decode_next_hop<'a>(
    to: &mut Collected<'a>,
    _: u8,
    value: &'a [u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.next_hop = Some(value);
    Ok(())
}

pub(super) fn decode_med(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.med = Some(u32_value(value)?);
    Ok(())
}

pub(super) fn encode_med(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    put_u32(from.med, buf)
}

pub(super) fn decode_local_pref(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.local_pref = Some(u32_value(value)?);
    Ok(())
}

pub(super) fn encode_local_pref(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    put_u32(from.local_pref, buf)
}

pub(super) fn decode_atomic(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    let [] = exact(value).ok_or(FaultCause::Length)?;
    to.atomic_aggregate = true;
    Ok(())
}

pub(super) fn encode_atomic(from: &PathAttributes, _: &EncodeCtx, _: &mut BytesMut) -> bool {
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

pub(super) fn decode_aggregator(
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

pub(super) fn encode_aggregator(
    from: &PathAttributes,
    ctx: &EncodeCtx,
    buf: &mut BytesMut,
) -> bool {
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

pub(super) fn decode_communities(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.communities = community::communities(value)?;
    Ok(())
}

pub(super) fn encode_communities(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    community::encode_communities(&from.communities, buf);
    !from.communities.is_empty()
}

pub(super) fn decode_originator(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.originator_id = Some(Ipv4Addr::from(u32_value(value)?));
    Ok(())
}

pub(super) fn encode_originator(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    put_u32(from.originator_id.map(u32::from), buf)
}

pub(super) fn decode_clusters(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.cluster_list = community::identifiers(value)?;
    Ok(())
}

pub(super) fn encode_clusters(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    from.cluster_list
        .iter()
        .for_each(|cluster| buf.put_slice(&cluster.octets()));
    !from.cluster_list.is_empty()
}

pub(super) fn decode_mp_reach(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    ctx: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.mp_reach = Some(mp::reach(value, ctx)?);
    Ok(())
}

pub(super) fn decode_mp_unreach(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    ctx: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.mp_unreach = Some(mp::unreach(value, ctx)?);
    Ok(())
}

pub(super) fn decode_extended(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.extended_communities = community::extended(value)?;
    Ok(())
}

pub(super) fn encode_extended(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    community::encode_extended(&from.extended_communities, buf);
    !from.extended_communities.is_empty()
}

pub(super) fn decode_as4_path(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.as4_path = Some(AsPath::decode(value, AsnWidth::FourOctets)?);
    Ok(())
}

pub(super) fn encode_as4_path(from: &PathAttributes, ctx: &EncodeCtx, buf: &mut BytesMut) -> bool {
    let needed = ctx.asn_width == AsnWidth::TwoOctets && from.as_path.needs_four_octets();
    if needed {
        from.as_path.encode_as4(buf);
    }
    needed
}

pub(super) fn decode_as4_aggregator(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.as4_aggregator = Some(wide_aggregator(value)?);
    Ok(())
}

pub(super) fn encode_as4_aggregator(
    from: &PathAttributes,
    ctx: &EncodeCtx,
    buf: &mut BytesMut,
) -> bool {
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

pub(super) fn decode_ipv6_extended(
    to: &mut Collected<'_>,
    flags: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    community::ipv6_extended(value)?;
    to.keep(flags, 25, value);
    Ok(())
}

pub(super) fn decode_large(
    to: &mut Collected<'_>,
    _: u8,
    value: &[u8],
    _: &DecodeCtx,
) -> Result<(), FaultCause> {
    to.large_communities = community::large(value)?;
    Ok(())
}

pub(super) fn encode_large(from: &PathAttributes, _: &EncodeCtx, buf: &mut BytesMut) -> bool {
    community::encode_large(&from.large_communities, buf);
    !from.large_communities.is_empty()
}
