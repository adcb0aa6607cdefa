//! The daemons that are measured: how each is started with four passive neighbours and nothing to say, and how it
//! is told its routes.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::sink::{DAEMON, DAEMON_ASN, Range, SINKS, address, asn, daemon};
use super::usage;
use crate::manifests::{self, Directory};
use crate::netns::{Netns, run};
use crate::node::Ringbolt;
use crate::process::{Daemon, Kept};

/// Which daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Ringbolt,
    Bird,
    OpenBgpd,
}

/// Whether routes appear or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Come,
    Go,
}

impl Flow {
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Come => Self::Go,
            Self::Go => Self::Come,
        }
    }
}

/// A daemon under test.
#[derive(Debug)]
pub(super) struct Subject {
    kind: Kind,
    daemon: Daemon,
    folder: PathBuf,
}

/// Ringbolt's Static advertisements hold this many prefixes each.
const PER_DOCUMENT: usize = 1000;

impl Subject {
    pub(super) fn start(
        kind: Kind,
        ringbolt: &Ringbolt,
        space: &Netns,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let daemon = match kind {
            Kind::Ringbolt => {
                let directory = Directory::create(folder.join("manifests"))?;
                directory.put("node.yaml", &[manifests::node("bench", &[daemon()], &[])])?;
                let peers: Vec<_> = (0..SINKS).map(peer).collect();
                directory.put("peers.yaml", &peers)?;
                ringbolt.quiet_speaker(space, "bench", &directory.source(), folder, kept)?
            }
            Kind::Bird => {
                fs::write(folder.join("routes.conf"), "")?;
                fs::write(folder.join("bird.conf"), bird(folder))?;
                let mut command = space.command("bird");
                command.arg("-f").arg("-c").arg(folder.join("bird.conf"));
                command.arg("-s").arg(folder.join("bird.ctl"));
                Daemon::start("bird", &mut command, folder, kept)?
            }
            Kind::OpenBgpd => {
                // It changes into the home directory of its user, which no package makes.
                fs::create_dir_all("/run/openbgpd")?;
                let file = folder.join("bgpd.conf");
                fs::write(&file, openbgpd(folder))?;
                run(Command::new("chmod").arg("600").arg(&file))?;
                let mut command = space.command("/usr/sbin/bgpd");
                command.arg("-d").arg("-f").arg(&file);
                Daemon::start("openbgpd", &mut command, folder, kept)?
            }
        };
        Ok(Self {
            kind,
            daemon,
            folder: folder.to_path_buf(),
        })
    }

    pub(super) fn check_alive(&mut self) -> Result<()> {
        self.daemon.check_alive()
    }

