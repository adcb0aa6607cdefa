//! One round of writes to one kind: every system call of the sequence in its order, each done for
//! all objects of the round before the next. A single write is a round of one.
//!
//! Flushing is what a write costs, and file systems flush many files at once almost as fast as one;
//! so the flushes of a round run side by side.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use ringbolt_config::{Kind, ObjectRef};
use serde_json::Value;

use super::{
    LOCK, NEW, Point, Store, Verdict, absent_is_fine, make_folder, open_lock, read_json,
    set_resource_version, unavailable,
};
use crate::writer::{InvalidReason, WriteError};

/// Files that are flushed side by side; more gain nothing.
const SIDE_BY_SIDE: usize = 8;

/// What is to be decided about one object.
pub(in crate::directory) struct Operation<'a> {
    pub(in crate::directory) object: ObjectRef,
    pub(in crate::directory) decide: Decide<'a>,
}

/// Says, inside the lock, what becomes of what is found.
pub(in crate::directory) type Decide<'a> =
    Box<dyn FnOnce(Option<Value>) -> Result<Verdict, WriteError> + Send + 'a>;

/// What stands there after an operation.
pub(in crate::directory) type Outcome = Result<Option<Value>, WriteError>;

/// An object on its way through the round.
struct Work<'a> {
    object: ObjectRef,
    path: PathBuf,
    step: Step<'a>,
}

enum Step<'a> {
    Undecided(Decide<'a>),
    Put {
        value: Value,
        bytes: Vec<u8>,
        new: Option<(PathBuf, File)>,
    },
    Remove,
    Done(Outcome),
}

impl<'a> Work<'a> {
    fn new(store: &Store, operation: Operation<'a>) -> Self {
        let Operation { object, decide } = operation;
        let (path, step) = match store.path(&object) {
            Ok(path) => (path, Step::Undecided(decide)),
            Err(error) => (PathBuf::new(), Step::Done(Err(error))),
        };
        Self { object, path, step }
    }

    fn is_done(&self) -> bool {
        matches!(self.step, Step::Done(_))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Does one system call; the object is through with an error when that fails.
    fn attempt(&mut self, call: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.is_done() {
            return;
        }
        if let Err(error) = call(self) {
            self.step = Step::Done(Err(unavailable(&self.object, &error)));
        }
    }
}

/// Does all operations, which are about different objects of one kind.
pub(super) fn run(store: &Store, kind: Kind, operations: Vec<Operation<'_>>) -> Vec<Outcome> {
    let kind_folder = store.root.join(kind.plural());
    let works = operations
        .into_iter()
        .map(|operation| Work::new(store, operation));
    let mut works: Vec<Work<'_>> = works.collect();
    for work in &mut works {
        work.attempt(|work| {
            store.faults.reach(Point::MakeFolder)?;
            make_folder(&store.root, work.folder())
        });
    }
    if works.iter().all(Work::is_done) {
        return outcomes(works);
    }
    let lock = match lock(store, &kind_folder) {
        Ok(lock) => lock,
        Err(error) => {
            works
                .iter_mut()
                .for_each(|work| work.attempt(|_| Err(error.kind().into())));
            return outcomes(works);
        }
    };
    for work in &mut works {
        decide(store, work);
    }
    write_new_files(store, kind, &kind_folder, &mut works);
    flush(store, &mut works);
    for work in &mut works {
        work.attempt(|work| take_effect(store, work));
    }
    flush_folders(store, &mut works);
    drop(lock);
    outcomes(works)
}

fn outcomes(works: Vec<Work<'_>>) -> Vec<Outcome> {
    let outcome = |work: Work<'_>| match work.step {
        Step::Done(outcome) => outcome,
        Step::Put { value, .. } => Ok(Some(value)),
        Step::Remove | Step::Undecided(_) => Ok(None),
    };
    works.into_iter().map(outcome).collect()
}

/// Holds the kind until the returned file is dropped.
fn lock(store: &Store, kind_folder: &Path) -> io::Result<File> {
    store.faults.reach(Point::OpenLock)?;
    let lock = open_lock(&kind_folder.join(LOCK))?;
    store.faults.reach(Point::Lock)?;
    lock.lock()?;
    Ok(lock)
}

