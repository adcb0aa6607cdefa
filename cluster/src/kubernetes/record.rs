//! The last view of a speaker on disk (contract 4.5): one file for each kind, appended to as objects
//! change, written anew with each complete list.
//!
//! ```text
//! {"format":2,"server":"https://…","node":"n1"}     whose view this is
//! {"put":{…object…}}                                 exists
//! {"gone":{"namespace":"…","name":"…"}}              does not exist
//! {"withheld":{"namespace":"…","name":"…"}}          exists; holds a password, which is not kept
//! {"at":"2026-01-01T00:00:00Z","cluster":"uid","sum":…}   up to here it was so at this time
//! ```
//!
//! What is on disk is bounded by the list and half an hour of changes, memory by a page of a list and the
//! changes since the last writing that succeeded. Secrets never get here: they are not followed, and an object
//! with a password inside is kept by name alone. `sum` is that of everything before it and of `at` and
//! `cluster`; lines after the last `at` that is right are not believed. [`Record`] turns changes into text;
//! [`view`] knows lines, [`disk`] the files, which are written on threads that may wait.
//!
//! Text that could not be written (a full disk) leaves the good view that is there: changes wait for the next
//! writing, and a list that could not be kept is kept the next time it is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use ringbolt_config::{Checksum, Kind, ObjectRef};
use serde_json::Value;

use disk::{Left, Part, Step};
use view::{Confirmed, limit};

pub(super) use disk::{Job, NotStored};
pub(super) use view::{Owner, Unusable, View};

mod disk;
#[cfg(test)]
mod tests;
mod view;

/// How often changes are written at most.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// How often a view that does not change is confirmed, lest it grow old on disk.
const RENEWED: Duration = Duration::from_secs(1800);
/// The most octets of changes that wait for a disk that takes none; beyond that, for the next list.
const MOST_PENDING: usize = 32 << 20;
/// The largest file that is read, in octets.
const LARGEST: u64 = 512 << 20;

/// Where the view of one kind lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    kind: Kind,
    path: PathBuf,
    owner: Owner,
}

/// What is yet to be written of one kind.
#[derive(Debug)]
pub(super) struct Record {
    place: Place,
    base: Base,
    /// What changed since the last writing, as lines, and how many octets these are.
    pending: BTreeMap<ObjectRef, String>,
    octets: usize,
    /// What holds when the job at hand is done.
    draft: Option<Draft>,
}

/// What changes add up to a view with.
#[derive(Debug)]
enum Base {
    /// Nothing that this process has made: changes mean nothing before the next list.
    Nothing,
    /// A list that is being read.
    List(List),
    /// What is in the file.
    File(Stored),
}

/// A list, of which only a part is in memory.
#[derive(Debug)]
struct List {
    /// Octets that are beside the file.
    staged: u64,
    text: String,
    /// Over both.
    sum: Checksum,
}

#[derive(Clone, Debug)]
struct Stored {
    length: u64,
    sum: Checksum,
    confirmed: Confirmed,
}

#[derive(Debug)]
enum Draft {
    /// One part of a list more.
    Part,
    /// The file, and the changes that are new in it.
    File(Stored, BTreeMap<ObjectRef, String>),
}

impl Record {
    pub(super) fn new(folder: &Path, kind: Kind, owner: Owner) -> Self {
        Self {
            place: Place {
                kind,
                path: path(folder, kind),
                owner,
            },
            base: Base::Nothing,
            pending: BTreeMap::new(),
            octets: 0,
            draft: None,
        }
    }

    /// Where an earlier process may have left its view.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// A list begins: what was written is replaced when it is complete.
    pub(super) fn begin(&mut self) {
        self.forget();
        let text = view::header(&self.place.owner);
        let mut sum = Checksum::new();
        sum.add(&text);
        self.base = Base::List(List {
            staged: 0,
            text,
            sum,
        });
    }

    /// An object exists, in this form.
    pub(super) fn put(&mut self, name: &ObjectRef, object: &Value) {
        match &mut self.base {
            Base::Nothing => {}
            Base::List(list) => {
                let line = view::put(name, object);
                list.sum.add(&line);
                list.text.push_str(&line);
            }
            Base::File(_) => self.changed(name.clone(), view::put(name, object)),
        }
    }

    /// An object does not exist.
    pub(super) fn gone(&mut self, name: &ObjectRef) {
        self.changed(name.clone(), view::gone(name));
    }