    /// Prepares a range without saying anything; [`Subject::trigger`] says it.
    pub(super) fn prepare(&self, range: Range) -> Result<()> {
        match self.kind {
            Kind::Ringbolt => self
                .directory()
                .put_hidden("routes.yaml", &documents("routes", range)),
            Kind::Bird => {
                let routes = hosts(range).fold(String::new(), |mut text, host| {
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "route {host}/32 blackhole;");
                    text
                });
                Ok(fs::write(self.folder.join("routes.conf"), routes)?)
            }
            Kind::OpenBgpd => {
                let routes = hosts(range).fold(String::new(), |mut text, host| {
                    let _ = writeln!(text, "{host}/32");
                    text
                });
                Ok(fs::write(self.folder.join("routes.txt"), routes)?)
            }
        }
    }

    /// Tells the daemon to announce what was prepared; returns the moment before.
    pub(super) fn trigger(&self, space: &Netns) -> Result<Instant> {
        let started = Instant::now();
        match self.kind {
            Kind::Ringbolt => self.directory().reveal("routes.yaml")?,
            Kind::Bird => {
                run(Command::new("birdc")
                    .arg("-s")
                    .arg(self.folder.join("bird.ctl"))
                    .arg("configure"))?;
            }
            Kind::OpenBgpd => {
                let routes = fs::File::open(self.folder.join("routes.txt"))?;
                let mut command = space.command("bgpctl");
                command
                    .arg("-s")
                    .arg(self.socket())
                    .args(["network", "bulk", "add"])
                    .stdin(routes);
                let status = command
                    .stdout(fs::File::create(self.folder.join("bgpctl.log"))?)
                    .status()?;
                anyhow::ensure!(status.success(), "bgpctl: {status}");
            }
        }
        Ok(started)
    }

    /// Announces one route more, the quickest way the daemon has; returns the moment before.
    pub(super) fn one_more(&self, space: &Netns, host: Ipv4Addr) -> Result<Instant> {
        match self.kind {
            Kind::Ringbolt => {
                let range = Range {
                    first: host,
                    count: 1,
                };
                self.directory()
                    .put_hidden("more.yaml", &documents("more", range))?;
                let started = Instant::now();
                self.directory().reveal("more.yaml")?;
                Ok(started)
            }
            Kind::Bird => {
                let mut routes = fs::OpenOptions::new()
                    .append(true)
                    .open(self.folder.join("routes.conf"))?;
                std::io::Write::write_all(
                    &mut routes,
                    format!("route {host}/32 blackhole;\n").as_bytes(),
                )?;
                self.trigger(space)
            }
            Kind::OpenBgpd => {
                let started = Instant::now();
                let mut command = space.command("bgpctl");
                command.arg("-s").arg(self.socket()).args([
                    "network",
                    "add",
                    &format!("{host}/32"),
                ]);
                run(&mut command)?;
                Ok(started)
            }
        }
    }

    /// Lets a range appear or go, beside everything else.
    pub(super) fn churn(&self, space: &Netns, range: Range, flow: Flow) -> Result<()> {
        match (self.kind, flow) {
            (Kind::Ringbolt, Flow::Come) => self
                .directory()
                .put("churn.yaml", &documents("churn", range)),
            (Kind::Ringbolt, Flow::Go) => self.directory().remove("churn.yaml"),
            (Kind::OpenBgpd, flow) => {
                let verb = if flow == Flow::Come { "add" } else { "delete" };
                let routes: String = hosts(range).map(|host| format!("{host}/32\n")).collect();
                let socket = self.socket().to_string_lossy().into_owned();
                space
                    .feed("bgpctl", &["-s", &socket, "network", "bulk", verb], &routes)
                    .map(drop)
            }
            (Kind::Bird, _) => bail!("BIRD cannot follow"),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn cpu(&self) -> Result<Duration> {
        usage::cpu(&usage::family(self.daemon.pid()))
    }

    pub(super) fn peak_kib(&self) -> Result<u64> {
        usage::peak_kib(&usage::family(self.daemon.pid()))
    }

    fn directory(&self) -> Directory {
        Directory::at(self.folder.join("manifests"))
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("bgpd.sock")
    }
}

/// Name and version of a daemon, as it prints them.
pub(super) fn version(kind: Kind, ringbolt: &Ringbolt) -> Result<String> {
    let (program, flag) = match kind {
        Kind::Ringbolt => return ringbolt.version(),
        Kind::Bird => ("bird", "--version"),
        Kind::OpenBgpd => ("/usr/sbin/bgpd", "-V"),
    };
    let output = Command::new(program)
        .arg(flag)
        .output()
        .with_context(|| program.to_owned())?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Ok(text
        .lines()
        .next()
        .unwrap_or(program)
        .replace("version ", "")
        .trim()
        .to_owned())
}

/// Every host of a range.
fn hosts(range: Range) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(range.first);
    (first..first + range.count).map(Ipv4Addr::from)
}

fn documents(name: &str, range: Range) -> Vec<serde_json::Value> {
    let prefixes: Vec<String> = hosts(range).map(|host| format!("{host}/32")).collect();
    let chunks = (0..).zip(prefixes.chunks(PER_DOCUMENT));
    chunks
        .map(|(number, prefixes)| {
            let spec = json!({"source": "Static", "prefixes": prefixes});
            manifests::resource("BGPAdvertisement", &format!("{name}-{number}"), spec)
        })
        .collect()
}

fn peer(number: u8) -> serde_json::Value {
    let spec = json!({
        "myASN": DAEMON_ASN,
        "peerASN": asn(number),
        "peerAddress": address(number),
        "passive": true,
        "holdTime": "240s",
    });
    manifests::resource("BGPPeer", &format!("sink-{number}"), spec)
}

fn bird(folder: &Path) -> String {
    let mut text = format!(
        "log stderr {{ fatal, error }};\nrouter id {DAEMON};\nprotocol device {{ }}\n\
         protocol static {{ ipv4;\ninclude \"{}\";\n}}\n",
        folder.join("routes.conf").display()
    );
    for number in 0..SINKS {
        let _ = writeln!(
            text,
            "protocol bgp p{number} {{ local {DAEMON} as {DAEMON_ASN}; neighbor {} as {}; passive; hold time 240;\n\
             ipv4 {{ import all; export where source = RTS_STATIC; next hop self; }}; }}",
            address(number),
            asn(number)
        );
    }
    text
}

fn openbgpd(folder: &Path) -> String {
    let mut text = format!(
        "AS {DAEMON_ASN}\nrouter-id {DAEMON}\nlisten on {DAEMON}\nfib-update no\nholdtime 240\nsocket \"{}\"\n",
        folder.join("bgpd.sock").display()
    );
    for number in 0..SINKS {
        let _ = writeln!(
            text,
            "neighbor {} {{\n remote-as {}\n passive\n announce IPv4 unicast\n}}",
            address(number),
            asn(number)
        );
    }
    text.push_str("allow from any\nallow to any\n");
    text
}
