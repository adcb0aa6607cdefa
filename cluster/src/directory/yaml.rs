//! YAML text to JSON values, and field paths back to places in the text.
//!
//! Built on the event parser below serde-saphyr: one pass from events to values costs a third of
//! going through serde, and a manifest of 100,000 prefixes is on the way from a rename to a route.
//! Scalars follow the YAML 1.2 core schema, as JSON would have them. Duplicate keys are errors, as
//! the API server's strict mode has them. Nesting, aliases and size are bounded.

use std::collections::HashMap;
use std::iter::Peekable;

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

#[cfg(test)]
mod tests;

/// Deepest nesting of one document.
const MAX_DEPTH: usize = 64;
/// Most values that aliases may add to one text.
const MAX_ALIASED: usize = 100_000;

/// Where a text stops being YAML, and why. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

impl SyntaxError {
    fn at(mark: Marker, message: impl Into<String>) -> Self {
        Self {
            line: mark.line(),
            column: mark.col() + 1,
            message: message.into(),
        }
    }
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        Self::at(*error.marker(), error.info())
    }
}

/// All documents of a text that hold something. Empty documents are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, SyntaxError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event?;
        builder.take(event, span.start)?;
    }
    Ok(builder.documents)
}

/// A collection that is being filled.
#[derive(Debug)]
enum Frame {
    Sequence {
        items: Vec<Value>,
        anchor: usize,
    },
    Mapping {
        entries: Map<String, Value>,
        key: Option<String>,
        merged: Vec<Value>,
        anchor: usize,
    },
}

#[derive(Debug, Default)]
struct Builder {
    stack: Vec<Frame>,
    documents: Vec<Value>,
    anchors: HashMap<usize, Value>,
    aliased: usize,
}

/// The key that merges another mapping into this one.
const MERGE: &str = "<<";

impl Builder {
    fn take(&mut self, event: Event<'_>, mark: Marker) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(Frame::Mapping {
                    key: key @ None,
                    entries,
                    ..
                }) = self.stack.last_mut()
                {
                    if entries.contains_key(text.as_ref()) {
                        return Err(SyntaxError::at(mark, format!("key `{text}` stands twice")));
                    }
                    *key = Some(text.into_owned());
                    return Ok(());
                }
                let as_text = tag.is_some_and(|tag| tag.suffix == "str");
                let value = match style {
                    ScalarStyle::Plain if !as_text => resolve(&text),
                    _ => Value::String(text.into_owned()),
                };
                self.close(value, anchor, mark)
            }
            Event::SequenceStart(_, anchor, _) => self.open(
                Frame::Sequence {
                    items: Vec::new(),
                    anchor,
                },
                mark,
            ),
            Event::MappingStart(_, anchor, _) => self.open(
                Frame::Mapping {
                    entries: Map::new(),
                    key: None,
                    merged: Vec::new(),
                    anchor,
                },
                mark,
            ),
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Frame::Sequence { items, anchor }) => {
                    self.close(Value::Array(items), anchor, mark)
                }
                Some(Frame::Mapping {
                    mut entries,
                    merged,
                    anchor,
                    ..
                }) => {
                    merged
                        .into_iter()
                        .for_each(|from| merge(&mut entries, from));
                    self.close(Value::Object(entries), anchor, mark)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or_else(|| {
                    SyntaxError::at(mark, "an alias stands inside its own anchor")
                })?;
                self.aliased += size(&value);
                if self.aliased > MAX_ALIASED {
                    return Err(SyntaxError::at(mark, "aliases make the document too large"));
                }
                self.close(value, 0, mark)
            }
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Comment(..) => Ok(()),
        }
    }

    fn open(&mut self, frame: Frame, mark: Marker) -> Result<(), SyntaxError> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(SyntaxError::at(mark, "the document is nested too deeply"));
        }
        if let Some(Frame::Mapping { key: None, .. }) = self.stack.last() {
            return Err(SyntaxError::at(mark, "a key must be a text"));
        }
        self.stack.push(frame);
        Ok(())
    }

    /// A value is complete: it goes into the collection that is open, or is a document.
    fn close(&mut self, value: Value, anchor: usize, mark: Marker) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.stack.last_mut() {
            Some(Frame::Sequence { items, .. }) => items.push(value),
            Some(Frame::Mapping {
                entries,
                key,
                merged,
                ..
            }) => match key.take() {
                Some(key) if key == MERGE => merged.push(value),
                Some(key) => {
                    entries.insert(key, value);
                }
                None => return Err(SyntaxError::at(mark, "a key must be a text")),
            },
            None if value.is_null() => {}
            None => self.documents.push(value),
        }
        Ok(())
    }
}

