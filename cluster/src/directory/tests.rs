//! The directory as a back end: the conformance suite with reports and without, and what only a
//! directory can do to us.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::conformance::{self, Ground};
use crate::{Change, Cluster};

mod conform;
mod files;
mod life;
mod seen;

/// A directory and its people, who replace files by rename.
struct Place {
    folder: TempDir,
    watch: WatchMode,
    rescan: Duration,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            watch: WatchMode::Notified,
            rescan: RESCAN,
        }
    }

    /// Looks at everything once, and from then on at what is reported alone.
    fn reported() -> Self {
        Self {
            rescan: Duration::from_secs(3_600),
            ..Self::new()
        }
    }

    fn scanned() -> Self {
        Self {
            watch: WatchMode::ScanOnly,
            ..Self::new()
        }
    }

    /// Looks often, so that tests of what looking finds need not wait.
    fn scanned_often() -> Self {
        Self {
            rescan: Duration::from_millis(50),
            ..Self::scanned()
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn cluster(&self, role: Role) -> Cluster {
        Cluster::directory(DirectoryOptions {
            watch: self.watch,
            rescan: self.rescan,
            ..DirectoryOptions::new(self.path(), role)
        })
    }

    /// Replaces a file as careful people do.
    fn put(&self, file: &str, text: &str) {
        let new = self.path().join(format!(".{file}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.path().join(file)).unwrap();
    }
}

impl Ground for Place {
    fn controller(&self) -> Cluster {
        self.cluster(Role::Controller)
    }

    fn speaker(&self) -> Cluster {
        self.cluster(Role::Speaker)
    }

    async fn apply(&self, manifest: &Value) {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let kind = manifest["kind"].as_str().unwrap();
        self.put(&format!("{kind}-{name}.json"), &manifest.to_string());
    }

    async fn delete(&self, object: &ObjectRef) {
        let file = format!("{}-{}.json", object.kind, object.name);
        fs::remove_file(self.path().join(file)).unwrap();
    }
}
