//! `setup`: what labs, demo and benches need from the distribution.
//!
//! Says what is missing, asks on a terminal, installs with apt, and stops every service that apt started:
//! a routing daemon nobody asked for must not run on somebody's machine. Refuses to know what the programs
//! are used for.

pub(crate) mod kubelab;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, io};

use crate::caller::Caller;
use crate::workspace::{Workspace, run_through};
use crate::{Failure, Outcome};

/// What a verb wants to do; each needs some programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Namespaces, links and packet filters.
    Lab,
    /// BIRD as a router.
    Bird,
    /// FRR as a router.
    Frr,
    /// An independent decoder of what we send.
    Capture,
    /// OpenBGPD as a reference of benchmarks and as a peer.
    OpenBgpd,
    /// GoBGP as a peer.
    GoBgp,
    /// ExaBGP as a peer.
    ExaBgp,
}

impl Purpose {
    pub(crate) const TESTS: &[Self] = Self::ALL;
    pub(crate) const BENCH: &[Self] = &[Self::Lab, Self::Bird, Self::OpenBgpd];
    const ALL: &[Self] = &[
        Self::Lab,
        Self::Bird,
        Self::Frr,
        Self::Capture,
        Self::OpenBgpd,
        Self::GoBgp,
        Self::ExaBgp,
    ];
}

/// A program, the Debian package that brings it, and the services this package starts.
struct Program {
    purpose: Purpose,
    name: &'static str,
    package: &'static str,
    services: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        purpose: Purpose::Lab,
        name: "ip",
        package: "iproute2",
        services: &[],
    },
    Program {
        purpose: Purpose::Lab,
        name: "nft",
        package: "nftables",
        services: &[],
    },
    Program {
        purpose: Purpose::Bird,
        name: "bird",
        package: "bird2",
        services: &["bird", "bird6"],
    },
    Program {
        purpose: Purpose::Frr,
        name: "bgpd@frr",
        package: "frr",
        services: &["frr"],
    },
    Program {
        purpose: Purpose::Capture,
        name: "tcpdump",
        package: "tcpdump",
        services: &[],
    },
    Program {
        purpose: Purpose::OpenBgpd,
        name: "bgpctl",
        package: "openbgpd",
        services: &["openbgpd"],
    },
    Program {
        purpose: Purpose::GoBgp,
        name: "gobgpd",
        package: "gobgpd",
        services: &["gobgpd"],
    },
    Program {
        purpose: Purpose::ExaBgp,
        name: "exabgp",
        package: "exabgp",
        services: &["exabgp"],
    },
];

/// Where administrators' programs live; an ordinary PATH lacks half of it.
const FOLDERS: &[&str] = &[
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Whether packages may be installed without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Ask on a terminal; without one, refuse.
    Ask,
    /// `--yes`, or CI.
    Given,
}

impl Consent {
    pub(crate) fn from_args(args: &[String]) -> Self {
        let ci = env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        if ci || args.iter().any(|arg| arg == "--yes") {
            Self::Given
        } else {
            Self::Ask
        }
    }
}

pub(crate) fn run(args: &[String]) -> Outcome {
    if args.first().is_some_and(|arg| arg == "kubelab") {
        return kubelab::run(&args[1..]);
    }
    if let Some(unknown) = args.iter().find(|arg| *arg != "--yes") {
        return Err(Failure::Refused(format!(
            "`setup` does not know `{unknown}`; it takes kubelab or --yes"
        )));
    }
    let workspace = Workspace::open();
    workspace.caller.require_packages("setup")?;
    install(&workspace.caller, Purpose::ALL, Consent::from_args(args))?;
    println!("setup: everything is there");
    Ok(())
}

/// Installs what `purposes` need and is not there. Without anything missing it does and says nothing.
pub(crate) fn install(caller: &Caller, purposes: &[Purpose], consent: Consent) -> Outcome {
    let missing: Vec<&Program> = PROGRAMS
        .iter()
        .filter(|program| purposes.contains(&program.purpose))
        .filter(|program| !is_installed(program.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    let list = packages.join(" ");
    if !is_installed("apt-get") {
        return Err(Failure::Refused(format!(
            "this machine has no apt; install by hand: {list}"
        )));
    }
    caller.require_packages("setup")?;
    println!(
        "setup: missing: {list}; this will run `apt-get install --no-install-recommends {list}`"
    );
    if consent == Consent::Ask && !agreed()? {
        return Err(Failure::Refused("nothing was installed".to_owned()));
    }
    let services: BTreeSet<&str> = missing
        .iter()
        .flat_map(|program| program.services.iter().copied())
        .collect();
    let running_before: BTreeSet<&str> = services
        .iter()
        .copied()
        .filter(|service| is_running(service))
        .collect();
    apt(&["update", "-q"])?;
    let mut args = vec!["install", "-q", "-y", "--no-install-recommends"];
    args.extend(&packages);
    apt(&args)?;
    for service in services
        .difference(&running_before)
        .filter(|service| is_running(service))
    {
        stop(service)?;
        println!("setup: stopped the service `{service}`, which apt had started");
    }
    match missing.iter().find(|program| !is_installed(program.name)) {
        None => Ok(()),
        Some(program) => {
            let Program { name, package, .. } = program;
            Err(Failure::Failed(format!(
                "apt installed `{package}`, yet `{name}` is not there"
            )))
        }
    }
}

/// `NAME` in the usual folders, or `NAME@FOLDER` below /usr/lib.
pub(crate) fn is_installed(name: &str) -> bool {
    match name.split_once('@') {
        Some((program, folder)) => Path::new("/usr/lib").join(folder).join(program).exists(),
        None => FOLDERS
            .iter()
            .any(|folder| Path::new(folder).join(name).exists()),
    }
}

fn agreed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Refused(
            "there is no terminal to ask on; pass --yes to install".to_owned(),
        ));
    }
    print!("setup: go on? [y/N] ");
    io::stdout().flush().ok();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok();
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn apt(args: &[&str]) -> Outcome {
    let mut command = Command::new("apt-get");
    run_through(command.args(args).env("DEBIAN_FRONTEND", "noninteractive"))
        .map_err(|_| Failure::Failed(format!("apt-get {} failed", args.join(" "))))
}

/// Whether systemd, or the script in /etc/init.d, says that the service runs.
fn is_running(service: &str) -> bool {
    let mut command = if has_systemd() {
        let mut command = Command::new("systemctl");
        command.args(["is-active", "--quiet", service]);
        command
    } else if Path::new("/etc/init.d").join(service).exists() {
        let mut command = Command::new("service");
        command.args([service, "status"]);
        command
    } else {
        return false;
    };
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn stop(service: &str) -> Outcome {
    let mut command = if has_systemd() {
        Command::new("systemctl")
    } else {
        Command::new("service")
    };
    let args = if has_systemd() {
        ["stop", service]
    } else {
        [service, "stop"]
    };
    run_through(command.args(args).stdout(Stdio::null())).map_err(|_| {
        Failure::Failed(format!(
            "the service `{service}`, started by apt, does not stop"
        ))
    })
}

fn has_systemd() -> bool {
    fs::metadata("/run/systemd/system").is_ok()
}

#[cfg(test)]
mod tests;
