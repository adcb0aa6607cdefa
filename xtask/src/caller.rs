//! Who called us, and how to run cargo as that person.
//!
//! Labs need root, builds must not have it: under sudo the build runs as the person who typed the command,
//! with that person's toolchain, so that `target/` keeps its owner. A root that a container has left without its
//! rights is as ordinary a user as any. Refuses to know what is built.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs};

use crate::Failure;

/// The person behind a sudo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    name: String,
    home: PathBuf,
}

/// What this process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Root with the rights that network namespaces need.
    Root,
    /// Root by number, without those rights: it may install packages.
    RootByName,
    Ordinary,
}

/// The rights that network namespaces need, by their numbers in capabilities(7).
const NET_ADMIN: u32 = 12;
const SYS_ADMIN: u32 = 21;

impl Standing {
    /// Reads /proc/PID/status.
    fn of(status: &str) -> Self {
        let rights = effective_rights(status).unwrap_or_default();
        let has = |number: u32| rights & (1 << number) != 0;
        match effective_uid(status) {
            Some(0) if has(NET_ADMIN) && has(SYS_ADMIN) => Self::Root,
            Some(0) => Self::RootByName,
            Some(_) | None => Self::Ordinary,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::RootByName => "root without CAP_NET_ADMIN and CAP_SYS_ADMIN",
            Self::Ordinary => "not root",
        })
    }
}

/// The process's own user and, under sudo, the person who called.
#[derive(Debug)]
pub(crate) struct Caller {
    standing: Standing,
    person: Option<Person>,
}

impl Caller {
    pub(crate) fn detect() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let standing = Standing::of(&status);
        let person = env::var("SUDO_UID")
            .ok()
            .and_then(|uid| uid.parse().ok())
            .filter(|uid| standing != Standing::Ordinary && *uid != 0)
            .and_then(|uid| person_of(&passwd_entry(uid), uid));
        Self { standing, person }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether this process is root, with all that goes with it.
    pub(crate) fn is_root(&self) -> bool {
        self.standing == Standing::Root
    }

    /// The person to build as, if that is somebody else than this process.
    pub(crate) fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// Refuses, in one line that says what to do, when this process may not make network namespaces for others.
    pub(crate) fn require_root(&self, verb: &str) -> Result<(), Failure> {
        match self.standing {
            Standing::Root => Ok(()),
            Standing::RootByName => Err(Failure::Refused(format!(
                "`{verb}` needs root for network namespaces, and this is {}: a container has to be given them",
                self.standing
            ))),
            Standing::Ordinary => Err(wants_sudo(verb)),
        }
    }

    /// Refuses, in one line that says what to type, when this process may not install packages.
    pub(crate) fn require_packages(&self, verb: &str) -> Result<(), Failure> {
        match self.standing {
            Standing::Root | Standing::RootByName => Ok(()),
            Standing::Ordinary => Err(wants_sudo(verb)),
        }
    }

    /// `cargo`, to run as the calling person, without the variables that `cargo run` gave to this process.
    pub(crate) fn cargo(&self) -> Command {
        let own = self
            .person
            .as_ref()
            .map(|person| person.home.join(".cargo/bin/cargo"));
        let own = own.filter(|path| path.exists());
        let program = match (&own, env::var_os("CARGO")) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => PathBuf::from(path),
            (None, None) => PathBuf::from("cargo"),
        };
        let mut command = Command::new(&program);
        // Build scripts watch some of these; left in place they would make every build a rebuild.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        if own.is_some() {
            // The person's rustup must choose the toolchain, not the one sudo's cargo belongs to.
            for name in ["CARGO", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
                command.env_remove(name);
            }
        }
        if let Some(folder) = program.parent().filter(|folder| folder.is_absolute()) {
            command.env("PATH", with_folder(folder));
        }
        self.run_as_person(&mut command);
        command
    }

    /// Makes a command run as the person to build as.
    pub(crate) fn run_as_person(&self, command: &mut Command) {
        if let Some(person) = &self.person {
            command.uid(person.uid).gid(person.gid);
            command
                .env("HOME", &person.home)
                .env("USER", &person.name)
                .env("LOGNAME", &person.name);
        }
    }

    /// Gives a file that this process has made to the person to build as.
    pub(crate) fn hand_over(&self, path: &Path) {
        if let Some(person) = &self.person {
            // Root's file is still readable; only removing it would take sudo again.
            std::os::unix::fs::chown(path, Some(person.uid), Some(person.gid)).ok();
        }
    }

    /// The folder of that person for what can be made again: `$XDG_CACHE_HOME`, or `~/.cache`.
    pub(crate) fn cache(&self) -> Option<PathBuf> {
        match &self.person {
            // Root's variables are not this person's.
            Some(person) => Some(person.home.join(".cache")),
            None => match env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
                Some(path) => Some(PathBuf::from(path)),
                None => env::var_os("HOME")
                    .filter(|home| !home.is_empty())
                    .map(|home| PathBuf::from(home).join(".cache")),
            },
        }
    }
}

fn wants_sudo(verb: &str) -> Failure {
    let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("target/debug/xtask"));
    Failure::Refused(format!(
        "`{verb}` needs root for network namespaces (and apt): sudo {} {verb}",
        program.display()
    ))
}

/// The line of passwd(5) for a user. `getent` knows people that /etc/passwd does not (LDAP); where it is not
/// installed, the file has to do.
fn passwd_entry(uid: u32) -> String {
    match Command::new("getent")
        .args(["passwd", &uid.to_string()])
        .output()
    {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Ok(_) | Err(_) => fs::read_to_string("/etc/passwd").unwrap_or_default(),
    }
}

fn with_folder(folder: &Path) -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![folder.to_path_buf()];
    folders.extend(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path)
}

/// The second number of the `Uid:` line of `/proc/PID/status`.
fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The `CapEff:` line of `/proc/PID/status`, one bit for each right.
fn effective_rights(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn person_of(passwd: &str, uid: u32) -> Option<Person> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, of, gid, _, home, ..] = fields.as_slice() else {
            return None;
        };
        (of.parse() == Ok(uid)).then_some(())?;
        let gid = gid.parse().ok()?;
        Some(Person {
            uid,
            gid,
            name: (*name).to_owned(),
            home: PathBuf::from(home),
        })
    })
}

#[cfg(test)]
mod tests;
