//! Rows 1 to 28: ARP.
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ringbolt_l2::announcer::{Condition, Event, Output, Purpose};
use ringbolt_l2::arp::{Arp, FRAME_BYTES_MIN, Operation};
use ringbolt_l2::hello::Record;
use ringbolt_l2::types::MacAddr;

use crate::fixture::{
    ANSWER, ASKER_MAC, ASKER4, ETH, Fixture, GATEWAY4, MEMBER_MAC, NODE4, OTHER4, OUR_MAC, OWN4,
    STRANGER_MAC, events, frames, said,
};

/// What a frame makes us do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// One unicast reply to this station, TPA as given.
    Reply(MacAddr, Ipv4Addr),
    Silence,
}
use Expected::{Reply, Silence};

fn who_has(target: Ipv4Addr) -> Arp {
    Arp::directed(ASKER_MAC, ASKER4, target, MacAddr::BROADCAST)
}

/// Well-formed frames, by what they mean.
fn rows_of_meaning() -> Vec<(&'static str, Arp, Expected)> {
    let own = who_has(OWN4);
    let with = |change: fn(&mut Arp)| {
        let mut arp = own;
        change(&mut arp);
        arp
    };
    let outside = Ipv4Addr::new(172, 16, 5, 5);
    let to_group = |arp: &mut Arp| arp.ether_destination = MacAddr([1, 0, 94, 0, 0, 1]);
    let to_us = with(|arp| arp.ether_destination = OUR_MAC);
    let to_member = with(|arp| arp.ether_destination = MEMBER_MAC);
    let probe = with(|arp| arp.sender = Ipv4Addr::UNSPECIFIED);
    let from_outside = with(|arp| arp.sender = Ipv4Addr::new(172, 16, 5, 5));
    let asker = Reply(ASKER_MAC, ASKER4);
    let rest = Ipv4Addr::new(10, 9, 9, 9);
    vec![
        ("1 who-has own, broadcast", own, asker),
        ("2 who-has own, unicast to us", to_us, asker),
        ("3 unicast to another station", to_member, Silence),
        ("3 to an Ethernet group", with(to_group), Silence),
        ("4 owned elsewhere", who_has(OTHER4), Silence),
        ("5 the node's own address", who_has(NODE4), Silence),
        ("6 not of this interface", who_has(rest), Silence),
        ("7 probe", probe, Reply(ASKER_MAC, Ipv4Addr::UNSPECIFIED)),
        (
            "8 sender outside the subnet",
            from_outside,
            Reply(ASKER_MAC, outside),
        ),
        (
            "9 another's announcement",
            Arp::announcement(MEMBER_MAC, OTHER4),
            Silence,
        ),
        (
            "12 our own frame",
            Arp::announcement(OUR_MAC, OWN4),
            Silence,
        ),
    ]
}

/// Frames by their bytes: a question for our address, changed at one place.
fn rows_of_bytes() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let own = who_has(OWN4).encode();
    let edit = |at: usize, bytes: &[u8]| {
        let mut frame = own.to_vec();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let long = [&own, [0xee; 900].as_slice()].concat();
    let tagged = [&own[..12], &[0x81, 0, 0, 200], &own[12..]].concat();
    let answer = Reply(ASKER_MAC, ASKER4);
    vec![
        ("13 SHA zero", edit(22, &[0; 6]), Silence),
        ("13 SHA broadcast", edit(22, &[0xff; 6]), Silence),
        ("13 SHA a group", edit(22, &[1, 0, 94, 0, 0, 1]), Silence),
        (
            "14 another Ethernet source",
            edit(6, &STRANGER_MAC.0),
            answer,
        ),
        ("15 41 bytes", own[..41].to_vec(), Silence),
        ("16 42 bytes", own[..42].to_vec(), answer),
        ("16 long trailer", long, answer),
        ("17 htype 6", edit(14, &[0, 6]), Silence),
        ("17 ptype 0x86dd", edit(16, &[0x86, 0xdd]), Silence),
        ("17 hlen 8", edit(18, &[8]), Silence),
        ("17 hlen 0", edit(18, &[0]), Silence),
        ("17 plen 16", edit(19, &[16]), Silence),
        ("18 op 0", edit(20, &[0, 0]), Silence),
        ("18 op 3", edit(20, &[0, 3]), Silence),
        ("18 op 8", edit(20, &[0, 8]), Silence),
        ("18 op 0xffff", edit(20, &[0xff, 0xff]), Silence),
        ("19 target 0.0.0.0", edit(38, &[0, 0, 0, 0]), Silence),
        ("19 target a group", edit(38, &[224, 0, 0, 1]), Silence),
        ("19 target loopback", edit(38, &[127, 0, 0, 1]), Silence),
        (
            "19 target broadcast",
            edit(38, &[255, 255, 255, 255]),
            Silence,
        ),
        ("22 a second tag", tagged, Silence),
    ]
}

