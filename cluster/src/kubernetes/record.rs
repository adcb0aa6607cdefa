//! The last view of a speaker on disk (contract 4.5): one file for each kind, appended to as objects
//! change, written anew with each complete list.
//!
//! ```text
//! {"format":1,"server":"https://…","node":"n1"}     whose view this is
//! {"put":{…object…}}                                 exists
//! {"gone":{"namespace":"…","name":"…"}}              does not exist
//! {"withheld":{"namespace":"…","name":"…"}}          exists; holds a password, which is not kept
//! {"at":"2026-01-01T00:00:00Z","cluster":"uid","sum":…}   up to here it was so at this time
//! ```
//!
//! What is on disk is bounded by the list and half an hour of changes, memory by a page of a list and the
//! changes of ten seconds. Secrets never get here: they are not followed, and an object with a password
//! inside is kept by name alone. `sum` is that of everything before it; lines after the last `at` that is
//! right are not believed. [`Record`] turns changes into text and text into objects; the files are written
//! on threads that may wait.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
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
/// How often a view that does not change is confirmed, lest it grow old on disk.
const RENEWED: Duration = Duration::from_secs(1800);

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
    Withheld {
        withheld: Name,
    },
    At {
        at: Timestamp,
        cluster: Option<String>,
        sum: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Name {
    namespace: Option<String>,
    name: String,
}

impl Name {
    fn new(name: &ObjectRef) -> Self {
        Self {
            namespace: name.namespace.as_deref().map(str::to_owned),
            name: name.name.to_string(),
        }
    }

    fn of(&self, kind: Kind) -> Option<ObjectRef> {
        ObjectRef::new(kind, self.namespace.as_deref(), &self.name).ok()
    }
}

/// FNV-1a over 64 bit: finds what a failing disk does. It is no protection against people.
#[derive(Clone, Copy, Debug)]
struct Sum(u64);

impl Sum {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
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
    /// Nothing in it was ever confirmed, or what was is not as it was written.
    #[error("it is damaged or was not finished")]
    Damaged,
    /// It is too old, or of a future.
    #[error("it is of {0}")]
    Age(Timestamp),
}

/// What a file held.
#[derive(Debug)]
pub(super) struct View {
    pub(super) objects: Vec<Object>,
    /// Objects that exist and of which nothing was kept.
    pub(super) withheld: Vec<ObjectRef>,
    /// The identity of the cluster, where it was known.
    pub(super) cluster: Option<String>,
}

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
    /// The list that is being read.
    listing: Option<Listing>,
    /// What this process has confirmed last: only after a list do changes add up to a view.
    confirmed: Option<(Timestamp, Option<String>)>,
    /// What changed since the last writing, as lines.
    pending: BTreeMap<ObjectRef, String>,
    /// Over what is in the file, or in the list that will replace it.
    sum: Sum,
}

/// The part of a list that is not on disk yet.
#[derive(Debug)]
struct Listing {
    part: Part,
    text: String,
}

/// Which part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    First,
    Further,
}

/// Text to be put into a file.
#[derive(Debug)]
pub(super) enum Job {
    /// Beside the file, which stays as it is.
    Stage {
        path: PathBuf,
        part: Part,
        text: String,
    },
    /// Likewise; then it takes the file's place.
    Finish {
        path: PathBuf,
        part: Part,
        text: String,
    },
    /// At the end of the file.
    Append { path: PathBuf, text: String },
}

impl Record {
    pub(super) fn new(folder: &Path, kind: Kind, owner: Owner) -> Self {
        Self {
            place: Place {
                kind,
                path: path(folder, kind),
                owner,
            },
            listing: None,
            confirmed: None,
            pending: BTreeMap::new(),
            sum: Sum::new(),
        }
    }

    /// Where an earlier process may have left its view.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// A list begins: what was written is replaced when it is complete.
    pub(super) fn begin(&mut self) {
        self.pending.clear();
        self.sum = Sum::new();
        self.listing = Some(Listing {
            part: Part::First,
            text: String::new(),
        });
        self.listed(&line(&Header {
            format: FORMAT,
            owner: self.place.owner.clone(),
        }));
    }

    /// An object exists, in this form.
    pub(super) fn put(&mut self, name: &ObjectRef, object: &Value) {
        #[derive(Serialize)]
        struct Put<'a> {
            put: &'a Value,
        }
        let text = if has_password(object) {
            line(&Line::Withheld {
                withheld: Name::new(name),
            })
        } else {
            line(&Put { put: object })
        };
        if self.listing.is_some() {
            self.listed(&text);
        } else {
            self.pending.insert(name.clone(), text);
        }
    }

    /// An object does not exist.
    pub(super) fn gone(&mut self, name: &ObjectRef) {
        let text = line(&Line::Gone {
            gone: Name::new(name),
        });
        self.pending.insert(name.clone(), text);
    }

    /// A page of a list is over: what it brought is to be kept beside the file, and not in memory.
    pub(super) fn stage(&mut self) -> Option<Job> {
        let listing = self.listing.as_mut()?;
        let part = std::mem::replace(&mut listing.part, Part::Further);
        Some(Job::Stage {
            path: self.place.path.clone(),
            part,
            text: std::mem::take(&mut listing.text),
        })
    }

    /// The list is complete.
    pub(super) fn complete(&mut self, now: Timestamp, cluster: Option<String>) -> Option<Job> {
        let Listing { part, mut text } = self.listing.take()?;
        self.finish(&mut text, now, cluster);
        Some(Job::Finish {
            path: self.place.path.clone(),
            part,
            text,
        })
    }

    /// Everything up to `heard` was told. `None` where that is not worth writing.
    pub(super) fn confirm(&mut self, heard: Timestamp, cluster: Option<String>) -> Option<Job> {
        let (at, known) = self.confirmed.as_ref()?;
        let renewed = heard.duration_since(*at) >= limit(RENEWED) || *known != cluster;
        if self.listing.is_some() || (self.pending.is_empty() && !renewed) {
            return None;
        }
        let mut text = String::new();
        self.finish(&mut text, heard, cluster);
        Some(Job::Append {
            path: self.place.path.clone(),
            text,
        })
    }

    /// A line of the list.
    fn listed(&mut self, line: &str) {
        if let Some(listing) = &mut self.listing {
            listing.text.push_str(line);
            self.sum.add(line);
        }
    }

    /// Puts what is pending behind `text`, and the confirmation of everything.
    fn finish(&mut self, text: &mut String, at: Timestamp, cluster: Option<String>) {
        let begin = text.len();
        for line in std::mem::take(&mut self.pending).into_values() {
            text.push_str(&line);
        }
        self.sum.add(&text[begin..]);
        let line = line(&Line::At {
            at,
            cluster: cluster.clone(),
            sum: self.sum.0,
        });
        self.sum.add(&line);
        text.push_str(&line);
        self.confirmed = Some((at, cluster));
    }
}

