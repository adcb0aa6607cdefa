//! GoBGP: gobgpd with a TOML file, read through `gobgp` and its JSON; what it says of NOTIFICATIONs is in its log.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::Value;

use super::cell::Cell;
use super::line::{Family, HOLD_S, Line, RESTART_S, Reach, THEIR_ASN, THEIR_ID, THEIR_PREFIXES};
use super::{Seen, Setup};
use crate::netns::{Netns, run};
use crate::process::{self, require_program};
use crate::wait::wait_for;

const API_PORT: &str = "50051";

/// A running GoBGP.
#[derive(Debug)]
pub(super) struct GoBgp {
    daemon: process::Daemon,
    space: Netns,
}

pub(super) fn require() -> Result<()> {
    require_program(Path::new("gobgpd"))?;
    require_program(Path::new("gobgp"))
}

impl GoBgp {
    pub(super) fn start(setup: Setup<'_>) -> Result<Self> {
        let file = setup.folder.join("gobgpd.toml");
        fs::write(&file, configuration(setup.lines))?;
        let mut command = setup.space.command("gobgpd");
        command.args(["-t", "toml", "--pprof-disable", "--api-hosts"]);
        command
            .arg(format!("127.0.0.1:{API_PORT}"))
            .arg("-f")
            .arg(&file);
        let mut gobgp = Self {
            daemon: process::Daemon::start("gobgpd", &mut command, setup.folder, setup.kept)?,
            space: setup.space.clone(),
        };
        wait_for("GoBGP answers", Duration::from_secs(10), || {
            gobgp.daemon.check_alive()?;
            gobgp.ask("neighbor")
        })?;
        for (prefix, family) in THEIR_PREFIXES.iter().zip(["ipv4", "ipv6"]) {
            gobgp.ask(&format!("global rib add -a {family} {prefix}"))?;
        }
        Ok(gobgp)
    }

    fn ask(&self, words: &str) -> Result<String> {
        self.space.run(&format!("gobgp -p {API_PORT} {words}"))
    }

    fn json(&self, words: &str) -> Result<Value> {
        serde_json::from_str(&self.ask(&format!("-j {words}"))?).context("gobgp's JSON")
    }
}

impl super::Daemon for GoBgp {
    fn version(&self) -> Result<String> {
        let text = run(Command::new("gobgpd").arg("--version"))?;
        let number = text.trim().rsplit(' ').next().unwrap_or_default();
        Ok(format!("GoBGP {number}"))
    }

    fn established(&self, line: &Line) -> Result<()> {
        let neighbour = self.json(&format!("neighbor {}", line.ours))?;
        let state = &neighbour["state"]["session_state"];
        ensure!(*state == 6, "GoBGP's session is in state {state}, not in 6");
        Ok(())
    }

    fn route(&self, line: &Line, prefix: IpNet) -> Result<Seen> {
        let family = Family::of(prefix).word();
        let table = self.json(&format!("neighbor {} adj-in -a {family}", line.ours))?;
        let attributes = table[prefix.to_string()][0]["attrs"].as_array();
        read(attributes.with_context(|| format!("GoBGP does not have {prefix}"))?)
    }

    fn ask_again(&mut self, line: &Line) -> Result<()> {
        self.ask(&format!("neighbor {} softresetin", line.ours))
            .map(drop)
    }

    fn shut(&mut self, line: &Line, reason: &str) -> Result<()> {
        let mut command = self.space.command("gobgp");
        command.args(["-p", API_PORT, "neighbor", &line.ours.to_string()]);
        run(command.args(["shutdown", "--reason", reason])).map(drop)
    }

    fn farewell(&self, line: &Line) -> Result<String> {
        let log = fs::read_to_string(self.daemon.log())?;
        let key = format!("\"Key\":\"{}\"", line.ours);
        let lines = log
            .lines()
            .filter(|text| text.contains("received notification") && text.contains(&key));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    fn state(&self) -> String {
        let shown = ["neighbor", "global rib", "global rib -a ipv6"].map(|words| {
            let text = self.ask(words);
            text.unwrap_or_else(|error| format!("{error:#}"))
        });
        shown.join("\n")
    }

    fn check_alive(&mut self) -> Result<()> {
        self.daemon.check_alive()
    }
}

/// The attributes of a path in GoBGP's JSON, each by its number.
fn read(attributes: &[Value]) -> Result<Seen> {
    let mut seen = Seen::default();
    for attribute in attributes {
        let number = |field: &str| {
            let number = attribute[field].as_u64();
            number.and_then(|number| u32::try_from(number).ok())
        };
        match attribute["type"].as_u64() {
            Some(2) => {
                let segments = attribute["as_paths"].as_array().into_iter().flatten();
                let numbers = segments.flat_map(|segment| segment["asns"].as_array());
                let numbers = numbers.flatten().filter_map(Value::as_u64);
                seen.as_path = numbers.map(u32::try_from).collect::<Result<_, _>>()?;
            }
            Some(3 | 14) => {
                let hop = attribute["nexthop"].as_str().context("no next hop")?;
                seen.next_hop = Some(hop.parse()?);
            }
            Some(4) => seen.med = number("metric"),
            Some(5) => seen.local_pref = number("value"),
            Some(8) => {
                let all = attribute["communities"].as_array().into_iter().flatten();
                let all = all.filter_map(Value::as_u64);
                seen.standard = all
                    .map(|community| format!("{}:{}", community >> 16, community & 0xffff))
                    .collect();
            }
            Some(32) => {
                let all = attribute["value"].as_array().into_iter().flatten();
                seen.large = all
                    .map(|part| {
                        let [a, b, c] = ["ASN", "LocalData1", "LocalData2"].map(|name| &part[name]);
                        format!("{a}:{b}:{c}")
                    })
                    .collect();
            }
            _ => {}
        }
    }
    Ok(seen)
}

/// Without `idle-hold-time-after-reset` it is silent for half a minute after every NOTIFICATION.
fn configuration(lines: &[Line]) -> String {
    let mut text =
        format!("[global.config]\nas = {THEIR_ASN}\nrouter-id = \"{THEIR_ID}\"\nport = 179\n");
    for line in lines {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{}\"\npeer-as = {}\n",
            line.ours, line.our_asn
        );
        if let Some(password) = line.password {
            let _ = writeln!(text, "auth-password = \"{password}\"");
        }
        let _ = write!(
            text,
            "[neighbors.transport.config]\nlocal-address = \"{}\"\n[neighbors.timers.config]\nconnect-retry = 1\n\
             idle-hold-time-after-reset = 1\nhold-time = {HOLD_S}\nkeepalive-interval = {}\n",
            line.theirs,
            HOLD_S / 3
        );
        text.push_str(match line.reach {
            Reach::Link => "",
            Reach::Guarded => "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255\n",
            Reach::Routed => {
                "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 64\n"
            }
        });
        let helps = line.is_for(Cell::GracefulRestart);
        if helps {
            let _ = write!(
                text,
                "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = {RESTART_S}\n"
            );
        }
        for family in line.families {
            let _ = write!(
                text,
                "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{}-unicast\"\n",
                family.word()
            );
            if helps {
                text.push_str("[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
