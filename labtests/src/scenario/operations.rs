//! What operators do to a running system, and what strangers do to its port.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::{Value, json};

use super::{Scenario, with_story};
use crate::manifests::{self, Policy};
use crate::node::{Ringbolt, SPEAKER_HTTP, status};
use crate::plan::{NodePlan, Plan};
use crate::router::RouterKind;
use crate::story::{LIMIT, Story};
use crate::wait::{holds_for, wait_for};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a_drained_node_keeps_its_sessions_and_its_pod_networks",
        run: drained,
    },
    Scenario {
        name: "an_excluded_node_keeps_its_sessions_and_its_pod_networks",
        run: excluded,
    },
    Scenario {
        name: "a_peer_that_is_added_leaves_other_sessions_alone",
        run: peer_added,
    },
    Scenario {
        name: "an_aggregate_stands_for_its_addresses",
        run: aggregated,
    },
    Scenario {
        name: "a_second_controller_takes_over",
        run: second_controller,
    },
    Scenario {
        name: "a_speaker_announces_although_its_http_port_is_taken",
        run: port_taken,
    },
    Scenario {
        name: "hostile_bytes_on_the_bgp_port_disturb_no_session",
        run: hostile_bytes,
    },
];

fn serve(story: &Story) -> Result<[IpAddr; 2]> {
    story.put("web", "public", Policy::Cluster, &story.first_pods(), &[])?;
    let addresses = story.wait_addresses("web")?;
    for address in addresses {
        story.wait_next_hops(address, &story.node_names())?;
    }
    Ok(addresses)
}

fn drained(ringbolt: &Ringbolt) -> Result<()> {
    set_apart(ringbolt, |node| {
        node["metadata"]["annotations"] = json!({"ringbolt.io/drain": "true"});
    })
}

fn excluded(ringbolt: &Ringbolt) -> Result<()> {
    let label = "node.kubernetes.io/exclude-from-external-load-balancers";
    set_apart(ringbolt, move |node| {
        node["metadata"]["labels"][label] = json!("");
    })
}

/// A node is marked: its Services leave it, its pod networks stay; the mark goes, and they come back.
fn set_apart(ringbolt: &Ringbolt, mark: impl Fn(&mut Value)) -> Result<()> {
    with_story(
        "apart",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            let addresses = serve(story)?;
            let node = story.plan().nodes[1].clone();
            let sessions = wait_flaps(story)?;
            let mut object = manifests::node(&node.name, &node.rack, &node.pod_cidrs);
            mark(&mut object);
            let file = format!("node-{}.yaml", node.name);
            story.rack.directory.put(&file, &[object])?;
            let others: Vec<String> = story
                .node_names()
                .into_iter()
                .filter(|name| *name != node.name)
                .collect();
            for address in addresses {
                story.wait_next_hops(address, &others)?;
            }
            for cidr in node.pod_cidrs {
                story.wait_route(cidr, std::slice::from_ref(&node.name))?;
            }
            let plain = manifests::node(&node.name, &node.rack, &node.pod_cidrs);
            story.rack.directory.put(&file, &[plain])?;
            for address in addresses {
                story.wait_next_hops(address, &story.node_names())?;
            }
            ensure!(flaps(story)? == sessions, "a session went down");
            Ok(())
        },
    )
}

/// For every node, how often its session with the router was lost. The page is a second old at most.
fn wait_flaps(story: &Story) -> Result<Vec<(String, String)>> {
    wait_for("every /status shows its session", LIMIT, || flaps(story))
}

fn flaps(story: &Story) -> Result<Vec<(String, String)>> {
    let one = |node: &NodePlan| {
        let status = status(story.rack.node_space(&node.name)?, SPEAKER_HTTP)?;
        let peers = status["bgp"]["peers"]
            .as_array()
            .context("/status has no peers")?;
        let tor = peers.iter().find(|peer| {
            peer["peer"]
                .as_str()
                .is_some_and(|name| name == "tor" || name.starts_with("tor/"))
        });
        let tor = tor.context("/status has no peer `tor`")?;
        ensure!(
            tor["state"] == "Established",
            "{} is {}",
            node.name,
            tor["state"]
        );
        Ok((node.name.clone(), tor["flaps"].to_string()))
    };
    story.plan().nodes.iter().map(one).collect()
}

