//! Who called us, and how to run cargo as that person.
//!
//! Labs need root, builds must not have it: under sudo the build runs as the person who typed the command,
//! with that person's toolchain, so that `target/` keeps its owner. Refuses to know what is built.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Failure;

/// The person behind a sudo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    name: String,
    home: PathBuf,
}

/// The process's own user and, under sudo, the person who called.
#[derive(Debug)]
pub(crate) struct Caller {
    root: bool,
    person: Option<Person>,
}

impl Caller {
    pub(crate) fn detect() -> Self {
        let root = fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| effective_uid(&status))
            .is_some_and(|uid| uid == 0);
        let person = env::var("SUDO_UID")
            .ok()
            .and_then(|uid| uid.parse().ok())
            .filter(|uid| root && *uid != 0)
            .and_then(|uid| person_of(&passwd_entry(uid), uid));
        Self { root, person }
    }

    /// Whether this process is root.
    pub(crate) fn is_root(&self) -> bool {
        self.root
    }

    /// The person to build as, if that is somebody else than this process.
    pub(crate) fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// Refuses, in one line that says what to type, when this process is not root.
    pub(crate) fn require_root(&self, verb: &str) -> Result<(), Failure> {
        if self.root {
            return Ok(());
        }
        let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("target/debug/xtask"));
        Err(Failure::Refused(format!(
            "`{verb}` needs root for network namespaces (and apt): sudo {} {verb}",
            program.display()
        )))
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
