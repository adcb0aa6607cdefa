//! UPDATE in both directions, and tables packed into as few messages as there can be.

use std::net::Ipv4Addr;

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::tests::{CTX, both_ways, cut_at_every_length, decode_one, encoded, values};
use super::super::{
    AsPath, AsnWidth, Community, DecodeCtx, EncodeCtx, Message, MessageLimit, Origin,
    UnknownAttribute, frame,
};
use super::*;
use crate::types::{Asn, FamilySet};

fn attributes() -> PathAttributes {
    PathAttributes::new(Origin::Igp, AsPath::sequence(&[Asn(65_001)]))
}

fn announcing(next_hop: NextHop, prefixes: &[&str]) -> Update {
    let prefixes: Vec<Prefix> = prefixes
        .iter()
        .map(|prefix| prefix.parse().unwrap())
        .collect();
    let family = Family::of(&prefixes[0]);
    let reaches = vec![Reach {
        family,
        next_hop,
        prefixes,
    }];
    let announced = Some(Announcement {
        attributes: attributes(),
        reaches,
    });
    Update {
        announced,
        ..Update::default()
    }
}

#[test]
fn ipv4_with_an_ipv4_next_hop_takes_the_classic_form() {
    let update = announcing(NextHop::V4(Ipv4Addr::new(10, 0, 0, 1)), &["203.0.113.5/32"]);
    both_ways(
        "ffffffffffffffffffffffffffffffff 0030 02 0000 0014
         40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 0a000001
         20 cb007105",
        &Message::Update(update),
    );
}

#[test]
fn ipv6_takes_mp_reach_without_a_classic_next_hop() {
    let update = announcing(
        NextHop::V6("2001:db8::1".parse().unwrap()),
        &["2001:db8:1::/48"],
    );
    both_ways(
        "ffffffffffffffffffffffffffffffff 0044 02 0000 002d
         40 01 01 00  40 02 06 02 01 0000fde9
         90 0e 001c 0002 01 10 20010db8000000000000000000000001 00 30 20010db80001",
        &Message::Update(update),
    );
}

#[test]
fn ipv4_with_an_ipv6_next_hop_takes_mp_reach() {
    let update = announcing(NextHop::V6("2001:db8::1".parse().unwrap()), &["10.0.0.0/8"]);
    let bytes = encoded(&Message::Update(update.clone()), &EncodeCtx::USUAL);
    let ctx = DecodeCtx {
        extended_next_hop: FamilySet::ALL,
        ..CTX
    };
    assert_eq!(decode_one(&bytes, &ctx), Ok(Message::Update(update)));
}

#[test]
fn attributes_behind_mp_reach_stay_behind_it() {
    let mut update = announcing(
        NextHop::V6("2001:db8::1".parse().unwrap()),
        &["2001:db8::/32"],
    );
    let unknown = UnknownAttribute {
        code: 32 + 8,
        flags: 0xe0,
        bytes: [1, 2, 3].into(),
    };
    update
        .announced
        .as_mut()
        .unwrap()
        .attributes
        .unknown
        .push(unknown);
    let bytes = encoded(&Message::Update(update.clone()), &EncodeCtx::USUAL);
    assert_eq!(bytes[bytes.len() - 6..], [0xe0, 40, 3, 1, 2, 3]);
    assert_eq!(decode_one(&bytes, &CTX), Ok(Message::Update(update)));
}

#[test]
fn withdrawals_read_both_ways() {
    let withdrawn = |prefix: &str| {
        let withdrawn = vec![prefix.parse().unwrap()];
        Message::Update(Update {
            withdrawn,
            ..Update::default()
        })
    };
    both_ways(
        "ffffffffffffffffffffffffffffffff 001c 02 0005 20 cb007105 0000",
        &withdrawn("203.0.113.5/32"),
    );
    both_ways(
        "ffffffffffffffffffffffffffffffff 0025 02 0000 000e
         90 0f 000a 0002 01 30 20010db80001",
        &withdrawn("2001:db8:1::/48"),
    );
}

#[test]
fn end_of_rib_reads_both_ways() {
    let complete = |family| {
        Message::Update(Update {
            end_of_rib: Some(family),
            ..Update::default()
        })
    };
    both_ways(
        "ffffffffffffffffffffffffffffffff 0017 02 0000 0000",
        &complete(Family::Ipv4Unicast),
    );
    both_ways(
        "ffffffffffffffffffffffffffffffff 001d 02 0000 0006 80 0f 03 0002 01",
        &complete(Family::Ipv6Unicast),
    );
}

#[test]
fn end_of_rib_for_a_family_not_negotiated_is_none() {
    let mut bytes = BytesMut::new();
    encode_end_of_rib(Family::Ipv6Unicast, &mut bytes);
    let ctx = DecodeCtx {
        families: FamilySet::only(Family::Ipv4Unicast),
        ..CTX
    };
    let Ok(Message::Update(update)) = decode_one(&bytes, &ctx) else {
        panic!("ignored")
    };
    assert_eq!(update.end_of_rib, None);
    assert_eq!(update.reaction(), Reaction::Discard);
}

/// Host routes from 10.0.0.0 on.
fn hosts(count: u32) -> Vec<Prefix> {
    let host = |n| {
        ipnet::Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + n), 32)
            .unwrap()
            .into()
    };
    (0..count).map(host).collect()
}

