//! Draining and leaving asked for twice, or one after the other: every request is answered by its event, because somebody
//! waits for it. And being away without having said so.
use std::net::IpAddr;
use std::time::Duration;

use ringbolt_l2::announcer::{Advertisement, EligibleNodes, Event, Identity, Input};
use ringbolt_l2::types::{ClusterId, Incarnation, Instance, NodeName, Standing};

use crate::fixture::{
    ETH, Fixture, OWN4, advertisement, claim_record, eligible_record, events, hello_record,
    with_nodes,
};

/// How often the end of a drain, and of a departure, has been said since the last call.
fn said_ends(fixture: &mut Fixture) -> (usize, usize) {
    let events = events(&fixture.outputs());
    let drained = |event: &&Event| matches!(event, Event::Drained { .. });
    (
        events.iter().filter(drained).count(),
        events.iter().filter(|event| **event == Event::Left).count(),
    )
}

/// Nothing is held and the end has been said.
fn drained() -> Fixture {
    let mut fixture = Fixture::settled();
    fixture.give(Input::Drain);
    fixture.pass(Duration::from_secs(3));
    assert_eq!(said_ends(&mut fixture), (1, 0));
    fixture
}

#[test]
fn a_drain_of_a_drained_node_ends_at_once() {
    let mut fixture = drained();
    fixture.give(Input::Drain);
    assert_eq!(said_ends(&mut fixture), (1, 0));
}

#[test]
fn a_second_drain_while_the_first_runs_ends_with_it() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::Drain);
    fixture.give(Input::Drain);
    assert_eq!(said_ends(&mut fixture), (0, 0));
    fixture.pass(Duration::from_secs(3));
    assert_eq!(said_ends(&mut fixture), (1, 0));
}

#[test]
fn leaving_twice_is_said_twice_and_a_drain_after_it_brings_nothing_back() {
    let mut fixture = Fixture::settled();
    fixture.give(Input::Leave);
    fixture.give(Input::Leave);
    assert_eq!(said_ends(&mut fixture), (0, 2));
    fixture.give(Input::Drain);
    assert_eq!(said_ends(&mut fixture), (1, 0));
    fixture.pass(Duration::from_secs(20));
    assert!(crate::fixture::said(&fixture.outputs()).is_empty());
}

#[test]
fn another_cluster_does_not_end_a_drain() {
    let mut fixture = drained();
    fixture.give(Input::SetExpectedSpeakers(Some(1)));
    fixture.give(Input::SetNode(Identity {
        cluster: ClusterId([8; 16]),
        node: NodeName::new("here").unwrap(),
        incarnation: Incarnation(2),
        instance: Instance(100),
    }));
    fixture.pass(Duration::from_secs(20));
    assert!(fixture.announcer.owned(ETH).is_empty());
}

#[test]
fn after_a_long_pause_of_the_process_an_address_returns_only_when_it_has_been_stable_again() {
    let mut fixture = Fixture::settled();
    let standing = Some(Standing {
        preference: 10,
        weight: 1,
    });
    fixture.give(Input::SetAdvertisements(vec![Advertisement {
        standing,
        ..advertisement()
    }]));
    fixture.give(Input::SetAddresses(vec![with_nodes(
        OWN4.into(),
        EligibleNodes::Any,
    )]));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.announcer.owned(ETH), [IpAddr::from(OWN4)]);
    fixture.now += Duration::from_secs(10);
    fixture.member_says(vec![
        hello_record(),
        eligible_record(),
        claim_record(OWN4.into(), 9),
    ]);
    assert!(
        fixture.announcer.owned(ETH).is_empty(),
        "it was claimed meanwhile"
    );
    fixture.pass(Duration::from_secs(28));
    assert!(
        fixture.announcer.owned(ETH).is_empty(),
        "it returned too early"
    );
    fixture.pass(Duration::from_secs(6));
    assert_eq!(fixture.announcer.owned(ETH), [IpAddr::from(OWN4)]);
}
