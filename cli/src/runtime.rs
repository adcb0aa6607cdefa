//! The runtimes of this program: one small one for commands, one for daemons.

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// Threads of a daemon: the Router, the announcer and the sockets keep two busy at most.
const DAEMON_THREADS: usize = 2;

/// For a command that asks and leaves.
pub(crate) fn build() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// For a daemon.
pub(crate) fn build_daemon() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(DAEMON_THREADS)
        .thread_name("ringbolt")
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
