//! Rows 51 to 62: interfaces, pacing, repeats; and what stands in the way of announcing.
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ringbolt_l2::announcer::{
    Condition, EligibleNodes, Event, Input, Keys, Link, Output, Purpose, Withheld,
};
use ringbolt_l2::arp::{Arp, Operation};
use ringbolt_l2::hello::{HelloFlags, Record};
use ringbolt_l2::types::{KeyId, MacAddr, NodeName};

use crate::fixture::{
    ASKER_MAC, ASKER4, ETH, Fixture, OTHER4, OUR_MAC, OWN4, claim_record, eligible_record, events,
    frames, hello_record, interface, only, said, share, with_nodes,
};

const MS: Duration = Duration::from_millis(1);

/// Announcements of an address, by form.
fn announcements(outputs: &[Output], address: Ipv4Addr) -> Vec<Arp> {
    let frames = frames(outputs)
        .into_iter()
        .filter(|(_, purpose)| *purpose == Purpose::Announcement(address.into()));
    frames
        .map(|(frame, _)| Arp::decode(&frame).unwrap())
        .collect()
}

#[test]
fn row_51_an_interface_that_appears_is_announced_on_as_soon_as_listening_ends() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::SetInterfaces(Vec::new()));
    assert!(fixture.announcer.owned(ETH).is_empty());
    fixture.pass(Duration::from_secs(5));
    fixture.outputs();
    fixture.give(Input::SetInterfaces(vec![interface()]));
    fixture.pass(Duration::from_millis(5_000));
    let outputs = fixture.outputs();
    assert_eq!(
        announcements(&outputs, OWN4)[0],
        Arp::announcement(OUR_MAC, OWN4)
    );
    let groups = outputs
        .iter()
        .filter(|output| matches!(output, Output::JoinGroup { .. }));
    assert_eq!(groups.count(), 1);
}

#[test]
fn row_52_a_new_ethernet_address_is_in_the_next_answer_and_gets_a_full_schedule() {
    let mut fixture = Fixture::settled();
    let mac = MacAddr([2, 0, 0, 0, 5, 5]);
    let changed = ringbolt_l2::announcer::Interface { mac, ..interface() };
    fixture.give(Input::SetInterfaces(vec![changed]));
    assert_eq!(
        announcements(&fixture.outputs(), OWN4)[0],
        Arp::announcement(mac, OWN4)
    );
    let question = Arp::directed(ASKER_MAC, ASKER4, OWN4, MacAddr::BROADCAST);
    let outputs = fixture.arp(&question.encode());
    assert_eq!(Arp::decode(&frames(&outputs)[0].0).unwrap().sender_mac, mac);
    fixture.pass(Duration::from_secs(11));
    let requests = announcements(&fixture.outputs(), OWN4);
    assert_eq!(
        requests
            .iter()
            .filter(|arp| **arp == Arp::announcement(mac, OWN4))
            .count(),
        5
    );
}

#[test]
fn row_53_carrier_and_notified_peers_begin_the_schedule_again() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::NotifyPeers { interface: ETH });
    assert!(!announcements(&fixture.outputs(), OWN4).is_empty());
    fixture.pass(Duration::from_secs(20));
    fixture.outputs();
    let down = ringbolt_l2::announcer::Interface {
        link: Link::Down,
        ..interface()
    };
    fixture.give(Input::SetInterfaces(vec![down]));
    assert!(fixture.announcer.owned(ETH).is_empty());
    fixture.now += Duration::from_secs(1);
    fixture.give(Input::SetInterfaces(vec![interface()]));
    assert!(!announcements(&fixture.outputs(), OWN4).is_empty());
    assert!(fixture.announcer.owned(ETH).contains(&IpAddr::from(OWN4)));
}

#[test]
fn the_schedule_has_six_rounds_and_refreshes() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::NotifyPeers { interface: ETH });
    let start = fixture.now;
    let mut rounds = Vec::new();
    let (mut replies, mut directed) = (0, 0);
    while fixture.now < start + Duration::from_secs(90) {
        for arp in announcements(&fixture.outputs(), OWN4) {
            match arp {
                _ if arp == Arp::announcement(OUR_MAC, OWN4) => rounds.push(fixture.now - start),
                _ if arp == Arp::announcement_as_reply(OUR_MAC, OWN4) => replies += 1,
                _ => directed += 1,
            }
            assert!(arp.operation == Operation::Request || arp.target_mac == arp.sender_mac);
        }
        fixture.pass(MS);
    }
    let (first, refresh) = rounds.split_at(6);
    let due = [0, 100, 1_100, 2_300, 5_000, 10_000].map(Duration::from_millis);
    for (at, due) in first.iter().zip(due) {
        assert!(*at >= due && *at < due + 50 * MS, "{at:?} for {due:?}");
    }
    assert_eq!(refresh.len(), 1);
    assert!(refresh[0] > Duration::from_secs(60) && refresh[0] < Duration::from_millis(80_100));
    // The gateway gets a directed request in each of the first three rounds.
    assert_eq!((replies, directed), (6, 3));
}