/// Adds what `from` has and `entries` has not; a list of mappings is merged in its order.
fn merge(entries: &mut Map<String, Value>, from: Value) {
    match from {
        Value::Object(from) => {
            for (key, value) in from {
                entries.entry(key).or_insert(value);
            }
        }
        Value::Array(list) => list.into_iter().for_each(|from| merge(entries, from)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How many values a value is made of.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(size).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// A plain scalar by the YAML 1.2 core schema (10.3.2).
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    // Only these can begin a number; addresses are the usual texts here, and leave at the dots.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Value::String(text.to_owned());
    }
    integer(text)
        .or_else(|| float(text))
        .map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn integer(text: &str) -> Option<Number> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    plain
        .parse::<i64>()
        .map(Number::from)
        .or_else(|_| plain.parse::<u64>().map(Number::from))
        .ok()
}

/// Digits, one dot, an exponent; nothing that JSON could not carry.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let some_digit = !whole.is_empty() || !fraction.is_empty();
    if some_digit && !exponent.is_empty() && digits(whole) && digits(fraction) && digits(exponent) {
        text.parse::<f64>().ok().and_then(Number::from_f64)
    } else {
        None
    }
}

/// Line and column, from 1, of the field at `path` in the first document of `text`; of the
/// nearest thing above it where the field is not there.
pub(super) fn locate(text: &str, path: &str) -> Option<(usize, usize)> {
    let mut events = Parser::new_from_str(text).map_while(Result::ok).peekable();
    while events.next_if(|(event, _)| !is_node(event)).is_some() {}
    let mut found = events.peek().map(|(_, span)| span.start)?;
    descend(&mut events, path, &mut found);
    Some((found.line(), found.col() + 1))
}

fn is_node(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..)
    )
}

/// Follows `path` through the node that comes next, and notes in `found` how far it came.
fn descend<'a>(
    events: &mut Peekable<impl Iterator<Item = (Event<'a>, Span)>>,
    path: &str,
    found: &mut Marker,
) {
    match next_part(events) {
        Some((Event::MappingStart(..), _)) => {
            while let Some((Event::Scalar(key, ..), span)) = next_part(events) {
                match rest_after_key(path, &key) {
                    Some(rest) => {
                        *found = span.start;
                        if !rest.is_empty() {
                            descend(events, rest, found);
                        }
                        return;
                    }
                    None => skip(events),
                }
            }
        }
        Some((Event::SequenceStart(..), _)) => {
            let Some((index, rest)) = index_of(path) else {
                return;
            };
            for _ in 0..index {
                skip(events);
            }
            while events
                .next_if(|(event, _)| matches!(event, Event::Comment(..)))
                .is_some()
            {}
            match events.peek() {
                Some((event, span)) if is_node(event) => *found = span.start,
                _ => return,
            }
            if !rest.is_empty() {
                descend(events, rest, found);
            }
        }
        _ => {}
    }
}

/// The next event that is not a comment.
fn next_part<'a>(
    events: &mut impl Iterator<Item = (Event<'a>, Span)>,
) -> Option<(Event<'a>, Span)> {
    events.find(|(event, _)| !matches!(event, Event::Comment(..)))
}

/// Passes over one node and all that is in it.
fn skip<'a>(events: &mut impl Iterator<Item = (Event<'a>, Span)>) {
    let mut depth = 0usize;
    while let Some((event, _)) = next_part(events) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// What follows `key` at the beginning of `path`; keys may hold dots themselves.
fn rest_after_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    if let Some(quoted) = path.strip_prefix("[\"") {
        let rest = quoted.strip_prefix(key)?.strip_prefix("\"]")?;
        return Some(rest.strip_prefix('.').unwrap_or(rest));
    }
    let rest = path.strip_prefix(key)?;
    match rest.chars().next() {
        None | Some('[') => Some(rest),
        Some('.') => Some(&rest[1..]),
        Some(_) => None,
    }
}

/// The index in `[3].rest`, and what follows it.
fn index_of(path: &str) -> Option<(usize, &str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest.strip_prefix('.').unwrap_or(rest)))
}
