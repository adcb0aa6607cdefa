//! The kernel's reports of changes (inotify), sorted into the inbox. They only save time: whatever
//! is not reported is found by looking, so a failure here is a note and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Settings;
use super::inbox::Inbox;
use super::look::{Evidence, format_of};

/// The folders that are watched.
#[derive(Debug)]
pub(super) struct Notices {
    watcher: Option<RecommendedWatcher>,
    /// Each with device and inode: a folder that is made anew is another one to the kernel.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    refused: BTreeSet<PathBuf>,
}

impl Notices {
    /// Watches nothing, ever.
    pub(super) fn off() -> Self {
        Self {
            watcher: None,
            folders: BTreeMap::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Reports changes in the folders that are added later: that of the manifests, and those of
    /// the state.
    pub(super) fn start(settings: &Arc<Settings>, inbox: &Arc<Inbox>) -> Self {
        let (settings, inbox) = (Arc::clone(settings), Arc::clone(inbox));
        let report = move |event: notify::Result<notify::Event>| match event {
            Ok(event) => sort(&settings, &inbox, event),
            Err(_) => inbox.everything(),
        };
        // Without inotify (no instance left for this user, a kernel without it) looking remains.
        let watcher = notify::recommended_watcher(report).ok();
        let refused = watcher.is_none().then(PathBuf::new).into_iter().collect();
        Self {
            watcher,
            folders: BTreeMap::new(),
            refused,
        }
    }

    /// Watches a folder from here on. To be called before the folder is listed, or what happens in
    /// between stays unseen until the next look; and with every look, in case it was made anew.
    pub(super) fn add(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let Ok(metadata) = fs::metadata(folder) else {
            return self.forget(folder);
        };
        let identity = (metadata.dev(), metadata.ino());
        if self.folders.get(folder) == Some(&identity) {
            return;
        }
        if self.folders.remove(folder).is_some() {
            // The kernel drops the watch of a removed folder by itself; then this fails.
            let _gone = watcher.unwatch(folder);
        }
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.refused.remove(folder);
                self.folders.insert(folder.to_owned(), identity);
            }
            Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
            Err(_) => {
                self.refused.insert(folder.to_owned());
            }
        }
    }

    /// A folder is gone; watching begins anew with the next `add`.
    pub(super) fn forget(&mut self, folder: &Path) {
        if let Some(watcher) = &mut self.watcher
            && self.folders.remove(folder).is_some()
        {
            let _gone = watcher.unwatch(folder);
        }
    }

    /// Whether some folder that should be watched is not.
    pub(super) fn is_incomplete(&self) -> bool {
        !self.refused.is_empty()
    }
}

fn sort(settings: &Settings, inbox: &Inbox, event: notify::Event) {
    let Settings {
        directory, state, ..
    } = settings;
    if event.need_rescan() {
        return inbox.everything();
    }
    let evidence = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Evidence::Whole),
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_)) => Some(Evidence::Partial),
        EventKind::Remove(_)
        | EventKind::Modify(ModifyKind::Name(RenameMode::From) | ModifyKind::Metadata(_)) => None,
        // The first is told as From and To already, the second is mostly our own reading.
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Access(_) => return,
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => return inbox.everything(),
    };
    for path in event.paths {
        if path == *directory || path == *state {
            inbox.everything();
        } else if path.parent() != Some(directory) {
            inbox.state_file(path);
        } else if format_of(&path).is_some() {
            inbox.manifest(path, evidence);
        } else if is_hidden(&path) {
            inbox.list_manifests();
        }
    }
}

/// Mounted ConfigMaps change by a hidden link that all files go through.
fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}
