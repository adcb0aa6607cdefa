//! The folder of one lab: nobody else's, readable to daemons that run as other users, and near enough to the root
//! that unix sockets fit into it.
//!
//! Knows nothing of what lies in it; whoever asks for one removes it.

use std::env;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Result};

/// What every folder of a lab is called at first.
pub(crate) const PREFIX: &str = "ringbolt-lab-";
/// The longest path of a unix socket, in octets: `sun_path` of unix(7) without its end.
const SOCKET_PATH: usize = 107;
/// Room for the name of a socket in a lab: `/announcer-` with a node's name is the longest.
const SOCKET_NAME: usize = 40;
/// What tempfile adds to a prefix, in octets.
const DRAWN: usize = 6;
/// Where folders go when `TMPDIR` is too long.
const SHORT: &str = "/tmp";

/// A new folder, with `name` and this process's id in its own.
pub(crate) fn create(name: &str) -> Result<PathBuf> {
    // The id alone is not enough: in a user namespace every lab's process is number 1, and what one person's
    // lab has left must not be in the way of another's.
    let prefix = format!("{PREFIX}{}-{name}-", std::process::id());
    let given = env::temp_dir();
    let parent = parent(&given, &prefix);
    if parent != given {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            println!(
                "lab: TMPDIR is too long a path for unix sockets ({} octets); labs are in {SHORT} instead",
                given.as_os_str().len()
            );
        });
    }
    let folder = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(parent)
        .with_context(|| format!("a folder in {}", parent.display()))?;
    Ok(folder.keep())
}

/// Where folders of labs may be found.
pub(crate) fn parents() -> Vec<PathBuf> {
    let (given, short) = (env::temp_dir(), PathBuf::from(SHORT));
    if given == short {
        vec![given]
    } else {
        vec![given, short]
    }
}

/// The given folder, if sockets fit into one with this prefix.
fn parent<'a>(given: &'a Path, prefix: &str) -> &'a Path {
    let octets = |text: &OsStr| text.len();
    let needed = octets(given.as_os_str()) + 1 + prefix.len() + DRAWN + SOCKET_NAME;
    if needed <= SOCKET_PATH {
        given
    } else {
        Path::new(SHORT)
    }
}

#[cfg(test)]
mod tests;
