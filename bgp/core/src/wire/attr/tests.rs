//! Attribute lists: order on the wire, flags, the table's own consistency.

use super::super::tests::{CTX, INTERNAL, hex};
use super::super::{AsnWidth, DecodeCtx, EncodeCtx};
use super::*;

fn written(attributes: &PathAttributes, ctx: &EncodeCtx) -> Vec<u8> {
    let next_hop = Some(Ipv4Addr::new(10, 0, 0, 1));
    let mut buf = BytesMut::new();
    attributes.encode(next_hop, Side::BeforeMpReach, ctx, &mut buf);
    attributes.encode(next_hop, Side::AfterMpReach, ctx, &mut buf);
    buf.to_vec()
}

fn everything() -> PathAttributes {
    PathAttributes {
        med: Some(5),
        local_pref: Some(100),
        atomic_aggregate: true,
        aggregator: Some(Aggregator {
            asn: Asn(4_200_000_001),
            router: Ipv4Addr::new(1, 1, 1, 1),
        }),
        communities: vec![Community::NO_EXPORT],
        originator_id: Some(Ipv4Addr::new(2, 2, 2, 2)),
        cluster_list: vec![Ipv4Addr::new(3, 3, 3, 3)],
        extended_communities: vec![ExtendedCommunity([0, 2, 0, 0, 0, 0, 0, 1])],
        large_communities: vec![LargeCommunity {
            global: 1,
            local_1: 2,
            local_2: 3,
        }],
        unknown: vec![UnknownAttribute {
            code: 26,
            flags: 0xe0,
            bytes: [9].into(),
        }],
        ..PathAttributes::new(Origin::Igp, AsPath::sequence(&[Asn(4_200_000_001)]))
    }
}

#[test]
fn everything_reads_both_ways_in_ascending_order() {
    let bytes = hex("
        40 01 01 00
        40 02 06 02 01 fa56ea01
        40 03 04 0a000001
        80 04 04 00000005
        40 05 04 00000064
        40 06 00
        c0 07 08 fa56ea01 01010101
        c0 08 04 ffffff01
        80 09 04 02020202
        80 0a 04 03030303
        c0 10 08 0002000000000001
        e0 1a 01 09
        c0 20 0c 00000001 00000002 00000003");
    assert_eq!(written(&everything(), &EncodeCtx::USUAL), bytes);
    let collected = Collected::decode(&bytes, &INTERNAL);
    assert_eq!(collected.faults, []);
    assert_eq!(collected.into_attributes(), Some(everything()));
}

#[test]
fn an_old_speaker_gets_companions_and_gives_the_whole_back() {
    let ctx = EncodeCtx {
        asn_width: AsnWidth::TwoOctets,
        ..EncodeCtx::USUAL
    };
    let bytes = written(&everything(), &ctx);
    let companions = hex("c0 11 06 02 01 fa56ea01 c0 12 08 fa56ea01 01010101");
    assert!(
        bytes
            .windows(companions.len())
            .any(|window| window == companions)
    );
    let ctx = DecodeCtx {
        asn_width: AsnWidth::TwoOctets,
        ..INTERNAL
    };
    let collected = Collected::decode(&bytes, &ctx);
    assert_eq!(collected.faults, []);
    assert_eq!(collected.into_attributes(), Some(everything()));
}

#[test]
fn companions_are_stale_once_an_old_speaker_has_aggregated() {
    let ctx = DecodeCtx {
        asn_width: AsnWidth::TwoOctets,
        ..CTX
    };
    let bytes = hex("
        40 01 01 00  40 02 04 02 01 5ba0  c0 07 06 0007 01010101
        c0 11 06 02 01 fa56ea01  c0 12 08 fa56ea01 01010101");
    let attributes = Collected::decode(&bytes, &ctx).into_attributes().unwrap();
    assert_eq!(attributes.as_path, AsPath::sequence(&[Asn::TRANS]));
    assert_eq!(attributes.aggregator.unwrap().asn, Asn(7));
}

#[test]
fn a_narrow_aggregator_alone_does_not_make_the_path_stale() {
    let ctx = DecodeCtx {
        asn_width: AsnWidth::TwoOctets,
        ..CTX
    };
    let bytes = hex("
        40 01 01 00  40 02 04 02 01 5ba0  c0 07 06 0007 01010101  c0 11 06 02 01 fa56ea01");
    let attributes = Collected::decode(&bytes, &ctx).into_attributes().unwrap();
    assert_eq!(attributes.as_path, AsPath::sequence(&[Asn(4_200_000_001)]));
}

#[test]
fn malformed_companions_cost_nothing() {
    let ctx = DecodeCtx {
        asn_width: AsnWidth::TwoOctets,
        ..CTX
    };
    let bytes = hex("40 01 01 00  40 02 04 02 01 fdea  c0 11 03 02 ff 00  40 12 00");
    let collected = Collected::decode(&bytes, &ctx);
    assert!(
        collected
            .faults
            .iter()
            .all(|fault| fault.reaction == Reaction::Discard)
    );
    assert_eq!(collected.faults.len(), 2);
    let attributes = collected.into_attributes().unwrap();
    assert_eq!(attributes.as_path, AsPath::sequence(&[Asn(65_002)]));
}

#[test]
fn a_value_of_256_octets_takes_a_long_length() {
    let communities = vec![Community(1); 64];
    let attributes = PathAttributes {
        communities,
        ..PathAttributes::new(Origin::Igp, AsPath::empty())
    };
    let bytes = written(&attributes, &EncodeCtx::USUAL);
    let header = hex("d0 08 0100");
    assert!(bytes.windows(4).any(|window| window == header));
    let read = Collected::decode(&bytes, &CTX).into_attributes();
    assert_eq!(read, Some(attributes));
}

#[test]
fn the_table_is_ascending_and_its_rows_are_distinct() {
    let codes: Vec<u8> = table::ROWS.iter().map(|row| row.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
}

#[test]
fn a_list_cut_anywhere_is_survived_and_noticed_inside_an_attribute() {
    let bytes = written(&everything(), &EncodeCtx::USUAL);
    let mut boundaries = vec![0];
    let mut reader = Reader::new(&bytes);
    while attribute(&mut reader).is_some() {
        boundaries.push(bytes.len() - reader.remaining());
    }
    for length in 0..=bytes.len() {
        let collected = Collected::decode(&bytes[..length], &INTERNAL);
        let overrun = collected
            .faults
            .iter()
            .any(|f| f.cause == FaultCause::ListOverrun);
        assert_eq!(overrun, !boundaries.contains(&length), "{length} octets");
    }
}

#[test]
fn codes_are_remembered_in_both_halves() {
    let mut seen = Seen::default();
    for code in [0, 127, 128, 255] {
        assert!(!seen.contains(code));
        seen.insert(code);
        assert!(seen.contains(code));
    }
    assert_eq!(seen.len(), 4);
}
