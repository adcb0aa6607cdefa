//! FRR as a router: zebra and bgpd by path in a namespace with sockets of their own, read through vtysh.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use ipnet::IpNet;
use serde_json::Value;

use crate::netns::{Netns, run};
use crate::process::{Daemon, Kept, require_program, require_users};
use crate::router::{Router, RouterSetup, Routes, Table};
use crate::wait::wait_for;

const BIN: &str = "/usr/lib/frr";

/// A running FRR.
#[derive(Debug)]
pub(crate) struct Frr {
    zebra: Daemon,
    bgpd: Daemon,
    sockets: PathBuf,
}

impl Frr {
    /// Starts FRR as a router that learns from its neighbours and installs all equal paths.
    pub(crate) fn start(
        space: &Netns,
        setup: &RouterSetup,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        Self::start_with(space, &configuration(setup), folder, kept)
    }

    /// Starts FRR with bgpd's configuration given by the caller.
    pub(crate) fn start_with(
        space: &Netns,
        configuration: &str,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        Self::require()?;
        let sockets = folder.join("frr");
        fs::create_dir_all(&sockets)?;
        let user = "frr";
        run(Command::new("chown")
            .arg(format!("{user}:{user}"))
            .arg(&sockets))?;
        let daemon = |name: &str, configuration: &str| {
            let file = folder.join(format!("{name}.conf"));
            fs::write(&file, configuration)?;
            let mut command = space.command(Path::new(BIN).join(name));
            command.args(["-u", user, "-g", user]);
            command
                .arg("-f")
                .arg(&file)
                .arg("-i")
                .arg(sockets.join(format!("{name}.pid")));
            command
                .arg("--vty_socket")
                .arg(&sockets)
                .arg("-z")
                .arg(sockets.join("zserv.api"));
            Daemon::start(name, &mut command, folder, kept)
        };
        let zebra = daemon("zebra", "log stdout\n")?;
        let served = sockets.join("zserv.api");
        wait_for("zebra answers", Duration::from_secs(10), || {
            served
                .exists()
                .then_some(())
                .context("zebra has no socket yet")
        })?;
        let bgpd = daemon("bgpd", configuration)?;
        let mut frr = Self {
            zebra,
            bgpd,
            sockets,
        };
        wait_for("bgpd answers", Duration::from_secs(10), || {
            frr.check_alive()?;
            frr.json("show bgp summary json")
        })?;
        Ok(frr)
    }

    /// Refuses where it cannot run: its daemons change to a user of their own.
    pub(crate) fn require() -> Result<()> {
        require_users("FRR")?;
        require_program(&Path::new(BIN).join("bgpd"))
    }

    /// What vtysh prints for a command.
    pub(crate) fn vtysh(&self, words: &str) -> Result<String> {
        run(Command::new("vtysh")
            .arg("--vty_socket")
            .arg(&self.sockets)
            .arg("-c")
            .arg(words))
    }

    /// Enters lines of configuration, one below the other.
    pub(crate) fn configure(&self, lines: &[&str]) -> Result<()> {
        let mut command = Command::new("vtysh");
        command.arg("--vty_socket").arg(&self.sockets);
        command.args(["-c", "configure terminal"]);
        lines.iter().for_each(|line| {
            command.args(["-c", line]);
        });
        run(&mut command).map(drop)
    }

    /// What vtysh prints for a command that ends with `json`.
    pub(crate) fn json(&self, words: &str) -> Result<Value> {
        let text = self.vtysh(words)?;
        // A complaint about an absent vtysh.conf comes first.
        let start = text
            .find('{')
            .with_context(|| format!("vtysh prints no JSON: {text}"))?;
        serde_json::from_str(&text[start..]).context("vtysh's JSON")
    }
}

impl Router for Frr {
    fn version(&self) -> Result<String> {
        let text = self.vtysh("show version")?;
        let line = text
            .lines()
            .find(|line| line.starts_with("FRRouting"))
            .context("no version")?;
        Ok(line.split('(').next().unwrap_or(line).trim().to_owned())
    }

    fn sessions(&self) -> Result<BTreeMap<IpAddr, String>> {
        Ok(sessions(&self.json("show bgp summary json")?))
    }

