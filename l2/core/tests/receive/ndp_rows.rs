//! Rows 29 to 47: Neighbor Discovery.
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use pnet_packet::icmpv6::{Icmpv6Packet, checksum};
use ringbolt_l2::announcer::{Event, Output, Purpose};
use ringbolt_l2::hello::Record;
use ringbolt_l2::ndp::{ALL_NODES, Body, Flags, Ndp, solicited_node};
use ringbolt_l2::types::MacAddr;

use crate::fixture::{
    ASKER_MAC, ASKER6, ETH, Fixture, LINK_LOCAL, MEMBER_MAC, OTHER6, OUR_MAC, OWN6, STRANGER_MAC,
    events, frames, said,
};

const NEXT_HEADER: usize = 20;
const HOP_LIMIT: usize = 21;
const KIND: usize = 54;
const CODE: usize = 55;
const CHECKSUM: usize = 56;
const TARGET: usize = 62;
const OPTION: usize = 78;

/// What a frame makes us do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The solicited answer to this station.
    Answer(MacAddr),
    /// The unsolicited one to all nodes.
    ToAll,
    Silence,
    /// Silence, and the frame counts as malformed.
    Drop,
}
use Expected::{Answer, Drop, Silence, ToAll};

fn multicast(target: Ipv6Addr) -> Ndp {
    Ndp::directed(ASKER_MAC, ASKER6, target, None)
}

fn unicast() -> Ndp {
    Ndp::directed(ASKER_MAC, ASKER6, OWN6, Some(OUR_MAC))
}

/// Duplicate address detection for our address.
fn detection() -> Ndp {
    Ndp {
        source: Ipv6Addr::UNSPECIFIED,
        link_layer: None,
        ..multicast(OWN6)
    }
}

/// Changes bytes and makes the checksum right again.
fn edited(ndp: &Ndp, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = ndp.encode().to_vec();
    change(&mut frame);
    let length = u16::try_from(frame.len() - 54).unwrap();
    frame[18..20].copy_from_slice(&length.to_be_bytes());
    let source: [u8; 16] = frame[22..38].try_into().unwrap();
    let destination: [u8; 16] = frame[38..54].try_into().unwrap();
    let view = Icmpv6Packet::new(&frame[54..]).unwrap();
    let sum = checksum(&view, &source.into(), &destination.into());
    frame[56..58].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Well-formed messages, by what they mean.
fn rows_of_meaning() -> Vec<(&'static str, Ndp, Expected)> {
    let own = multicast(OWN6);
    let bare = Ndp {
        link_layer: None,
        ..unicast()
    };
    let to_member = Ndp {
        ether_destination: MEMBER_MAC,
        ..unicast()
    };
    let our_frame = Ndp {
        ether_source: OUR_MAC,
        link_layer: Some(OUR_MAC),
        ..own
    };
    let our_option = Ndp {
        link_layer: Some(OUR_MAC),
        ..own
    };
    let with_option = Ndp {
        link_layer: Some(ASKER_MAC),
        ..detection()
    };
    let to_unicast = Ndp {
        destination: OWN6,
        ..detection()
    };
    vec![
        ("29 multicast with source option", own, Answer(ASKER_MAC)),
        (
            "30 unicast with source option",
            unicast(),
            Answer(ASKER_MAC),
        ),
        ("30 unicast to another station", to_member, Silence),
        ("31 unicast without source option", bare, Answer(ASKER_MAC)),
        ("32 duplicate address detection", detection(), ToAll),
        ("33 the same with source option", with_option, Drop),
        ("43 detection to a unicast address", to_unicast, Drop),
        ("44 owned elsewhere, same group", multicast(OTHER6), Silence),
        ("46 our own frame", our_frame, Silence),
        ("46 our address in the option", our_option, Silence),
    ]
}

/// Messages by their bytes: a question for our address, changed at one place.
fn rows_of_bytes() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let own = multicast(OWN6);
    let raw = |at: usize, byte: u8| {
        let mut frame = own.encode().to_vec();
        frame[at] = byte;
        frame
    };
    let with_option = |bytes: &[u8]| edited(&own, |frame| frame.extend(bytes));
    let set = |at: usize, byte: u8| edited(&own, |frame| frame[at] = byte);
    let bare = Ndp {
        link_layer: None,
        ..unicast()
    };
    let short = edited(&bare, |frame| frame.truncate(77));
    let bad_sum = raw(CHECKSUM, own.encode()[CHECKSUM] ^ 1);
    let unknown = [[77, 2].as_slice(), &[0; 14]].concat();
    vec![
        ("34 hop limit 254", raw(HOP_LIMIT, 254), Drop),
        ("35 bad checksum", bad_sum, Drop),
        ("36 code 1", set(CODE, 1), Drop),
        ("37 target multicast", set(TARGET, 0xff), Drop),
        ("38 option of length 0", set(OPTION + 1, 0), Drop),
        (
            "39 option past the end",
            with_option(&[77, 2, 0, 0, 0, 0, 0, 0]),
            Drop,
        ),
        ("39 one byte of an option", with_option(&[1]), Drop),
        (
            "40 nonce",
            with_option(&[14, 1, 1, 2, 3, 4, 5, 6]),
            Answer(ASKER_MAC),
        ),
        (
            "40 unknown option",
            with_option(&unknown),
            Answer(ASKER_MAC),
        ),
        ("41 23 bytes", short, Drop),
        ("41 cut by the frame", own.encode()[..60].to_vec(), Drop),
        ("42 fragment header first", raw(NEXT_HEADER, 44), Drop),
        ("42 hop-by-hop header first", raw(NEXT_HEADER, 0), Drop),
        ("other ICMPv6", set(KIND, 134), Drop),
    ]
}

