//! Ringbolt's own processes in a lab: a speaker on every node, the controller on one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::netns::{Netns, run};
use crate::place::Source;
use crate::process::{Daemon, Kept};

/// Where a speaker and a controller answer HTTP, on the loopback of their namespace.
pub(crate) const SPEAKER_HTTP: u16 = 9641;
pub(crate) const CONTROLLER_HTTP: u16 = 9642;

/// The program under test.
#[derive(Debug, Clone)]
pub(crate) struct Ringbolt {
    program: PathBuf,
}

impl Ringbolt {
    pub(crate) fn at(program: PathBuf) -> Result<Self> {
        ensure!(program.exists(), "{} is not there", program.display());
        Ok(Self { program })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Name and version, as the program prints them.
    pub(crate) fn version(&self) -> Result<String> {
        Ok(
            run(std::process::Command::new(&self.program).arg("--version"))?
                .trim()
                .to_owned(),
        )
    }

    /// Starts a speaker for a node.
    pub(crate) fn speaker(
        &self,
        space: &Netns,
        node: &str,
        source: &Source,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Daemon> {
        let mut command = space.command(&self.program);
        command.arg("speaker").args(source.arguments());
        command.args(["--node-name", node, "--log-level", "debug"]);
        Daemon::start(&format!("speaker-{node}"), &mut command, folder, kept)
    }

    /// Starts a speaker as an operator would, with its default log level.
    pub(crate) fn quiet_speaker(
        &self,
        space: &Netns,
        node: &str,
        source: &Source,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Daemon> {
        let mut command = space.command(&self.program);
        command
            .arg("speaker")
            .args(source.arguments())
            .args(["--node-name", node]);
        Daemon::start(&format!("speaker-{node}"), &mut command, folder, kept)
    }

    /// Starts a controller; `name` is the name of its log.
    pub(crate) fn controller(
        &self,
        space: &Netns,
        name: &str,
        source: &Source,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Daemon> {
        let mut command = space.command(&self.program);
        command
            .arg("controller")
            .args(source.arguments())
            .args(["--log-level", "debug"]);
        Daemon::start(name, &mut command, folder, kept)
    }

    /// Runs a subcommand in a namespace (`status` asks the daemons there) and returns both its streams and
    /// whether it succeeded.
    pub(crate) fn ask<S: AsRef<std::ffi::OsStr>>(
        &self,
        space: &Netns,
        args: &[S],
    ) -> Result<(bool, String)> {
        let output = space.command(&self.program).args(args).output()?;
        let streams = [&output.stdout[..], &output.stderr[..]].concat();
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&streams).into_owned(),
        ))
    }
}

/// A daemon's `/status`.
pub(crate) fn status(space: &Netns, port: u16) -> Result<Value> {
    serde_json::from_str(&http_get(space, port, "/status")?).context("/status")
}

/// The body of a page on the loopback of a namespace.
pub(crate) fn http_get(space: &Netns, port: u16, path: &str) -> Result<String> {
    space.inside(|| {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let limit = Duration::from_secs(2);
        let mut stream = TcpStream::connect_timeout(&to, limit)?;
        stream.set_read_timeout(Some(limit))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
        ensure!(
            head.contains(" 200 "),
            "{path}: {}",
            head.lines().next().unwrap_or_default()
        );
        Ok(body.to_owned())
    })?
}
