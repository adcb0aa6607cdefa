//! The daemons at the other end, with three sessions at 50 ms each: the slower end, ours, sets the pace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{MULTI, SINGLE};
use crate::bird;
use crate::frr::Frr;
use crate::netns::{Netns, Signal, run};
use crate::process::{Daemon, Kept};
use crate::wait::wait_for;

const FRR: &str = "/usr/lib/frr";
const LIMIT: Duration = Duration::from_secs(10);

/// What a scenario asks of the other end.
pub(super) trait Other {
    fn signal(&self, which: Signal) -> Result<()>;

    /// Succeeds when it says that every session is down.
    fn all_down(&self) -> Result<()>;

    /// Its sessions, in its own words.
    fn state(&self) -> String;
}

/// FRR's bfdd, which learns of interfaces from zebra.
pub(super) struct Bfdd {
    _zebra: Daemon,
    bfdd: Daemon,
    sockets: PathBuf,
}

impl Bfdd {
    pub(super) fn start(space: &Netns, folder: &Path, kept: &Kept) -> Result<Self> {
        Frr::require()?;
        let sockets = folder.join("frr");
        fs::create_dir_all(&sockets)?;
        run(Command::new("chown").arg("frr:frr").arg(&sockets))?;
        let daemon = |name: &str, configuration: &str| {
            let file = folder.join(format!("{name}.conf"));
            fs::write(&file, configuration)?;
            let mut command = space.command(Path::new(FRR).join(name));
            command.args(["-u", "frr", "-g", "frr", "-f"]).arg(&file);
            command
                .arg("-i")
                .arg(sockets.join(format!("{name}.pid")))
                .arg("--vty_socket")
                .arg(&sockets)
                .arg("-z")
                .arg(sockets.join("zserv.api"));
            if name == "bfdd" {
                let control = sockets.join("bfdd.sock");
                command.arg(format!("--bfdctl=unix:{}", control.display()));
            }
            Daemon::start(name, &mut command, folder, kept)
        };
        let zebra = daemon("zebra", "log stdout\n")?;
        let served = sockets.join("zserv.api");
        wait_for("zebra answers", LIMIT, || {
            served.exists().then_some(()).context("no socket yet")
        })?;
        let bfdd = daemon("bfdd", &for_bfdd())?;
        let bfdd = Self {
            _zebra: zebra,
            bfdd,
            sockets,
        };
        wait_for("bfdd answers", LIMIT, || bfdd.peers())?;
        Ok(bfdd)
    }

    fn peers(&self) -> Result<String> {
        let mut vtysh = Command::new("vtysh");
        vtysh.arg("--vty_socket").arg(&self.sockets);
        run(vtysh.args(["-d", "bfdd", "-c", "show bfd peers"]))
    }
}

impl Other for Bfdd {
    fn signal(&self, which: Signal) -> Result<()> {
        self.bfdd.signal(which)
    }

    fn all_down(&self) -> Result<()> {
        let peers = self.peers()?;
        let down = peers.matches("Status: down").count();
        ensure!(down == 3, "{down} are down: {peers}");
        Ok(())
    }

    fn state(&self) -> String {
        self.peers().unwrap_or_else(|error| format!("{error:#}"))
    }
}

fn for_bfdd() -> String {
    let mut text =
        "log stdout\nbfd\n profile lab\n  transmit-interval 50\n  receive-interval 50\n \
                    \x20detect-multiplier 3\n exit\n"
            .to_owned();
    for [ours, theirs] in SINGLE {
        text +=
            &format!(" peer {ours} local-address {theirs} interface lab0\n  profile lab\n exit\n");
    }
    let [ours, theirs] = MULTI;
    text += &format!(" peer {ours} multihop local-address {theirs}\n  profile lab\n exit\nexit\n");
    text
}

/// BIRD with nothing but BFD.
pub(super) struct Bird(bird::Bird);

impl Bird {
    pub(super) fn start(space: &Netns, folder: &Path, kept: &Kept) -> Result<Self> {
        bird::Bird::start_with(space, "bird", &for_bird(), folder, kept).map(Self)
    }
}

impl Other for Bird {
    fn signal(&self, which: Signal) -> Result<()> {
        self.0.signal(which)
    }

    fn all_down(&self) -> Result<()> {
        let sessions = self.0.birdc("show bfd sessions")?;
        let down = sessions.matches(" Down ").count();
        ensure!(down == 3, "{down} are down: {sessions}");
        Ok(())
    }

    fn state(&self) -> String {
        let shown = self.0.birdc("show bfd sessions");
        shown.unwrap_or_else(|error| format!("{error:#}"))
    }
}

fn for_bird() -> String {
    let [v4, v6] =
        SINGLE.map(|[ours, theirs]| format!("  neighbor {ours} dev \"lab0\" local {theirs};\n"));
    let [ours, theirs] = MULTI;
    format!(
        "router id 192.0.2.2;\nprotocol device {{}}\nprotocol bfd {{\n  \
         interface \"*\" {{ interval 50 ms; idle tx interval 1 s; multiplier 3; }};\n  \
         multihop {{ interval 50 ms; idle tx interval 1 s; multiplier 3; }};\n{v4}{v6}  \
         neighbor {ours} local {theirs} multihop on;\n}}\n"
    )
}
