//! A lab: namespaces with one prefix, a folder for logs, and the certainty that both go away.
//!
//! The prefix holds the process's id, so several labs run beside each other and leftovers of a killed one are
//! recognised by the next. Knows links and addresses; what runs inside is the business of others.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Result;

use crate::folder;
use crate::netns::{self, Netns};
use crate::process::Kept;

/// Namespaces of labs are called `rbPID-NAME`.
const PREFIX: &str = "rb";
const PROGRAM: &str = "labtests";

/// One lab. Dropping it removes its namespaces with all processes in them; its folder stays unless
/// [`Lab::succeeded`] was said.
#[derive(Debug)]
pub(crate) struct Lab {
    prefix: String,
    folder: PathBuf,
    spaces: Vec<Netns>,
    kept: Kept,
    succeeded: bool,
}

/// Parameters of every namespace: addresses are usable at once, nobody redirects anybody, replies are not
/// rationed, and an answer may come back by another way than the question went.
const QUIET: &[(&str, &str)] = &[
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.default.accept_redirects", "0"),
    ("net.ipv4.icmp_ratelimit", "0"),
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.all.accept_ra", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.all.accept_redirects", "0"),
    ("net.ipv6.conf.default.accept_redirects", "0"),
];

/// What makes a namespace a router: forwarding, and paths chosen by ports as well as addresses.
const FORWARDING: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    ("net.ipv6.conf.default.forwarding", "1"),
    ("net.ipv4.fib_multipath_hash_policy", "1"),
    ("net.ipv6.fib_multipath_hash_policy", "1"),
];

impl Lab {
    /// An empty lab, after taking down what dead labs have left.
    pub(crate) fn new(name: &str) -> Result<Self> {
        sweep(Leftovers::OfTheDead)?;
        let pid = std::process::id();
        let folder = folder::create(name)?;
        let prefix = format!("{PREFIX}{pid}-");
        Ok(Self {
            prefix,
            folder,
            spaces: Vec::new(),
            kept: Kept::default(),
            succeeded: false,
        })
    }

    /// Where logs, manifests and diagnostics of this lab lie.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) fn spaces(&self) -> &[Netns] {
        &self.spaces
    }

    /// A new namespace for a host.
    pub(crate) fn host(&mut self, name: &str) -> Result<Netns> {
        let space = Netns::create(&format!("{}{name}", self.prefix))?;
        self.spaces.push(space.clone());
        space.sysctls(QUIET)?;
        Ok(space)
    }

    /// A new namespace that forwards.
    pub(crate) fn forwarder(&mut self, name: &str) -> Result<Netns> {
        let space = self.host(name)?;
        space.sysctls(FORWARDING)?;
        Ok(space)
    }

    /// A new namespace with a switch in it; plug into it with [`plug`].
    pub(crate) fn switch(&mut self, name: &str) -> Result<Netns> {
        let space = self.host(name)?;
        space.ip("link add br0 type bridge forward_delay 0")?;
        space.ip("link set br0 up")?;
        Ok(space)
    }

    /// Nothing failed: the folder goes with the lab.
    pub(crate) fn succeeded(&mut self) {
        self.succeeded = true;
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.kept.is_kept() {
            return;
        }
        for space in &self.spaces {
            if let Err(error) = space.destroy() {
                eprintln!("lab: {error:#}");
            }
        }
        if self.succeeded {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// A wire between two namespaces, up at both ends.
pub(crate) fn link(a: &Netns, a_name: &str, b: &Netns, b_name: &str) -> Result<()> {
    a.ip(&format!(
        "link add {a_name} type veth peer name {b_name} netns {}",
        b.name()
    ))?;
    a.ip(&format!("link set {a_name} up"))?;
    b.ip(&format!("link set {b_name} up"))?;
    Ok(())
}

/// A wire from `host` into the switch; the switch's end is called `port`.
pub(crate) fn plug(host: &Netns, interface: &str, switch: &Netns, port: &str) -> Result<()> {
    link(host, interface, switch, port)?;
    switch.ip(&format!("link set {port} master br0"))?;
    Ok(())
}

/// Which labs of other processes to take down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// Those whose process was killed; a kept lab is not one of them.
    OfTheDead,
    /// Kept labs too, but none that is being used by a running process.
    AllIdle,
}

/// Takes down labs whose process is gone; returns how many namespaces that were.
pub(crate) fn sweep(which: Leftovers) -> Result<usize> {
    let mut removed = 0;
    for space in Netns::all()? {
        let Some(pid) = owner(space.name()) else {
            continue;
        };
        let kept = kept_mark(pid).exists();
        if is_running(pid) || (kept && which == Leftovers::OfTheDead) {
            continue;
        }
        space.destroy()?;
        removed += 1;
    }
    if which == Leftovers::AllIdle {
        for parent in folder::parents() {
            remove_kept(&parent)?;
        }
        for entry in fs::read_dir(env::temp_dir())?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("ringbolt-lab-kept-") {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(removed)
}

/// Removes the folders of kept labs that nobody uses.
fn remove_kept(parent: &Path) -> Result<()> {
    for entry in fs::read_dir(parent)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(folder::PREFIX) else {
            continue;
        };
        let pid = rest.split('-').next().and_then(|pid| pid.parse().ok());
        if pid.is_some_and(|pid| kept_mark(pid).exists() && !is_running(pid)) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The file that says that the lab of a process is kept on purpose.
pub(crate) fn kept_mark(pid: u32) -> PathBuf {
    env::temp_dir().join(format!("ringbolt-lab-kept-{pid}"))
}

/// The process in the name of a lab's namespace.
fn owner(space: &str) -> Option<u32> {
    let (pid, _) = space.strip_prefix(PREFIX)?.split_once('-')?;
    pid.parse().ok()
}

/// Whether a process of this program runs under that id.
fn is_running(pid: u32) -> bool {
    pid == std::process::id()
        || is_living_lab(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default())
}

/// Reads /proc/PID/status: ids are used again, and a killed process keeps its id until it is waited for.
fn is_living_lab(status: &str) -> bool {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim).unwrap_or_default()
    };
    field("Name:") == PROGRAM && !field("State:").starts_with(['Z', 'X'])
}

/// An error when somebody asked the lab to end.
pub(crate) fn check_interrupted() -> Result<()> {
    anyhow::ensure!(!netns::is_interrupted(), "interrupted");
    Ok(())
}

#[cfg(test)]
mod tests;
