//! Objects that Ringbolt keeps: one JSON file each, `<plural>/<namespace or _>/<name>`.
//!
//! ```text
//! put     lock kind │ read │ compare │ .new: create, write, fsync │ rename │ fsync directory │ unlock
//! remove  lock kind │ read │ compare │ unlink                     │ fsync directory │ unlock
//! read    open, read                                                (no lock: rename is atomic)
//! ```
//!
//! A kill between any two of these system calls leaves the old object or the new one, and `.new`
//! files at most, which the next writer of the kind removes: it holds the lock, so nobody is
//! writing them.
//! `resourceVersion` is 64 random bits, so that two writers never make the same one; it is compared
//! for equality only.
//!
//! What the objects mean is the callers' business: they decide inside the lock what becomes of
//! what they find. Local file systems only: flock and rename are not trusted over a network.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use ringbolt_config::ObjectRef;
use serde_json::Value;

use crate::writer::{InvalidReason, UnavailableCause, WriteError};

mod fault;
mod round;
#[cfg(test)]
mod tests;

pub(super) use fault::{FaultPlan, Point};
pub(super) use round::{Operation, Outcome};

/// The folder of objects without namespace; no namespace can have this name.
pub(super) const NO_NAMESPACE: &str = "_";
/// Serialises the writers of one kind.
const LOCK: &str = ".lock";
/// What names begin with while they are written; moved to their places when complete.
const NEW: &str = ".new";
/// Objects that are written in one round; as many files are open at once.
const MAX_ROUND: usize = 256;
/// Larger files are not ours.
const MAX_SIZE: u64 = 4 << 20;

/// The folder of one state directory.
#[derive(Debug)]
pub(super) struct Store {
    root: PathBuf,
    faults: FaultPlan,
}

/// What becomes of an object.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It becomes this; the store gives it a new `metadata.resourceVersion`.
    Put(Value),
    /// It goes.
    Remove,
    /// It stays as it is.
    Leave,
}

impl Store {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            faults: FaultPlan::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn with_faults(root: PathBuf, faults: FaultPlan) -> Self {
        Self { root, faults }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The file of an object, if its name may become a path.
    pub(super) fn path(&self, object: &ObjectRef) -> Result<PathBuf, WriteError> {
        // The parts of an `ObjectRef` are public, so whoever made this one may not have checked.
        let checked = ObjectRef::new(object.kind, object.namespace.as_deref(), &object.name)
            .map_err(|_| WriteError::Invalid {
                object: object.clone(),
                field: "metadata.name",
                reason: InvalidReason::NotADnsName,
            })?;
        let namespace = checked.namespace.as_deref().unwrap_or(NO_NAMESPACE);
        Ok(self
            .root
            .join(checked.kind.plural())
            .join(namespace)
            .join(&*checked.name))
    }

    /// The object as it stands, without a lock.
    pub(super) fn read(&self, object: &ObjectRef) -> Result<Option<Value>, WriteError> {
        read_json(&self.path(object)?).map_err(|error| unavailable(object, &error))
    }

    /// One operation by itself.
    #[cfg(test)]
    pub(super) fn transact(
        &self,
        object: &ObjectRef,
        decide: impl FnOnce(Option<Value>) -> Result<Verdict, WriteError> + Send,
    ) -> Outcome {
        let operation = Operation {
            object: object.clone(),
            decide: Box::new(decide),
        };
        let mut outcomes = round::run(self, object.kind, vec![operation]);
        outcomes.pop().expect("a round of one has one outcome")
    }

    /// Lets each operation say what becomes of its object while nobody else can write the kind.
    /// Returns what stands there afterwards, durable. Operations on one object are done in their
    /// order; many together are much faster than one after the other.
    pub(super) fn transact_all(&self, operations: Vec<Operation<'_>>) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = operations.iter().map(|_| None).collect();
        let mut waiting: Vec<(usize, Operation<'_>)> = operations.into_iter().enumerate().collect();
        while let Some((_, first)) = waiting.first() {
            let kind = first.object.kind;
            let mut objects = BTreeSet::new();
            let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, operation)| {
                let room = objects.len() < MAX_ROUND && operation.object.kind == kind;
                room && objects.insert(operation.object.clone())
            });
            let (places, round): (Vec<usize>, Vec<Operation<'_>>) = now.into_iter().unzip();
            for (place, outcome) in places.into_iter().zip(round::run(self, kind, round)) {
                outcomes[place] = Some(outcome);
            }
            waiting = later;
        }
        outcomes.into_iter().flatten().collect()
    }
}

/// 64 random bits as a decimal number: a version, or the seed of a name.
pub(super) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the kernel's random source answers");
    u64::from_ne_bytes(bytes)
}

/// A random (version 4) UUID, as the API server gives objects.
pub(super) fn random_uuid() -> String {
    let (high, low) = (random_u64(), random_u64());
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// Creates a folder below the state folder, and that if need be, and makes it last over a power cut.
/// What the state folder is in must exist: were it made here, a directory of manifests that somebody
/// took away for a moment would come back without them.
pub(super) fn make_folder(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let below = folder
        .ancestors()
        .take_while(|above| above.starts_with(root));
    let missing: Vec<&Path> = below.take_while(|above| !above.is_dir()).collect();
    for made in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o755).create(made) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(parent) = made.parent() {
            File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

/// A file that is there to be locked alone: made where it is missing, never emptied.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

/// A file with one JSON object, of bounded size; `None` where there is no file.
pub(super) fn read_json(path: &Path) -> io::Result<Option<Value>> {
    // Opening a pipe would wait for whoever writes to it.
    let file = match path.metadata() {
        Ok(found) if found.is_file() => File::open(path),
        Ok(_) => return Err(ErrorKind::InvalidData.into()),
        Err(error) => Err(error),
    };
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) | Err(_) => Err(ErrorKind::InvalidData.into()),
    }
}

/// An error of the system as the error of a write.
pub(super) fn unavailable(object: &ObjectRef, error: &io::Error) -> WriteError {
    let cause = match error.kind() {
        ErrorKind::InvalidData => UnavailableCause::Corrupt,
        kind => UnavailableCause::Io(kind),
    };
    WriteError::Unavailable {
        object: object.clone(),
        cause,
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn set_resource_version(value: &mut Value) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert(
            "resourceVersion".to_owned(),
            random_u64().to_string().into(),
        );
    }
}
