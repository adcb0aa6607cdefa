//! Where labs run: as root; for an ordinary user in a user namespace of its own, where that is allowed; else on
//! loopback, where BGP alone can be shown.
//!
//! Says what is replaced. Knows nothing of what the labs do.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::caller::{Caller, Standing};

#[cfg(test)]
mod tests;

/// What a lab stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The real thing.
    Root,
    /// A user namespace in which this user is root: network namespaces of its own, one uid, no apt.
    UserNamespace,
    /// No namespaces; the reason is the system's.
    Loopback(String),
}

/// The flags of unshare(1): root in it, own networks, mounts and processes, and nothing left when it ends.
const UNSHARE: [&str; 8] = [
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
];
/// What a lab does, once: where one of it is refused, no lab stands.
const PROBE: &str = "PATH=$PATH:/usr/sbin:/sbin; mount -t tmpfs tmpfs /run && ip netns add probe && ip link set lo up \\
    && ip link add probe0 type bridge && ip link add probe1 type veth peer name probe2 netns probe \\
    && nft add table inet probe";
/// `ip netns` keeps names below /run, which is another user's. Programs that only root calls are not on every PATH.
const ENTER: &str = r#"mount -t tmpfs tmpfs /run && PATH="$PATH:/usr/sbin:/sbin" exec "$0" "$@""#;
const STAY: &str = r#"PATH="$PATH:/usr/sbin:/sbin" exec "$0" "$@""#;

/// Kernel parameters by which a system refuses user namespaces, or rights in them, and the values that do so. The
/// kernel's own words are misleading: "No space left on device".
const SETTINGS: &[(&str, &str)] = &[
    ("user.max_user_namespaces", "0"),
    ("kernel.unprivileged_userns_clone", "0"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1"),
];

impl Ground {
    /// Tries what this user may do.
    pub(crate) fn find(caller: &Caller) -> Self {
        if caller.is_root() {
            return Self::Root;
        }
        let mut attempt = Self::enter();
        attempt.args(["-c", PROBE]);
        let output = attempt.stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => Self::UserNamespace,
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr);
                let first = words.lines().next().unwrap_or("unshare failed");
                let setting = SETTINGS.iter().find(|(name, refuses)| {
                    let path = format!("/proc/sys/{}", name.replace('.', "/"));
                    fs::read_to_string(path).is_ok_and(|value| value.trim() == *refuses)
                });
                let why = setting.map_or_else(
                    || first.to_owned(),
                    |(name, value)| format!("{first}; {name} is {value}"),
                );
                Self::Loopback(why)
            }
            Err(error) => Self::Loopback(format!("unshare: {error}")),
        }
    }

    fn enter() -> Command {
        let mut command = Command::new("unshare");
        command.args(UNSHARE).arg("sh");
        command
    }

    /// A program with arguments, to run on this ground.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        match self {
            Self::Root => {
                let mut command = Command::new(program);
                command.args(args);
                command
            }
            Self::Loopback(_) => {
                let mut command = Command::new("sh");
                command.args(["-c", STAY]).arg(program).args(args);
                command
            }
            Self::UserNamespace => {
                let mut command = Self::enter();
                command.args(["-c", ENTER]).arg(program).args(args);
                command
            }
        }
    }

    /// What an ordinary user is told before a lab begins.
    pub(crate) fn explain(&self, caller: Standing) -> Option<String> {
        match self {
            Self::Root => None,
            Self::UserNamespace => Some(format!(
                "{caller}: the lab runs in a user namespace; nothing is installed, and programs run as one user"
            )),
            Self::Loopback(why) => Some(format!(
                "{caller}, and no user namespaces here ({why}): the BGP part runs on loopback addresses; layer 2, \
                 traffic and node failure are left out"
            )),
        }
    }
}
