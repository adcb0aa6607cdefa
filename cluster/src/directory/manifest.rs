//! One manifest text to objects: documents apart, kinds told, names checked, what people may not
//! write taken out, defaults filled in, everything decoded once.
//!
//! A text is cut at its `---` lines into segments that are read independently, so that a reader of
//! a large file can keep the result of every segment whose text is the same as before.

use std::collections::BTreeSet;
use std::sync::Arc;

use ringbolt_config::names::GROUP;
use ringbolt_config::{Kind, Object, ObjectRef, decode_noting};
use serde_json::{Map, Value};

use super::defaults;
use super::yaml::{self, SyntaxError};
use crate::source::Trouble;

#[cfg(test)]
mod tests;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Json,
}

/// An object of people, as an API server would have taken it.
#[derive(Debug, PartialEq)]
pub(super) struct Document {
    /// Compact JSON with sorted keys; equal texts are equal documents.
    pub(super) json: Box<[u8]>,
    /// The same, decoded, with nothing that Ringbolt keeps laid over it.
    pub(super) object: Object,
}

/// What one segment of a text holds.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) objects: Vec<(ObjectRef, Arc<Document>)>,
    /// Objects that are named but not acceptable as they stand.
    pub(super) refused: BTreeSet<ObjectRef>,
    pub(super) problems: Vec<Finding>,
    /// `apiVersion kind` of each document of a kind that is not read.
    pub(super) skipped: Vec<String>,
    /// How many documents there are, whatever they hold.
    pub(super) documents: usize,
    /// Some document could not be told from others; any object may be the one that it meant.
    pub(super) unidentified: bool,
}

/// A problem, placed within its segment (from 1).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
    pub(super) object: Option<ObjectRef>,
    pub(super) field: Option<String>,
    pub(super) trouble: Trouble,
}

/// The segments of a text, each with the number of lines before it.
pub(super) fn segments(text: &str, format: Format) -> Vec<(usize, &str)> {
    let directives = || text.lines().any(|line| line.starts_with('%'));
    if format == Format::Json || directives() {
        return vec![(0, text)];
    }
    let mut segments = Vec::new();
    let (mut begin, mut begin_line, mut at) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if at > begin && is_marker(line) {
            segments.push((begin_line, &text[begin..at]));
            (begin, begin_line) = (at, number);
        }
        at += line.len();
    }
    segments.push((begin_line, &text[begin..]));
    segments
}

/// A document marker. It is one wherever a line begins with it, even within a scalar (YAML 1.2.2,
/// 9.1.2), which is why a text may be cut there without being parsed.
fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Reads one segment.
pub(super) fn read(text: &str, format: Format) -> Result<Segment, SyntaxError> {
    let mut segment = Segment::default();
    for document in documents(text, format)? {
        segment.documents += 1;
        let mut reading = Reading {
            segment: &mut segment,
            text: document.text,
            before: document.before,
        };
        reading.document(document.value, "");
    }
    Ok(segment)
}

/// One document with the text it stands in, where that is known.
struct Raw<'t> {
    value: Value,
    text: Option<&'t str>,
    /// Lines of the segment before `text`.
    before: usize,
}

fn documents(text: &str, format: Format) -> Result<Vec<Raw<'_>>, SyntaxError> {
    match format {
        Format::Json => json_documents(text),
        Format::Yaml => {
            // Flow style from the first character is most likely JSON, and that is read faster.
            let body = text.trim_start_matches("---").trim();
            if body.starts_with('{')
                && let Ok(value) = serde_json::from_str(body)
            {
                return Ok(vec![Raw {
                    value,
                    text: Some(text),
                    before: 0,
                }]);
            }
            let values = yaml::parse(text)?;
            let mut text = Some(text);
            Ok(values
                .into_iter()
                .map(|value| Raw {
                    value,
                    text: text.take(),
                    before: 0,
                })
                .collect())
        }
    }
}

fn json_documents(text: &str) -> Result<Vec<Raw<'_>>, SyntaxError> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut documents = Vec::new();
    loop {
        let begin = stream.byte_offset();
        match stream.next() {
            None => return Ok(documents),
            Some(Ok(value)) => documents.push(Raw {
                value,
                text: Some(&text[begin..stream.byte_offset()]),
                before: text[..begin].matches('\n').count(),
            }),
            Some(Err(error)) => {
                let message = error.to_string();
                let message = message
                    .rsplit_once(" at line")
                    .map_or(&*message, |(what, _)| what);
                let place = (error.line(), error.column().max(1));
                return Err(SyntaxError {
                    line: place.0,
                    column: place.1,
                    message: message.to_owned(),
                });
            }
        }
    }
}

/// Metadata that an API server gives, and takes from nobody.
const GIVEN: [&str; 10] = [
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
    "managedFields",
    "ownerReferences",
    "selfLink",
];

/// The reading of one document into a segment.
struct Reading<'s, 't> {
    segment: &'s mut Segment,
    text: Option<&'t str>,
    before: usize,
}

