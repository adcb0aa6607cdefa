//! OpenBGPD: bgpd in the foreground with a socket of its own, read through `bgpctl` and its JSON.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::Value;

use super::cell::Cell;
use super::line::{HOLD_S, Line, Reach, THEIR_ASN, THEIR_ID, THEIR_PREFIXES};
use super::{Seen, Setup};
use crate::netns::{Netns, run};
use crate::process::{self, require_program};
use crate::wait::wait_for;

/// Its path: FRR has a program of that name too.
const PROGRAM: &str = "/usr/sbin/bgpd";

/// A running OpenBGPD.
#[derive(Debug)]
pub(super) struct OpenBgpd {
    daemon: process::Daemon,
    space: Netns,
    socket: PathBuf,
}

pub(super) fn require() -> Result<()> {
    require_program(Path::new(PROGRAM))?;
    require_program(Path::new("bgpctl"))
}

impl OpenBgpd {
    pub(super) fn start(setup: Setup<'_>) -> Result<Self> {
        let socket = setup.folder.join("openbgpd.sock");
        let file = setup.folder.join("openbgpd.conf");
        fs::write(&file, configuration(setup.lines, &socket))?;
        let mut command = setup.space.command(PROGRAM);
        prepare(&file)?;
        command.arg("-d").arg("-f").arg(&file);
        let mut openbgpd = Self {
            daemon: process::Daemon::start("openbgpd", &mut command, setup.folder, setup.kept)?,
            space: setup.space.clone(),
            socket,
        };
        wait_for("OpenBGPD answers", Duration::from_secs(10), || {
            openbgpd.daemon.check_alive()?;
            openbgpd.ask(&["show"])
        })?;
        Ok(openbgpd)
    }

    fn ask(&self, words: &[&str]) -> Result<String> {
        let mut command = self.space.command("bgpctl");
        run(command.arg("-s").arg(&self.socket).args(words))
    }

    fn json(&self, words: &[&str]) -> Result<Value> {
        let text = self.ask(&[&["-j"], words].concat())?;
        serde_json::from_str(&text).context("bgpctl's JSON")
    }

    fn neighbour(&self, line: &Line) -> Result<Value> {
        let shown = self.json(&["show", "neighbor", &line.ours.to_string()])?;
        Ok(shown["neighbors"][0].clone())
    }
}

/// What has to be there before it starts: the home of its user, which no package makes and into which it changes,
/// and a configuration that nobody else can read.
fn prepare(file: &Path) -> Result<()> {
    fs::create_dir_all("/run/openbgpd")?;
    run(Command::new("chmod").arg("600").arg(file)).map(drop)
}

impl super::Daemon for OpenBgpd {
    fn version(&self) -> Result<String> {
        let output = Command::new(PROGRAM).arg("-V").output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&text).trim().to_owned())
    }

    fn established(&self, line: &Line) -> Result<()> {
        let state = &self.neighbour(line)?["state"];
        ensure!(state == "Established", "OpenBGPD says {state}");
        Ok(())
    }

    fn route(&self, line: &Line, prefix: IpNet) -> Result<Seen> {
        let shown = self.json(&[
            "show",
            "rib",
            "in",
            "neighbor",
            &line.ours.to_string(),
            "detail",
        ])?;
        let prefix = prefix.to_string();
        let mut routes = shown["rib"].as_array().into_iter().flatten();
        let route = routes.find(|route| route["prefix"] == prefix.as_str());
        read(route.with_context(|| format!("OpenBGPD does not have {prefix}"))?)
    }

    fn ask_again(&mut self, line: &Line) -> Result<()> {
        self.ask(&["neighbor", &line.ours.to_string(), "refresh"])
            .map(drop)
    }

    fn shut(&mut self, line: &Line, reason: &str) -> Result<()> {
        self.ask(&["neighbor", &line.ours.to_string(), "down", reason])
            .map(drop)
    }

    fn farewell(&self, line: &Line) -> Result<String> {
        let neighbour = self.neighbour(line)?;
        let words = neighbour["last_shutdown_reason"].as_str();
        Ok(words.unwrap_or_default().to_owned())
    }

    fn state(&self) -> String {
        let shown = [&["show"][..], &["show", "rib", "detail"]].map(|words| {
            let text = self.ask(words);
            text.unwrap_or_else(|error| format!("{error:#}"))
        });
        shown.join("\n")
    }

    fn check_alive(&mut self) -> Result<()> {
        self.daemon.check_alive()
    }
}

/// One route of `show rib in … detail`.
fn read(route: &Value) -> Result<Seen> {
    let number = |field: &str| {
        let number = route[field].as_u64();
        number.and_then(|number| u32::try_from(number).ok())
    };
    let listed = |field: &str| {
        let all = route[field].as_array().into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned))
            .collect()
    };
    let path = route["aspath"].as_str().unwrap_or_default();
    let numbers = path.split_whitespace().map(str::parse);
    let hop = route["exit_nexthop"].as_str();
    Ok(Seen {
        next_hop: hop.map(str::parse).transpose()?,
        as_path: numbers.collect::<Result<_, _>>()?,
        med: number("metric"),
        local_pref: number("localpref"),
        standard: listed("communities"),
        large: listed("large_communities"),
    })
}

fn configuration(lines: &[Line], socket: &Path) -> String {
    let [v4, v6] = THEIR_PREFIXES;
    let mut text = format!(
        "AS {THEIR_ASN}\nrouter-id {THEIR_ID}\nlisten on 0.0.0.0\nlisten on ::\nfib-update no\nholdtime {HOLD_S}\n\
         connect-retry 1\nsocket \"{}\"\nnetwork {v4}\nnetwork {v6}\n",
        socket.display()
    );
    for line in lines {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "neighbor {} {{\n remote-as {}\n",
            line.ours, line.our_asn
        );
        for family in line.families {
            let version = family.word().trim_start_matches("ipv");
            let _ = writeln!(text, " announce IPv{version} unicast");
        }
        if line.is_for(Cell::TwoOctetAs) {
            text.push_str(" announce as-4byte no\n");
        }
        if let Some(password) = line.password {
            let _ = writeln!(text, " tcp md5sig password {password}");
        }
        text.push_str(match line.reach {
            Reach::Link => "",
            Reach::Guarded => " ttl-security yes\n",
            Reach::Routed => " multihop 64\n",
        });
        if line.reach == Reach::Routed {
            let _ = writeln!(text, " local-address {}", line.theirs);
        }
        text.push_str("}\n");
    }
    let _ = write!(
        text,
        "allow from any\ndeny to any\nallow to any prefix {v4}\nallow to any prefix {v6}\n"
    );
    text
}

#[cfg(test)]
mod tests;
