//! `tidy`: the rules of the house that no compiler knows.
//!
//! `text` looks at tracked files line by line, `graph` at what cargo resolved, `claims` at the tests that
//! docs/rfc.md names. Every check is a function from plain values to findings, and has a test that shows it
//! bites.

mod claims;
mod graph;
mod names;
mod text;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::workspace::Workspace;
use crate::{Failure, Outcome};

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// A file relative to the root, or a package.
    place: String,
    /// Counted from 1; 0 is the whole file.
    line: usize,
    rule: String,
}

impl Finding {
    fn new(place: &str, line: usize, rule: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            line,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.rule),
            line => write!(f, "{}:{line}: {}", self.place, self.rule),
        }
    }
}

/// A tracked text file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root.
    path: String,
    text: String,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    if let Some(unknown) = args.first() {
        return Err(Failure::Refused(format!(
            "`tidy` does not know `{unknown}`"
        )));
    }
    let workspace = Workspace::open();
    let sources = tracked(&workspace.root);
    let metadata = workspace.metadata()?;
    let mut findings = BTreeSet::new();
    for source in &sources {
        findings.extend(text::check(source));
        findings.extend(names::check(source));
    }
    findings.extend(claims::check(&sources));
    findings.extend(graph::check(&metadata));
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing found", sources.len());
            Ok(())
        }
        count => Err(Failure::Failed(format!("tidy found {count} broken rules"))),
    }
}

/// Text files under version control, or every text file where there is none (a source archive).
fn tracked(root: &Path) -> Vec<Source> {
    let root_text = root.to_string_lossy();
    // Under sudo the checkout belongs to somebody else, which git would refuse to look at.
    let safe = format!("safe.directory={root_text}");
    let git = Command::new("git")
        .args(["-c", &safe, "-C", &root_text, "ls-files", "-z"])
        .output();
    let paths: Vec<String> = match git {
        Ok(output) if output.status.success() => output
            .stdout
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty())
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect(),
        Ok(_) | Err(_) => walk(root),
    };
    let read = |path: String| {
        let text = fs::read_to_string(root.join(&path)).ok()?;
        Some(Source { path, text })
    };
    paths.into_iter().filter_map(read).collect()
}

fn walk(root: &Path) -> Vec<String> {
    let mut folders = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if let Ok(relative) = path.strip_prefix(root) {
                files.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}
