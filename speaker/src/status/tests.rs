//! What is told of a speaker: every address with where it is announced or why not, within bounds.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use ringbolt_bgp::router::{Input, Router, RouterConfig, RouterStats};
use ringbolt_bgp::session::{PeerConfig, RemoteAsn, Restart};
use ringbolt_bgp::types::{Asn, PeerId, RouterId};
use ringbolt_cluster::{PresenceState, Severity, SourceProblem, Trouble};
use serde_json::{Value, json};

use super::{Phase, Picture, bounded, conditions, report, speaker, write_interval};
use crate::desired::tests::world::{HERE, World, bgp_advertisement, node, ready_on, service, with};
use crate::metrics::Metrics;

#[test]
fn every_address_of_every_service_has_an_answer() {
    let mut world = World::usual();
    world.apply(service("web", &["192.0.2.10"]));
    world.apply(service("lost", &["203.0.113.1"]));
    world.apply(ready_on("web", HERE));
    let told = told(&world, &Phase::Announcing);
    let services = told["services"].as_array().unwrap();
    let by_name = |name: &str| services.iter().find(|found| found["name"] == name).unwrap();
    let web = &by_name("web")["addresses"][0];
    assert_eq!(
        (&web["address"], &web["pool"]),
        (&json!("192.0.2.10"), &json!("public"))
    );
    assert_eq!(
        web["bgp"]["reason"], "SessionDown",
        "there is no Router to have one"
    );
    assert_eq!(web["bgp"]["routes"][0]["prefix"], "192.0.2.10/32");
    assert_eq!(web["bgp"]["routes"][0]["peersDown"], json!(["tor"]));
    let lost = &by_name("lost")["addresses"][0];
    assert_eq!(
        (&lost["bgp"]["reason"], &lost["layer2"]["reason"]),
        (&json!("OutsidePools"), &json!("OutsidePools"))
    );
    assert_eq!(lost["bgp"]["announced"], false);
}

#[test]
fn advertisements_of_the_node_say_how_much_or_why_nothing() {
    let mut world = World::usual();
    world.apply(bgp_advertisement("pods", json!({"source": "PodCIDR"})));
    let advertisement =
        |world: &World| told(world, &Phase::Announcing)["advertisements"][0].clone();
    let told = advertisement(&world);
    assert_eq!(
        (&told["announced"], &told["prefixes"]),
        (&json!(true), &json!(2))
    );
    world.apply(with(node(HERE), json!({"spec": {"podCIDRs": null}})));
    let told = advertisement(&world);
    assert_eq!(
        (&told["announced"], &told["reason"]),
        (&json!(false), &json!("NoPodNetworks"))
    );
}

#[test]
fn conditions_name_what_is_wrong_and_move_only_with_their_status() {
    let mut world = World::usual();
    let mut known = Vec::new();
    let phase = Phase::Announcing;
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    conditions::update(&mut known, &picture(&world, &phase, &[]), at(1));
    assert!(
        known
            .iter()
            .all(|found| found.status == "True" || found.type_ == "SegmentsHealthy")
    );
    world.apply(with(
        node(HERE),
        json!({"metadata": {"annotations": {"ringbolt.io/drain": "true"}}}),
    ));
    let unreadable = SourceProblem {
        file: None,
        line: None,
        column: None,
        object: None,
        field: None,
        trouble: Trouble::DirectoryUnreadable {
            cause: std::io::ErrorKind::PermissionDenied,
        },
    };
    assert_eq!(unreadable.severity(), Severity::Refused);
    conditions::update(&mut known, &picture(&world, &phase, &[unreadable]), at(2));
    let found = |kind: &str| known.iter().find(|found| found.type_ == kind).unwrap();
    assert_eq!(
        (&*found("Serving").status, &*found("Serving").reason),
        ("False", "NodeDrained")
    );
    assert_eq!(found("SourceUsable").status, "False");
    assert_eq!(found("Serving").last_transition_time.0, at(2));
    assert_eq!(found("NodeKnown").last_transition_time.0, at(1));
}

#[test]
fn a_speaker_that_still_reads_says_what_it_waits_for() {
    let world = World::usual();
    let phase = Phase::Reading(vec![ringbolt_config::names::Kind::Service]);
    let mut known = Vec::new();
    conditions::update(
        &mut known,
        &picture(&world, &phase, &[]),
        Timestamp::UNIX_EPOCH,
    );
    let ready = known.iter().find(|found| found.type_ == "Ready").unwrap();
    assert_eq!(
        (&*ready.reason, &*ready.message),
        ("Reading", "not yet read: Service")
    );
    let object = speaker(&picture(&world, &phase, &[]), known);
    assert_eq!(object.metadata.name.as_deref(), Some(HERE));
    assert_eq!(object.status.unwrap().peers.as_deref(), Some("0/0"));
}

