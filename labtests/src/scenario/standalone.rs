//! A directory as the cluster, when it is not what it should be: nothing in it makes a daemon end, and nothing
//! that was good before goes away.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Scenario, with_story};
use crate::manifests::Policy;
use crate::node::Ringbolt;
use crate::plan::Plan;
use crate::router::RouterKind;
use crate::story::Story;
use crate::wait::holds_for;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "hostile_manifests_change_nothing",
        run: hostile,
    },
    Scenario {
        name: "a_directory_that_goes_away_changes_nothing",
        run: gone,
    },
    Scenario {
        name: "a_manifest_cut_at_any_length_changes_nothing_else",
        run: cut,
    },
    Scenario {
        name: "a_controller_killed_while_it_works_gives_no_address_twice",
        run: killed,
    },
];

const STEADY: Duration = Duration::from_secs(3);

fn serve(story: &Story) -> Result<()> {
    story.put("web", "public", Policy::Cluster, &story.first_pods(), &[])?;
    for address in story.wait_addresses("web")? {
        story.wait_next_hops(address, &story.node_names())?;
    }
    for node in &story.plan().nodes {
        for cidr in node.pod_cidrs {
            story.wait_route(cidr, std::slice::from_ref(&node.name))?;
        }
    }
    Ok(())
}

fn hostile(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "hostile",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            serve(story)?;
            let before = story.picture()?;
            let folder = story.rack.directory.path();
            fs::write(folder.join("bytes.yaml"), [0xff, 0xfe, 0x00, 0x80, 0xc3])?;
            fs::write(folder.join("empty.yaml"), "")?;
            fs::write(folder.join("deep.json"), "[".repeat(200_000))?;
            fs::write(
                folder.join("wide.yaml"),
                "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]\n",
            )?;
            fs::write(
                folder.join("names.yaml"),
                "apiVersion: v1\nkind: Service\nmetadata: {name: ../../../escape, namespace: ..}\nspec: {type: LoadBalancer, ports: [{port: 99999999999}]}\n",
            )?;
            fs::write(
                folder.join("twice.yaml"),
                fs::read(folder.join("pools.yaml"))?,
            )?;
            fs::create_dir_all(folder.join("folder.yaml"))?;
            std::os::unix::fs::symlink("/dev/zero", folder.join("endless.yaml"))?;
            holds_for("nothing changes", STEADY, || {
                ensure!(story.picture()? == before, "addresses or routes changed");
                Ok(())
            })?;
            story.check_alive()?;
            story.put("after", "public", Policy::Cluster, &story.first_pods(), &[])?;
            story.wait_addresses("after")?;
            ensure!(
                !folder_above(story).join("escape").exists(),
                "a name became a path"
            );
            Ok(())
        },
    )
}

fn folder_above(story: &Story) -> std::path::PathBuf {
    story.rack.lab.folder().to_path_buf()
}

fn gone(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "gone",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            serve(story)?;
            let (_, routes) = story.picture()?;
            let folder = story.rack.directory.path().to_path_buf();
            let away = folder.with_extension("away");
            fs::rename(&folder, &away)?;
            holds_for("the routes stay", STEADY, || {
                ensure!(story.router.table()? == routes, "routes changed");
                Ok(())
            })?;
            fs::rename(&away, &folder)?;
            story.put("after", "public", Policy::Cluster, &story.first_pods(), &[])?;
            for address in story.wait_addresses("after")? {
                story.wait_next_hops(address, &story.node_names())?;
            }
            Ok(())
        },
    )
}

fn cut(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "cut",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            serve(story)?;
            let before = story.picture()?;
            let file = "pools.yaml";
            let text = fs::read_to_string(story.rack.directory.path().join(file))?;
            for length in (1..text.len()).step_by(text.len() / 16) {
                story
                    .rack
                    .directory
                    .put_text("part.yaml", &text[..length])?;
                holds_for("nothing changes", Duration::from_millis(300), || {
                    ensure!(
                        story.picture()? == before,
                        "{length} octets of {file} changed something"
                    );
                    Ok(())
                })?;
            }
            Ok(())
        },
    )
}

fn killed(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "killed",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            const SERVICES: usize = 24;
            for number in 0..SERVICES {
                story.put(&format!("s{number}"), "public", Policy::Cluster, &[], &[])?;
                if number % 6 == 5 {
                    let node = story.plan().nodes[0].name.clone();
                    story.rack.kill_controller(&node)?;
                    story.rack.start_controllers()?;
                }
            }
            let mut given: BTreeSet<IpAddr> = BTreeSet::new();
            for number in 0..SERVICES {
                given.extend(story.wait_addresses(&format!("s{number}"))?);
            }
            ensure!(
                given.len() == SERVICES * 2,
                "{SERVICES} Services hold {} addresses",
                given.len()
            );
            Ok(())
        },
    )
}
