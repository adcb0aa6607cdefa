//! Dumps of our own making, record by record.

use std::io::Cursor;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::bgp::samples::{message, terms};

fn octets(digits: &str) -> Vec<u8> {
    super::super::hex::octets(digits.as_bytes()).unwrap()
}

/// A record of the first second of 2020.
fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let mut record = octets("5e0be100");
    record.extend(kind.to_be_bytes());
    record.extend(subtype.to_be_bytes());
    record.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    record.extend(body);
    record
}

fn told(file: &[u8]) -> (Vec<Value>, Vec<String>, Result<(), String>) {
    assert!(file.len() < 8 || recognises(file));
    read_all(file)
}

fn read_all(file: &[u8]) -> (Vec<Value>, Vec<String>, Result<(), String>) {
    let mut all = Report::default();
    let mut source = Source::new(Cursor::new(file));
    let read = read(&mut source, &terms(), &mut |report| {
        all.lines.push_str(&report.lines);
        all.complaints.extend(report.complaints);
    });
    let values = all.lines.lines();
    (
        values
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        all.complaints,
        read.map_err(|problem| problem.to_string()),
    )
}

/// ORIGIN, AS_PATH 65001 in four octets.
const PATH: &str = "40010100 400206 0201 0000fde9";
/// 192.0.2.1.
const NEXT_HOP: &str = "400304 c0000201";

/// An UPDATE of 10.0.0.0/8.
fn update() -> Vec<u8> {
    message(2, &octets(&format!("0000 0014 {PATH} {NEXT_HOP} 080a")))
}

/// Two peers: 198.51.100.1 of AS 65001 in two octets, 2001:db8::1 of AS 65002 in four.
fn index() -> Vec<u8> {
    let first = "00 0a000001 c6336401 fde9";
    let second = "03 0a000002 20010db8000000000000000000000001 0000fdea";
    record(
        13,
        1,
        &octets(&format!("0a00000a 0003 {} 0002 {first} {second}", "616263")),
    )
}

#[test]
fn received_messages_have_their_peer_and_time() {
    // Peer AS 65001, local AS 65002, interface 0, IPv4.
    let head = octets("0000fde9 0000fdea 0000 0001 c6336401 c6336402");
    let wide = record(16, 4, &[head, update()].concat());
    let (values, complaints, read) = told(&wide);
    assert_eq!((complaints, read), (Vec::new(), Ok(())));
    assert_eq!(values[0]["announced"], json!(["10.0.0.0/8"]));
    assert_eq!(values[0]["attributes"]["as_path"], json!([65001]));
    assert_eq!(
        (
            &values[0]["peer"],
            &values[0]["peer_as"],
            &values[0]["record"]
        ),
        (&json!("198.51.100.1"), &json!(65001), &json!(1))
    );
    assert_eq!(values[0]["at"], "2020-01-01T00:00:00Z");
}

#[test]
fn a_narrow_record_has_narrow_as_numbers_and_one_as_is_internal() {
    let head = octets(
        "fde9 fde9 0000 0002 20010db8000000000000000000000001 20010db8000000000000000000000002",
    );
    // LOCAL_PREF 100 among them.
    let body = octets(&format!(
        "0000 0019 40010100 400204 0201fde9 {NEXT_HOP} 40050400000064 080a"
    ));
    let file = record(
        17,
        1,
        &[octets("0007a120"), head, message(2, &body)].concat(),
    );
    let (values, complaints, _) = told(&file);
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(values[0]["attributes"]["local_pref"], 100);
    assert_eq!(values[0]["at"], "2020-01-01T00:00:00.5Z");
    assert_eq!(values[0]["peer"], "2001:db8::1");
}

