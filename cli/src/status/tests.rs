//! Objects in, rows out: what people and programs read, and the reason where nobody announces.

use std::collections::BTreeMap;

use ringbolt_cluster::{Trouble, Verb};
use serde_json::{Value, json};

use super::view::Life;
use super::*;
use crate::samples::{self, condition, session, speaker};

const BOTH: &[&str] = &["IPv4", "IPv6"];

#[test]
fn an_address_is_announced_where_a_session_carries_its_family() {
    let rows = services([
        speaker("node-1", session("Established", BOTH), &[]),
        speaker("node-2", session("Active", &[]), &[]),
    ]);
    for row in &rows {
        assert_eq!(row["bgp"], json!({"node-1": ["tor"]}), "{row}");
        assert_eq!(row["withheld"], json!({"node-2": "SessionDown"}), "{row}");
        assert_eq!(row["pool"], "public", "{row}");
        assert!(row.get("reason").is_none(), "{row}");
    }
    assert_eq!(column(&rows, "address"), ["192.0.2.64", "2001:db8:64::10"]);
}

#[test]
fn a_session_without_the_family_does_not_announce_the_address() {
    let rows = services(
        ["node-1", "node-2"].map(|node| speaker(node, session("Established", &["IPv4"]), &[])),
    );
    assert_eq!(
        rows[0]["bgp"],
        json!({"node-1": ["tor"], "node-2": ["tor"]})
    );
    assert!(rows[1].get("bgp").is_none(), "{}", rows[1]);
    assert_eq!(rows[1]["reason"], "FamilyNotNegotiated");
    assert_eq!(rows[1]["message"], "established without family IPv6: tor");
}

#[test]
fn without_any_session_the_reason_is_that() {
    for row in services([]) {
        assert_eq!(row["reason"], "SessionDown", "{row}");
        assert_eq!(
            row["withheld"],
            json!({"node-1": "SessionDown", "node-2": "SessionDown"}),
            "{row}"
        );
    }
}

#[test]
fn on_layer_2_the_owner_answers_and_the_others_do_not() {
    let mut objects = layer_2_only();
    objects.push(speaker(
        "node-1",
        json!({"peer": "none", "state": "Idle"}),
        &["192.0.2.64"],
    ));
    let rows = json_rows(objects, StatusTopic::Services);
    assert_eq!(rows[0]["layer2"], json!(["node-1"]));
    assert_eq!(rows[0]["withheld"], json!({"node-2": "NotOwner"}));
    assert!(rows[0].get("reason").is_none(), "{}", rows[0]);
    assert_eq!(
        rows[1]["reason"], "NotOwner",
        "nobody answers for the other address: {}",
        rows[1]
    );
}

#[test]
fn a_long_list_of_addresses_is_not_taken_for_all_of_them() {
    let mut cut = speaker(
        "node-1",
        json!({"peer": "none", "state": "Idle"}),
        &["192.0.2.70"],
    );
    cut["status"]["ownedAddresses"] = json!(201);
    let mut objects = layer_2_only();
    objects.push(cut);
    let rows = json_rows(objects, StatusTopic::Services);
    assert_eq!(rows[0]["withheld"]["node-1"], "OwnerNotListed");
}

#[test]
fn what_a_node_may_not_announce_has_the_speakers_reason() {
    let mut objects = samples::cluster();
    for object in objects
        .iter_mut()
        .filter(|object| object["kind"] == "EndpointSlice")
    {
        object["endpoints"] = json!([]);
    }
    let rows = json_rows(objects, StatusTopic::Services);
    assert_eq!(rows[0]["reason"], "NoEndpoints");
    let none: Vec<Value> = samples::cluster()
        .into_iter()
        .filter(|object| object["kind"] != "Node")
        .collect();
    assert_eq!(
        json_rows(none, StatusTopic::Services)[0]["reason"],
        "NoNodes"
    );
}

#[test]
fn a_service_without_address_says_why() {
    let pending = |conditions: Value| {
        let mut web = samples::web();
        web["status"] = json!({"conditions": conditions});
        json_rows([web], StatusTopic::Services).remove(0)
    };
    assert_eq!(pending(json!([]))["reason"], "NotSeen");
    let told = condition(
        "ringbolt.io/Allocated",
        "False",
        "PoolExhausted",
        "no free address",
    );
    let row = pending(json!([told]));
    assert_eq!(
        (&row["reason"], &row["message"]),
        (&json!("PoolExhausted"), &json!("no free address"))
    );
    assert!(
        row.get("address").is_none() && row.get("withheld").is_none(),
        "{row}"
    );
}