/// Packs prefixes as an exporter does and returns the number of messages.
fn pack(prefixes: &[Prefix], block: &AttributeBlock, buf: &mut BytesMut) -> usize {
    let mut rest = prefixes;
    let mut messages = 0;
    while !rest.is_empty() {
        let mut builder = UpdateBuilder::announce(buf, block);
        while let Some((prefix, behind)) = rest.split_first() {
            match builder.push(prefix) {
                Room::Added => rest = behind,
                Room::Full => break,
            }
        }
        assert!(builder.finish() > 0);
        messages += 1;
    }
    messages
}

#[test]
fn a_hundred_thousand_host_routes_take_the_ideal_number_of_messages() {
    let next_hop = NextHop::V4(Ipv4Addr::new(10, 0, 0, 1));
    let block = AttributeBlock::new(
        &attributes(),
        Family::Ipv4Unicast,
        next_hop,
        &EncodeCtx::USUAL,
    )
    .unwrap();
    let prefixes = hosts(100_000);
    let mut buf = BytesMut::new();
    let messages = pack(&prefixes, &block, &mut buf);
    // 4096 - 19 - 4 - 20 octets of attributes leave room for 810 prefixes of 5 octets.
    assert_eq!(messages, 100_000_usize.div_ceil(810));

    let mut rest = &*buf;
    let mut read = Vec::new();
    while let Some(framed) = frame(rest, MessageLimit::Standard).unwrap() {
        let update = Update::decode(framed.body(), &CTX).unwrap();
        read.extend(update.announced.unwrap().reaches.remove(0).prefixes);
        rest = &rest[framed.len()..];
    }
    assert_eq!(read, prefixes);
}

#[test]
fn long_messages_carry_more_once_negotiated() {
    let ctx = EncodeCtx {
        limit: MessageLimit::Extended,
        ..EncodeCtx::USUAL
    };
    let next_hop = NextHop::V4(Ipv4Addr::new(10, 0, 0, 1));
    let block = AttributeBlock::new(&attributes(), Family::Ipv4Unicast, next_hop, &ctx).unwrap();
    let messages = pack(&hosts(13_098), &block, &mut BytesMut::new());
    assert_eq!(messages, 1);
}

#[test]
fn a_message_without_prefixes_is_not_written() {
    let mut buf = BytesMut::from(&b"before"[..]);
    let builder = UpdateBuilder::withdraw(&mut buf, Family::Ipv6Unicast, MessageLimit::Standard);
    assert_eq!(builder.finish(), 0);
    assert_eq!(buf, b"before"[..]);
}

#[test]
fn attributes_that_leave_no_room_are_refused() {
    let next_hop = NextHop::V4(Ipv4Addr::new(10, 0, 0, 1));
    let with = |count| PathAttributes {
        communities: vec![Community(1); count],
        ..attributes()
    };
    let block = |count| {
        AttributeBlock::new(
            &with(count),
            Family::Ipv4Unicast,
            next_hop,
            &EncodeCtx::USUAL,
        )
    };
    // 43 octets are taken, 4 go to the header of COMMUNITIES, 5 to a prefix.
    let most = (4_096 - 43 - 4 - 5) / 4;
    assert_eq!(
        pack(&hosts(3), &block(most).unwrap(), &mut BytesMut::new()),
        3
    );
    assert!(matches!(
        block(most + 1),
        Err(BlockRefusal::TooLarge { .. })
    ));
    assert!(matches!(block(20_000), Err(BlockRefusal::TooLarge { .. })));
    let wrong = AttributeBlock::new(
        &attributes(),
        Family::Ipv6Unicast,
        next_hop,
        &EncodeCtx::USUAL,
    );
    assert_eq!(wrong, Err(BlockRefusal::NextHopFamily));
}

proptest! {
    #[test]
    fn updates_survive_the_wire(update in values::update()) {
        let message = Message::Update(update);
        let bytes = encoded(&message, &EncodeCtx::USUAL);
        prop_assert_eq!(decode_one(&bytes, &CTX), Ok(message));
    }

    #[test]
    fn updates_survive_an_old_speaker(update in values::update()) {
        let message = Message::Update(update);
        let ctx = EncodeCtx { asn_width: AsnWidth::TwoOctets, ..EncodeCtx::USUAL };
        let bytes = encoded(&message, &ctx);
        let ctx = DecodeCtx { asn_width: AsnWidth::TwoOctets, ..CTX };
        let read = decode_one(&bytes, &ctx).unwrap();
        let (Message::Update(read), Message::Update(sent)) = (read, message) else {
            panic!("UPDATE in, UPDATE out")
        };
        prop_assert_eq!(read.reaction(), Reaction::Accept);
        prop_assert_eq!(read.announced.is_some(), sent.announced.is_some());
    }

    #[test]
    fn updates_can_be_cut_anywhere(update in values::update()) {
        cut_at_every_length(&encoded(&Message::Update(update), &EncodeCtx::USUAL));
    }

    #[test]
    fn every_message_keeps_to_its_limit(
        update in values::update(),
        prefixes in prop::collection::vec(values::prefix(Family::Ipv4Unicast), 0..2_000),
    ) {
        let withdrawn = Update { withdrawn: prefixes, ..Update::default() };
        for update in [update, withdrawn] {
            let bytes = encoded(&Message::Update(update), &EncodeCtx::USUAL);
            let mut rest = &*bytes;
            while !rest.is_empty() {
                let framed = frame(rest, MessageLimit::Standard).unwrap().expect("complete");
                prop_assert!(Update::decode(framed.body(), &CTX).is_ok());
                rest = &rest[framed.len()..];
            }
        }
    }
}