#[test]
fn rows_1_to_22_of_arp() {
    let meant = rows_of_meaning().into_iter();
    let meant = meant.map(|(row, arp, expected)| (row, arp.encode().to_vec(), expected));
    for (row, frame, expected) in meant.chain(rows_of_bytes()) {
        let mut fixture = Fixture::settled();
        let outputs = fixture.arp(&frame);
        let expected = match expected {
            Silence => Vec::new(),
            Reply(mac, address) => vec![Arp {
                ether_destination: mac,
                ether_source: OUR_MAC,
                operation: Operation::Reply,
                sender_mac: OUR_MAC,
                sender: OWN4,
                target_mac: mac,
                target: address,
            }],
        };
        let sent: Vec<Arp> = frames(&outputs)
            .iter()
            .map(|(frame, _)| Arp::decode(frame).unwrap())
            .collect();
        assert_eq!(sent, expected, "row {row}");
        assert!(
            frames(&outputs)
                .iter()
                .all(|(frame, purpose)| { frame.len() == FRAME_BYTES_MIN && *purpose == ANSWER })
        );
        assert!(said(&outputs).is_empty(), "row {row}");
        let dropped = ["13", "15", "17", "18", "19", "22"];
        let malformed = u64::from(dropped.iter().any(|number| row.starts_with(number)));
        assert_eq!(fixture.counters().malformed, malformed, "row {row}");
    }
}

#[test]
fn row_4_the_asker_for_an_address_owned_elsewhere_is_remembered() {
    let mut fixture = Fixture::settled();
    fixture.arp(&who_has(OTHER4).encode());
    assert_eq!(fixture.stats().askers, 1);
    // When the address comes here, the asker gets a directed request.
    fixture.give(ringbolt_l2::announcer::Input::ChangeAddresses {
        set: vec![crate::fixture::only(OTHER4.into(), "here")],
        removed: Vec::new(),
    });
    fixture.pass(Duration::from_millis(10));
    let outputs = fixture.outputs();
    let directed = Arp::directed(OUR_MAC, OTHER4, ASKER4, ASKER_MAC).encode();
    assert!(frames(&outputs).iter().any(|(frame, _)| *frame == directed));
    let gateway = Arp::directed(OUR_MAC, OTHER4, GATEWAY4, MacAddr::BROADCAST).encode();
    assert!(frames(&outputs).iter().any(|(frame, _)| *frame == gateway));
}

#[test]
fn rows_9_and_11_a_member_that_uses_our_address_is_asked_and_not_answered() {
    let uses = [
        Arp::announcement(MEMBER_MAC, OWN4),
        Arp::announcement_as_reply(MEMBER_MAC, OWN4),
        Arp::directed(MEMBER_MAC, OWN4, ASKER4, MacAddr::BROADCAST),
    ];
    for used in uses {
        let mut fixture = Fixture::settled();
        let outputs = fixture.arp(&used.encode());
        assert!(frames(&outputs).is_empty());
        assert!(said(&outputs).contains(&Record::AskAddress(OWN4.into())));
        // A second one within the second is not worth a second question.
        let outputs = fixture.arp(&used.encode());
        assert!(said(&outputs).is_empty());
        assert!(fixture.announcer.owned(ETH).contains(&IpAddr::from(OWN4)));
    }
}

#[test]
fn rows_10_and_11_a_stranger_that_uses_our_address_is_answered_with_one_defence_per_ten_seconds() {
    let uses = [
        Arp::announcement(STRANGER_MAC, OWN4),
        Arp::announcement_as_reply(STRANGER_MAC, OWN4),
        Arp::directed(STRANGER_MAC, OWN4, ASKER4, MacAddr::BROADCAST),
    ];
    for used in uses {
        let mut fixture = Fixture::settled();
        let outputs = fixture.arp(&used.encode());
        let defence = Arp::announcement(OUR_MAC, OWN4).encode();
        assert_eq!(
            frames(&outputs),
            [(defence, Purpose::Announcement(OWN4.into()))]
        );
        let conflict = Event::Conflict {
            interface: ETH,
            address: OWN4.into(),
            mac: STRANGER_MAC,
        };
        assert_eq!(events(&outputs), [conflict]);
        for _ in 0..9 {
            fixture.pass(Duration::from_secs(1));
            fixture.outputs();
            let outputs = fixture.arp(&used.encode());
            assert!(frames(&outputs).is_empty() && events(&outputs).is_empty());
        }
        fixture.pass(Duration::from_millis(1_001));
        fixture.outputs();
        assert_eq!(frames(&fixture.arp(&used.encode())).len(), 1);
        assert_eq!(fixture.counters().defences, 2);
        assert_eq!(fixture.counters().conflicts, 11);
        assert!(fixture.announcer.owned(ETH).contains(&IpAddr::from(OWN4)));
    }
}

