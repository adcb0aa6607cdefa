//! BGP, against BIRD and against FRR: what arrives, how it leaves, and what a session survives.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use ipnet::IpNet;
use serde_json::json;

use super::{Scenario, with_story};
use crate::capture::Capture;
use crate::manifests::{self, Policy};
use crate::netns::Signal;
use crate::node::Ringbolt;
use crate::plan::{Plan, same_family};
use crate::rack::RACK;
use crate::router::{RouterKind, established};
use crate::story::{LIMIT, Story, start_router};
use crate::wait::{holds_for, wait_for};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "bird_sees_the_attributes_of_an_advertisement",
        run: |r| attributes(RouterKind::Bird, r),
    },
    Scenario {
        name: "frr_sees_the_attributes_of_an_advertisement",
        run: |r| attributes(RouterKind::Frr, r),
    },
    Scenario {
        name: "bird_learns_over_an_internal_session",
        run: |r| internal(RouterKind::Bird, r),
    },
    Scenario {
        name: "frr_learns_over_an_internal_session",
        run: |r| internal(RouterKind::Frr, r),
    },
    Scenario {
        name: "bird_and_a_password_that_is_set_while_running",
        run: |r| password(RouterKind::Bird, r),
    },
    Scenario {
        name: "frr_and_a_password_that_is_set_while_running",
        run: |r| password(RouterKind::Frr, r),
    },
    Scenario {
        name: "bird_is_warned_before_a_speaker_leaves",
        run: |r| leaving(RouterKind::Bird, r),
    },
    Scenario {
        name: "frr_is_warned_before_a_speaker_leaves",
        run: |r| leaving(RouterKind::Frr, r),
    },
    Scenario {
        name: "bird_restarts_and_learns_everything_again",
        run: |r| restarted(RouterKind::Bird, r),
    },
    Scenario {
        name: "frr_restarts_and_learns_everything_again",
        run: |r| restarted(RouterKind::Frr, r),
    },
    Scenario {
        name: "tcpdump_reads_every_bgp_message_without_complaint",
        run: clean_messages,
    },
];

/// A Service behind one pod of every node, announced by all of them.
fn serve(story: &Story) -> Result<[IpAddr; 2]> {
    story.put("web", "public", Policy::Cluster, &story.first_pods(), &[])?;
    let addresses = story.wait_addresses("web")?;
    for address in addresses {
        story.wait_next_hops(address, &story.node_names())?;
    }
    Ok(addresses)
}

fn attributes(kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    with_story("attributes", Plan::draw(Some(1)), kind, ringbolt, |story| {
        let addresses = serve(story)?;
        let spec = json!({
            "ipAddressPools": ["public"],
            "communities": ["65010:7", "large:65010:1:2"],
            "med": 50,
            "asPathPrepend": 2,
        });
        let resource = manifests::resource("BGPAdvertisement", "services", spec);
        story.rack.directory.put("services.yaml", &[resource])?;
        let path = vec![story.plan().node_asn.to_string(); 3].join(" ");
        let wanted = match kind {
            RouterKind::Frr => {
                ["Community: 65010:7", "65010:1:2", "metric 50", &path].map(str::to_owned)
            }
            RouterKind::Bird | RouterKind::Ringbolt => {
                ["(65010,7)", "(65010, 1, 2)", "BGP.med: 50", &path].map(str::to_owned)
            }
        };
        for address in addresses {
            wait_for(&format!("attributes of {address}"), LIMIT, || {
                let text = story.router.attributes(IpNet::from(address))?;
                let missing: Vec<&String> =
                    wanted.iter().filter(|word| !text.contains(*word)).collect();
                ensure!(missing.is_empty(), "{missing:?} is not in:\n{text}");
                Ok(())
            })?;
        }
        Ok(())
    })
}

fn internal(kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    let mut plan = Plan::draw(None);
    plan.node_asn = plan.router_asn;
    with_story("internal", plan, kind, ringbolt, |story| {
        let addresses = serve(story)?;
        for address in addresses {
            let text = story.router.attributes(IpNet::from(address))?;
            ensure!(text.contains("100"), "no local preference in:\n{text}");
        }
        for node in &story.plan().nodes {
            for cidr in node.pod_cidrs {
                story.wait_route(cidr, std::slice::from_ref(&node.name))?;
            }
        }
        Ok(())
    })
}

