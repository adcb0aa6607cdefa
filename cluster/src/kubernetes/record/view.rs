//! The lines of a view on disk: what they look like, and what of them is believed. Pure; knows no files.
//!
//! What was torn or altered is never taken for what was written: it is refused, or the view ends before it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringbolt_config::{Checksum, Kind, Object, ObjectRef, object};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// The form of the file.
const FORMAT: u32 = 2;
/// A view that nobody has confirmed for this long is not used.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// How far in the future a time may lie: clocks are set.
const MAX_AHEAD: Duration = Duration::from_secs(300);

/// Whose view it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Owner {
    /// The URL of the API server.
    pub(in super::super) server: String,
    pub(in super::super) node: String,
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
        #[serde(flatten)]
        at: Confirmed,
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

/// Up to when a view was so, and of which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Confirmed {
    pub(super) at: Timestamp,
    pub(super) cluster: Option<String>,
}

/// That of everything so far and of a confirmation, without the line that states it.
fn sum_with(mut sum: Checksum, confirmed: &Confirmed) -> u64 {
    sum.add(&line(confirmed));
    sum.value()
}

/// The first line.
pub(super) fn header(owner: &Owner) -> String {
    line(&Header {
        format: FORMAT,
        owner: owner.clone(),
    })
}

/// That an object exists in this form; of one that holds a password, that it exists.
pub(super) fn put(name: &ObjectRef, object: &Value) -> String {
    #[derive(Serialize)]
    struct Put<'a> {
        put: &'a Value,
    }
    if has_password(object) {
        line(&Line::Withheld {
            withheld: Name::new(name),
        })
    } else {
        line(&Put { put: object })
    }
}

/// That an object does not exist.
pub(super) fn gone(name: &ObjectRef) -> String {
    line(&Line::Gone {
        gone: Name::new(name),
    })
}

/// That everything before it, of which `sum` is the sum, is so.
pub(super) fn at(confirmed: &Confirmed, sum: Checksum) -> String {
    line(&Line::At {
        at: confirmed.clone(),
        sum: sum_with(sum, confirmed),
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

/// Why a file is not used.
#[derive(Debug, Error)]
pub(in super::super) enum Unusable {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no file, or larger than any view.
    #[error("it is not a file of a view's size")]
    NoFile,
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
pub(in super::super) struct View {
    pub(in super::super) objects: Vec<Object>,
    /// Objects that exist and of which nothing was kept.
    pub(in super::super) withheld: Vec<ObjectRef>,
    /// The identity of the cluster, where it was known.
    pub(in super::super) cluster: Option<String>,
}

/// What the bytes of a file say.
pub(super) fn parse(
    kind: Kind,
    owner: &Owner,
    bytes: &[u8],
    now: Timestamp,
) -> Result<View, Unusable> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // What is not text was not written here, and nothing behind it is believed.
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    let mut sum = Checksum::new();
    sum.add(first);
    let header: Header = serde_json::from_str(first).map_err(|_| Unusable::Format)?;
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

/// Reads lines up to the last confirmation that is right.
fn believe<'a>(
    kind: Kind,
    lines: impl Iterator<Item = &'a str>,
    mut sum: Checksum,
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
            Line::At { at, sum: stated } if stated != sum_with(sum, &at) => break,
            Line::At { at, .. } => {
                contents.extend(waiting.drain(..));
                confirmed = Some(at);
            }
        }
        sum.add(text);
    }
    confirmed.map(|confirmed| (confirmed, contents))
}

pub(super) fn limit(limit: Duration) -> SignedDuration {
    SignedDuration::try_from(limit).unwrap_or_default()
}
