//! All manifests of a directory as one set of objects: which file an object is taken from, and
//! when a change, or an object's absence, is believed.
//!
//! Pure but for the reader it is given: looks and times come in, names of changed objects go out.
//!
//! - An object belongs to the file that had it first; another file that has it too is a problem,
//!   and takes over when the owner lets go.
//! - A file that is being written is not read until its writer has closed it, or until two equal
//!   looks [`SETTLE`] apart. The first reading of all takes what is there.
//! - An object that a file has no longer is gone at once if the file was removed or replaced, else
//!   after two equal looks; never because of a file that cannot be read or understood.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringbolt_config::ObjectRef;

use super::look::{Evidence, Listing, Look};
use super::manifest::Document;
use crate::source::{SourceProblem, Trouble};

mod file;
#[cfg(test)]
mod tests;

use file::File;

pub(super) use file::MAX_SIZE;

/// How long a file must look the same before it counts as complete.
pub(super) const SETTLE: Duration = Duration::from_millis(500);
/// How long a file must be missing before it counts as removed: editors take a file away for a
/// moment before they put the new one there, and no deletion can be taken back.
pub(super) const MISSING: Duration = Duration::from_millis(50);

/// Opens and reads a file: its look while it was read, and its bytes.
pub(super) type ReadFile<'r> = dyn FnMut(&Path) -> io::Result<(Look, Vec<u8>)> + 'r;

/// The set of people's objects.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    files: BTreeMap<Arc<PathBuf>, File>,
    owners: BTreeMap<ObjectRef, Owner>,
    /// Objects that more than one file has.
    contested: BTreeSet<ObjectRef>,
    reading: Reading,
}

/// Who has an object.
#[derive(Debug)]
struct Owner {
    file: Arc<PathBuf>,
    others: BTreeSet<Arc<PathBuf>>,
}

/// Whether the directory has been read before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    First,
    Later,
}

impl Catalog {
    /// Takes in what the directory looks like and returns the names of the objects that differ.
    pub(super) fn look(
        &mut self,
        listing: &Listing,
        evidence: &BTreeMap<PathBuf, Evidence>,
        now: Instant,
        read: &mut ReadFile<'_>,
    ) -> BTreeSet<ObjectRef> {
        let mut touched: BTreeMap<ObjectRef, BTreeSet<Arc<PathBuf>>> = BTreeMap::new();
        let mut of_file = BTreeSet::new();
        for (path, look) in listing {
            let evidence = match self.reading {
                Reading::First => Some(Evidence::Whole),
                Reading::Later => evidence.get(&**path).copied(),
            };
            let file = self.files.entry(Arc::clone(path)).or_default();
            file.look(path, *look, evidence, now, read, &mut of_file);
            for name in std::mem::take(&mut of_file) {
                touched.entry(name).or_default().insert(Arc::clone(path));
            }
        }
        let missing: Vec<_> = self
            .files
            .keys()
            .filter(|path| !listing.contains_key(*path))
            .cloned()
            .collect();
        // An empty folder after a full one may be a mount that went away; it is looked at twice. And
        // a file that is not read yet may be the missing one under another name.
        let patience = if listing.is_empty() || self.files.values().any(File::is_unread) {
            SETTLE + MISSING
        } else {
            MISSING
        };
        for path in missing {
            if let Some(file) = self.files.get_mut(&path)
                && file.is_removed(now, patience)
            {
                for name in file.names() {
                    touched
                        .entry(name.clone())
                        .or_default()
                        .insert(Arc::clone(&path));
                }
                self.files.remove(&path);
            }
        }
        self.reading = Reading::Later;
        let differs = |(name, changed)| self.settle_owner(&name, &changed).then_some(name);
        touched.into_iter().filter_map(differs).collect()
    }

    /// The document of an object, from the file that owns it.
    pub(super) fn document(&self, name: &ObjectRef) -> Option<&Arc<Document>> {
        let owner = self.owners.get(name)?;
        self.files.get(&owner.file)?.document(name)
    }

    /// Whether every file has been understood at some time, so that an object that was never seen in
    /// any is in none.
    pub(super) fn was_understood(&self) -> bool {
        self.files.values().all(File::was_understood)
    }

    /// Files that never had a document, and are no problem by themselves.
    pub(super) fn silent(&self) -> impl Iterator<Item = &Arc<PathBuf>> {
        let silent = |file: &File| !file.was_understood() && file.problems().next().is_none();
        let files = self.files.iter().filter(move |(_, file)| silent(file));
        files.map(|(path, _)| path)
    }

    /// Whether what was last seen of every file is the last word.
    pub(super) fn is_settled(&self) -> bool {
        self.files.values().all(File::is_settled)
    }

    /// Whether some file has the object in a form that is not acceptable.
    pub(super) fn refuses(&self, name: &ObjectRef) -> bool {
        self.files.values().any(|file| file.refuses(name))
    }

    /// The file an object is taken from.
    pub(super) fn file_of(&self, name: &ObjectRef) -> Option<&Arc<PathBuf>> {
        self.owners.get(name).map(|owner| &owner.file)
    }

    /// The names of all objects.
    pub(super) fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.owners.keys()
    }

    /// When to look again although nothing is reported.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.files.values().filter_map(File::next_look).min()
    }

    /// Everything wrong with the files, in their order.
    pub(super) fn problems(&self) -> Vec<SourceProblem> {
        let mut problems: Vec<_> = self
            .files
            .values()
            .flat_map(File::problems)
            .cloned()
            .collect();
        for name in &self.contested {
            let Some(owner) = self.owners.get(name) else {
                continue;
            };
            problems.extend(owner.others.iter().map(|other| SourceProblem {
                file: Some(Arc::clone(other)),
                line: None,
                column: None,
                object: Some(name.clone()),
                field: None,
                trouble: Trouble::Duplicate {
                    other: Arc::clone(&owner.file),
                },
            }));
        }
        problems.sort();
        problems
    }

    /// How many documents of which foreign kind there are.
    pub(super) fn skipped(&self) -> BTreeMap<String, usize> {
        let mut skipped = BTreeMap::new();
        for kind in self.files.values().flat_map(File::skipped) {
            *skipped.entry(kind.clone()).or_insert(0) += 1;
        }
        skipped
    }

    /// Says who owns an object that some files have changed. Whether the object looks different by
    /// that: not, if the changes are in files that neither owned it nor own it after.
    fn settle_owner(&mut self, name: &ObjectRef, changed: &BTreeSet<Arc<PathBuf>>) -> bool {
        let before = self.owners.remove(name);
        let owned = before.as_ref().map(|owner| Arc::clone(&owner.file));
        let mut having = before.map(|owner| owner.others).unwrap_or_default();
        having.extend(owned.clone());
        for path in changed {
            let file = self.files.get(path);
            if file.is_some_and(|file| file.document(name).is_some()) {
                having.insert(Arc::clone(path));
            } else {
                having.remove(path);
            }
        }
        let owner = owned.clone().filter(|file| having.contains(file));
        let owner = owner.or_else(|| having.first().cloned());
        let differs = owned != owner || owner.as_ref().is_some_and(|file| changed.contains(file));
        self.contested.remove(name);
        if let Some(file) = owner {
            having.remove(&file);
            if !having.is_empty() {
                self.contested.insert(name.clone());
            }
            self.owners.insert(
                name.clone(),
                Owner {
                    file,
                    others: having,
                },
            );
        }
        differs
    }
}
