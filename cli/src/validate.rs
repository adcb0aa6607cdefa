//! `ringbolt validate`: every problem of manifests, without a cluster.
//!
//! Files and directories are gathered in one temporary directory of links and read from there by
//! the same code that a daemon runs. Owns the gathering and the naming back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ringbolt_cluster::{Cluster, DirectoryOptions, Role};

use crate::args::{ValidateArgs, ValidateOutput};
use crate::problems::{self, Finding, Weight};
use crate::{out, runtime};

/// Names that are read as manifests.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Whether what was checked is free of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

/// Reads, prints, judges.
pub(crate) fn run(args: &ValidateArgs) -> Result<Verdict> {
    let gathered = Gathered::new(&args.paths)?;
    let options = DirectoryOptions::new(gathered.directory.path(), Role::Reader);
    let listing =
        runtime::build()?.block_on(async { Cluster::directory(options).read_all().await })?;
    let findings = problems::find(&listing, &|file| gathered.original(file));
    let judged = verdict(&findings);
    match args.output {
        ValidateOutput::Json => out::text(&serde_json::to_string_pretty(&findings)?),
        ValidateOutput::Text => {
            let mut lines: Vec<String> = findings.iter().map(Finding::text).collect();
            lines.push(problems::summary(&listing, &findings));
            out::text(&lines.join("\n"));
        }
    }
    Ok(judged)
}

/// Bad as soon as anything is not in force.
pub(crate) fn verdict(findings: &[Finding]) -> Verdict {
    if findings
        .iter()
        .any(|finding| finding.severity == Weight::Error)
    {
        Verdict::Bad
    } else {
        Verdict::Good
    }
}

/// Links to every manifest that was named, under names that keep their order.
struct Gathered {
    directory: tempfile::TempDir,
    originals: BTreeMap<PathBuf, PathBuf>,
}

impl Gathered {
    fn new(paths: &[PathBuf]) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("ringbolt-validate-")
            .tempdir()
            .context("cannot make a temporary directory")?;
        let mut gathered = Self {
            directory,
            originals: BTreeMap::new(),
        };
        for path in paths {
            let found = fs::metadata(path).with_context(|| path.display().to_string())?;
            if !found.is_dir() {
                gathered.link(path)?;
                continue;
            }
            let files = manifests(path).with_context(|| path.display().to_string())?;
            if files.is_empty() {
                bail!(
                    "{}: no *.yaml, *.yml or *.json in this directory",
                    path.display()
                );
            }
            for file in files {
                gathered.link(&file)?;
            }
        }
        Ok(gathered)
    }

    fn link(&mut self, file: &Path) -> Result<()> {
        let ending = file
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or("yaml");
        let ending = if ENDINGS.contains(&ending) {
            ending
        } else {
            "yaml"
        };
        let link = self
            .directory
            .path()
            .join(format!("{:06}.{ending}", self.originals.len()));
        let absolute = std::path::absolute(file).with_context(|| file.display().to_string())?;
        symlink(absolute, &link).context("cannot write to the temporary directory")?;
        self.originals.insert(link, file.to_owned());
        Ok(())
    }

    /// The name the user gave, for a name in the temporary directory.
    fn original(&self, file: &str) -> String {
        let original = self.originals.get(Path::new(file));
        original.map_or_else(|| file.to_owned(), |path| path.display().to_string())
    }
}

/// The manifests of a directory as a daemon would read them, in order of name.
fn manifests(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let ending = path.extension().and_then(|ending| ending.to_str());
        if !hidden && ending.is_some_and(|ending| ENDINGS.contains(&ending)) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
