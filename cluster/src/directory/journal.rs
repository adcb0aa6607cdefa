//! Events as lines of JSON: one file that grows to a bound, and the one before it. An event is
//! worth telling and not worth a flush to disk; a torn last line is passed over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use ringbolt_config::ObjectRef;
use serde::{Deserialize, Serialize};

use super::store::{make_folder, open_lock};
use crate::writer::{Event, EventType, RecordedEvent};

#[cfg(test)]
mod tests;

const FILE: &str = "events.jsonl";
const BEFORE: &str = "events.1.jsonl";
const LOCK: &str = ".events.lock";
/// A file of this size becomes the one before.
const MAX_SIZE: u64 = 1 << 20;
/// Longest note that is kept, in characters; the API server has the same bound.
const MAX_NOTE: usize = 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    time: Timestamp,
    regarding: ObjectRef,
    #[serde(rename = "type")]
    event_type: String,
    reason: String,
    note: String,
}

/// Appends one event.
pub(super) fn append(root: &Path, event: &Event, time: Timestamp) -> io::Result<()> {
    make_folder(root, root)?;
    let mut line = serde_json::to_vec(&Line {
        time,
        regarding: event.regarding.clone(),
        event_type: event.event_type.as_str().to_owned(),
        reason: event.reason.to_owned(),
        note: event.note.chars().take(MAX_NOTE).collect(),
    })?;
    line.push(b'\n');
    let lock = open_lock(&root.join(LOCK))?;
    lock.lock()?;
    let path = root.join(FILE);
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    if file.metadata()?.len() >= MAX_SIZE {
        fs::rename(&path, root.join(BEFORE))?;
        file = OpenOptions::new().create(true).append(true).open(&path)?;
    }
    // In one piece, so that a kill tears the last line at most.
    file.write_all(&line)
}

/// What is kept, oldest first; repetitions in a row are counted.
pub(super) fn read(root: &Path) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    for name in [BEFORE, FILE] {
        let text = fs::read(root.join(name)).unwrap_or_default();
        for line in text.split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                continue;
            };
            let event_type = match line.event_type.as_str() {
                "Warning" => EventType::Warning,
                _ => EventType::Normal,
            };
            match events.last_mut() {
                Some(last)
                    if last.regarding == line.regarding
                        && last.reason == line.reason
                        && last.note == line.note =>
                {
                    last.count = last.count.saturating_add(1);
                    last.time = line.time;
                }
                _ => events.push(RecordedEvent {
                    regarding: line.regarding,
                    event_type,
                    reason: line.reason,
                    note: line.note,
                    time: line.time,
                    count: 1,
                }),
            }
        }
    }
    events
}
