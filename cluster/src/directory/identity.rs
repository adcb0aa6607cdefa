//! The cluster's identity: a random word in a file, bound to the directory it was made for. A copy
//! of a directory has another inode, and becomes another cluster by that.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::look::Look;
use super::store::{make_folder, open_lock, random_uuid, read_json};
use super::{Role, Settings};
use crate::source::ClusterId;

#[cfg(test)]
mod tests;

const FILE: &str = "cluster-id";
const NEW: &str = ".cluster-id.new";
const LOCK: &str = ".lock";

#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    id: String,
    device: u64,
    inode: u64,
}

/// The file it is in.
pub(super) fn path(settings: &Settings) -> PathBuf {
    settings.state.join(FILE)
}

/// The identity, if there is one for this directory; the controller makes one where there is none.
pub(super) fn read_or_make(
    settings: &Settings,
    directory: Option<Look>,
) -> Result<Option<ClusterId>, ErrorKind> {
    let Some(directory) = directory else {
        return Ok(None);
    };
    let root = &settings.state;
    if let Some(id) = read(root, &directory) {
        return Ok(Some(id));
    }
    if settings.role != Role::Controller {
        return Ok(None);
    }
    make(root, &directory)
        .map(Some)
        .map_err(|error| error.kind())
}

fn read(root: &Path, directory: &Look) -> Option<ClusterId> {
    let value = read_json(&root.join(FILE)).ok()??;
    let identity: Identity = serde_json::from_value(value).ok()?;
    let same = (identity.device, identity.inode) == (directory.device, directory.inode);
    same.then(|| ClusterId::new(&identity.id))
}

fn make(root: &Path, directory: &Look) -> std::io::Result<ClusterId> {
    make_folder(root, root)?;
    let lock = open_lock(&root.join(LOCK))?;
    lock.lock()?;
    if let Some(id) = read(root, directory) {
        return Ok(id);
    }
    let identity = Identity {
        id: random_uuid(),
        device: directory.device,
        inode: directory.inode,
    };
    let new = root.join(NEW);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&new)?;
    file.write_all(&serde_json::to_vec(&identity)?)?;
    file.sync_all()?;
    fs::rename(&new, root.join(FILE))?;
    fs::File::open(root)?.sync_all()?;
    Ok(ClusterId::new(&identity.id))
}