#[test]
fn row_56_a_frame_that_the_kernel_did_not_take_is_sent_again() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::NotifyPeers { interface: ETH });
    assert!(!announcements(&fixture.outputs(), OWN4).is_empty());
    fixture.pass(Duration::from_secs(6));
    fixture.outputs();
    fixture.give(Input::SendFailed {
        interface: ETH,
        purpose: Purpose::Announcement(OWN4.into()),
    });
    fixture.pass(150 * MS);
    assert!(!announcements(&fixture.outputs(), OWN4).is_empty());
    assert_eq!(fixture.counters().send_failures, 1);
}

#[test]
fn row_57_ten_thousand_addresses_are_paced_asked_ones_first_and_none_is_forgotten() {
    let mut fixture = Fixture::settled();
    let many: Vec<Ipv4Addr> = (0..10_000_u32)
        .map(|number| Ipv4Addr::from(0x0a00_4000 + number))
        .collect();
    // All belong to the member first; one of the last is asked for.
    let set = many
        .iter()
        .map(|one| only((*one).into(), "there"))
        .collect();
    fixture.give(Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    fixture.arp(&Arp::directed(ASKER_MAC, ASKER4, many[9_990], MacAddr::BROADCAST).encode());
    let set = many.iter().map(|one| only((*one).into(), "here")).collect();
    fixture.give(Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    let start = fixture.now;
    let mut announced: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let (mut sent, mut first) = (0_u128, None);
    while announced.len() < many.len() {
        for (frame, _) in frames(&fixture.outputs()) {
            sent += 1;
            if let Ok(arp) = Arp::decode(&frame) {
                first.get_or_insert(arp.sender);
                announced.insert(arp.sender);
            }
        }
        let elapsed = fixture.now - start;
        let allowed = 1_000 + 20 + elapsed.as_micros() * 5_200 / 1_000_000 + 2;
        assert!(sent <= allowed, "{sent} frames after {elapsed:?}");
        assert!(
            elapsed < Duration::from_millis(2_500),
            "only {} announced",
            announced.len()
        );
        fixture.pass(5 * MS);
    }
    assert_eq!(first, Some(many[9_990]));
}

#[test]
fn row_61_a_gateway_that_never_answers_is_counted() {
    let mut fixture = Fixture::settled();
    assert_eq!(fixture.counters().gateways_silent, 1);
    // One that answers is not.
    fixture.give(Input::NotifyPeers { interface: ETH });
    let answer = Arp {
        ether_destination: OUR_MAC,
        ether_source: ASKER_MAC,
        operation: Operation::Reply,
        sender_mac: ASKER_MAC,
        sender: crate::fixture::GATEWAY4,
        target_mac: OUR_MAC,
        target: OWN4,
    };
    for _ in 0..30 {
        fixture.arp(&answer.encode());
        fixture.pass(100 * MS);
    }
    assert_eq!(fixture.counters().gateways_silent, 1);
}

#[test]
fn row_62_a_competing_claim_that_loses_makes_exactly_one_schedule() {
    let mut fixture = Fixture::settled();
    let any = with_nodes(OWN4.into(), EligibleNodes::Any);
    fixture.give(Input::ChangeAddresses {
        set: vec![any],
        removed: Vec::new(),
    });
    fixture.outputs();
    // Ours has a higher epoch than what the other side of the split says.
    fixture.give(Input::Verdict {
        node: NodeName::new("there").unwrap(),
        interface: ETH,
    });
    fixture.member_says(vec![
        hello_record(),
        eligible_record(),
        claim_record(OWN4.into(), 0),
    ]);
    let outputs = fixture.outputs();
    let ours = |record: &Record| matches!(record, Record::Claim(claim) if claim.address == IpAddr::from(OWN4) && claim.epoch.0 == 1);
    assert!(said(&outputs).iter().any(ours));
    for _ in 0..5 {
        fixture.member_says(vec![claim_record(OWN4.into(), 0)]);
    }
    let mut requests = announcements(&outputs, OWN4);
    fixture.pass(Duration::from_secs(12));
    requests.extend(announcements(&fixture.outputs(), OWN4));
    assert_eq!(
        requests
            .iter()
            .filter(|arp| **arp == Arp::announcement(OUR_MAC, OWN4))
            .count(),
        6
    );
    assert!(fixture.announcer.owned(ETH).contains(&IpAddr::from(OWN4)));
}

#[test]
fn without_a_key_everything_is_withheld() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::SetKeys(Keys::Missing));
    fixture.outputs();
    assert!(fixture.announcer.owned(ETH).is_empty());
    assert_eq!(fixture.announcer.stats().withheld, Some(Withheld::NoKey));
    assert_eq!(Withheld::NoKey.reason(), "NoKey");
    fixture.pass(Duration::from_secs(10));
    assert!(fixture.outputs().is_empty());
    fixture.give(Input::SetKeys(Keys::Present([KeyId(4)].into())));
    fixture.pass(Duration::from_secs(10));
    assert!(!fixture.announcer.owned(ETH).is_empty());
}

