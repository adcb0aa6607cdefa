//! What must hold for any bytes a peer can send: they are split and decoded without a panic, an
//! error names a NOTIFICATION, and a decoded message survives being written and read again.
//!
//! Shared by the fuzz target and by the replay of its corpus, so it uses nothing but the codec's
//! public face. The first octet of an input chooses the session it arrives on.

use std::collections::BTreeSet;

use bytes::BytesMut;
use ringbolt_bgp::types::{Family, FamilySet, Peering, Prefix};
use ringbolt_bgp::wire::{
    self, AsnWidth, DecodeCtx, EncodeCtx, Message, MessageLimit, RefreshForm, Update,
};

/// Panics when a property does not hold.
pub(crate) fn holds_for(input: &[u8]) {
    let Some((session, stream)) = input.split_first() else {
        return;
    };
    let ctx = context(*session);
    let mut rest = stream;
    loop {
        match wire::frame(rest, ctx.limit) {
            Ok(Some(frame)) => {
                match wire::decode(frame, &ctx) {
                    Ok(message) => survives_the_wire(&message, &ctx),
                    Err(error) => drop(error.notification()),
                }
                rest = &rest[frame.len()..];
            }
            Ok(None) => return,
            Err(error) => return drop(error.notification()),
        }
    }
}

fn context(bits: u8) -> DecodeCtx {
    let set = |bit: u8| bits & (1 << bit) != 0;
    let families = |v4: bool, v6: bool| {
        let v4 = v4.then_some(Family::Ipv4Unicast);
        v4.into_iter()
            .chain(v6.then_some(Family::Ipv6Unicast))
            .collect()
    };
    DecodeCtx {
        asn_width: if set(0) {
            AsnWidth::TwoOctets
        } else {
            AsnWidth::FourOctets
        },
        families: families(!set(1), !set(2)),
        extended_next_hop: if set(3) {
            FamilySet::ALL
        } else {
            FamilySet::EMPTY
        },
        peering: if set(4) {
            Peering::Internal
        } else {
            Peering::External
        },
        refresh: if set(5) {
            RefreshForm::Plain
        } else {
            RefreshForm::Enhanced
        },
        limit: if set(6) {
            MessageLimit::Extended
        } else {
            MessageLimit::Standard
        },
    }
}

fn survives_the_wire(message: &Message, ctx: &DecodeCtx) {
    let mut buf = BytesMut::new();
    let encode = EncodeCtx {
        asn_width: ctx.asn_width,
        limit: ctx.limit,
    };
    if wire::encode(message, &encode, &mut buf).is_err() {
        // Attributes that fill a message without our way of writing them fit no message of ours.
        return;
    }
    let mut again = Vec::new();
    let mut rest = &*buf;
    while !rest.is_empty() {
        let frame = wire::frame(rest, ctx.limit).expect("own headers are right");
        let frame = frame.expect("own messages are complete");
        again.push(wire::decode(frame, ctx).expect("own messages are readable"));
        rest = &rest[frame.len()..];
    }
    if let Message::Update(update) = message {
        same_routes(update, &again);
    } else if ctx.limit == MessageLimit::Standard {
        assert_eq!(again.as_slice(), std::slice::from_ref(message));
    }
}

fn same_routes(update: &Update, again: &[Message]) {
    let mut withdrawn = BTreeSet::new();
    let mut announced = BTreeSet::new();
    for message in again {
        let Message::Update(part) = message else {
            panic!("UPDATEs make UPDATEs")
        };
        assert!(
            part.faults.is_empty(),
            "own messages are faultless: {:?}",
            part.faults
        );
        withdrawn.extend(part.withdrawn.iter().copied());
        announced.extend(prefixes(part));
        if let (Some(part), Some(whole)) = (&part.announced, &update.announced) {
            assert_eq!(part.attributes, whole.attributes);
        }
    }
    assert_eq!(withdrawn, update.withdrawn.iter().copied().collect());
    assert_eq!(announced, prefixes(update).collect());
}

fn prefixes(update: &Update) -> impl Iterator<Item = Prefix> {
    let reaches = update
        .announced
        .iter()
        .flat_map(|announced| &announced.reaches);
    reaches.flat_map(|reach| reach.prefixes.iter().copied())
}
