//! `manifests/examples` do what the page "First steps" says.

use std::net::SocketAddr;

use serde_json::Value;

use crate::fixture::{Manifests, free_port};
use crate::guide;
use crate::process::{Running, answer, get, wait_for_code};

#[test]
fn the_examples_are_valid_as_the_guide_shows() {
    let command = "validate -f manifests/examples";
    let answer = answer(&command.split(' ').collect::<Vec<_>>());
    assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
    assert_eq!(answer.out, guide::shown(&format!("ringbolt {command}")));
}

#[test]
fn check_says_what_validate_says_and_exits() {
    let directory = Manifests::examples(179);
    for daemon in [&["controller"][..], &["speaker", "--node-name", "node-1"]] {
        let place = directory.text();
        let answer = answer(&[daemon, &["--manifests", &place, "--check"]].concat());
        assert_eq!(
            answer.code,
            Some(0),
            "{daemon:?}: {}{}",
            answer.out,
            answer.err
        );
        assert_eq!(
            answer.out,
            guide::shown("ringbolt validate -f manifests/examples")
        );
    }
}

#[test]
fn two_daemons_do_what_the_guide_shows() {
    let port = free_port();
    let (cluster, elsewhere) = (Manifests::examples(port), Manifests::router());
    let (place, elsewhere_place) = (cluster.text(), elsewhere.text());
    let listen = format!("127.0.0.1:{port}");
    let router = Running::daemon(&[
        "speaker",
        "--manifests",
        &elsewhere_place,
        "--node-name",
        "router",
        "--bgp-listen",
        &listen,
        "--http",
        ANY,
    ]);
    router.wait_for_message("listening for BGP");
    let controller = Running::daemon(&["controller", "--manifests", &place, "--http", ANY]);
    let speaker = Running::daemon(&[
        "speaker",
        "--manifests",
        &place,
        "--node-name",
        "node-1",
        "--http",
        ANY,
    ]);

    // Layer 2 is kept off this machine, and a session over loopback has no IPv6 next hop.
    let services = &[
        "NAMESPACE",
        "NAME",
        "ADDRESS",
        "POOL",
        "BGP",
        "LAYER2",
        "REASON",
    ];
    shows(&place, &[], services, &["LAYER2"]);
    let pools = &[
        "NAME",
        "ASSIGNED4",
        "FREE4",
        "ASSIGNED6",
        "FREE6",
        "READY",
        "REASON",
    ];
    shows(&place, &["pools"], pools, &[]);
    let peers = &[
        "PEER", "NODE", "ADDRESS", "STATE", "SINCE", "OUT", "IN", "FLAPS", "REASON",
    ];
    shows(&place, &["peers"], peers, &["ADDRESS", "SINCE", "OUT"]);
    let nodes = &["NODE", "PEERS", "ADDRESSES", "ROUTES", "READY", "REASON"];
    shows(&place, &["nodes"], nodes, &["ADDRESSES", "REASON"]);

    for (daemon, part) in [(&controller, "\"waiting\""), (&speaker, "\"node-1\"")] {
        serves_http(daemon.http(), part);
    }
    router.wait_for_message("BGP session established");
    for daemon in [speaker, controller, router] {
        assert_eq!(daemon.terminate().code(), Some(0));
    }
}

const ANY: &str = "127.0.0.1:0";

/// `ringbolt status` ends up showing the table of the guide, but for the columns that must differ.
fn shows(place: &str, topic: &[&str], titles: &[&str], differing: &[&str]) {
    let watch = [&["status"], topic, &["--manifests", place, "--watch"]].concat();
    let shown: Vec<&str> = ["ringbolt", "status"]
        .iter()
        .chain(topic)
        .chain(&["--manifests", "/tmp/first"])
        .copied()
        .collect();
    let mut expected = guide::rows(&shown.join(" "), differing);
    if topic.is_empty() {
        // The note about ping follows the table of Services.
        let note = guide::shown(&shown.join(" "));
        let note = note.lines().skip_while(|line| !line.is_empty());
        expected.extend(note.map(guide::columns(titles, differing)));
        without_ipv6_next_hop(&mut expected);
    }
    Running::printing(&watch).wait_for_tail(&expected, guide::columns(titles, differing));
}

/// Over loopback no IPv6 route is told, and the table must say so.
fn without_ipv6_next_hop(rows: &mut [Vec<String>]) {
    for row in rows {
        if let [_, _, address, _, bgp, reason] = row.as_mut_slice()
            && address.contains(':')
        {
            "-".clone_into(bgp);
            "FamilyNotNegotiated".clone_into(reason);
        }
    }
}

fn serves_http(address: SocketAddr, part: &str) {
    assert_eq!(get(address, "/livez"), (200, "ok\n".to_owned()));
    wait_for_code(address, "/readyz", 200);
    let (code, body) = get(address, "/status");
    assert_eq!(code, 200);
    assert!(
        serde_json::from_str::<Value>(&body).is_ok() && body.contains(part),
        "{body}"
    );
    let (code, body) = get(address, "/metrics");
    assert!(code == 200 && body.contains("ringbolt_"), "{body}");
    assert_eq!(get(address, "/no-such-page").0, 404);
}
