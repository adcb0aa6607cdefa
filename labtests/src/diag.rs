//! What a failed lab leaves behind: the state of every namespace and daemon, beside the logs, in one folder.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::kubelab::ControlPlane;
use crate::netns::Netns;
use crate::node::{CONTROLLER_HTTP, SPEAKER_HTTP, http_get};
use crate::rack::Rack;
use crate::router::Router;

/// Collects and returns the folder. What cannot be read is left out: this runs when something is broken already.
pub(crate) fn collect(rack: &Rack, router: Option<&dyn Router>) -> PathBuf {
    let lab = &rack.lab;
    let folder = lab.folder().join("state");
    fs::create_dir_all(&folder).ok();
    for space in lab.spaces() {
        fs::write(folder.join(format!("{}.txt", space.name())), network(space)).ok();
        for (port, name) in [(SPEAKER_HTTP, "speaker"), (CONTROLLER_HTTP, "controller")] {
            if let Ok(status) = http_get(space, port, "/status") {
                fs::write(folder.join(format!("{}-{name}.json", space.name())), status).ok();
            }
        }
    }
    if let Some(router) = router {
        fs::write(folder.join("router.txt"), router.state()).ok();
    }
    if let Some(place) = rack.place.kubernetes() {
        fs::write(folder.join("kubernetes.yaml"), objects(&place.plane)).ok();
        let logs = place.plane.folder().display().to_string();
        fs::write(folder.join("kubernetes-logs-are-in.txt"), logs).ok();
    }
    lab.folder().to_path_buf()
}

/// What the API server holds of all that matters here.
fn objects(plane: &ControlPlane) -> String {
    let kinds = "nodes,pods,services,endpointslices,leases,events,ringbolt";
    let shown = plane.kubectl(&["get", kinds, "--all-namespaces", "-o", "yaml"]);
    shown.unwrap_or_else(|error| format!("{error:#}"))
}

fn network(space: &Netns) -> String {
    let mut text = String::new();
    let commands = [
        "ip addr",
        "ip route show table all",
        "ip -6 route show table all",
        "ip neigh",
        "ip -s link",
        "cat /proc/net/snmp",
        "nft list ruleset",
    ];
    for command in commands {
        let shown: Result<String> = space.run(command);
        let shown = shown.unwrap_or_else(|error| format!("{error:#}"));
        text.push_str(&format!("# {command}\n{shown}\n"));
    }
    text
}