#[test]
fn a_second_speaker_of_one_name_is_a_condition() {
    let (world, phase) = (World::usual(), Phase::Announcing);
    let told = |presence| {
        let mut known = Vec::new();
        let picture = Picture {
            presence,
            ..picture(&world, &phase, &[])
        };
        conditions::update(&mut known, &picture, Timestamp::UNIX_EPOCH);
        let found = known.into_iter().find(|found| found.type_ == "NameUnique");
        let found = found.unwrap();
        (found.status, found.reason)
    };
    let of = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(told(PresenceState::Announced), of("True", "Unique"));
    assert_eq!(told(PresenceState::Pending), of("True", "Unique"));
    assert_eq!(
        told(PresenceState::Duplicate),
        of("False", "DuplicateNodeName")
    );
}

#[test]
fn writes_are_spread_over_the_nodes() {
    assert_eq!(write_interval(0), Duration::from_secs(1));
    assert_eq!(write_interval(50), Duration::from_secs(1));
    assert_eq!(write_interval(5_000), Duration::from_secs(100));
}

#[test]
fn the_time_of_a_moment_is_the_same_in_every_picture() {
    let (world, phase) = (World::usual(), Phase::Announcing);
    let moment = Instant::now();
    // The clocks are read one after the other, a little apart each time.
    for (since, apart) in [(10, 0), (40, 1_830), (70, 45_000)] {
        let mut picture = picture(&world, &phase, &[]);
        picture.now = moment + Duration::from_secs(since);
        picture.time = Timestamp::UNIX_EPOCH
            + Duration::from_secs(1_000 + since)
            + Duration::from_nanos(apart);
        let told = picture.time_of(moment);
        assert_eq!(told, Timestamp::from_second(1_000).unwrap());
    }
}

#[test]
fn long_texts_are_cut_between_characters() {
    let text = "ü".repeat(200);
    assert_eq!(bounded(&text).len(), 256);
    assert_eq!(bounded("short"), "short");
}

fn told(world: &World, phase: &Phase) -> Value {
    serde_json::from_str(&report(&picture(world, phase, &[]), &[])).unwrap()
}

#[test]
fn what_faults_led_to_and_what_waits_is_told_per_peer() {
    let world = World::usual();
    let phase = Phase::Announcing;
    let stats = faulty_peer();
    let picture = Picture {
        router: Some(&stats),
        now: stats.taken_at + Duration::from_millis(500),
        ..picture(&world, &phase, &[])
    };
    let told: Value = serde_json::from_str(&report(&picture, &[])).unwrap();
    let session = &told["bgp"]["peers"][0];
    assert_eq!(
        session["reactions"],
        json!({"attributesDiscarded": 1, "treatedAsWithdraw": 2, "resets": 3})
    );
    assert_eq!(session["oldestUnsentMs"], 2000, "the age has grown since");
    assert_eq!(session["sendStalledMs"], Value::Null);

    let mut registry = Registry::default();
    Metrics::register(&mut registry).update(&picture);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "ringbolt_bgp_reactions_total{peer=\"tor\",reaction=\"treatedAsWithdraw\"} 2",
        "ringbolt_bgp_oldest_unsent_seconds{peer=\"tor\"} 2.0",
        "ringbolt_bgp_send_stalled_seconds{peer=\"tor\"} 0.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

/// One peer, of which faults are counted and for which something waits.
fn faulty_peer() -> RouterStats {
    let config = RouterConfig {
        router_id: RouterId::new(1).unwrap(),
        asn: Asn(64_512),
        restart: Restart::Settled,
        seed: 0,
    };
    let mut router = Router::new(&config, Instant::now());
    let tor = PeerId::new("tor");
    let peer = PeerConfig::new(
        tor.clone(),
        RemoteAsn::Exactly(Asn(64_513)),
        [192, 0, 2, 1].into(),
    );
    router.handle(Input::SetPeer(Box::new(peer)), Instant::now());
    let mut stats = router.stats();
    let peer = stats.peers.get_mut(&tor).unwrap();
    peer.counters.attributes_discarded = 1;
    peer.counters.treated_as_withdraw = 2;
    peer.counters.resets = 3;
    peer.oldest_unsent = Some(Duration::from_millis(1_500));
    stats
}

fn picture<'a>(world: &'a World, phase: &'a Phase, source: &'a [SourceProblem]) -> Picture<'a> {
    Picture {
        planner: &world.planner,
        phase,
        router: None,
        listener: None,
        dial_errors: None,
        layer2: None,
        source,
        keys: None,
        key_ids: &[],
        presence: PresenceState::Announced,
        now: Instant::now(),
        time: Timestamp::UNIX_EPOCH,
    }
}
