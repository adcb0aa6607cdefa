//! The last view of a speaker on disk (contract 4.5): one file for each kind, appended to as objects
//! change, written anew with each complete list.
//!
//! ```text
//! {"format":1,"server":"https://…","node":"n1"}     whose view this is
//! {"put":{…object…}}                                 exists
//! {"gone":{"namespace":"…","name":"…"}}              does not exist
//! {"at":"2026-01-01T00:00:00Z","cluster":"uid"}      up to here it was so at this time
//! ```
//!
//! What is on disk is bounded by the list and half an hour of changes, memory by the changes of ten
//! seconds. Secrets never get here: they are not followed, and an object with a password inside is left
//! out. Lines after the last `at` are not believed. [`Record`] turns changes into text and text into
//! objects; the files are written on threads that may wait.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use ringbolt_config::{Kind, Object, ObjectRef, object};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tracing::warn;

#[cfg(test)]
mod tests;

/// The form of the file.
const FORMAT: u32 = 1;
/// A view that nobody has confirmed for this long is not used.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// How far in the future a time may lie: clocks are set.
const MAX_AHEAD: Duration = Duration::from_secs(300);
/// How often changes are written at most.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// Whose view it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The URL of the API server.
    pub(super) server: String,
    pub(super) node: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    #[serde(flatten)]
    owner: Owner,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Put {
        put: Value,
    },
    Gone {
        gone: Name,
    },
    At {
        at: Timestamp,
        cluster: Option<String>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Name {
    namespace: Option<String>,
    name: String,
}

/// Why a file is not used.
#[derive(Debug, Error)]
pub(super) enum Unusable {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is of another form.
    #[error("it is not of format {FORMAT}")]
    Format,
    /// It was written for another API server or node.
    #[error("it is the view of node {} on {}", .0.node, .0.server)]
    Owner(Owner),
    /// Nothing in it was ever confirmed.
    #[error("it was not finished")]
    Unfinished,
    /// It is too old, or of a future.
    #[error("it is of {0}")]
    Age(Timestamp),
}

/// What a file held.
#[derive(Debug)]
pub(super) struct View {
    pub(super) objects: Vec<Object>,
    /// The identity of the cluster, where it was known.
    pub(super) cluster: Option<String>,
}

/// What is yet to be written of one kind.
#[derive(Debug)]
pub(super) struct Record {
    kind: Kind,
    path: PathBuf,
    owner: Owner,
    /// Whether this process has written a list: only then do changes add up to a view.
    listed: bool,
    /// Everything since a list was begun.
    listing: Option<String>,
    /// What changed since the last writing, as lines.
    pending: BTreeMap<ObjectRef, String>,
}

/// Text to be put into a file.
#[derive(Debug)]
pub(super) enum Job {
    Replace { path: PathBuf, text: String },
    Append { path: PathBuf, text: String },
}

impl Record {
    pub(super) fn new(folder: &Path, kind: Kind, owner: Owner) -> Self {
        Self {
            kind,
            path: path(folder, kind),
            owner,
            listed: false,
            listing: None,
            pending: BTreeMap::new(),
        }
    }

    /// A list begins: what was written is replaced when it is complete.
    pub(super) fn begin(&mut self) {
        self.listing = Some(line(&Header {
            format: FORMAT,
            owner: self.owner.clone(),
        }));
    }

    /// An object exists, in this form.
    pub(super) fn put(&mut self, name: &ObjectRef, object: &Value) {
        if has_password(object) {
            return self.gone(name);
        }
        let text = line(&Line::Put {
            put: object.clone(),
        });
        match &mut self.listing {
            Some(listing) => listing.push_str(&text),
            None => {
                self.pending.insert(name.clone(), text);
            }
        }
    }

    /// An object does not exist.
    pub(super) fn gone(&mut self, name: &ObjectRef) {
        let text = line(&Line::Gone {
            gone: Name {
                namespace: name.namespace.as_deref().map(str::to_owned),
                name: name.name.to_string(),
            },
        });
        self.pending.insert(name.clone(), text);
    }

    /// The list is complete.
    pub(super) fn complete(&mut self, now: Timestamp, cluster: Option<String>) -> Option<Job> {
        let mut text = self.listing.take()?;
        self.pending.values().for_each(|line| text.push_str(line));
        self.pending.clear();
        self.listed = true;
        text.push_str(&line(&Line::At { at: now, cluster }));
        Some(Job::Replace {
            path: self.path.clone(),
            text,
        })
    }

    /// Everything up to this time was told.
    pub(super) fn confirm(&mut self, now: Timestamp, cluster: Option<String>) -> Option<Job> {
        if self.listing.is_some() || !self.listed {
            return None;
        }
        let mut text: String = std::mem::take(&mut self.pending).into_values().collect();
        text.push_str(&line(&Line::At { at: now, cluster }));
        Some(Job::Append {
            path: self.path.clone(),
            text,
        })
    }

    /// What an earlier process has left.
    pub(super) fn read(&self, now: Timestamp) -> Result<View, Unusable> {
        let text = fs::read(&self.path)?;
        parse(self.kind, &self.owner, &String::from_utf8_lossy(&text), now)
    }
}

impl Job {
    /// Writes; a failure costs the snapshot and nothing else.
    pub(super) fn carry_out(self) {
        let (path, done) = match self {
            Self::Replace { path, text } => (path.clone(), replace(&path, &text)),
            Self::Append { path, text } => (path.clone(), append(&path, &text)),
        };
        if let Err(error) = done {
            warn!(path = %path.display(), %error, "the view for a restart cannot be stored");
        }
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension("new");
    let mut file =
        private(OpenOptions::new().write(true).create(true).truncate(true)).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

/// Only to a file that is there: without a list, changes mean nothing.
fn append(path: &Path, text: &str) -> io::Result<()> {
    match private(OpenOptions::new().append(true)).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Readable by its owner alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

fn path(folder: &Path, kind: Kind) -> PathBuf {
    folder.join(format!("view-{}.jsonl", kind.plural()))
}

fn parse(kind: Kind, owner: &Owner, text: &str, now: Timestamp) -> Result<View, Unusable> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let header: Header = serde_json::from_str(header).map_err(|_| Unusable::Format)?;
    if header.format != FORMAT {
        return Err(Unusable::Format);
    }
    if header.owner != *owner {
        return Err(Unusable::Owner(header.owner));
    }
    let mut objects = BTreeMap::new();
    let mut waiting: Vec<(ObjectRef, Option<Object>)> = Vec::new();
    let mut confirmed = None;
    for text in lines {
        // A line that is torn is the last one of a process that was killed.
        let Ok(line) = serde_json::from_str(text) else {
            break;
        };
        match line {
            Line::Put { put } => {
                if let Ok(object) = object::decode(kind, put) {
                    waiting.push((object.object_ref(), Some(object)));
                }
            }
            Line::Gone { gone } => {
                let name = ObjectRef::new(kind, gone.namespace.as_deref(), &gone.name);
                waiting.extend(name.ok().map(|name| (name, None)));
            }
            Line::At { at, cluster } => {
                for (name, object) in waiting.drain(..) {
                    match object {
                        Some(object) => objects.insert(name, object),
                        None => objects.remove(&name),
                    };
                }
                confirmed = Some((at, cluster));
            }
        }
    }
    let (at, cluster) = confirmed.ok_or(Unusable::Unfinished)?;
    let age = now.duration_since(at);
    let limit = |limit: Duration| jiff::SignedDuration::try_from(limit).unwrap_or_default();
    if age > limit(MAX_AGE) || -age > limit(MAX_AHEAD) {
        return Err(Unusable::Age(at));
    }
    Ok(View {
        objects: objects.into_values().collect(),
        cluster,
    })
}

/// A peer or template that holds a password itself.
fn has_password(object: &Value) -> bool {
    object["spec"]["password"].is_string()
}

fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("these types have only string keys");
    text.push('\n');
    text
}