#[test]
fn an_unknown_key_forbids_new_claims_while_its_frames_come() {
    let mut fixture = Fixture::settled();
    for _ in 0..5 {
        fixture.give(Input::KeyUnknown { interface: ETH });
        let set = vec![only(OTHER4.into(), "here")];
        fixture.give(Input::ChangeAddresses {
            set,
            removed: Vec::new(),
        });
        fixture.pass(Duration::from_secs(2));
    }
    assert_eq!(fixture.announcer.owned(ETH).len(), 2);
    assert!(fixture.stats().conditions.contains(&Condition::KeyUnknown));
    fixture.pass(Duration::from_secs(6));
    assert_eq!(fixture.announcer.owned(ETH).len(), 3);
    assert!(fixture.stats().conditions.is_empty());
}

#[test]
fn the_newest_key_that_every_member_reads_seals() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::SetKeys(Keys::Present([KeyId(1), KeyId(2)].into())));
    assert_eq!(fixture.announcer.sealing_key(ETH), Some(KeyId(1)));
    let Record::Hello(mut hello) = hello_record() else {
        unreachable!()
    };
    hello.keys = [KeyId(1), KeyId(2)].into();
    fixture.member_says(vec![Record::Hello(hello)]);
    assert_eq!(fixture.announcer.sealing_key(ETH), Some(KeyId(2)));
}

