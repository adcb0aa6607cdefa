//! ExaBGP: it keeps no table, so a shell script behind it writes down every message it takes as JSON, and takes
//! commands from a FIFO. It dials where we wait, and is dialled elsewhere.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::Value;

use super::cell::Cell;
use super::line::{
    AS_TRANS, Family, HOLD_S, Line, Reach, THEIR_ASN, THEIR_ID, THEIR_PREFIXES, on_wire,
};
use super::{Seen, Setup};
use crate::netns::run;
use crate::process::{self, require_program};

/// A running ExaBGP.
#[derive(Debug)]
pub(super) struct ExaBgp {
    daemon: process::Daemon,
    commands: PathBuf,
    messages: PathBuf,
}

pub(super) fn require() -> Result<()> {
    require_program(Path::new("exabgp"))
}

impl ExaBgp {
    pub(super) fn start(setup: Setup<'_>) -> Result<Self> {
        let [commands, messages, script, file] = ["commands", "messages", "sh", "conf"]
            .map(|end| setup.folder.join(format!("exabgp.{end}")));
        run(Command::new("mkfifo").arg(&commands))?;
        fs::write(&messages, "")?;
        let text = format!(
            "exec 3<>{} 4<&0\ncat <&4 >{} &\nexec cat <&3\n",
            commands.display(),
            messages.display()
        );
        fs::write(&script, text)?;
        fs::write(&file, configuration(setup.lines, &script))?;
        let addresses: Vec<String> = setup
            .lines
            .iter()
            .map(|line| line.theirs.to_string())
            .collect();
        let mut command = setup.space.command("exabgp");
        command
            .arg(&file)
            .env("exabgp_daemon_user", "root")
            .env("exabgp_daemon_drop", "false")
            .env("exabgp_api_cli", "false")
            .env("exabgp_tcp_bind", addresses.join(" "));
        let exabgp = Self {
            daemon: process::Daemon::start("exabgp", &mut command, setup.folder, setup.kept)?,
            commands,
            messages,
        };
        Ok(exabgp)
    }

    /// The messages of one session so far, in order.
    fn messages(&self, line: &Line) -> Result<Vec<Value>> {
        let from = line.ours.to_string();
        let text = fs::read_to_string(&self.messages)?;
        // The last line may be half written.
        let all = text
            .lines()
            .filter_map(|text| serde_json::from_str::<Value>(text).ok());
        Ok(all
            .filter(|message| message["neighbor"]["address"]["peer"] == from.as_str())
            .collect())
    }

    fn tell(&self, words: &str) -> Result<()> {
        Ok(fs::write(&self.commands, format!("{words}\n"))?)
    }
}