    fn table(&self) -> Result<Table> {
        let mut routes = Routes::new();
        for family in ["ipv4", "ipv6"] {
            read_routes(
                &self.json(&format!("show bgp {family} unicast json"))?,
                &mut routes,
            );
        }
        Ok(Table::Routes(routes))
    }

    fn shown(&self, prefix: IpNet) -> Result<String> {
        let family = if prefix.addr().is_ipv4() {
            "ip"
        } else {
            "ipv6"
        };
        let text = self.vtysh(&format!("show {family} route {prefix}"))?;
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('%'));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    fn attributes(&self, prefix: IpNet) -> Result<String> {
        let family = if prefix.addr().is_ipv4() {
            "ipv4"
        } else {
            "ipv6"
        };
        self.vtysh(&format!("show bgp {family} unicast {prefix}"))
    }

    fn state(&self) -> String {
        let commands = [
            "show version",
            "show bgp summary",
            "show bgp neighbors",
            "show bgp ipv4",
            "show bgp ipv6",
        ];
        let texts = commands.map(|command| match self.vtysh(command) {
            Ok(text) => format!("# {command}\n{text}"),
            Err(error) => format!("# {command}\n{error:#}"),
        });
        texts.join("\n")
    }

    fn stop(&mut self) -> Result<()> {
        self.bgpd.kill()?;
        self.zebra.kill()
    }

    fn check_alive(&mut self) -> Result<()> {
        self.zebra.check_alive()?;
        self.bgpd.check_alive()
    }
}

fn configuration(setup: &RouterSetup) -> String {
    let mut text = format!(
        "log stdout\nrouter bgp {}\n bgp router-id {}\n no bgp ebgp-requires-policy\n \
         no bgp default ipv4-unicast\n bgp bestpath as-path multipath-relax\n",
        setup.asn, setup.id
    );
    for neighbour in &setup.neighbours {
        let address = neighbour.address;
        // Writing to a String cannot fail.
        let _ = writeln!(text, " neighbor {address} remote-as {}", neighbour.asn);
        let _ = writeln!(text, " neighbor {address} description {}", neighbour.name);
        let _ = writeln!(text, " neighbor {address} timers connect 1");
        if let Some(password) = &neighbour.password {
            let _ = writeln!(text, " neighbor {address} password {password}");
        }
    }
    for family in ["ipv4", "ipv6"] {
        let _ = writeln!(
            text,
            " address-family {family} unicast\n  maximum-paths 64\n  maximum-paths ibgp 64"
        );
        for neighbour in &setup.neighbours {
            let _ = writeln!(text, "  neighbor {} activate", neighbour.address);
        }
        let _ = writeln!(text, " exit-address-family");
    }
    text
}

/// States out of `show bgp summary json`: a neighbour is in every family it is active in, and is as good as
/// the worst of them.
fn sessions(summary: &Value) -> BTreeMap<IpAddr, String> {
    let mut sessions: BTreeMap<IpAddr, String> = BTreeMap::new();
    for family in summary
        .as_object()
        .into_iter()
        .flat_map(|families| families.values())
    {
        for (address, peer) in family["peers"].as_object().into_iter().flatten() {
            let (Ok(address), Some(state)) = (address.parse(), peer["state"].as_str()) else {
                continue;
            };
            let entry = sessions.entry(address).or_insert_with(|| state.to_owned());
            if entry == "Established" {
                state.clone_into(entry);
            }
        }
    }
    sessions
}

/// Next hops in use out of `show bgp … json`: the best path and those that go with it.
fn read_routes(table: &Value, routes: &mut Routes) {
    for (prefix, paths) in table["routes"].as_object().into_iter().flatten() {
        let Ok(prefix) = prefix.parse::<IpNet>() else {
            continue;
        };
        for path in paths.as_array().into_iter().flatten() {
            if path["bestpath"] != true && path["multipath"] != true {
                continue;
            }
            for hop in path["nexthops"].as_array().into_iter().flatten() {
                let global = hop["scope"] != "link-local";
                if let Some(hop) = hop["ip"]
                    .as_str()
                    .and_then(|ip| ip.parse().ok())
                    .filter(|_| global)
                {
                    routes.entry(prefix).or_default().insert(hop);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
