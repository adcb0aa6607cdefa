//! tcpdump as a second opinion: it records in a namespace, then decodes what was recorded, and must find nothing
//! wrong with any of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::netns::{Netns, Signal, run};
use crate::process::{Daemon, Kept, require_program, require_users};
use crate::wait::wait_for;

/// A recording that is under way.
#[derive(Debug)]
pub(crate) struct Capture {
    daemon: Daemon,
    file: PathBuf,
}

impl Capture {
    /// Records what matches `filter` on one interface.
    pub(crate) fn start(
        space: &Netns,
        interface: &str,
        filter: &str,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        Self::require()?;
        let name = format!("{}-{interface}", space.name());
        let file = folder.join(format!("{name}.pcap"));
        let mut command = space.command("tcpdump");
        command
            .args([
                "-U",
                "--immediate-mode",
                "-i",
                interface,
                "-s",
                "0",
                "-Z",
                "root",
                "-w",
            ])
            .arg(&file)
            .arg(filter);
        let mut daemon = Daemon::start(&format!("tcpdump-{name}"), &mut command, folder, kept)?;
        wait_for("tcpdump listens", Duration::from_secs(10), || {
            daemon.check_alive()?;
            let log = std::fs::read_to_string(daemon.log())?;
            log.contains("listening on")
                .then_some(())
                .context("not yet")
        })?;
        Ok(Self { daemon, file })
    }

    /// Refuses where it cannot run.
    pub(crate) fn require() -> Result<()> {
        require_program(Path::new("tcpdump"))?;
        // As root it sets its groups anew, whoever it is told to be.
        require_users("tcpdump")
    }

    /// Ends the recording and returns tcpdump's own decoding of it.
    pub(crate) fn finish(mut self) -> Result<Decoded> {
        self.daemon.signal(Signal::Term)?;
        self.daemon.wait_end(Duration::from_secs(5))?;
        Ok(Decoded {
            text: self.so_far()?,
        })
    }

    /// tcpdump's decoding of what is recorded so far. An error while a packet is half written: ask again.
    pub(crate) fn so_far(&self) -> Result<String> {
        let mut command = Command::new("tcpdump");
        command.args(["-e", "-n", "-vv", "-r"]).arg(&self.file);
        run(&mut command)
    }
}

/// What tcpdump reads in a recording.
#[derive(Debug)]
pub(crate) struct Decoded {
    text: String,
}

/// What tcpdump prints when it cannot make sense of something, or when a checksum of ours is wrong. Checksums of
/// TCP and UDP, which the kernel leaves to a network card that a lab does not have, read differently.
const COMPLAINTS: &[&str] = &[
    "invalid",
    "bad cksum",
    "bad icmp6 cksum",
    "[|",
    "malformed",
    "truncated",
];

impl Decoded {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// An error that quotes every line tcpdump found something wrong with; or that there was none.
    pub(crate) fn check_clean(&self) -> Result<()> {
        let bad: Vec<&str> = self
            .text
            .lines()
            // Octets it does not know are dumped; those may spell anything.
            .filter(|line| !line.trim_start().starts_with("0x"))
            .filter(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)))
            .collect();
        ensure!(
            bad.is_empty(),
            "tcpdump finds fault with:\n{}",
            bad.join("\n")
        );
        ensure!(
            !self.text.trim().is_empty(),
            "tcpdump has recorded nothing, so it proves nothing"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
