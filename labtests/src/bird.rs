//! BIRD as a router: writes its configuration, starts it in a namespace, reads its tables through birdc.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, time::Duration};

use anyhow::{Context, Result, bail};
use ipnet::IpNet;

use crate::netns::{Netns, Signal, run};
use crate::process::{Daemon, Kept, require_program};
use crate::router::{Router, RouterSetup, Routes, Table};
use crate::wait::wait_for;

/// A running BIRD.
#[derive(Debug)]
pub(crate) struct Bird {
    daemon: Daemon,
    socket: PathBuf,
}

impl Bird {
    /// Starts BIRD as a router that learns from its neighbours and installs all equal paths.
    pub(crate) fn start(
        space: &Netns,
        setup: &RouterSetup,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        Self::start_with(space, "bird", &configuration(setup), folder, kept)
    }

    /// Starts BIRD with a configuration of the caller.
    pub(crate) fn start_with(
        space: &Netns,
        name: &str,
        configuration: &str,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        Self::run_by(space.command("bird"), name, configuration, folder, kept)
    }

    /// Starts BIRD where this process is, without a network of its own.
    pub(crate) fn start_here(
        name: &str,
        configuration: &str,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        Self::run_by(Command::new("bird"), name, configuration, folder, kept)
    }

    fn run_by(
        mut command: Command,
        name: &str,
        configuration: &str,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        Self::require()?;
        let file = folder.join(format!("{name}.conf"));
        fs::write(&file, configuration)?;
        let socket = folder.join(format!("{name}.ctl"));
        command
            .arg("-f")
            .arg("-c")
            .arg(&file)
            .arg("-s")
            .arg(&socket);
        let mut bird = Self {
            daemon: Daemon::start(name, &mut command, folder, kept)?,
            socket,
        };
        wait_for("BIRD answers", Duration::from_secs(10), || {
            bird.daemon.check_alive()?;
            bird.birdc("show status")
        })?;
        Ok(bird)
    }

    /// Every prefix that BGP has brought, with or without a way to its next hop.
    pub(crate) fn prefixes(&self) -> Result<BTreeSet<IpNet>> {
        let mut found = BTreeSet::new();
        for table in ["master4", "master6"] {
            found.extend(read_prefixes(
                &self.birdc(&format!("show route table {table}"))?,
            ));
        }
        Ok(found)
    }

    /// Refuses where it is not installed.
    pub(crate) fn require() -> Result<()> {
        require_program(Path::new("bird"))
    }

    /// Sends its process a signal.
    pub(crate) fn signal(&self, which: Signal) -> Result<()> {
        self.daemon.signal(which)
    }

    /// What birdc prints for a command.
    pub(crate) fn birdc(&self, words: &str) -> Result<String> {
        run(Command::new("birdc")
            .arg("-s")
            .arg(&self.socket)
            .args(words.split_whitespace()))
    }
}

impl Router for Bird {
    fn version(&self) -> Result<String> {
        let status = self.birdc("show status")?;
        let first = status
            .lines()
            .find(|line| line.starts_with("BIRD "))
            .context("no version")?;
        Ok(first.trim_end_matches(" ready.").to_owned())
    }

    fn sessions(&self) -> Result<BTreeMap<IpAddr, String>> {
        Ok(sessions(&self.birdc("show protocols all")?))
    }

    fn table(&self) -> Result<Table> {
        let mut routes = Routes::new();
        for table in ["master4", "master6"] {
            read_routes(
                &self.birdc(&format!("show route table {table}"))?,
                &mut routes,
            );
        }
        Ok(Table::Routes(routes))
    }

    fn shown(&self, prefix: IpNet) -> Result<String> {
        let text = self.birdc(&format!("show route for {prefix}"))?;
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("BIRD ") && !line.starts_with("Table "));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    fn attributes(&self, prefix: IpNet) -> Result<String> {
        self.birdc(&format!("show route for {prefix} all"))
    }

    fn state(&self) -> String {
        let commands = ["show status", "show protocols all", "show route all"];
        let texts = commands.map(|command| match self.birdc(command) {
            Ok(text) => format!("# {command}\n{text}"),
            Err(error) => format!("# {command}\n{error:#}"),
        });
        texts.join("\n")
    }

    fn stop(&mut self) -> Result<()> {
        self.daemon.kill()
    }

