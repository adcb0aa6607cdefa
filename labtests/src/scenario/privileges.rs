//! Speakers that run with exactly the capabilities of the manifests: root by number, everything dropped but what the
//! DaemonSet adds, and no way to more.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Scenario, with_story};
use crate::demo::segment::wait_owner;
use crate::manifests::Policy;
use crate::node::{Ringbolt, SPEAKER_HTTP, http_get};
use crate::plan::Plan;
use crate::router::RouterKind;
use crate::story::{LIMIT, Story};
use crate::wait::wait_for;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "speakers_serve_with_the_capabilities_of_the_daemonset",
        run: granted,
    },
    Scenario {
        name: "speakers_without_net_raw_serve_routes_and_name_what_is_missing",
        run: routes_only,
    },
];

/// A program that calls `ringbolt` with a bounded set of capabilities when it is to be a speaker. It goes with the
/// value.
struct Confined {
    script: PathBuf,
}

impl Confined {
    fn with(name: &str, capabilities: &[String], ringbolt: &Ringbolt) -> Result<Self> {
        let kept: Vec<String> = capabilities
            .iter()
            .map(|name| format!(",+{}", name.to_lowercase()))
            .collect();
        let program = ringbolt.program().canonicalize()?;
        let program = program.display();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = speaker ] || exec '{program}' \"$@\"\n\
             exec setpriv --bounding-set=-all{} --inh-caps=-all --no-new-privs '{program}' \"$@\"\n",
            kept.concat()
        );
        let file = format!("ringbolt-confined-{name}-{}", std::process::id());
        let confined = Self {
            script: env::temp_dir().join(file),
        };
        fs::write(&confined.script, script)?;
        fs::set_permissions(&confined.script, fs::Permissions::from_mode(0o755))?;
        Ok(confined)
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // It is a few bytes in a folder that the system empties.
        fs::remove_file(&self.script).ok();
    }
}

/// What the DaemonSet gives back of what it drops.
fn added() -> Result<Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/base/speaker.yaml");
    let speaker: Value = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
    let pod = &speaker["spec"]["template"]["spec"];
    let context = &pod["containers"][0]["securityContext"];
    ensure!(pod["securityContext"]["runAsUser"] == 0, "{pod}");
    ensure!(context["allowPrivilegeEscalation"] == false, "{context}");
    ensure!(
        context["capabilities"]["drop"] == json!(["ALL"]),
        "{context}"
    );
    let added = context["capabilities"]["add"].as_array();
    let added = added.context("nothing is added")?.iter();
    Ok(added
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect())
}

/// Bits of capabilities as capabilities(7) counts them.
fn mask(capabilities: &[String]) -> Result<u64> {
    let bits = capabilities.iter().map(|name| match name.as_str() {
        "NET_BIND_SERVICE" => Ok(1 << 10),
        "NET_RAW" => Ok(1 << 13),
        other => anyhow::bail!("a speaker needs no {other}"),
    });
    bits.sum()
}

/// BGP with a router that connects to port 179, and a Service on the segment.
fn serve(story: &mut Story, capabilities: &[String]) -> Result<()> {
    for node in story.node_names() {
        let pid = story.rack.speaker(&node)?.pid();
        wait_for("the speaker has what it is given", LIMIT, || {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.map(str::trim).unwrap_or_default().to_owned()
            };
            ensure!(field("Name:") == "ringbolt", "it is {}", field("Name:"));
            ensure!(field("NoNewPrivs:") == "1", "it may gain more");
            for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
                let found = u64::from_str_radix(&field(set), 16)?;
                ensure!(found == mask(capabilities)?, "{set} is {found:x}");
            }
            Ok(())
        })?;
    }
    let mut spec = story.rack.peer_spec();
    spec["passive"] = json!(true);
    story.rack.write_peer(spec)?;
    story.wait_sessions()?;
    story.put("web", "public", Policy::Cluster, &story.first_pods(), &[])?;
    for address in story.wait_addresses("web")? {
        story.wait_next_hops(address, &story.node_names())?;
    }
    Ok(())
}

fn granted(ringbolt: &Ringbolt) -> Result<()> {
    let capabilities = added()?;
    let confined = Confined::with("granted", &capabilities, ringbolt)?;
    let program = Ringbolt::at(confined.script.clone())?;
    let plan = Plan::draw(None);
    with_story("granted", plan, RouterKind::Bird, &program, |story| {
        serve(story, &capabilities)?;
        let pods = story.first_pods();
        story.put("printer", "segment", Policy::Cluster, &pods, &[])?;
        for address in story.wait_addresses("printer")? {
            wait_owner(story, address)?;
        }
        Ok(())
    })
}

fn routes_only(ringbolt: &Ringbolt) -> Result<()> {
    let capabilities = ["NET_BIND_SERVICE".to_owned()];
    let confined = Confined::with("routes", &capabilities, ringbolt)?;
    let program = Ringbolt::at(confined.script.clone())?;
    let plan = Plan::draw(None);
    with_story("routes", plan, RouterKind::Bird, &program, |story| {
        serve(story, &capabilities)?;
        for node in story.node_names() {
            let space = story.rack.node_space(&node)?;
            wait_for("the speaker says what it lacks", LIMIT, || {
                let status = http_get(space, SPEAKER_HTTP, "/status")?;
                ensure!(status.contains("MissingCapability"), "{status}");
                Ok(())
            })?;
        }
        Ok(())
    })
}