    /// A page of a list is over: what it brought is to be kept beside the file, and not in memory.
    pub(super) fn stage(&mut self) -> Option<Job> {
        let Base::List(list) = &mut self.base else {
            return None;
        };
        if self.draft.is_some() || list.text.is_empty() {
            return None;
        }
        self.draft = Some(Draft::Part);
        let part = list.part();
        let text = std::mem::take(&mut list.text);
        list.staged += octets(&text);
        Some(self.job(Step::Stage(part), text))
    }

    /// The list is complete.
    pub(super) fn complete(&mut self, now: Timestamp, cluster: Option<String>) -> Option<Job> {
        if self.draft.is_some() || !matches!(self.base, Base::List(_)) {
            return None;
        }
        let Base::List(list) = std::mem::replace(&mut self.base, Base::Nothing) else {
            return None;
        };
        let part = list.part();
        let text = self.finish(list.text, list.sum, list.staged, now, cluster);
        Some(self.job(Step::Finish(part), text))
    }

    /// Everything up to `heard` was told. `None` where that is not worth writing.
    pub(super) fn confirm(&mut self, heard: Timestamp, cluster: Option<String>) -> Option<Job> {
        let Base::File(Stored {
            length,
            sum,
            confirmed,
        }) = &self.base
        else {
            return None;
        };
        let (length, sum) = (*length, *sum);
        let age = heard.duration_since(confirmed.at);
        let renewed = age >= limit(RENEWED) || confirmed.cluster != cluster;
        if self.draft.is_some() || (self.pending.is_empty() && !renewed) {
            return None;
        }
        let text = self.finish(String::new(), sum, length, heard, cluster);
        Some(self.job(Step::Append(length), text))
    }

    /// What came of the last job.
    pub(super) fn done(&mut self, outcome: &Result<(), NotStored>) {
        match (self.draft.take(), outcome) {
            (None, _) | (Some(Draft::Part), Ok(())) => {}
            (Some(Draft::File(stored, _)), Ok(())) => self.base = Base::File(stored),
            (Some(Draft::File(_, changes)), Err(error)) if error.left == Left::AsItWas => {
                let newer = std::mem::take(&mut self.pending);
                self.octets = 0;
                for (name, line) in changes.into_iter().chain(newer) {
                    self.changed(name, line);
                }
            }
            (Some(_), Err(_)) => self.forget(),
        }
    }

    fn job(&self, step: Step, text: String) -> Job {
        Job {
            path: self.place.path.clone(),
            text,
            step,
        }
    }

    fn forget(&mut self) {
        self.base = Base::Nothing;
        self.pending.clear();
        self.octets = 0;
    }

    /// Has a line wait for the next writing.
    fn changed(&mut self, name: ObjectRef, line: String) {
        if matches!(self.base, Base::Nothing) {
            return;
        }
        self.octets += line.len();
        if let Some(before) = self.pending.insert(name, line) {
            self.octets -= before.len();
        }
        if self.octets > MOST_PENDING {
            self.forget();
        }
    }

    /// `text` with what is pending behind it, and the confirmation of everything. It comes behind `length`
    /// octets; `sum` is over these and `text`.
    fn finish(
        &mut self,
        mut text: String,
        mut sum: Checksum,
        length: u64,
        at: Timestamp,
        cluster: Option<String>,
    ) -> String {
        let changes = std::mem::take(&mut self.pending);
        self.octets = 0;
        for line in changes.values() {
            sum.add(line);
            text.push_str(line);
        }
        let confirmed = Confirmed { at, cluster };
        let line = view::at(&confirmed, sum);
        sum.add(&line);
        text.push_str(&line);
        let stored = Stored {
            length: length + octets(&text),
            sum,
            confirmed,
        };
        self.draft = Some(Draft::File(stored, changes));
        text
    }
}

impl List {
    fn part(&self) -> Part {
        match self.staged {
            0 => Part::First,
            length => Part::Further(length),
        }
    }
}

impl Place {
    /// What an earlier process has left.
    pub(super) fn read(&self, now: Timestamp) -> Result<View, Unusable> {
        // Asked before it is opened: opening a pipe waits for somebody who writes to it.
        let about = std::fs::metadata(&self.path)?;
        if !about.is_file() || about.len() > LARGEST {
            return Err(Unusable::NoFile);
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path)?;
        file.take(LARGEST).read_to_end(&mut bytes)?;
        view::parse(self.kind, &self.owner, &bytes, now)
    }
}

fn octets(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn path(folder: &Path, kind: Kind) -> PathBuf {
    folder.join(format!("view-{}.jsonl", kind.plural()))
}
