//! Groups and their messages.

use std::sync::Arc;

use super::*;
use crate::policy::{Origination, OriginationKey, PeerSet, RouteAttributes};
use crate::types::Asn;
use crate::wire::{AsPath, EncodeCtx, NextHop, Origin, PathAttributes};

fn table(count: u32) -> LocRib {
    let mut table = LocRib::new(Family::Ipv4Unicast);
    let attributes = Arc::new(RouteAttributes::default());
    for number in 0..count {
        let prefix = Prefix::new(std::net::Ipv4Addr::from(number).into(), 32).unwrap();
        let key = OriginationKey { prefix, slot: 0 };
        let attributes = Arc::clone(&attributes);
        table.originate(Origination {
            key,
            attributes,
            peers: PeerSet::All,
        });
    }
    table
}

fn blocks(count: u32) -> Vec<AttributeBlock> {
    let block = |number| {
        let mut attributes = PathAttributes::new(Origin::Igp, AsPath::sequence(&[Asn(1)]));
        attributes.med = Some(number);
        let next_hop = NextHop::V4([10, 0, 0, 1].into());
        AttributeBlock::new(
            &attributes,
            Family::Ipv4Unicast,
            next_hop,
            &EncodeCtx::USUAL,
        )
        .unwrap()
    };
    (0..count).map(block).collect()
}

/// How many of `due` went out, and what became of the rest.
fn pack(due: &[(BlockIndex, Slot)], tail: Tail) -> (usize, Packed) {
    let table = table(5000);
    let mut told = 0;
    let mut due = due.to_vec();
    let mut buf = BytesMut::new();
    let packed = announce(&mut due, &blocks(3), &table, tail, &mut buf, |_| told += 1);
    (told, packed)
}

#[test]
fn what_does_not_fill_another_message_waits_when_more_is_to_come() {
    let due: Vec<_> = (0..2000).map(|slot| (0, slot)).collect();
    let (told, packed) = pack(&due, Tail::Keep);
    assert_eq!(packed.messages, 2);
    assert_eq!(told + packed.kept.len(), 2000);
    assert!(!packed.kept.is_empty());
    let (told, packed) = pack(&due, Tail::Send);
    assert_eq!((told, packed.messages, packed.kept.len()), (2000, 3, 0));
}

#[test]
fn a_group_that_fills_no_message_goes_out_so_that_something_does() {
    let due: Vec<_> = (0..30).map(|slot| (slot % 3, slot)).collect();
    let (told, packed) = pack(&due, Tail::Keep);
    assert_eq!((told, packed.messages, packed.kept.len()), (30, 3, 0));
}

#[test]
fn nothing_due_is_no_message() {
    assert_eq!(pack(&[], Tail::Send).1.messages, 0);
    let mut buf = BytesMut::new();
    assert_eq!(
        withdraw(&[], Family::Ipv6Unicast, MessageLimit::Standard, &mut buf),
        0
    );
    assert!(buf.is_empty());
}

#[test]
fn withdrawals_fill_their_messages() {
    let gone: Vec<Prefix> = (0..2000)
        .map(|number| Prefix::new(std::net::Ipv4Addr::from(number).into(), 32).unwrap())
        .collect();
    let mut buf = BytesMut::new();
    let messages = withdraw(&gone, Family::Ipv4Unicast, MessageLimit::Standard, &mut buf);
    // 4096 octets less header and two lengths hold 814 of 5 octets each.
    assert_eq!(messages, 3);
    assert_eq!(buf.len(), 2000 * 5 + 3 * 23);
}