fn decide(store: &Store, work: &mut Work<'_>) {
    let mut current = None;
    work.attempt(|work| {
        store.faults.reach(Point::ReadCurrent)?;
        current = read_json(&work.path)?;
        Ok(())
    });
    let step = std::mem::replace(&mut work.step, Step::Remove);
    let Step::Undecided(decide) = step else {
        work.step = step;
        return;
    };
    work.step = match decide(current.clone()) {
        Err(error) => Step::Done(Err(error)),
        Ok(Verdict::Leave) => Step::Done(Ok(current)),
        Ok(Verdict::Remove) => Step::Remove,
        Ok(Verdict::Put(mut value)) => {
            set_resource_version(&mut value);
            match serde_json::to_vec(&value) {
                Ok(bytes) => Step::Put {
                    value,
                    bytes,
                    new: None,
                },
                Err(_) => Step::Done(Err(WriteError::Invalid {
                    object: work.object.clone(),
                    field: "metadata",
                    reason: InvalidReason::Unencodable,
                })),
            }
        }
    };
}

fn write_new_files(store: &Store, kind: Kind, kind_folder: &Path, works: &mut [Work<'_>]) {
    let puts = works
        .iter_mut()
        .filter(|work| matches!(work.step, Step::Put { .. }));
    let mut leftovers = Some(());
    for (number, work) in puts.enumerate() {
        work.attempt(|work| {
            if leftovers.take().is_some() {
                store.faults.reach(Point::RemoveLeftover)?;
                remove_leftovers(kind_folder)?;
            }
            let Step::Put { bytes, new, .. } = &mut work.step else {
                return Ok(());
            };
            let path = kind_folder.join(format!("{NEW}{number}"));
            store.faults.reach(Point::CreateNew)?;
            let mode = if kind == Kind::Secret { 0o600 } else { 0o644 };
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path)?;
            store.faults.reach(Point::WriteNew)?;
            let (first, rest) = bytes.split_at(store.faults.cut(bytes.len()));
            file.write_all(first)?;
            if !rest.is_empty() {
                store.faults.reach(Point::WriteRest)?;
                file.write_all(rest)?;
            }
            *new = Some((path, file));
            Ok(())
        });
    }
}

/// Whoever left these was killed: who writes them holds the lock.
fn remove_leftovers(kind_folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(kind_folder)? {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(NEW.as_bytes())
        {
            absent_is_fine(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

fn flush(store: &Store, works: &mut [Work<'_>]) {
    let sync = |work: &mut Work<'_>| {
        work.attempt(|work| {
            let Step::Put {
                new: Some((_, file)),
                ..
            } = &work.step
            else {
                return Ok(());
            };
            store.faults.reach(Point::SyncNew)?;
            file.sync_all()
        });
    };
    let share = works.len().div_ceil(SIDE_BY_SIDE);
    if share <= 1 && works.len() < 2 {
        works.iter_mut().for_each(sync);
        return;
    }
    thread::scope(|scope| {
        for works in works.chunks_mut(share) {
            scope.spawn(move || works.iter_mut().for_each(sync));
        }
    });
}

fn take_effect(store: &Store, work: &mut Work<'_>) -> io::Result<()> {
    match &work.step {
        Step::Put {
            new: Some((new, _)),
            ..
        } => {
            store.faults.reach(Point::Rename)?;
            fs::rename(new, &work.path)
        }
        Step::Remove => {
            store.faults.reach(Point::Unlink)?;
            absent_is_fine(fs::remove_file(&work.path))
        }
        Step::Put { new: None, .. } | Step::Undecided(_) | Step::Done(_) => Ok(()),
    }
}

/// Makes renames and removals last over a power cut. Nothing is acknowledged before.
fn flush_folders(store: &Store, works: &mut [Work<'_>]) {
    let changed = works.iter().filter(|work| !work.is_done());
    let folders: BTreeSet<PathBuf> = changed.map(|work| work.folder().to_owned()).collect();
    for folder in folders {
        let flushed = (|| {
            store.faults.reach(Point::OpenFolder)?;
            let folder = File::open(&folder)?;
            store.faults.reach(Point::SyncFolder)?;
            folder.sync_all()?;
            store.faults.reach(Point::Unlock)
        })();
        if let Err(error) = flushed {
            let here = works.iter_mut().filter(|work| work.folder() == folder);
            here.for_each(|work| work.attempt(|_| Err(error.kind().into())));
        }
    }
}
