//! The state folder as it was last seen: one entry per stored object. Folders are listed again when
//! their time of modification has moved, files are read again when they look different; a file is
//! only ever replaced as a whole, so what is read is always complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringbolt_config::{Kind, ObjectRef};
use serde_json::Value;

use super::look::Look;
use super::notices::Notices;
use super::record::Record;
use super::store::{NO_NAMESPACE, Store, read_json};
use crate::source::{SourceProblem, Trouble};

#[cfg(test)]
mod tests;

/// A folder that changed less than this before it was listed may have changed again within the
/// same tick of the file system's clock, and is listed once more.
const TICK: Duration = Duration::from_secs(1);

/// What is stored for one object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stored {
    /// The part that is kept beside a document; the copy of the document is left on disk.
    Record(Box<Record>),
    /// The whole object, as compact JSON.
    Whole(Box<[u8]>),
}

impl Stored {
    fn new(kind: Kind, value: Value) -> Option<Self> {
        if is_whole(kind) {
            return Some(Self::Whole(
                serde_json::to_vec(&value).ok()?.into_boxed_slice(),
            ));
        }
        let mut record = Record::from_value(value)?;
        record.document = None;
        Some(Self::Record(Box::new(record)))
    }
}

/// Kinds whose objects are stored as a whole, because no person writes them.
pub(super) fn is_whole(kind: Kind) -> bool {
    matches!(kind, Kind::IPAllocation | Kind::Speaker | Kind::Secret)
}

/// All that is stored.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    entries: BTreeMap<ObjectRef, Entry>,
    folders: BTreeMap<PathBuf, FolderLook>,
    unreadable: BTreeMap<PathBuf, ErrorKind>,
}

#[derive(Debug)]
struct Entry {
    look: Look,
    stored: Stored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FolderLook {
    look: Look,
    settled: bool,
}

impl Mirror {
    pub(super) fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.entries.keys()
    }

    pub(super) fn record(&self, name: &ObjectRef) -> Option<&Record> {
        match &self.entries.get(name)?.stored {
            Stored::Record(record) => Some(record),
            Stored::Whole(_) => None,
        }
    }

    pub(super) fn whole(&self, name: &ObjectRef) -> Option<&[u8]> {
        match &self.entries.get(name)?.stored {
            Stored::Whole(json) => Some(json),
            Stored::Record(_) => None,
        }
    }

    /// Files that are there and say nothing.
    pub(super) fn problems(&self) -> impl Iterator<Item = SourceProblem> {
        self.unreadable.iter().map(|(path, cause)| SourceProblem {
            file: Some(Arc::new(path.clone())),
            line: None,
            column: None,
            object: None,
            field: None,
            trouble: Trouble::StateUnreadable { cause: *cause },
        })
    }

    /// Reads one object's file again; whether it differs.
    pub(super) fn refresh(&mut self, store: &Store, name: &ObjectRef) -> bool {
        let Ok(path) = store.path(name) else {
            return false;
        };
        self.refresh_file(name, &path, store.root())
    }

    fn refresh_file(&mut self, name: &ObjectRef, path: &Path, root: &Path) -> bool {
        let look = match fs::metadata(path) {
            Ok(metadata) => Look::of(&metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Asked after the file: where the whole folder went away, no object was removed.
                if !root.is_dir() {
                    return false;
                }
                self.unreadable.remove(path);
                return self.entries.remove(name).is_some();
            }
            Err(error) => return self.cannot_read(path, error.kind()),
        };
        if self
            .entries
            .get(name)
            .is_some_and(|entry| entry.look == look)
        {
            return false;
        }
        let value = match read_json(path) {
            Ok(Some(value)) => value,
            // It went between the two calls; the next look settles it.
            Ok(None) => return false,
            Err(error) => return self.cannot_read(path, error.kind()),
        };
        let Some(stored) = Stored::new(name.kind, value) else {
            return self.cannot_read(path, ErrorKind::InvalidData);
        };
        self.unreadable.remove(path);
        let before = self.entries.insert(name.clone(), Entry { look, stored });
        before.map(|before| before.stored)
            != self.entries.get(name).map(|entry| entry.stored.clone())
    }

    /// What was last read stays.
    fn cannot_read(&mut self, path: &Path, cause: ErrorKind) -> bool {
        self.unreadable.insert(path.to_owned(), cause);
        false
    }