#[test]
fn services_that_share_an_address_and_no_node_are_named() {
    let mut fixture = Fixture::settled();
    let nodes = |node: &str| EligibleNodes::Only {
        nodes: [NodeName::new(node).unwrap()].into(),
        view: None,
    };
    let address = IpAddr::from(Ipv4Addr::new(10, 0, 0, 150));
    let shares = vec![share("a/a", nodes("here")), share("b/b", nodes("there"))];
    let set = vec![ringbolt_l2::announcer::Claimable { address, shares }];
    fixture.give(Input::ChangeAddresses {
        set: set.clone(),
        removed: Vec::new(),
    });
    let outputs = fixture.outputs();
    assert_eq!(
        events(&outputs),
        [Event::SharedEligibilityEmpty { address }]
    );
    let withheld = fixture.announcer.stats().addresses[&address].on[&ETH]
        .withheld
        .clone();
    assert_eq!(withheld, Some(Withheld::SharedEligibilityEmpty));
    // Said once, not with each look.
    fixture.give(Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    assert!(events(&fixture.outputs()).is_empty());
}

#[test]
fn a_goodbye_frees_at_once_what_was_held() {
    let mut fixture = Fixture::settled();
    let set = vec![with_nodes(OTHER4.into(), EligibleNodes::Any)];
    fixture.give(Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    assert!(!fixture.announcer.owned(ETH).contains(&IpAddr::from(OTHER4)));
    let Record::Hello(mut hello) = hello_record() else {
        unreachable!()
    };
    hello.flags = HelloFlags {
        leaving: true,
        ..HelloFlags::default()
    };
    fixture.member_says(vec![Record::Hello(hello)]);
    assert!(fixture.announcer.owned(ETH).contains(&IpAddr::from(OTHER4)));
}

#[test]
fn a_claim_of_a_node_without_a_standing_is_refused() {
    let mut fixture = Fixture::settled();
    // OWN4 may be on this node alone.
    fixture.member_says(vec![claim_record(OWN4.into(), 50)]);
    assert!(fixture.announcer.owned(ETH).contains(&IpAddr::from(OWN4)));
    assert_eq!(fixture.counters().claims_refused, 1);
}

#[test]
fn alone_among_expected_peers_and_without_an_answer_nothing_new_is_taken() {
    let mut fixture = Fixture::settled();
    let set = vec![with_nodes(OTHER4.into(), EligibleNodes::Any)];
    fixture.give(Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    fixture.pass_alone(Duration::from_secs(10));
    assert!(!fixture.announcer.owned(ETH).contains(&IpAddr::from(OTHER4)));
    assert!(fixture.stats().conditions.contains(&Condition::Deaf));
    fixture.outputs();
    // One frame of anybody is proof; it is acted on at the next tick, not within the frame.
    let chatter = Arp::directed(
        ASKER_MAC,
        ASKER4,
        Ipv4Addr::new(10, 0, 0, 200),
        MacAddr::BROADCAST,
    );
    assert!(
        fixture
            .arp(&chatter.encode())
            .iter()
            .all(|output| matches!(output, Output::Event(_)))
    );
    fixture.pass_alone(MS);
    assert!(fixture.announcer.owned(ETH).contains(&IpAddr::from(OTHER4)));
    assert!(!fixture.stats().conditions.contains(&Condition::Deaf));
}

#[test]
fn hellos_are_stretched_so_that_a_segment_carries_a_hundred_a_second() {
    let mut fixture = Fixture::settled();
    let stated = |outputs: &[Output]| {
        let hellos = said(outputs).into_iter().filter_map(|record| match record {
            Record::Hello(hello) => Some(hello.interval),
            _ => None,
        });
        hellos.last()
    };
    fixture.pass(Duration::from_secs(5));
    assert_eq!(
        stated(&fixture.outputs()),
        Some(Duration::from_millis(2_400))
    );
    for number in 0..499_u16 {
        fixture.others_say_hello(number);
    }
    fixture.pass(Duration::from_secs(6));
    // 501 speakers at 100 a second: 5.01 s, and what jitter may add.
    assert_eq!(
        stated(&fixture.outputs()),
        Some(Duration::from_millis(6_012))
    );
}

#[test]
fn a_carrier_that_stays_away_gives_up_what_was_held() {
    let mut fixture = Fixture::settled();
    let down = ringbolt_l2::announcer::Interface {
        link: Link::Down,
        ..interface()
    };
    fixture.give(Input::SetInterfaces(vec![down]));
    let withheld = |fixture: &Fixture| {
        fixture.announcer.stats().addresses[&OWN4.into()].on[&ETH]
            .withheld
            .clone()
    };
    assert_eq!(withheld(&fixture), Some(Withheld::InterfaceDown));
    assert!(events(&fixture.outputs()).is_empty());
    fixture.pass_alone(Duration::from_secs(3));
    let yielded = |event: &Event| matches!(event, Event::Yielded { address, .. } if *address == IpAddr::from(OWN4));
    assert_eq!(
        events(&fixture.outputs())
            .iter()
            .filter(|event| yielded(event))
            .count(),
        1
    );
}

#[test]
fn frames_that_piled_up_during_a_stall_are_forgiven_once() {
    let mut fixture = Fixture::settled();
    let question = Arp::directed(ASKER_MAC, ASKER4, OWN4, MacAddr::BROADCAST).encode();
    fixture.now += Duration::from_secs(30);
    for _ in 0..100 {
        fixture.now += MS;
        fixture.arp(&question);
    }
    // The member has what was left of its three intervals after the stall, not a hundred times the stall.
    fixture.pass_alone(Duration::from_secs(8));
    let lost = |event: &Event| matches!(event, Event::MemberLost { .. });
    assert_eq!(
        events(&fixture.outputs())
            .iter()
            .filter(|event| lost(event))
            .count(),
        1
    );
}

#[test]
fn a_new_view_of_the_endpoints_is_said_without_an_announcement() {
    let mut fixture = Fixture::settled();
    let view = |number: u64| {
        let nodes = [NodeName::new("here").unwrap()].into();
        let view = Some(ringbolt_l2::types::View(number));
        vec![with_nodes(OWN4.into(), EligibleNodes::Only { nodes, view })]
    };
    fixture.give(Input::ChangeAddresses {
        set: view(7),
        removed: Vec::new(),
    });
    let outputs = fixture.outputs();
    assert!(frames(&outputs).is_empty());
    let claim = said(&outputs).into_iter().find_map(|record| match record {
        Record::Claim(claim) => Some(claim),
        _ => None,
    });
    assert_eq!(claim.unwrap().view, Some(ringbolt_l2::types::View(7)));
}

#[test]
fn nothing_is_looked_through_while_nothing_changes() {
    let mut fixture = Fixture::settled();
    let set = vec![with_nodes(OTHER4.into(), EligibleNodes::Any)];
    fixture.give(Input::ChangeAddresses {
        set,
        removed: Vec::new(),
    });
    // Passes until the address has been stable for long, and the moves of the start are forgotten.
    fixture.pass(Duration::from_secs(250));
    for _ in 0..1_000 {
        fixture.pass(10 * MS);
        let due = fixture.announcer.next_deadline();
        assert!(due.is_some_and(|(_, wake)| wake != ringbolt_l2::announcer::Wake::Failback));
    }
}