impl Place {
    /// What an earlier process has left.
    pub(super) fn read(&self, now: Timestamp) -> Result<View, Unusable> {
        let text = fs::read(&self.path)?;
        parse(self.kind, &self.owner, &String::from_utf8_lossy(&text), now)
    }
}

impl Job {
    /// Writes; a failure costs the snapshot and nothing else: what was not written whole does not agree
    /// with its sum.
    pub(super) fn carry_out(self) {
        let (path, done) = match self {
            Self::Stage { path, part, text } => (path.clone(), stage(&path, part, &text).map(drop)),
            Self::Finish { path, part, text } => (path.clone(), replace(&path, part, &text)),
            Self::Append { path, text } => (path.clone(), append(&path, &text)),
        };
        if let Err(error) = done {
            warn!(path = %path.display(), %error, "the view for a restart cannot be stored");
        }
    }
}

/// Writes beside the file.
fn stage(path: &Path, part: Part, text: &str) -> io::Result<File> {
    let temporary = path.with_extension("new");
    let mut file = match part {
        Part::First => {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            // What lies there may be readable by others.
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            private(OpenOptions::new().write(true).create_new(true)).open(&temporary)?
        }
        Part::Further => OpenOptions::new().append(true).open(&temporary)?,
    };
    file.write_all(text.as_bytes())?;
    Ok(file)
}

fn replace(path: &Path, part: Part, text: &str) -> io::Result<()> {
    stage(path, part, text)?.sync_all()?;
    fs::rename(path.with_extension("new"), path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
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
    let mut lines = text.split_inclusive('\n');
    let header = lines.next().unwrap_or_default();
    let mut sum = Sum::new();
    sum.add(header);
    let header: Header = serde_json::from_str(header).map_err(|_| Unusable::Format)?;
    if header.format != FORMAT {
        return Err(Unusable::Format);
    }
    if header.owner != *owner {
        return Err(Unusable::Owner(header.owner));
    }
    let (confirmed, contents) = believe(kind, lines, sum).ok_or(Unusable::Damaged)?;
    let age = now.duration_since(confirmed.at);
    if age > limit(MAX_AGE) || -age > limit(MAX_AHEAD) {
        return Err(Unusable::Age(confirmed.at));
    }
    let mut view = View {
        objects: Vec::new(),
        withheld: Vec::new(),
        cluster: confirmed.cluster,
    };
    for (name, found) in contents {
        match found {
            Found::Object(object) => view.objects.push(object),
            Found::Withheld => view.withheld.push(name),
            Found::Gone => {}
        }
    }
    Ok(view)
}

/// What a file says of an object.
enum Found {
    Object(Object),
    Withheld,
    Gone,
}

struct Confirmed {
    at: Timestamp,
    cluster: Option<String>,
}

/// Reads lines up to the last confirmation that is right.
fn believe<'a>(
    kind: Kind,
    lines: impl Iterator<Item = &'a str>,
    mut sum: Sum,
) -> Option<(Confirmed, BTreeMap<ObjectRef, Found>)> {
    let mut contents = BTreeMap::new();
    let mut waiting = Vec::new();
    let mut confirmed = None;
    for text in lines {
        // A line that is torn is the last one of a process that was killed.
        let Ok(line) = serde_json::from_str(text) else {
            break;
        };
        match line {
            Line::Put { put } => {
                // One that only a newer program understands is left out.
                if let Ok(object) = object::decode(kind, put) {
                    waiting.push((object.object_ref(), Found::Object(object)));
                }
            }
            Line::Gone { gone } => {
                waiting.extend(gone.of(kind).map(|name| (name, Found::Gone)));
            }
            Line::Withheld { withheld } => {
                waiting.extend(withheld.of(kind).map(|name| (name, Found::Withheld)));
            }
            Line::At { sum: stated, .. } if stated != sum.0 => break,
            Line::At { at, cluster, .. } => {
                contents.extend(waiting.drain(..));
                confirmed = Some(Confirmed { at, cluster });
            }
        }
        sum.add(text);
    }
    confirmed.map(|confirmed| (confirmed, contents))
}

fn limit(limit: Duration) -> SignedDuration {
    SignedDuration::try_from(limit).unwrap_or_default()
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