    /// The object a file below the state folder is about, if its path is one of an object.
    pub(super) fn name_of(root: &Path, path: &Path) -> Option<ObjectRef> {
        let mut parts = path
            .strip_prefix(root)
            .ok()?
            .iter()
            .map(|part| part.to_str());
        let (plural, namespace, name) = (parts.next()??, parts.next()??, parts.next()??);
        let kind = Kind::ALL
            .iter()
            .copied()
            .find(|kind| kind.plural() == plural)?;
        let namespace = (namespace != NO_NAMESPACE).then_some(namespace);
        if kind.namespaced() != namespace.is_some() || parts.next().is_some() {
            return None;
        }
        ObjectRef::new(kind, namespace, name).ok()
    }

    /// Looks at all folders of `kinds`, and reads what looks different. Returns the names of what differs.
    pub(super) fn rescan(
        &mut self,
        store: &Store,
        kinds: &[Kind],
        notices: &mut Notices,
    ) -> BTreeSet<ObjectRef> {
        let mut touched = BTreeSet::new();
        if !store.root().is_dir() {
            if !self.entries.is_empty() {
                self.cannot_read(store.root(), ErrorKind::NotFound);
            }
            return touched;
        }
        self.unreadable.remove(store.root());
        for kind in kinds {
            let kind_folder = store.root().join(kind.plural());
            self.rescan_kind(store, *kind, &kind_folder, notices, &mut touched);
        }
        touched
    }

    fn rescan_kind(
        &mut self,
        store: &Store,
        kind: Kind,
        kind_folder: &Path,
        notices: &mut Notices,
        touched: &mut BTreeSet<ObjectRef>,
    ) {
        notices.add(kind_folder);
        let folders = match subfolders(kind_folder) {
            Ok(folders) => folders,
            Err(error) if error.kind() == ErrorKind::NotFound && store.root().is_dir() => {
                Vec::new()
            }
            Err(error) => {
                self.cannot_read(kind_folder, error.kind());
                return;
            }
        };
        self.unreadable.remove(kind_folder);
        let gone: Vec<PathBuf> = self
            .folders
            .keys()
            .filter(|folder| folder.parent() == Some(kind_folder) && !folders.contains(folder))
            .cloned()
            .collect();
        for folder in gone {
            notices.forget(&folder);
            self.folders.remove(&folder);
            self.rescan_folder(store, kind, &folder, &[], touched);
        }
        for folder in folders {
            notices.add(&folder);
            let Ok(look) = folder_look(&folder) else {
                continue;
            };
            if self
                .folders
                .get(&folder)
                .is_some_and(|before| before.settled && before.look == look.look)
            {
                continue;
            }
            match files(&folder) {
                Ok(names) => {
                    self.folders.insert(folder.clone(), look);
                    self.unreadable.remove(&folder);
                    self.rescan_folder(store, kind, &folder, &names, touched);
                }
                Err(error) => {
                    self.cannot_read(&folder, error.kind());
                }
            }
        }
    }

    /// Compares the objects of one folder with the files that are in it.
    fn rescan_folder(
        &mut self,
        store: &Store,
        kind: Kind,
        folder: &Path,
        files: &[PathBuf],
        touched: &mut BTreeSet<ObjectRef>,
    ) {
        let found: BTreeSet<ObjectRef> = files
            .iter()
            .filter_map(|path| Self::name_of(store.root(), path))
            .collect();
        let namespace = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(NO_NAMESPACE);
        let gone: Vec<ObjectRef> = self
            .entries
            .keys()
            .filter(|name| {
                name.kind == kind && name.namespace.as_deref().unwrap_or(NO_NAMESPACE) == namespace
            })
            .filter(|name| !found.contains(*name))
            .cloned()
            .collect();
        for name in found.into_iter().chain(gone) {
            if self.refresh(store, &name) {
                touched.insert(name);
            }
        }
    }
}

fn folder_look(folder: &Path) -> io::Result<FolderLook> {
    let metadata = fs::metadata(folder)?;
    let age = SystemTime::now().duration_since(metadata.modified()?);
    Ok(FolderLook {
        look: Look::of(&metadata),
        settled: age.is_ok_and(|age| age >= TICK),
    })
}

fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect()
}