    fn check_alive(&mut self) -> Result<()> {
        self.daemon.check_alive()
    }
}

/// A router's configuration. The short timers keep a first collision from costing a minute.
fn configuration(setup: &RouterSetup) -> String {
    let mut text = format!(
        "log stderr all;\nrouter id {};\nprotocol device {{ }}\nprotocol direct {{ ipv4; ipv6; }}\n",
        setup.id
    );
    for family in ["ipv4", "ipv6"] {
        let export = "export where source = RTS_BGP;";
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "protocol kernel {{ merge paths on; {family} {{ {export} }}; }}"
        );
    }
    for (number, neighbour) in setup.neighbours.iter().enumerate() {
        let password = neighbour
            .password
            .as_ref()
            .map(|key| format!("  password \"{key}\";\n"));
        let _ = write!(
            text,
            "# {name}\nprotocol bgp n{number} {{\n  local {local} as {asn};\n  neighbor {address} as {peer};\n\
             {password}  connect retry time 1; connect delay time 1; error wait time 1, 2;\n\
             \x20 ipv4 {{ import all; export none; }};\n  ipv6 {{ import all; export none; }};\n}}\n",
            name = neighbour.name,
            local = setup.address,
            asn = setup.asn,
            address = neighbour.address,
            peer = neighbour.asn,
            password = password.unwrap_or_default(),
        );
    }
    text
}

/// States by neighbour out of `show protocols all`.
fn sessions(text: &str) -> BTreeMap<IpAddr, String> {
    let mut sessions = BTreeMap::new();
    let mut state = None;
    for line in text.lines().map(str::trim) {
        if let Some(found) = line.strip_prefix("BGP state:") {
            state = Some(found.trim().to_owned());
        } else if let Some(address) = line.strip_prefix("Neighbor address:")
            && let (Ok(address), Some(state)) = (address.trim().parse(), state.take())
        {
            sessions.insert(address, state);
        }
    }
    sessions
}

/// Routes of `show route`: a line with the prefix, or with blanks in its place for one more path, then a line
/// `via ADDRESS on INTERFACE` for every next hop. Only what BGP brought counts: `[AS…]` ends the line.
fn read_routes(text: &str, routes: &mut Routes) {
    let mut prefix: Option<IpNet> = None;
    let mut learned = false;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if first == "via" {
            let hop = words.next().and_then(|word| word.parse().ok());
            if let (Some(prefix), Some(hop), true) = (prefix, hop, learned) {
                routes.entry(prefix).or_default().insert(hop);
            }
            continue;
        }
        if let Ok(found) = first.parse() {
            prefix = Some(found);
        }
        learned = is_of_bgp(line);
    }
}

fn is_of_bgp(line: &str) -> bool {
    let path = line.rsplit('[').next().unwrap_or_default();
    line.trim_end().ends_with(']') && (path.starts_with("AS") || path.len() == 2)
}

/// The prefixes of `show route` that BGP brought.
fn read_prefixes(text: &str) -> impl Iterator<Item = IpNet> {
    let lines = text.lines().filter(|line| is_of_bgp(line));
    lines.filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

/// A BIRD that announces fixed prefixes: it stands for a node where a lab tests itself.
pub(crate) fn announcer(
    local: IpAddr,
    asn: u32,
    router: IpAddr,
    router_asn: u32,
    prefixes: &[IpNet],
) -> Result<String> {
    let IpAddr::V4(id) = local else {
        bail!("the announcer needs an IPv4 address for its id")
    };
    let mut text = format!("log stderr all;\nrouter id {id};\nprotocol device {{ }}\n");
    for family in ["ipv4", "ipv6"] {
        let ours = prefixes
            .iter()
            .filter(|prefix| prefix.addr().is_ipv4() == (family == "ipv4"));
        let routes: String = ours
            .map(|prefix| format!(" route {prefix} blackhole;"))
            .collect();
        let _ = writeln!(text, "protocol static {{ {family};{routes} }}");
    }
    let channel = "{ import none; export where source = RTS_STATIC; next hop self; }";
    let _ = writeln!(
        text,
        "protocol bgp {{ local {local} as {asn}; neighbor {router} as {router_asn};\n\
         connect retry time 1; connect delay time 1; error wait time 1, 2;\n\
         ipv4 {channel};\nipv6 {channel};\n}}"
    );
    Ok(text)
}

#[cfg(test)]
mod tests;
