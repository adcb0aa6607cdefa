//! What a failed lab leaves behind: the state of every namespace and daemon, beside the logs, in one folder.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::lab::Lab;
use crate::netns::Netns;
use crate::node::{CONTROLLER_HTTP, SPEAKER_HTTP, http_get};
use crate::router::Router;

/// Collects and returns the folder. What cannot be read is left out: this runs when something is broken already.
pub(crate) fn collect(lab: &Lab, router: Option<&dyn Router>) -> PathBuf {
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
    lab.folder().to_path_buf()
}

fn network(space: &Netns) -> String {
    let mut text = String::new();
    let commands = [
        "ip addr",
        "ip route show table all",
        "ip -6 route show table all",
        "ip neigh",
        "ip -s link",
        "nft list ruleset",
    ];
    for command in commands {
        let shown: Result<String> = space.run(command);
        let shown = shown.unwrap_or_else(|error| format!("{error:#}"));
        text.push_str(&format!("# {command}\n{shown}\n"));
    }
    text
}
