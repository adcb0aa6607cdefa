//! One manifest: what was last believed of it, and what is seen but not believed yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringbolt_config::ObjectRef;

use super::{ReadFile, SETTLE};
use crate::directory::look::{Evidence, Look, format_of};
use crate::directory::manifest::{self, Document, Finding, Format, Segment};
use crate::source::{SourceProblem, Trouble};

/// Larger files are refused: a manifest of half a million prefixes fits.
pub(in crate::directory) const MAX_SIZE: u64 = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct File {
    /// The look of what was last read.
    read: Option<Look>,
    /// Segments by their text, so that only changed ones are read again.
    segments: HashMap<SegmentKey, Arc<Segment>>,
    skipped: Vec<String>,
    /// Objects that the file has.
    present: BTreeMap<ObjectRef, Arc<Document>>,
    /// Objects that the file had, and whose absence is not believed.
    lingering: BTreeMap<ObjectRef, Arc<Document>>,
    /// Objects that the file names and that are not acceptable as they stand.
    refused: BTreeSet<ObjectRef>,
    /// Whether every object of the file was known once; then those whose absence is doubted are kept.
    known: Known,
    /// A look that is not believed to be the last word, and since when it has been the same.
    unsettled: Option<(Look, Instant)>,
    /// Since when the directory does not have it, and when that counts.
    missing: Option<(Instant, Instant)>,
    problems: Vec<SourceProblem>,
}

/// A text by length and hash. Whoever can make two texts collide can write the manifests anyway.
type SegmentKey = (usize, u64);

/// Whether an object that is not found any more is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    Believed,
    Doubted,
}

/// Whether a file was ever understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Never,
    Once,
}

impl File {
    /// The directory has this file, looking like `look`.
    pub(super) fn look(
        &mut self,
        path: &Arc<PathBuf>,
        look: Look,
        evidence: Option<Evidence>,
        now: Instant,
        read: &mut ReadFile<'_>,
        touched: &mut BTreeSet<ObjectRef>,
    ) {
        self.missing = None;
        let seen = self.unsettled.map(|(look, _)| look).or(self.read);
        if seen == Some(look) && evidence.is_none() {
            if self
                .unsettled
                .is_some_and(|(_, since)| now.duration_since(since) >= SETTLE)
            {
                self.unsettled = None;
                self.read(path, look, Absence::Believed, now, read, touched);
            }
            return;
        }
        let replaced = self.read.is_none_or(|before| look.replaces(&before));
        let complete = match evidence {
            Some(Evidence::Whole) => true,
            Some(Evidence::Partial) => false,
            // Without a report, another inode is most likely a rename; a new file may be anything.
            None => self.read.is_some() && replaced,
        };
        if complete {
            let absence = if replaced {
                Absence::Believed
            } else {
                Absence::Doubted
            };
            self.read(path, look, absence, now, read, touched);
        }
        // What was read within the tick of its change may change again unseen; what is in doubt
        // has to be looked at once more. Both cost one reading of an unchanged text.
        self.unsettled = Some((look, now));
    }

    /// The directory does not have this file; whether that counts.
    pub(super) fn is_removed(&mut self, now: Instant, patience: Duration) -> bool {
        let (since, until) = self.missing.get_or_insert((now, now + patience));
        *until = *since + patience;
        now >= *until
    }

    /// Whether it was seen and not read yet.
    pub(super) fn is_unread(&self) -> bool {
        self.read.is_none()
    }

    /// Whether its text was understood at some time.
    pub(super) fn was_understood(&self) -> bool {
        self.known == Known::Once
    }

    /// Whether what was last seen of it is believed to be the last word.
    pub(super) fn is_settled(&self) -> bool {
        self.unsettled.is_none()
    }

    pub(super) fn refuses(&self, name: &ObjectRef) -> bool {
        self.refused.contains(name)
    }

    pub(super) fn next_look(&self) -> Option<Instant> {
        let settled = self.unsettled.map(|(_, since)| since + SETTLE);
        let removed = self.missing.map(|(_, until)| until);
        settled.into_iter().chain(removed).min()
    }