#[test]
fn a_condition_of_somebody_else_is_no_reason() {
    let mut objects = samples::cluster();
    objects.push(speaker("node-1", session("Established", BOTH), &[]));
    for object in &mut objects {
        if object["kind"] == "Service" {
            let told = condition("example.com/Probe", "False", "StrangersReason", "theirs");
            object["status"]["conditions"] = json!([told]);
        }
    }
    let row = json_rows(objects, StatusTopic::Services).remove(0);
    assert!(row.get("reason").is_none(), "{row}");
}

#[test]
fn no_reason_is_made_up_from_what_may_not_be_read() {
    let mut listing = samples::listing([samples::web()]);
    let trouble = Trouble::Forbidden {
        verb: Verb::List,
        message: "not for you".into(),
    };
    listing.unread = [(Kind::Node, trouble.clone()), (Kind::Speaker, trouble)].into();
    let lines = source::unread(&listing);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("nodes, speakers: "), "{lines:?}");
    let text = render(
        &View::new(&listing),
        StatusTopic::Services,
        StatusOutput::Json,
    );
    let rows: Value = serde_json::from_str(&text.unwrap()).unwrap();
    assert_eq!(rows[0]["reason"], "NotShown", "{rows}");
}

#[test]
fn a_speaker_that_said_goodbye_announces_nothing() {
    let mut objects = samples::cluster();
    let mut leaving = speaker("node-1", session("Established", BOTH), &[]);
    leaving["status"]["conditions"] = json!([condition("Ready", "False", "Leaving", "ends")]);
    objects.push(leaving);
    let listing = samples::listing(objects);
    let unasked = BTreeMap::from([("node-1".parse().unwrap(), Life::Unconfirmed)]);
    let view = View::with_lives(&listing, &unasked);
    let rows = services::rows(&view);
    assert!(rows[0].bgp.is_empty(), "{:?}", rows[0]);
    assert_eq!(rows[0].withheld["node-1"], "SpeakerGone");
}

#[test]
fn a_cluster_without_a_controller_at_work_says_so() {
    let said = |leader: Leader| {
        let mut view = View::new(&samples::listing([samples::web()]));
        view.leader = leader;
        notes(&view, "2026-01-01T00:10:00Z".parse().unwrap()).join("\n")
    };
    let named = |time: &str| Leader::Named {
        name: "one".to_owned(),
        renewed: Some(time.parse().unwrap()),
    };
    assert!(said(Leader::Nobody).contains("No controller is at work"));
    assert!(said(named("2026-01-01T00:05:00Z")).contains("Controller one has not renewed"));
    for well in [named("2026-01-01T00:09:50Z"), Leader::Unknown] {
        assert!(!said(well).contains("ontroller"));
    }
}

#[test]
fn a_service_of_a_foreign_class_is_left_to_others() {
    let mut web = samples::web();
    web["status"] = json!({});
    web["spec"]["loadBalancerClass"] = json!("example.com/other");
    let row = json_rows([web], StatusTopic::Services).remove(0);
    assert_eq!(row["reason"], "ForeignClass");
    let message = row["message"].as_str().unwrap();
    assert!(message.contains("example.com/other"), "{message}");
}

#[test]
fn a_request_that_cannot_be_had_is_told_beside_the_address_that_stays() {
    let mut objects = samples::cluster();
    objects.push(speaker("node-1", session("Established", BOTH), &[]));
    for object in &mut objects {
        if object["kind"] == "Service" {
            let told = condition("ringbolt.io/Allocated", "False", "AddressTaken", "held");
            object["status"]["conditions"] = json!([told]);
        }
    }
    let row = json_rows(objects, StatusTopic::Services).remove(0);
    assert_eq!(row["bgp"], json!({"node-1": ["tor"]}));
    assert_eq!(
        (&row["reason"], &row["message"]),
        (&json!("AddressTaken"), &json!("held"))
    );
}

#[test]
fn an_established_session_shows_its_last_error_to_programs_only() {
    let mut again = session("Established", BOTH);
    again["lastError"] = json!({"code": 6, "subcode": 2, "text": "received Cease/2"});
    let mut objects = samples::cluster();
    objects.push(speaker("node-1", again, &[]));
    let wide = text(objects.clone(), StatusTopic::Peers, StatusOutput::Wide);
    assert!(!wide.contains("Cease"), "{wide}");
    let rows = json_rows(objects, StatusTopic::Peers);
    assert_eq!(rows[0]["lastError"], "received Cease/2");
}

#[test]
fn services_of_other_types_are_not_shown() {
    let mut web = samples::web();
    web["spec"]["type"] = json!("ClusterIP");
    assert_eq!(
        text([web], StatusTopic::Services, StatusOutput::Table),
        "nothing found\n"
    );
}

