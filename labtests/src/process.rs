//! A process of the lab: started in a namespace, its output in a file, ended with the lab.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fmt};

use anyhow::{Context, Result};

use crate::netns::{Signal, signal};
use crate::wait::{Hopeless, wait_for};

/// Something that this machine, or this person, does not have: what needs it is skipped, and says so.
#[derive(Debug)]
pub(crate) struct NotHere(pub(crate) String);

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotHere {}

/// Refuses where root is the only user there is: an ordinary person's user namespace.
pub(crate) fn require_users(program: &str) -> Result<()> {
    let map = fs::read_to_string("/proc/self/uid_map")?;
    if is_whole(&map) {
        return Ok(());
    }
    let why = format!("{program} needs a user of its own, and a user namespace has one user only");
    Err(NotHere(why).into())
}

/// Refuses where a program is neither where its path says nor, without one, on the `PATH`.
pub(crate) fn require_program(program: &Path) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    if is_found(program, env::split_paths(&path)) {
        return Ok(());
    }
    Err(NotHere(format!("{} is not installed", program.display())).into())
}

fn is_found(program: &Path, mut folders: impl Iterator<Item = PathBuf>) -> bool {
    if program.components().count() > 1 {
        return program.exists();
    }
    folders.any(|folder| folder.join(program).exists())
}

/// Reads /proc/PID/uid_map: every user, or a few.
fn is_whole(map: &str) -> bool {
    let counts = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    counts.sum::<u64>() > 1
}

/// Whether a lab outlives the process that made it. Shared by the lab and everything in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<AtomicBool>);

impl Kept {
    pub(crate) fn keep(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A running process. Dropping it kills it, unless the lab is kept.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
    kept: Kept,
}

impl Daemon {
    /// Starts `command` with both its streams appended to `folder/NAME.log`, away from the terminal's signals.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            kept: kept.clone(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// An error once the process has ended; the end of its log says why.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let (name, words) = (&self.name, self.last_words());
                Err(Hopeless(format!(
                    "{name} has ended ({status}); its last words:\n{words}"
                ))
                .into())
            }
        }
    }

    pub(crate) fn signal(&self, which: Signal) -> Result<()> {
        signal(self.pid(), which).with_context(|| self.name.clone())
    }

    /// SIGKILL, and gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, then waits for the process to end by itself.
    pub(crate) fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::Term)?;
        self.wait_end(limit)
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        wait_for(&format!("{name} ends"), limit, || {
            self.child
                .try_wait()?
                .with_context(|| format!("{name} still runs"))
        })
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.kept.is_kept() {
            // It may be gone already, which is what is wanted.
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

#[cfg(test)]
mod tests;