    pub(super) fn document(&self, name: &ObjectRef) -> Option<&Arc<Document>> {
        self.present.get(name).or_else(|| self.lingering.get(name))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.present.keys().chain(self.lingering.keys())
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = &SourceProblem> {
        self.problems.iter()
    }

    pub(super) fn skipped(&self) -> impl Iterator<Item = &String> {
        self.skipped.iter()
    }

    fn read(
        &mut self,
        path: &Arc<PathBuf>,
        look: Look,
        absence: Absence,
        now: Instant,
        read: &mut ReadFile<'_>,
        touched: &mut BTreeSet<ObjectRef>,
    ) {
        let bytes = match read(path) {
            Ok((found, bytes)) => {
                // Changed between look and reading: this is what was read, and it is in doubt.
                self.read = Some(found);
                if found != look {
                    self.unsettled = Some((found, now));
                }
                bytes
            }
            Err(error) => {
                self.read = Some(look);
                self.unsettled = Some((look, now));
                return self.cannot_read(path, &error);
            }
        };
        let format = format_of(path).unwrap_or(Format::Yaml);
        match self.parse(&bytes, format) {
            Ok(segments) => self.take(path, &segments, absence, touched),
            Err(finding) => self.problems = vec![placed(path, 0, &finding)],
        }
    }

    fn cannot_read(&mut self, path: &Arc<PathBuf>, error: &io::Error) {
        let trouble = match error.kind() {
            io::ErrorKind::FileTooLarge => Trouble::FileTooLarge { limit: MAX_SIZE },
            cause => Trouble::FileUnreadable { cause },
        };
        let finding = Finding {
            line: None,
            column: None,
            object: None,
            field: None,
            trouble,
        };
        self.problems = vec![placed(path, 0, &finding)];
    }

    /// Reads the segments whose text is new and keeps the results of the others.
    fn parse(
        &mut self,
        bytes: &[u8],
        format: Format,
    ) -> Result<Vec<(usize, Arc<Segment>)>, Finding> {
        let syntax = |line, column, message: &str| Finding {
            line: Some(line),
            column: Some(column),
            object: None,
            field: None,
            trouble: Trouble::Syntax {
                message: message.into(),
            },
        };
        let text = str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = before
                .iter()
                .rev()
                .take_while(|byte| **byte != b'\n')
                .count()
                + 1;
            syntax(line, column, "the text is not UTF-8")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut kept = HashMap::new();
        let mut segments = Vec::new();
        for (before, text) in manifest::segments(text, format) {
            let key = segment_key(text);
            let segment =
                match self.segments.get(&key).or_else(|| kept.get(&key)) {
                    Some(segment) => Arc::clone(segment),
                    None => Arc::new(manifest::read(text, format).map_err(|error| {
                        syntax(before + error.line, error.column, &error.message)
                    })?),
                };
            kept.insert(key, Arc::clone(&segment));
            segments.push((before, segment));
        }
        self.segments = kept;
        Ok(segments)
    }

    /// Makes what was read what the file has.
    fn take(
        &mut self,
        path: &Arc<PathBuf>,
        segments: &[(usize, Arc<Segment>)],
        absence: Absence,
        touched: &mut BTreeSet<ObjectRef>,
    ) {
        self.problems.clear();
        self.skipped.clear();
        let mut found: BTreeMap<ObjectRef, Arc<Document>> = BTreeMap::new();
        for (before, segment) in segments {
            self.problems.extend(
                segment
                    .problems
                    .iter()
                    .map(|finding| placed(path, *before, finding)),
            );
            self.skipped.extend(segment.skipped.iter().cloned());
            for (name, document) in &segment.objects {
                if found.contains_key(name) {
                    self.problems
                        .push(about(path, Some(name), Trouble::Repeated));
                } else {
                    found.insert(name.clone(), Arc::clone(document));
                }
            }
        }
        let had: BTreeMap<_, _> = std::mem::take(&mut self.present)
            .into_iter()
            .chain(std::mem::take(&mut self.lingering))
            .collect();
        for name in segments.iter().flat_map(|(_, segment)| &segment.refused) {
            if let (false, Some(good)) = (found.contains_key(name), had.get(name)) {
                found.insert(name.clone(), Arc::clone(good));
            }
        }
        let empty = segments.iter().all(|(_, segment)| segment.documents == 0);
        if empty && !had.is_empty() {
            self.problems.push(about(path, None, Trouble::Emptied));
        }
        touched.extend(
            found
                .keys()
                .filter(|name| !had.contains_key(*name))
                .cloned(),
        );
        let unclear = empty || segments.iter().any(|(_, segment)| segment.unidentified);
        for (name, document) in had {
            match found.get(&name) {
                Some(same) if Arc::ptr_eq(same, &document) || same.json == document.json => {}
                Some(_) => {
                    touched.insert(name);
                }
                None if unclear || absence == Absence::Doubted => {
                    self.lingering.insert(name, document);
                }
                None => {
                    touched.insert(name);
                }
            }
        }
        self.present = found;
        self.refused = segments
            .iter()
            .flat_map(|(_, segment)| segment.refused.iter().cloned())
            .collect();
        if !unclear {
            self.known = Known::Once;
        }
    }
}

fn segment_key(text: &str) -> SegmentKey {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    (text.len(), hasher.finish())
}

/// A finding of a segment as a problem of the file.
fn placed(path: &Arc<PathBuf>, before: usize, finding: &Finding) -> SourceProblem {
    SourceProblem {
        file: Some(Arc::clone(path)),
        line: finding.line.map(|line| line + before),
        column: finding.column,
        object: finding.object.clone(),
        field: finding.field.clone(),
        trouble: finding.trouble.clone(),
    }
}

/// A problem of the whole file or of an object in it.
fn about(path: &Arc<PathBuf>, object: Option<&ObjectRef>, trouble: Trouble) -> SourceProblem {
    SourceProblem {
        file: Some(Arc::clone(path)),
        line: None,
        column: None,
        object: object.cloned(),
        field: None,
        trouble,
    }
}