#[test]
fn a_table_becomes_updates() {
    let attributes = octets(&format!("{PATH} {NEXT_HOP}"));
    // Sequence 0, 10.0.0.0/8, two entries: peers 0 and 1, since 0.
    let entry = |peer: u8| [&[0, peer, 0, 0, 0, 0, 0, 20][..], &attributes].concat();
    let four = [octets("00000000 080a 0002"), entry(0), entry(1)].concat();
    // The next hop alone, with its length.
    let short = octets(&format!(
        "{PATH} 800e11 10 20010db8000000000000000000000001"
    ));
    let six = [
        octets("00000001 20 20010db8 0001 0000 00000000 0021"),
        short,
    ]
    .concat();
    // Whole, against the standard.
    let whole = octets(&format!(
        "{PATH} 800e1a 000201 10 20010db8000000000000000000000001 00 20 20010db8"
    ));
    let against = [
        octets("00000001 20 20010db8 0001 0000 00000000 002a"),
        whole,
    ]
    .concat();
    let file = [
        index(),
        record(13, 2, &four),
        record(13, 4, &six),
        record(13, 4, &against),
    ]
    .concat();
    let (values, complaints, read) = told(&file);
    assert_eq!((complaints, read), (Vec::new(), Ok(())));
    let peers: Vec<&Value> = values.iter().map(|value| &value["peer_as"]).collect();
    assert_eq!(
        peers,
        [&json!(65001), &json!(65002), &json!(65001), &json!(65001)]
    );
    assert_eq!(values[0]["announced"], json!(["10.0.0.0/8"]));
    for value in &values[2..] {
        assert_eq!(value["announced"], json!(["2001:db8::/32"]));
        assert_eq!(value["next_hop"], "2001:db8::1");
    }
}

#[test]
fn attributes_of_a_table_without_flags_have_those_of_their_definition() {
    // ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF and a community as BIRD writes its own.
    let bare = octets("00010100 400206 0201 0000fde9 000304c0000201 00050400000064 000804fde80007");
    let four = [octets("00000000 080a 0001 0000 00000000 0022"), bare].concat();
    let (values, complaints, _) = told(&[index(), record(13, 2, &four)].concat());
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(
        (&values[0]["reaction"], &values[0]["faults"]),
        (&json!("accept"), &json!([]))
    );
    assert_eq!(values[0]["attributes"]["local_pref"], 100);
    assert_eq!(values[0]["attributes"]["communities"], json!(["65000:7"]));
}

#[test]
fn what_is_refused_is_named_and_the_rest_is_read() {
    let head = octets("0000fde9 0000fdea 0000 0001 c6336401 c6336402");
    let good = record(16, 4, &[head, update()].concat());
    for (bad, named) in [
        (
            record(16, 9, &[]),
            "NotImplemented: BGP4MP_MESSAGE_AS4_ADDPATH",
        ),
        (
            record(13, 10, &[]),
            "NotImplemented: RIB_IPV6_UNICAST_ADDPATH",
        ),
        (record(13, 6, &[]), "NotImplemented: RIB_GENERIC"),
        (record(12, 1, &[]), "MRT type 12, subtype 1 is not read"),
        (record(16, 4, &[0, 0]), "the record ends inside a field"),
        (
            record(16, 4, &octets("00000001 00000002 0000 0009")),
            "family 9",
        ),
        (
            record(13, 2, &octets("00000000 00 0001 0005 00000000 0000")),
            "peer 5 is not in the index",
        ),
        (
            record(13, 2, &octets("00000000 21 0000000000 0001")),
            "33 bits",
        ),
    ] {
        let (values, complaints, read) = told(&[bad, good.clone()].concat());
        assert_eq!(read, Ok(()));
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].starts_with("record 1"), "{complaints:?}");
        assert!(complaints[0].contains(named), "{named}: {complaints:?}");
        assert_eq!(values[1]["type"], "update");
    }
}

#[test]
fn state_changes_are_gone_past() {
    let change = octets("fde9 fdea 0000 0001 c6336401 c6336402 0005 0006");
    assert_eq!(
        told(&record(16, 0, &change)),
        (Vec::new(), Vec::new(), Ok(()))
    );
}

#[test]
fn a_dump_that_is_cut_off_or_boasts_is_an_error() {
    let file = record(16, 0, &[0; 30]);
    assert_eq!(
        told(&file[..file.len() - 2]).2,
        Err("ends 2 octets too early".to_owned())
    );
    let mut boasting = record(16, 0, &[]);
    boasting[8..12].copy_from_slice(&[0xff; 4]);
    assert!(told(&boasting).2.unwrap_err().contains("4294967295"));
}

proptest! {
    #[test]
    fn any_damage_is_read_to_an_end(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        length in any::<prop::sample::Index>(),
    ) {
        let head = octets("0000fde9 0000fdea 0000 0001 c6336401 c6336402");
        let six = octets(&format!(
            "00000001 20 20010db8 0001 0000 00000000 0021 {PATH} 800e11 10 20010db8000000000000000000000001"
        ));
        let mut file = [
            index(),
            record(13, 4, &six),
            record(16, 4, &[head, update()].concat()),
        ].concat();
        for (at, value) in damage {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.truncate(length.index(file.len() + 1));
        let _whatever_it_says = read_all(&file);
    }
}