#[test]
fn row_12_our_own_frames_coming_back_often_are_a_loop() {
    let mut fixture = Fixture::settled();
    let own = Arp::announcement(OUR_MAC, OWN4).encode();
    for _ in 0..10 {
        assert!(fixture.arp(&own).is_empty());
    }
    let looped = Condition::FramesLooped;
    let raised = Event::ConditionRaised {
        interface: ETH,
        condition: looped,
    };
    assert_eq!(events(&fixture.arp(&own)), [raised]);
    fixture.pass(Duration::from_secs(11));
    assert!(!fixture.stats().conditions.contains(&looped));
    assert_eq!(fixture.counters().looped, 11);
}

#[test]
fn row_14_a_foreign_ethernet_source_is_counted() {
    let mut fixture = Fixture::settled();
    let mut frame = who_has(OWN4).encode().to_vec();
    frame[6..12].copy_from_slice(&STRANGER_MAC.0);
    fixture.arp(&frame);
    assert_eq!(fixture.counters().sender_mismatch, 1);
}

#[test]
fn row_23_one_asker_gets_ten_answers_a_second() {
    let mut fixture = Fixture::settled();
    let mut answers = 0;
    for _ in 0..5_000 {
        answers += frames(&fixture.arp(&who_has(OWN4).encode())).len();
        fixture.now += Duration::from_millis(1);
    }
    // 5 s at 10 a second and a burst of 20.
    assert!((69..=70).contains(&answers), "{answers}");
    assert!(fixture.counters().limited_by_asker > 4_900);
}

#[test]
fn row_24_invented_askers_are_bounded_in_memory_and_answers() {
    let mut fixture = Fixture::settled();
    let mut answers = 0;
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let asker = MacAddr([2, 9, 9, a, b, c]);
        let arp = Arp::directed(asker, Ipv4Addr::new(10, a, b, c), OWN4, MacAddr::BROADCAST);
        answers += frames(&fixture.arp(&arp.encode())).len();
        fixture.now += Duration::from_micros(10);
    }
    // 1 s at 20,000 a second and a tenth of that as burst.
    assert!((21_000..=22_001).contains(&answers), "{answers}");
    assert_eq!(fixture.stats().askers, 64);
    assert!(fixture.counters().limited_by_interface > 70_000);
}

#[test]
fn row_25_a_question_is_answered_before_the_first_announcement() {
    let mut fixture = Fixture::settled();
    // The address becomes ours in this very input; nothing was polled yet.
    let set = vec![crate::fixture::only(OTHER4.into(), "here")];
    fixture.give(ringbolt_l2::announcer::Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    fixture.outputs();
    let outputs = fixture.arp(&who_has(OTHER4).encode());
    assert_eq!(frames(&outputs).len(), 1);
}

#[test]
fn row_26_after_yielding_there_is_silence() {
    let mut fixture = Fixture::settled();
    let set = vec![crate::fixture::with_nodes(
        OWN4.into(),
        ringbolt_l2::announcer::EligibleNodes::Any,
    )];
    fixture.give(ringbolt_l2::announcer::Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    fixture.outputs();
    fixture.member_says(vec![crate::fixture::claim_record(OWN4.into(), 2)]);
    let outputs = fixture.outputs();
    assert!(
        events(&outputs)
            .iter()
            .any(|event| matches!(event, Event::Yielded { .. }))
    );
    assert!(frames(&fixture.arp(&who_has(OWN4).encode())).is_empty());
    fixture.pass(Duration::from_secs(20));
    assert!(
        frames(&fixture.outputs())
            .iter()
            .all(|(_, purpose)| *purpose != Purpose::Announcement(OWN4.into()))
    );
}

#[test]
fn row_27_a_removed_address_is_silent_at_once() {
    let mut fixture = Fixture::settled();
    let removed = vec![OWN4.into()];
    fixture.give(ringbolt_l2::announcer::Input::ChangeAddresses {
        set: Vec::new(),
        removed,
    });
    let outputs = fixture.outputs();
    assert!(frames(&outputs).is_empty());
    let release = |record: &Record| matches!(record, Record::Release(one) if one.address == IpAddr::from(OWN4));
    assert!(said(&outputs).iter().any(release));
    assert!(frames(&fixture.arp(&who_has(OWN4).encode())).is_empty());
    fixture.pass(Duration::from_secs(70));
    let later = fixture.outputs();
    assert!(!later.iter().any(|output| {
        matches!(output, Output::Send { purpose, .. } if *purpose == Purpose::Announcement(OWN4.into()))
    }));
}