impl super::Daemon for ExaBgp {
    fn version(&self) -> Result<String> {
        let text = run(Command::new("exabgp").arg("--version"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("ExaBGP :"));
        Ok(format!("ExaBGP {}", line.context("no version")?.trim()))
    }

    fn established(&self, line: &Line) -> Result<()> {
        let messages = self.messages(line)?;
        let mut states = messages
            .iter()
            .filter_map(|message| message["neighbor"]["state"].as_str());
        let last = states.next_back().unwrap_or("silent");
        ensure!(last == "up", "ExaBGP says {last}");
        Ok(())
    }

    fn route(&self, line: &Line, prefix: IpNet) -> Result<Seen> {
        let family = format!("{} unicast", Family::of(prefix).word());
        let messages = self.messages(line)?;
        let updates = messages
            .iter()
            .rev()
            .map(|message| &message["neighbor"]["message"]["update"]);
        for update in updates {
            let hops = update["announce"][&family].as_object();
            for (hop, routes) in hops.into_iter().flatten() {
                let mut routes = routes.as_array().into_iter().flatten();
                if routes.any(|route| route["nlri"] == prefix.to_string().as_str()) {
                    let mut seen = read(&update["attribute"])?;
                    seen.next_hop = Some(hop.parse()?);
                    return Ok(seen);
                }
            }
        }
        anyhow::bail!("ExaBGP was not told {prefix}")
    }

    fn ask_again(&mut self, line: &Line) -> Result<()> {
        let family = line.families.first().context("a line has a family")?;
        self.tell(&format!(
            "neighbor {} announce route-refresh {} unicast",
            line.ours,
            family.word()
        ))
    }

    fn shut(&mut self, line: &Line, _reason: &str) -> Result<()> {
        self.tell(&format!("neighbor {} teardown 2", line.ours))
    }

    fn farewell(&self, line: &Line) -> Result<String> {
        let messages = self.messages(line)?;
        let reasons = messages
            .iter()
            .filter_map(|message| message["neighbor"]["reason"].as_str());
        Ok(reasons.collect::<Vec<_>>().join("\n"))
    }

    fn state(&self) -> String {
        fs::read_to_string(&self.messages).unwrap_or_else(|error| error.to_string())
    }

    fn check_alive(&mut self) -> Result<()> {
        self.daemon.check_alive()
    }
}

/// The attributes of an UPDATE in its JSON.
fn read(attributes: &Value) -> Result<Seen> {
    let number = |field: &str| {
        let number = attributes[field].as_u64();
        number.and_then(|number| u32::try_from(number).ok())
    };
    let tuples = |field: &str| -> BTreeSet<String> {
        let all = attributes[field].as_array().into_iter().flatten();
        let parts = all.filter_map(Value::as_array).map(|parts| {
            let parts: Vec<String> = parts.iter().map(Value::to_string).collect();
            parts.join(":")
        });
        parts.collect()
    };
    let path = attributes["as-path"].as_array().into_iter().flatten();
    let numbers = path.filter_map(Value::as_u64);
    Ok(Seen {
        next_hop: None,
        as_path: numbers.map(u32::try_from).collect::<Result<_, _>>()?,
        med: number("med"),
        local_pref: number("local-preference"),
        standard: tuples("community"),
        large: tuples("large-community"),
    })
}

fn configuration(lines: &[Line], script: &Path) -> String {
    let mut text = format!(
        "process watch {{\n run /bin/sh {};\n encoder json;\n}}\n",
        script.display()
    );
    for line in lines {
        // Without the capability it compares the two octets in our OPEN.
        let asn = if line.is_for(Cell::TwoOctetAs) {
            AS_TRANS
        } else {
            line.our_asn
        };
        let passive = line.reach != Reach::Guarded;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "neighbor {} {{\n router-id {THEIR_ID};\n local-address {};\n local-as {THEIR_ASN};\n peer-as {asn};\n\
             \x20hold-time {HOLD_S};\n passive {passive};\n",
            line.ours, line.theirs
        );
        if let Some(password) = line.password {
            let _ = writeln!(text, " md5-password \"{password}\";");
        }
        text.push_str(match line.reach {
            Reach::Link => "",
            Reach::Guarded => " outgoing-ttl 255;\n incoming-ttl 255;\n",
            Reach::Routed => " outgoing-ttl 64;\n",
        });
        let octets = if line.is_for(Cell::TwoOctetAs) {
            " asn4 disable;"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            " capability {{ route-refresh enable; graceful-restart disable;{octets} }}"
        );
        let _ = writeln!(
            text,
            " api {{ processes [ watch ]; neighbor-changes; receive {{ parsed; update; }} }}"
        );
        let [v4, v6] = on_wire(line.number, 2);
        let mut families = String::new();
        let mut routes = String::new();
        for family in line.families {
            let (prefix, hop) = match family {
                Family::Ipv4 => (THEIR_PREFIXES[0], v4),
                Family::Ipv6 => (THEIR_PREFIXES[1], v6),
            };
            let _ = write!(families, " {} unicast;", family.word());
            let _ = write!(routes, " route {prefix} next-hop {hop};");
        }
        let _ = write!(text, " family {{{families} }}\n static {{{routes} }}\n}}\n");
    }
    text
}

#[cfg(test)]
mod tests;
