//! The etcd below the API servers, on a unix socket: no port to collide on, and copies of its state can be taken
//! and put back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::processes::Processes;
use crate::netns::{Signal, run};
use crate::process::Daemon;
use crate::wait::wait_for;

const START: Duration = Duration::from_secs(20);

/// The daemon and its state.
#[derive(Debug)]
pub(crate) struct Etcd {
    program: PathBuf,
    processes: Processes,
    daemon: Mutex<Option<Daemon>>,
}

/// A copy of everything the cluster held at one moment.
#[derive(Debug)]
pub(crate) struct Checkpoint(PathBuf);

impl Etcd {
    pub(super) fn start_new(program: PathBuf, processes: Processes) -> Result<Self> {
        let etcd = Self {
            program,
            processes,
            daemon: Mutex::new(None),
        };
        etcd.start()?;
        Ok(etcd)
    }

    /// The URL of its socket, which is reachable from every network namespace.
    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.processes.folder.join("etcd.sock")
    }

    fn state(&self) -> PathBuf {
        self.processes.folder.join("etcd")
    }

    /// Starts it on the state there is.
    pub(crate) fn start(&self) -> Result<()> {
        let mut daemon = self.daemon();
        ensure!(daemon.is_none(), "etcd runs already");
        for socket in [self.socket(), self.socket().with_extension("sock.peer")] {
            // A killed etcd leaves its sockets behind; their return is what says that it listens.
            if socket.exists() {
                fs::remove_file(socket)?;
            }
        }
        let mut command = self.processes.command(&self.program);
        command.args(["--name=lab", "--log-level=warn", "--unsafe-no-fsync=true"]);
        command.arg(format!("--data-dir={}", self.state().display()));
        command.arg(format!("--listen-client-urls={}", self.url()));
        command.arg(format!("--listen-peer-urls={}.peer", self.url()));
        // Advertised addresses must have host and port; nobody calls them.
        command.args([
            "--advertise-client-urls=http://lab.invalid:2",
            "--initial-advertise-peer-urls=http://lab.invalid:1",
            "--initial-cluster=lab=http://lab.invalid:1",
        ]);
        let mut started = self.processes.start("etcd", &mut command)?;
        wait_for("etcd listens", START, || {
            started.check_alive()?;
            ensure!(self.socket().exists(), "no socket yet");
            Ok(())
        })?;
        *daemon = Some(started);
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) -> Result<()> {
        let mut daemon = self.daemon().take().context("etcd does not run")?;
        daemon.kill()
    }

    /// SIGSTOP: the API server goes on answering what it has in memory and hangs over everything else.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::Stop)
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::Continue)
    }

    /// Copies the state while etcd holds still. It recovers from such a copy as from a power cut at that moment.
    pub(super) fn copy(&self, name: &str) -> Result<Checkpoint> {
        let to = self.processes.folder.join(format!("checkpoint-{name}"));
        self.pause()?;
        let copied = copy_folder(&self.state(), &to);
        self.resume()?;
        copied.map(|()| Checkpoint(to))
    }

    /// Puts a copy in place of the state; etcd must not run.
    pub(super) fn put_back(&self, checkpoint: &Checkpoint) -> Result<()> {
        ensure!(self.daemon().is_none(), "etcd runs");
        fs::remove_dir_all(self.state())?;
        copy_folder(&checkpoint.0, &self.state())
    }

    fn signal(&self, which: Signal) -> Result<()> {
        let daemon = self.daemon();
        daemon.as_ref().context("etcd does not run")?.signal(which)
    }

    fn daemon(&self) -> MutexGuard<'_, Option<Daemon>> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    run(std::process::Command::new("cp")
        .arg("--archive")
        .arg(from)
        .arg(to))
    .map(drop)
}
