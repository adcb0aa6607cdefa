//! `ringbolt bgp decode`: what comes out, and with which exit code.

use std::fs;

use serde_json::Value;

use crate::process::answer;

const KEEPALIVE: &str = "ffffffffffffffffffffffffffffffff001304";

fn decoded(digits: &str, flags: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("messages.hex");
    fs::write(&file, digits).expect("the file can be written");
    let name = file.display().to_string();
    let answer = answer(&[&["bgp", "decode"], flags, &[&name]].concat());
    let lines = answer
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("lines are JSON"));
    (answer.code, lines.collect(), answer.err)
}

#[test]
fn what_decodes_exits_0_and_says_so_line_by_line() {
    let text = format!("# two\n{KEEPALIVE}\n\n{KEEPALIVE}\n");
    let (code, lines, err) = decoded(&text, &["--reencode"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (lines[1]["type"].as_str(), lines[1]["line"].as_u64()),
        (Some("keepalive"), Some(4))
    );
    assert_eq!(lines[1]["reencoded"], "equal");
}

#[test]
fn what_does_not_decode_exits_1_and_the_lines_after_it_are_read() {
    let (code, lines, err) = decoded(&format!("00{KEEPALIVE}\n{KEEPALIVE}\n"), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(
        (lines[0]["reaction"].as_str(), lines[1]["reaction"].as_str()),
        (Some("reset"), Some("accept"))
    );
    assert!(
        err.contains("messages.hex: line 1: marker is not all ones"),
        "{err}"
    );
}

#[test]
fn flags_decide_what_bytes_mean() {
    // ORIGIN, AS_PATH 65001 in two octets, NEXT_HOP, LOCAL_PREF 100; 192.0.2.1/32.
    let update = "ffffffffffffffffffffffffffffffff 0035 02 0000 0019 40010100 400204 0201fde9 \
                  400304c6336401 40050400000064 20c0000201";
    let (_, lines, _) = decoded(update, &["--as2", "--peer", "ibgp"]);
    assert_eq!(
        lines[0]["attributes"]["as_path"],
        serde_json::json!([65001]),
        "{lines:?}"
    );
    assert_eq!(lines[0]["attributes"]["local_pref"], 100);
    let (_, lines, _) = decoded(update, &["--as2"]);
    assert_eq!(lines[0]["reaction"], "discard", "{lines:?}");
    let (code, lines, _) = decoded(update, &["--peer", "ibgp"]);
    assert_eq!(
        (code, lines[0]["reaction"].as_str()),
        (Some(0), Some("withdraw"))
    );
}

#[test]
fn path_identifiers_are_refused_by_name() {
    let answer = answer(&["bgp", "decode", "--add-path"]);
    assert_eq!(answer.code, Some(2));
    assert!(
        answer.err.contains("NotImplemented: --add-path"),
        "{}",
        answer.err
    );
}

#[test]
fn the_guide_shows_what_is_printed() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/bgp.md");
    let page = fs::read_to_string(page).expect("the page exists");
    let (digits, shown) = page
        .split_once("$ echo ")
        .and_then(|(_, rest)| rest.split_once(" | ringbolt bgp decode\n"))
        .and_then(|(digits, rest)| Some((digits, rest.split_once('\n')?.0)))
        .expect("the page has the example");
    let shown: Value = serde_json::from_str(shown).expect("the example is JSON");
    assert_eq!(decoded(digits, &[]).1, [shown]);
}

#[test]
fn a_compressed_file_is_refused_with_what_unpacks_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("rib.gz");
    fs::write(&file, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).expect("the file can be written");
    let answer = answer(&["bgp", "decode", &file.display().to_string()]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.err.contains("zcat"), "{}", answer.err);
}

#[test]
fn a_dump_of_received_messages_is_known_by_its_first_octets() {
    // BGP4MP_MESSAGE_AS4 between AS 65001 and AS 65002, with a KEEPALIVE.
    let mut file = vec![0x5e, 0x0b, 0xe1, 0, 0, 16, 0, 4, 0, 0, 0, 39];
    file.extend([0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea, 0, 0, 0, 1]);
    file.extend([198, 51, 100, 1, 198, 51, 100, 2]);
    file.extend([0xff; 16]);
    file.extend([0, 19, 4]);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let name = directory.path().join("updates.mrt");
    fs::write(&name, file).expect("the file can be written");
    let answer = answer(&["bgp", "decode", &name.display().to_string()]);
    assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
    let line: Value = serde_json::from_str(&answer.out).expect("one line of JSON");
    assert_eq!(
        (line["type"].as_str(), line["peer_as"].as_u64()),
        (Some("keepalive"), Some(65001))
    );
}
