//! `crds`: the resource definitions under manifests/crds, one file per kind, as `ringbolt crds` prints them
//! from the Rust types; and the copies that the Helm chart carries, since a chart reads no file outside its folder.

use std::fs;
use std::process::{Command, Stdio};

use crate::workspace::{Profile, Workspace};
use crate::{Failure, Outcome};

/// Relative to the workspace.
const FOLDERS: [&str; 2] = ["manifests/crds", "manifests/chart/ringbolt/crds-rendered"];

pub(crate) fn run(args: &[String]) -> Outcome {
    let mode = Mode::from_args("crds", args)?;
    let workspace = Workspace::open();
    let programs = workspace.build(&["ringbolt"], Profile::Dev)?;
    let output = Command::new(&programs["ringbolt"])
        .arg("crds")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| Failure::Failed(format!("ringbolt does not start: {err}")))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let documents = documents(&printed);
    if !output.status.success() || documents.is_empty() {
        return Err(Failure::Failed("`ringbolt crds` failed".to_owned()));
    }
    for (plural, document) in documents {
        for folder in FOLDERS {
            let file = format!("{folder}/{plural}.yaml");
            let fresh = document.as_bytes();
            settle(&workspace, &file, fresh, mode, "cargo xtask crds")?;
        }
    }
    Ok(())
}

/// The documents of a YAML stream, each with the plural name of the kind it defines.
fn documents(stream: &str) -> Vec<(&str, String)> {
    let mut documents = Vec::new();
    for part in stream.split("---\n").filter(|part| !part.trim().is_empty()) {
        let plural = part
            .lines()
            .find_map(|line| line.trim().strip_prefix("plural: "));
        if let Some(plural) = plural {
            documents.push((plural, part.to_owned()));
        }
    }
    documents
}

/// What to do with a generated file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    /// Only say whether the committed one is what would be written.
    Check,
}

impl Mode {
    pub(crate) fn from_args(verb: &str, args: &[String]) -> Result<Self, Failure> {
        match args {
            [] => Ok(Self::Write),
            [flag] if flag == "--check" => Ok(Self::Check),
            [..] => Err(Failure::Refused(format!(
                "`{verb}` takes --check and nothing else"
            ))),
        }
    }
}

/// Writes a generated file, or with [`Mode::Check`] only says whether the committed one is the same.
pub(crate) fn settle(
    workspace: &Workspace,
    file: &str,
    fresh: &[u8],
    mode: Mode,
    command: &str,
) -> Outcome {
    let path = workspace.root.join(file);
    let same = fs::read(&path).is_ok_and(|committed| committed == fresh);
    match (same, mode) {
        (true, _) => println!("{file} is fresh"),
        (false, Mode::Check) => {
            return Err(Failure::Failed(format!("{file} is stale; run `{command}`")));
        }
        (false, Mode::Write) => {
            fs::write(&path, fresh).map_err(|err| Failure::Failed(format!("{file}: {err}")))?;
            println!("{file} written");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