fn password(kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    let mut plan = Plan::draw(None);
    plan.password = Some("a-long-knot".to_owned());
    with_story("password", plan, kind, ringbolt, |story| {
        story.wait_sessions()?;
        let good = story.rack.peer_spec();
        let mut bad = good.clone();
        bad["password"] = json!("another-knot");
        let neighbours: Vec<IpAddr> = story.plan().nodes.iter().map(|node| node.rack[0]).collect();
        story.rack.write_peer(bad)?;
        wait_for("the sessions go down", LIMIT, || {
            let up = neighbours
                .iter()
                .filter(|peer| established(story.router.as_ref(), &[**peer]).is_ok());
            ensure!(up.count() == 0, "some are up");
            Ok(())
        })?;
        holds_for("they stay down", Duration::from_secs(3), || {
            ensure!(
                established(story.router.as_ref(), &neighbours[..1]).is_err(),
                "a wrong password was enough"
            );
            Ok(())
        })?;
        story.rack.write_peer(good)?;
        story.wait_sessions()
    })
}

fn leaving(kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    with_story("leaving", Plan::draw(None), kind, ringbolt, |story| {
        let addresses = serve(story)?;
        let leaver = story.plan().nodes[0].clone();
        let stay: Vec<String> = story
            .node_names()
            .into_iter()
            .filter(|name| *name != leaver.name)
            .collect();
        story.rack.speaker(&leaver.name)?.signal(Signal::Term)?;
        for address in addresses {
            // RFC 8326: 65535:0. BIRD and FRR each have a way of their own to write it.
            wait_for(&format!("the warning about {address}"), LIMIT, || {
                let text = story.router.attributes(IpNet::from(address))?;
                let warned = ["(65535,0)", "65535:0", "graceful-shutdown"]
                    .iter()
                    .any(|word| text.contains(word));
                ensure!(warned, "no warning in:\n{text}");
                let hop = same_family(leaver.rack, address).to_string();
                ensure!(text.contains(&hop), "withdrawn without a warning");
                Ok(())
            })?;
        }
        story.rack.speaker(&leaver.name)?.wait_end(LIMIT)?;
        story.rack.speakers.remove(&leaver.name);
        for address in addresses {
            story.wait_next_hops(address, &stay)?;
        }
        let lost = established(story.router.as_ref(), &leaver.rack[..1]);
        ensure!(lost.is_err(), "the session outlives its speaker");
        Ok(())
    })
}

fn restarted(kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    with_story("restarted", Plan::draw(None), kind, ringbolt, |story| {
        serve(story)?;
        let (_, before) = story.picture()?;
        // The old one must be gone before the new one binds its port.
        story.router.stop()?;
        story.router = start_router(&story.rack, kind)?;
        story.wait_sessions()?;
        wait_for("every route is back", LIMIT, || {
            let routes = story.router.table()?;
            ensure!(
                routes == before,
                "{} routes, before {}",
                routes.len(),
                before.len()
            );
            Ok(())
        })
    })
}

fn clean_messages(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "messages",
        Plan::draw(Some(4)),
        RouterKind::Bird,
        ringbolt,
        |story| {
            let lab = &story.rack.lab;
            let capture = Capture::start(
                &story.rack.router,
                RACK,
                "tcp port 179",
                lab.folder(),
                lab.kept(),
            )?;
            let [v4, _] = serve(story)?;
            let first = story.node_names().remove(0);
            story.rack.speaker(&first)?.terminate(LIMIT)?;
            story.rack.start_speaker(&first)?;
            story.wait_sessions()?;
            story.wait_next_hops(v4, &story.node_names())?;
            let decoded = capture.finish()?;
            for message in [
                "Open Message",
                "Keepalive Message",
                "Update Message",
                "Notification Message",
            ] {
                ensure!(
                    decoded.text().contains(message),
                    "no {message} was recorded"
                );
            }
            decoded.check_clean()
        },
    )
}
