//! A kube-apiserver, and what can be done to it: killed, paused, restarted with other flags, doubled.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::Client;

use super::accounts::{self, User};
use super::processes::Processes;
use super::reach::Reach;
use crate::netns::Signal;
use crate::process::Daemon;
use crate::wait::wait_for;

/// A start takes 3 s on idle cores; a lab shares them with a build.
const READY: Duration = Duration::from_secs(60);

/// Flags that make an API server behave as a bad day would.
pub(crate) mod flags {
    /// History is forgotten every two seconds: an older watch is answered `410 Gone`.
    pub(crate) const FORGETFUL: &[&str] = &["--watch-cache=false", "--etcd-compaction-interval=2s"];
    /// One request at a time: others than the administrator are answered `429 Too Many Requests`.
    pub(crate) const CROWDED: &[&str] = &[
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=1",
        "--max-mutating-requests-inflight=1",
    ];
    /// A watch cannot begin with the objects there are, as before Kubernetes 1.35.
    pub(crate) const NO_WATCH_LIST: &[&str] = &["--feature-gates=WatchList=false"];
}

/// One API server. Several may stand on one etcd.
#[derive(Debug)]
pub(crate) struct ApiServer {
    name: String,
    program: PathBuf,
    /// Flags that stay.
    fixed: Vec<String>,
    /// Flags of the last start beside them.
    varied: Mutex<Vec<String>>,
    daemon: Mutex<Option<Daemon>>,
    kubeconfigs: PathBuf,
    reach: Arc<Reach>,
    processes: Processes,
}

/// What an API server needs to start.
pub(super) struct Start<'a> {
    pub(super) name: &'a str,
    pub(super) program: PathBuf,
    pub(super) fixed: Vec<String>,
    pub(super) varied: &'a [String],
    pub(super) url: String,
    pub(super) authority: &'a Path,
    pub(super) reach: Arc<Reach>,
    pub(super) processes: Processes,
}

impl ApiServer {
    /// Starts it and waits until it is ready.
    pub(super) fn start_new(start: Start<'_>) -> Result<Self> {
        let folder = &start.processes.folder;
        let kubeconfigs = folder.join(format!("{}-kubeconfigs", start.name));
        std::fs::create_dir_all(&kubeconfigs)?;
        accounts::write_kubeconfigs(&kubeconfigs, &start.url, start.authority)?;
        let server = Self {
            name: start.name.to_owned(),
            program: start.program,
            fixed: start.fixed,
            varied: Mutex::new(start.varied.to_vec()),
            daemon: Mutex::new(None),
            kubeconfigs,
            reach: start.reach,
            processes: start.processes,
        };
        server.start()?;
        Ok(server)
    }

    /// A kubeconfig with which a user comes to this server.
    pub(crate) fn kubeconfig(&self, user: User) -> PathBuf {
        user.kubeconfig(&self.kubeconfigs)
    }

    /// A client of this server as a user. It works inside [`super::ControlPlane::run`].
    pub(crate) fn client(&self, user: User) -> Result<Client> {
        self.reach.client(&self.kubeconfig(user))
    }

    /// Starts it again with the flags it had, and waits until it is ready.
    pub(crate) fn start(&self) -> Result<()> {
        {
            let mut daemon = self.daemon();
            ensure!(daemon.is_none(), "{} runs already", self.name);
            let mut command = self.processes.command(&self.program);
            command.args(&self.fixed).args(&*self.varied());
            *daemon = Some(self.processes.start(&self.name, &mut command)?);
        }
        self.wait_ready()
    }

    /// Waits until it says that it is ready to serve.
    pub(crate) fn wait_ready(&self) -> Result<()> {
        let client = self.client(User::Admin)?;
        wait_for(&format!("{} is ready", self.name), READY, || {
            if let Some(daemon) = self.daemon().as_mut() {
                daemon.check_alive()?;
            }
            let request = http::Request::get("/readyz").body(Vec::new())?;
            let answer = self.reach.ask(client.request_text(request))??;
            ensure!(answer == "ok", "/readyz says {answer}");
            Ok(())
        })
    }

    /// SIGKILL: connections break at once, nothing is served.
    pub(crate) fn kill(&self) -> Result<()> {
        self.taken()?.kill()
    }

    /// SIGSTOP: connections stay and nobody answers, as from a machine that hangs.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::Stop)
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::Continue)
    }

    /// Kills it and starts it again on the same etcd: every watch ends, and history is forgotten.
    pub(crate) fn restart(&self) -> Result<()> {
        self.kill()?;
        self.start()
    }

    /// Restarts it with other varied flags, such as those in [`flags`]; none gives the usual server back.
    pub(crate) fn restart_with(&self, flags: &[&str]) -> Result<()> {
        *self.varied() = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.restart()
    }

    pub(super) fn is_running(&self) -> bool {
        self.daemon().is_some()
    }

    fn signal(&self, which: Signal) -> Result<()> {
        let daemon = self.daemon();
        let daemon = daemon.as_ref();
        let daemon = daemon.with_context(|| format!("{} does not run", self.name))?;
        daemon.signal(which)
    }

    fn taken(&self) -> Result<Daemon> {
        let daemon = self.daemon().take();
        daemon.with_context(|| format!("{} does not run", self.name))
    }

    fn daemon(&self) -> MutexGuard<'_, Option<Daemon>> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn varied(&self) -> MutexGuard<'_, Vec<String>> {
        self.varied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