#[test]
fn a_pool_shows_its_numbers_and_what_is_wrong_with_it() {
    let mut pool = samples::pool();
    pool["status"] = json!({
        "assignedIPv4": 1, "availableIPv4": 63, "assignedIPv6": 2, "availableIPv6": 0,
        "conditions": [
            condition("Ready", "True", "InForce", ""),
            condition("Exhausted", "True", "NoFreeAddress", "no free IPv6 address"),
        ],
    });
    assert_eq!(
        text([pool.clone()], StatusTopic::Pools, StatusOutput::Table),
        "NAME    ASSIGNED4  FREE4  ASSIGNED6  FREE6  READY  REASON\n\
         public  1          63     2          0      True   NoFreeAddress\n"
    );
    pool["status"]["conditions"][0] =
        condition("Ready", "False", "InvalidRange", "spec.addresses[0]: no");
    let row = json_rows([pool.clone()], StatusTopic::Pools).remove(0);
    assert_eq!(
        (&row["reason"], &row["ready"]),
        (&json!("InvalidRange"), &json!("False"))
    );
    pool["status"]["conditions"][0] = condition("Ready", "True", "Deleting", "waits for 1 address");
    let row = json_rows([pool], StatusTopic::Pools).remove(0);
    assert_eq!(
        (&row["reason"], &row["message"]),
        (&json!("Deleting"), &json!("waits for 1 address")),
        "that it goes is told before that it is full"
    );
    let unseen = json_rows([samples::pool()], StatusTopic::Pools).remove(0);
    assert_eq!(
        (&unseen["ready"], &unseen["assignedIPv4"]),
        (&json!("Unknown"), &Value::Null)
    );
}

#[test]
fn a_refused_peer_says_so_whether_it_has_a_session_or_not() {
    let mut objects = samples::cluster();
    objects.push(speaker("node-1", session("Connect", &[]), &[]));
    let told = condition(
        "Ready",
        "False",
        "UnknownReference",
        "spec.passwordSecret: none",
    );
    for object in &mut objects {
        if object["kind"] == "BGPPeer" {
            object["status"] = json!({"conditions": [told]});
        }
    }
    let rows = json_rows(objects.clone(), StatusTopic::Peers);
    assert_eq!(
        column(&rows, "reason"),
        ["UnknownReference", "UnknownReference"]
    );
    objects.retain(|object| object["kind"] == "BGPPeer");
    let row = json_rows(objects, StatusTopic::Peers).remove(0);
    assert_eq!(
        (&row["state"], &row["message"]),
        (&json!("Refused"), &json!("spec.passwordSecret: none"))
    );
}

#[test]
fn peers_are_listed_per_node_whether_reported_or_only_wanted() {
    let mut down = session("Active", &[]);
    down["lastError"] = json!({"code": 6, "subcode": 2, "text": "received Cease/2"});
    down["flaps"] = json!(3);
    let mut objects = samples::cluster();
    objects.push(speaker("node-1", down, &[]));
    let rows = json_rows(objects.clone(), StatusTopic::Peers);
    assert_eq!(column(&rows, "node"), ["node-1", "node-2"]);
    assert_eq!(column(&rows, "state"), ["Active", "NotReported"]);
    assert_eq!(
        (&rows[0]["lastError"], &rows[0]["flaps"]),
        (&json!("received Cease/2"), &json!(3))
    );
    let wide = text(objects, StatusTopic::Peers, StatusOutput::Wide);
    assert!(
        wide.lines()
            .next()
            .is_some_and(|titles| titles.ends_with("LAST-ERROR        FAMILIES  MESSAGE")),
        "{wide}"
    );
}

#[test]
fn a_node_shows_the_first_condition_that_is_not_well() {
    let mut well = speaker("node-1", session("Established", BOTH), &[]);
    let mut objects = samples::cluster();
    objects.push(well.clone());
    let rows = json_rows(objects.clone(), StatusTopic::Nodes);
    assert_eq!(
        (&rows[0]["ready"], &rows[0]["reason"]),
        (&json!("True"), &Value::Null)
    );
    assert_eq!(
        (&rows[1]["ready"], &rows[1]["reason"]),
        (&json!("Unknown"), &json!("NoSpeaker"))
    );
    assert_eq!(rows[0]["podNetworks"], json!(["10.0.1.0/24"]));

    well["status"]["conditions"][1] =
        condition("Serving", "False", "NodeDrained", "the node is drained");
    *objects.last_mut().unwrap() = well.clone();
    assert_eq!(
        json_rows(objects.clone(), StatusTopic::Nodes)[0]["reason"],
        "NodeDrained"
    );

    well["status"]["conditions"][0] =
        condition("Ready", "False", "Reading", "not yet read: Secret");
    *objects.last_mut().unwrap() = well;
    let rows = json_rows(objects, StatusTopic::Nodes);
    assert_eq!(
        (&rows[0]["ready"], &rows[0]["reason"]),
        (&json!("False"), &json!("Reading"))
    );
}

