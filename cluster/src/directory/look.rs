//! What can be seen of a file without reading it, and how much of it can be believed.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::Format;

/// A file as the system describes it. Two equal looks some time apart mean that nobody is writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
}

impl Look {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Whether this is another file of the same name, not the same one written to.
    pub(super) fn replaces(&self, before: &Self) -> bool {
        (self.device, self.inode) != (before.device, before.inode)
    }
}

/// What the kernel has reported about a file since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Moved here, or closed by whoever wrote it: what is there is meant.
    Whole,
    /// Created or written to: more may follow.
    Partial,
}

/// The manifests of a directory with their looks, in the order of their names.
pub(super) type Listing = BTreeMap<Arc<PathBuf>, Look>;

/// Lists a directory: `*.yaml`, `*.yml` and `*.json`, no hidden names, nothing below. Links are
/// followed, so that mounted ConfigMaps work. A file that goes while it is looked at is not there;
/// a directory that goes while it is listed cannot be read. Returns the directory's look, too.
pub(super) fn list(directory: &Path) -> io::Result<(Look, Listing)> {
    let look = Look::of(&fs::metadata(directory)?);
    let mut listing = Listing::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if format_of(&path).is_some() {
            look_again(&mut listing, path)?;
        }
    }
    match is_still(directory, &look) {
        true => Ok((look, listing)),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Whether the directory is the one that was looked at.
pub(super) fn is_still(directory: &Path, look: &Look) -> bool {
    fs::metadata(directory).is_ok_and(|metadata| !Look::of(&metadata).replaces(look))
}

/// Brings one file of a listing up to date.
pub(super) fn look_again(listing: &mut Listing, path: PathBuf) -> io::Result<()> {
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {
            listing.insert(Arc::new(path), Look::of(&metadata));
        }
        Ok(_) => {
            listing.remove(&path);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            listing.remove(&path);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// How a file of this name is written; `None` for names that are not manifests.
pub(super) fn format_of(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with('.') {
        return None;
    }
    match path.extension()?.to_str()? {
        "yaml" | "yml" => Some(Format::Yaml),
        "json" => Some(Format::Json),
        _ => None,
    }
}