fn peer_added(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "added",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            serve(story)?;
            let before = wait_flaps(story)?;
            let (_, routes) = story.picture()?;
            let mut spec = story.rack.peer_spec();
            spec["peerAddress"] = json!(story.plan().gateway[0]);
            story.rack.directory.put(
                "other.yaml",
                &[manifests::resource("BGPPeer", "other", spec)],
            )?;
            let first = story.plan().nodes[0].name.clone();
            wait_for("the new peer is tried", LIMIT, || {
                let status = status(story.rack.node_space(&first)?, SPEAKER_HTTP)?;
                let count = status["bgp"]["peers"].as_array().map_or(0, Vec::len);
                ensure!(count == 2, "{count} peers");
                Ok(())
            })?;
            holds_for("the other session stays", Duration::from_secs(2), || {
                ensure!(flaps(story)? == before, "a session went down");
                ensure!(story.router.table()? == routes, "routes changed");
                Ok(())
            })
        },
    )
}

fn aggregated(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "aggregate",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            let [v4, v6] = serve(story)?;
            let spec = json!({
                "ipAddressPools": ["public"],
                "aggregationLength": 26,
                "aggregationLengthV6": 64,
            });
            let resource = manifests::resource("BGPAdvertisement", "services", spec);
            story.rack.directory.put("services.yaml", &[resource])?;
            for (address, length) in [(v4, 26), (v6, 64)] {
                story.wait_route(IpNet::new(address, length)?.trunc(), &story.node_names())?;
                wait_for("the single address is gone", LIMIT, || {
                    story.lacks(&[address])
                })?;
            }
            Ok(())
        },
    )
}

fn second_controller(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "second",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            serve(story)?;
            let first = story.plan().nodes[0].name.clone();
            let second = story.plan().nodes[1].name.clone();
            story.rack.start_controller(&second)?;
            story.put("while-two-run", "public", Policy::Cluster, &[], &[])?;
            story.wait_addresses("while-two-run")?;
            story.rack.kill_controller(&first)?;
            story.put("after-one-died", "public", Policy::Cluster, &[], &[])?;
            let held = story.wait_addresses("after-one-died")?;
            ensure!(
                held != story.addresses("while-two-run")?,
                "one address was given twice"
            );
            Ok(())
        },
    )
}

fn port_taken(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "taken",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            let addresses = serve(story)?;
            let node = story.plan().nodes[0].name.clone();
            story.rack.speaker(&node)?.terminate(LIMIT)?;
            story.rack.speakers.remove(&node);
            let space = story.rack.node_space(&node)?;
            let taken =
                space.inside(|| TcpListener::bind((Ipv4Addr::LOCALHOST, SPEAKER_HTTP)))??;
            story.rack.start_speaker(&node)?;
            story.wait_sessions()?;
            for address in addresses {
                story.wait_next_hops(address, &story.node_names())?;
            }
            drop(taken);
            wait_for("/status once the port is free", LIMIT, || {
                status(story.rack.node_space(&node)?, SPEAKER_HTTP).map(drop)
            })
        },
    )
}

/// What somebody may send to port 179.
fn garbage() -> Vec<Vec<u8>> {
    let marker = [0xff_u8; 16];
    let message = |length: u16, kind: u8, body: &[u8]| {
        [&marker[..], &length.to_be_bytes(), &[kind], body].concat()
    };
    vec![
        Vec::new(),
        vec![0; 4096],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        message(18, 1, &[]),
        message(0xffff, 2, &[0xff; 64]),
        message(29, 1, &[4, 0xfd, 0xe8, 0, 2, 0, 0, 0, 0, 0]),
        message(29, 1, &[4, 0, 0, 0, 0, 10, 0, 0, 1, 255]),
        message(19, 4, &[]),
        message(23, 2, &[0, 0, 0, 0]),
        message(19, 99, &[]),
    ]
}

fn hostile_bytes(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "bytes",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            serve(story)?;
            let mut spec = story.rack.peer_spec();
            spec["passive"] = json!(true);
            story.rack.write_peer(spec)?;
            let target = SocketAddr::new(story.plan().nodes[0].rack[0], 179);
            wait_for("the port is open", LIMIT, || {
                say(&story.rack.router, target, &[])
            })?;
            story.wait_sessions()?;
            let before = wait_flaps(story)?;
            let (_, routes) = story.picture()?;
            // From the peer's own address, and from one that is nobody's.
            for space in [&story.rack.router, &story.rack.client] {
                for bytes in garbage() {
                    say(space, target, &bytes).ok();
                }
            }
            holds_for("the session stays", Duration::from_secs(2), || {
                ensure!(flaps(story)? == before, "a session went down");
                ensure!(story.router.table()? == routes, "routes changed");
                Ok(())
            })
        },
    )
}

/// Connects, says something, and waits a moment for what comes back.
fn say(space: &crate::netns::Netns, to: SocketAddr, bytes: &[u8]) -> Result<()> {
    space.inside(|| {
        let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        // Whatever it answers, and whether it does, is its own affair.
        stream.read_to_end(&mut answer).ok();
        Ok(())
    })?
}