#[test]
fn rows_29_to_46_of_neighbor_discovery() {
    assert_eq!(solicited_node(OWN6), solicited_node(OTHER6));
    let meant = rows_of_meaning().into_iter();
    let meant = meant.map(|(row, ndp, expected)| (row, ndp.encode().to_vec(), expected));
    for (row, frame, expected) in meant.chain(rows_of_bytes()) {
        let mut fixture = Fixture::settled();
        let outputs = fixture.ndp(&frame);
        let answer = |mac, destination, solicited| Ndp {
            ether_destination: mac,
            ether_source: OUR_MAC,
            source: LINK_LOCAL,
            destination,
            target: OWN6,
            body: Body::Advertisement(Flags {
                solicited,
                overrides: true,
            }),
            link_layer: Some(OUR_MAC),
        };
        let expected_frames = match expected {
            Silence | Drop => Vec::new(),
            Answer(mac) => vec![answer(mac, ASKER6, true)],
            ToAll => vec![answer(MacAddr::of_ipv6_group(ALL_NODES), ALL_NODES, false)],
        };
        let sent: Vec<Ndp> = frames(&outputs)
            .iter()
            .map(|(frame, _)| Ndp::decode(frame).unwrap())
            .collect();
        assert_eq!(sent, expected_frames, "row {row}");
        assert_eq!(
            fixture.counters().malformed,
            u64::from(expected == Drop),
            "row {row}"
        );
        let conflict = Event::Conflict {
            interface: ETH,
            address: OWN6.into(),
            mac: ASKER_MAC,
        };
        let conflicts = if expected == ToAll {
            vec![conflict]
        } else {
            Vec::new()
        };
        assert_eq!(events(&outputs), conflicts, "row {row}");
    }
}

#[test]
fn row_45_a_foreign_advertisement_for_our_address_is_a_conflict() {
    let advert = |mac: MacAddr, source: Ipv6Addr| Ndp::announcement(mac, source, OWN6).encode();
    let mut fixture = Fixture::settled();
    let outputs = fixture.ndp(&advert(STRANGER_MAC, ASKER6));
    let defence = Ndp::announcement(OUR_MAC, LINK_LOCAL, OWN6).encode();
    assert_eq!(
        frames(&outputs),
        [(defence, Purpose::Announcement(OWN6.into()))]
    );
    let conflict = Event::Conflict {
        interface: ETH,
        address: OWN6.into(),
        mac: STRANGER_MAC,
    };
    assert_eq!(events(&outputs), [conflict]);
    let outputs = fixture.ndp(&advert(MEMBER_MAC, ASKER6));
    assert!(frames(&outputs).is_empty());
    assert!(said(&outputs).contains(&Record::AskAddress(OWN6.into())));
    // A solicitation that comes from our address uses it as well.
    fixture.pass(Duration::from_secs(11));
    fixture.outputs();
    let used = Ndp::directed(STRANGER_MAC, OWN6, ASKER6, None).encode();
    assert_eq!(frames(&fixture.ndp(&used)).len(), 1);
}

#[test]
fn row_47_a_group_is_left_with_its_last_address_only() {
    let mut fixture = Fixture::settled();
    let group = solicited_node(OWN6);
    // Both addresses of the group are ours, then one goes, then the other.
    let set = vec![crate::fixture::only(OTHER6.into(), "here")];
    fixture.give(ringbolt_l2::announcer::Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    fixture.pass(Duration::from_secs(3));
    assert_eq!(fixture.announcer.owned(ETH).len(), 3);
    assert!(
        !fixture
            .outputs()
            .iter()
            .any(|output| matches!(output, Output::JoinGroup { .. }))
    );
    let mut remove = |address: Ipv6Addr| {
        let removed = vec![IpAddr::from(address)];
        fixture.give(ringbolt_l2::announcer::Input::ChangeAddresses {
            set: Vec::new(),
            removed,
        });
        fixture.outputs().contains(&Output::LeaveGroup {
            interface: ETH,
            group,
        })
    };
    assert!(!remove(OTHER6));
    assert!(remove(OWN6));
}