impl Reading<'_, '_> {
    /// A document, or the item of a list at the path `prefix`.
    fn document(&mut self, mut value: Value, prefix: &str) {
        let Some(api_version) = text_of(&value, "apiVersion") else {
            return self.unidentified(prefix, "apiVersion");
        };
        let Some(kind) = text_of(&value, "kind") else {
            return self.unidentified(prefix, "kind");
        };
        if api_version == "v1" && kind == "List" {
            let items = value.get_mut("items").map(Value::take);
            let Some(Value::Array(items)) = items else {
                return self.unidentified(prefix, "items");
            };
            for (index, item) in items.into_iter().enumerate() {
                self.document(item, &format!("{prefix}items[{index}]."));
            }
            return;
        }
        match Kind::from_manifest(&api_version, &kind) {
            Some(kind) => self.object(kind, value, prefix),
            None if api_version.split('/').next() == Some(GROUP) => {
                let message = "Ringbolt has no such kind in this version";
                self.segment.unidentified = true;
                self.problem(
                    None,
                    prefix,
                    "kind",
                    Trouble::InvalidField {
                        message: message.into(),
                    },
                );
            }
            None => self.segment.skipped.push(format!("{api_version} {kind}")),
        }
    }

    fn object(&mut self, kind: Kind, mut value: Value, prefix: &str) {
        let Some(metadata) = value.get("metadata").and_then(Value::as_object) else {
            return self.unidentified(prefix, "metadata");
        };
        let Some(name) = metadata.get("name").and_then(Value::as_str) else {
            return self.unidentified(prefix, "metadata.name");
        };
        let namespace = metadata.get("namespace").and_then(Value::as_str);
        let Ok(object) = ObjectRef::new(kind, namespace, name) else {
            self.segment.unidentified = true;
            let field = match ObjectRef::new(Kind::Node, None, name) {
                Ok(_) => "metadata.namespace",
                Err(_) => "metadata.name",
            };
            return self.problem(None, prefix, field, Trouble::InvalidName);
        };
        if kind == Kind::Speaker {
            return self.problem(Some(&object), prefix, "kind", Trouble::KindNotForPeople);
        }
        for field in take_out(&object, &mut value) {
            self.problem(Some(&object), prefix, field, Trouble::NotForPeople);
        }
        let faults = defaults::admit(kind, &mut value);
        for fault in &faults {
            let trouble = Trouble::InvalidField {
                message: fault.message.as_str().into(),
            };
            self.problem(Some(&object), prefix, &fault.field, trouble);
        }
        let json = serde_json::to_vec(&value)
            .expect("a value has text keys")
            .into_boxed_slice();
        match decode_noting(kind, value) {
            Ok((decoded, unknown)) if faults.is_empty() => {
                for field in unknown {
                    self.problem(Some(&object), prefix, &field, Trouble::UnknownField);
                }
                let document = Arc::new(Document {
                    json,
                    object: decoded,
                });
                self.segment.objects.push((object, document));
            }
            Ok(_) => {
                self.segment.refused.insert(object);
            }
            Err(problem) => {
                // What the table has refused is told in its words; a second sentence helps nobody.
                for fault in problem.faults.iter().filter(|_| faults.is_empty()) {
                    let sentence = fault.to_string();
                    let message = sentence.strip_prefix(&*fault.path).unwrap_or(&sentence);
                    let message = message.strip_prefix(": ").unwrap_or(message);
                    let trouble = Trouble::InvalidField {
                        message: message.into(),
                    };
                    self.problem(Some(&object), prefix, &fault.path, trouble);
                }
                self.segment.refused.insert(object);
            }
        }
    }

    fn unidentified(&mut self, prefix: &str, missing: &'static str) {
        self.segment.unidentified = true;
        self.problem(None, prefix, missing, Trouble::Unidentified { missing });
    }

    fn problem(&mut self, object: Option<&ObjectRef>, prefix: &str, field: &str, trouble: Trouble) {
        let path = format!("{prefix}{field}");
        let place = self
            .text
            .and_then(|text| yaml::locate(text, path.trim_end_matches('.')));
        self.segment.problems.push(Finding {
            line: place.map(|(line, _)| line + self.before),
            column: place.map(|(_, column)| column),
            object: object.cloned(),
            field: Some(path.trim_end_matches('.').to_owned()).filter(|path| !path.is_empty()),
            trouble,
        });
    }
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// Takes out what people do not write, writes the name as it was checked, and names what was lost.
fn take_out(object: &ObjectRef, value: &mut Value) -> Vec<&'static str> {
    let mut lost = Vec::new();
    let Some(value) = value.as_object_mut() else {
        return lost;
    };
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in GIVEN {
            metadata.remove(key);
        }
        match &object.namespace {
            Some(namespace) => metadata.insert("namespace".to_owned(), (**namespace).into()),
            None => metadata.remove("namespace"),
        };
    }
    if object.kind != Kind::Node
        && let Some(status) = value.remove("status")
        && says_something(&status)
        && object.kind != Kind::Namespace
    {
        lost.push("status");
    }
    if object.kind == Kind::IPAllocation
        && let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut)
    {
        lost.extend(take_record(spec));
    }
    lost
}

/// What a claim records is not for people to write.
fn take_record(spec: &mut Map<String, Value>) -> impl Iterator<Item = &'static str> {
    let holders = spec.remove("holders").map(|_| "spec.holders");
    let released = spec.remove("releasedAt").map(|_| "spec.releasedAt");
    holders.into_iter().chain(released)
}

/// An exported object has an empty status; that is no attempt to write one.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(entries) => entries.values().any(says_something),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