#[test]
fn what_a_speaker_wrote_that_does_not_run_is_not_shown_as_so() {
    let mut objects = layer_2_only();
    objects.extend(samples::cluster().into_iter().filter(|object| {
        matches!(
            object["kind"].as_str(),
            Some("BGPPeer" | "BGPAdvertisement")
        )
    }));
    objects.push(speaker(
        "node-1",
        session("Established", BOTH),
        &["192.0.2.64"],
    ));
    let mut listing = samples::listing(objects);
    let rows = |listing: &Listing, what| -> Vec<Value> {
        let text = render(&View::new(listing), what, StatusOutput::Json).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let alive = rows(&listing, StatusTopic::Services).remove(0);
    assert_eq!(alive["layer2"], json!(["node-1"]));
    assert_eq!(alive["bgp"], json!({"node-1": ["tor"]}));

    listing.present.clear();
    let gone = rows(&listing, StatusTopic::Services).remove(0);
    assert!(
        gone.get("layer2").is_none() && gone.get("bgp").is_none(),
        "{gone}"
    );
    assert_eq!(gone["withheld"]["node-1"], "SpeakerGone");
    let node = rows(&listing, StatusTopic::Nodes).remove(0);
    assert_eq!(
        (&node["ready"], &node["reason"], &node["routes"]),
        (&json!("Unknown"), &json!("SpeakerGone"), &Value::Null)
    );
    let peer = rows(&listing, StatusTopic::Peers).remove(0);
    assert_eq!(
        (&peer["state"], &peer["prefixesOut"]),
        (&json!("SpeakerGone"), &json!(0))
    );
}

#[test]
fn a_speaker_without_a_node_object_is_shown() {
    let rows = json_rows(
        [speaker("lonely", session("Idle", &[]), &[])],
        StatusTopic::Nodes,
    );
    assert_eq!(column(&rows, "node"), ["lonely"]);
}

#[test]
fn the_table_of_services_has_one_line_per_address_and_a_note() {
    let mut objects = samples::cluster();
    objects.push(speaker("node-1", session("Established", BOTH), &[]));
    let table = text(objects, StatusTopic::Services, StatusOutput::Table);
    assert_eq!(
        table,
        "NAMESPACE  NAME  ADDRESS          POOL    BGP          LAYER2  REASON\n\
         default    web   192.0.2.64       public  node-1(tor)  -       -\n\
         default    web   2001:db8:64::10  public  node-1(tor)  -       -\n\
         \n\
         A Service address answers on the ports of its Service; nobody answers ping on it.\n"
    );
}

#[test]
fn yaml_and_json_say_the_same() {
    let mut objects = samples::cluster();
    objects.push(speaker("node-1", session("Established", &["IPv4"]), &[]));
    let yaml: Value = serde_saphyr::from_str(&text(
        objects.clone(),
        StatusTopic::Services,
        StatusOutput::Yaml,
    ))
    .unwrap();
    assert_eq!(
        yaml,
        Value::Array(json_rows(objects, StatusTopic::Services))
    );
}

fn services<const N: usize>(speakers: [Value; N]) -> Vec<Value> {
    let mut objects = samples::cluster();
    objects.extend(speakers);
    json_rows(objects, StatusTopic::Services)
}

/// The sample with an L2Advertisement in place of all BGP.
fn layer_2_only() -> Vec<Value> {
    let mut objects = samples::cluster();
    objects.retain(|object| {
        !matches!(
            object["kind"].as_str(),
            Some("BGPPeer" | "BGPAdvertisement")
        )
    });
    objects.push(samples::segment());
    objects
}

fn json_rows(objects: impl IntoIterator<Item = Value>, what: StatusTopic) -> Vec<Value> {
    serde_json::from_str(&text(objects, what, StatusOutput::Json)).unwrap()
}

fn text(
    objects: impl IntoIterator<Item = Value>,
    what: StatusTopic,
    output: StatusOutput,
) -> String {
    render(&View::new(&samples::listing(objects)), what, output).unwrap()
}

fn column<'a>(rows: &'a [Value], name: &str) -> Vec<&'a str> {
    rows.iter()
        .map(|row| row[name].as_str().unwrap_or_default())
        .collect()
}
