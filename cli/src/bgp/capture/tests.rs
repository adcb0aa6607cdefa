//! Captures of our own making: two speakers open a session and talk.

use std::io::Cursor;

use proptest::prelude::*;
use serde_json::Value;

use super::super::read::Source;
use super::*;
use crate::bgp::samples::{message, terms};

/// An OPEN of a two-octet AS with these capabilities.
fn open(asn: u16, capabilities: &[u8]) -> Vec<u8> {
    let length = u8::try_from(capabilities.len()).unwrap();
    let [high, low] = asn.to_be_bytes();
    let mut body = vec![4, high, low, 0, 90, 10, 0, 0, 1, length + 2, 2, length];
    body.extend(capabilities);
    message(1, &body)
}

/// ORIGIN, AS_PATH 65001 in two octets, NEXT_HOP, LOCAL_PREF; 10.0.0.0/8.
fn update() -> Vec<u8> {
    let mut body = vec![0, 0, 0, 25, 0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfd, 0xe9];
    body.extend([0x40, 3, 4, 192, 0, 2, 1, 0x40, 5, 4, 0, 0, 0, 100, 8, 10]);
    message(2, &body)
}

#[derive(Clone, Copy)]
enum Side {
    Dialler,
    Listener,
}

/// An IPv4 packet from one side; sequence numbers count from zero.
fn packet(side: Side, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (dialler, listener) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let total = u16::try_from(40 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    let (from, to, ports) = match side {
        Side::Dialler => (dialler, listener, [0xc3, 0x50, 0, 179]),
        Side::Listener => (listener, dialler, [0, 179, 0xc3, 0x50]),
    };
    packet.extend(from);
    packet.extend(to);
    packet.extend(ports);
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

const SYN: u8 = 0x02;

/// A session as packets: SYNs, OPENs with these capabilities, and an UPDATE of the dialler.
fn session(capabilities: &[u8]) -> Vec<Vec<u8>> {
    let open = open(65_001, capabilities);
    let after = u32::try_from(open.len()).unwrap();
    vec![
        packet(Side::Dialler, u32::MAX, SYN, &[]),
        packet(Side::Listener, u32::MAX, SYN, &[]),
        packet(Side::Dialler, 0, 0, &open),
        packet(Side::Listener, 0, 0, &open),
        packet(Side::Dialler, after, 0, &update()),
    ]
}

fn classic(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4];
    file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 101]);
    for packet in packets {
        let length = u32::try_from(packet.len()).unwrap().to_be_bytes();
        file.extend([0x65, 0, 0, 0, 0, 0, 0, 7]);
        file.extend(length);
        file.extend(length);
        file.extend(packet);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

fn newer(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = block(
        0x0a0d_0d0a,
        &[
            0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
        ],
    );
    // Of another kind, to be skipped; then an interface that counts milliseconds.
    file.extend(block(0x0bad, &[1, 2, 3]));
    file.extend(block(
        1,
        &[101, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0],
    ));
    for packet in packets {
        let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
        let mut body = vec![0; 8];
        body.extend(1_500_u32.to_le_bytes());
        body.extend(length);
        body.extend(length);
        body.extend(packet);
        file.extend(block(6, &body));
    }
    file
}

fn read(file: &[u8]) -> (Vec<Value>, Vec<String>, Result<(), String>) {
    let mut source = Source::new(Cursor::new(file));
    let mut capture = Capture::new(terms());
    let mut all = Report::default();
    let mut tell = |report: Report| {
        all.lines.push_str(&report.lines);
        all.complaints.extend(report.complaints);
    };
    let read = if pcapng::recognises(file) {
        pcapng::read(&mut source, &mut capture, &mut tell)
    } else {
        pcap::read(&mut source, &mut capture, &mut tell)
    };
    let mut last = Report::default();
    capture.finish(&mut last);
    tell(last);
    let values = all.lines.lines();
    let values = values.map(|line| serde_json::from_str(line).unwrap());
    (
        values.collect(),
        all.complaints,
        read.map_err(|problem| problem.to_string()),
    )
}

const FOUR_OCTET_AS: [u8; 6] = [65, 4, 0, 0, 0xfd, 0xe9];

#[test]
fn opens_decide_how_the_rest_is_read() {
    // Without capability 65 the path's two octets are right; one AS makes it an internal session.
    let (values, complaints, read) = read(&classic(&session(&[])));
    assert_eq!((complaints, read), (Vec::new(), Ok(())));
    let kinds: Vec<&str> = values
        .iter()
        .filter_map(|value| value["type"].as_str())
        .collect();
    assert_eq!(kinds, ["open", "open", "update"]);
    assert_eq!(
        values[2]["attributes"]["as_path"],
        serde_json::json!([65001])
    );
    assert_eq!(values[2]["attributes"]["local_pref"], 100);
    assert_eq!(values[2]["from"], "192.0.2.1:50000");
    assert_eq!(values[2]["packet"], 5);
    assert_eq!(values[2]["at"], "2023-09-12T06:06:56.000007Z");
}

#[test]
fn with_four_octet_as_numbers_the_same_path_is_malformed() {
    let (values, _, _) = read(&classic(&session(&FOUR_OCTET_AS)));
    assert_eq!(values[2]["reaction"], "withdraw");
    assert_eq!(values[2]["faults"][0]["attribute"], 2);
}

#[test]
fn both_forms_of_file_say_the_same() {
    let strip = |mut value: Value| {
        value.as_object_mut().unwrap().remove("at");
        value
    };
    let packets = session(&[]);
    let (old, ..) = read(&classic(&packets));
    let (new, complaints, result) = read(&newer(&packets));
    assert_eq!((complaints, result), (Vec::new(), Ok(())));
    assert_eq!(new[0]["at"], "1970-01-01T00:00:01.5Z");
    let old: Vec<Value> = old.into_iter().map(strip).collect();
    let new: Vec<Value> = new.into_iter().map(strip).collect();
    assert_eq!(old, new);
}

#[test]
fn updates_with_path_identifiers_are_refused_by_name() {
    let (values, complaints, _) = read(&classic(&session(&[69, 4, 0, 1, 1, 3])));
    assert_eq!(values[2]["type"], "update");
    assert_eq!(values[2]["reaction"], Value::Null);
    assert!(complaints[0].contains("NotImplemented"), "{complaints:?}");
}

#[test]
fn a_message_that_the_capture_ends_in_is_cut_off() {
    let mut packets = session(&[]);
    let last = packets.pop().unwrap();
    let cut = last.len() - 5;
    packets.push(last[..cut].to_vec());
    let (_, complaints, read) = read(&classic(&packets));
    assert_eq!(read, Ok(()));
    assert!(
        complaints[0].ends_with("cut off: 45 of 50 octets"),
        "{complaints:?}"
    );
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    let file = classic(&session(&[]));
    let (values, _, read) = read(&file[..file.len() - 1]);
    assert_eq!(read, Err("ends 1 octets too early".to_owned()));
    assert_eq!(values.len(), 2);
}

#[test]
fn a_packet_of_four_gigabytes_is_not_believed() {
    let mut file = classic(&[]);
    file.extend([
        0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
    ]);
    let (_, _, read) = read(&file);
    assert!(read.unwrap_err().contains("4294967295"));
}

#[test]
fn the_directions_that_are_remembered_are_bounded() {
    let mut capture = Capture::new(terms());
    let mut report = Report::default();
    for port in 1..=5_000_u16 {
        let mut octets = packet(Side::Dialler, 0, SYN, &[]);
        octets[20..22].copy_from_slice(&port.to_be_bytes());
        let packet = Packet {
            link: Link::Raw,
            at: None,
            octets: &octets,
        };
        capture.packet(&packet, &mut report);
    }
    assert_eq!(capture.streams.len(), STREAMS_MAX);
    assert_eq!(capture.touched.len(), STREAMS_MAX);
    assert_eq!(report, Report::default());
}

proptest! {
    #[test]
    fn any_damage_is_read_to_an_end(
        new in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        length in any::<prop::sample::Index>(),
    ) {
        let packets = session(&FOUR_OCTET_AS);
        let mut file = if new { newer(&packets) } else { classic(&packets) };
        for (at, value) in damage {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.truncate(length.index(file.len() + 1));
        let _whatever_it_says = read(&file);
    }
}
