//! The workspace as cargo sees it: where it is, who is in it, and the programs it builds.
//!
//! Runs cargo as the caller; knows no verb.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::Value;

use crate::caller::Caller;
use crate::{Failure, Outcome};

/// Which profile a program is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What tests and the demo run: quick to build.
    Dev,
    /// What users run and benchmarks measure.
    Release,
}

/// One artifact that cargo reported: a program, or a test program.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) package: String,
    pub(crate) target: String,
    pub(crate) folder: PathBuf,
    pub(crate) program: PathBuf,
}

/// The workspace and the person it is built as.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) caller: Caller,
}

impl Workspace {
    pub(crate) fn open() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().unwrap_or(here).to_path_buf();
        let caller = Caller::detect();
        give_back(&root.join("target"), &caller);
        Self { root, caller }
    }

    /// `cargo ARGS` in the workspace, as the caller.
    pub(crate) fn cargo<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.caller.cargo();
        command.args(args).current_dir(&self.root);
        command
    }

    /// `cargo metadata` with everything resolved for this host.
    pub(crate) fn metadata(&self) -> Result<Value, Failure> {
        let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        let args = [
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            &target,
        ];
        let output = self
            .cargo(args)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|err| Failure::Failed(format!("cargo does not start: {err}")))?;
        if !output.status.success() {
            return Err(Failure::Failed("cargo metadata failed".to_owned()));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|err| Failure::Failed(format!("cargo metadata is not JSON: {err}")))
    }

    /// Builds `packages` and returns the path of each one's program, by package name.
    pub(crate) fn build(
        &self,
        packages: &[&str],
        profile: Profile,
    ) -> Result<BTreeMap<String, PathBuf>, Failure> {
        let mut args = vec!["build", "--locked"];
        if profile == Profile::Release {
            args.push("--release");
        }
        for package in packages {
            args.extend(["-p", *package]);
        }
        let artifacts = self.artifacts(&args, |artifact| artifact["target"]["kind"][0] == "bin")?;
        let programs: BTreeMap<String, PathBuf> = artifacts
            .into_iter()
            .map(|found| (found.package, found.program))
            .collect();
        match packages
            .iter()
            .find(|package| !programs.contains_key(**package))
        {
            Some(missing) => Err(Failure::Failed(format!(
                "cargo built no program for `{missing}`"
            ))),
            None => Ok(programs),
        }
    }

    /// Runs cargo with `args`, diagnostics on stderr, and returns the programs it reports that `wanted` accepts.
    pub(crate) fn artifacts(
        &self,
        args: &[&str],
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Artifact>, Failure> {
        let mut child = self
            .cargo(args)
            .arg("--message-format=json-render-diagnostics")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|err| Failure::Failed(format!("cargo does not start: {err}")))?;
        let mut found = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(message) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                if let Some(artifact) = artifact(&message).filter(|_| wanted(&message)) {
                    found.push(artifact);
                }
            }
        }
        match child.wait() {
            Ok(status) if status.success() => Ok(found),
            Ok(_) | Err(_) => Err(Failure::Failed(format!("cargo {} failed", args.join(" ")))),
        }
    }
}

/// Runs a command to its end with our own streams; its failure is ours.
pub(crate) fn run_through(command: &mut Command) -> Outcome {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|err| Failure::Failed(format!("{name} does not start: {err}")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Exit(u8::try_from(code).unwrap_or(1))),
        None => Err(Failure::Failed(format!("{name} was killed: {status}"))),
    }
}

/// The program in a `compiler-artifact` message.
fn artifact(message: &Value) -> Option<Artifact> {
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let program = PathBuf::from(message["executable"].as_str()?);
    let manifest = Path::new(message["manifest_path"].as_str()?);
    Some(Artifact {
        package: package_name(message["package_id"].as_str()?),
        target: message["target"]["name"].as_str()?.to_owned(),
        folder: manifest.parent()?.to_path_buf(),
        program,
    })
}

/// The name in a package id: `path+file:///x/cli#ringbolt@0.1.0`, or `path+file:///x/xtask#0.1.0` when the
/// folder is named like the package.
fn package_name(id: &str) -> String {
    let (path, fragment) = id.split_once('#').unwrap_or((id, ""));
    let name = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => path.rsplit('/').next().unwrap_or(path),
    };
    name.to_owned()
}

/// Hands what root left in `target/` back to the caller: `sudo cargo xtask …` has built this very program as
/// root before we had a say.
fn give_back(target: &Path, caller: &Caller) {
    use std::os::unix::fs::{MetadataExt, lchown};
    let Some(person) = caller.person() else {
        return;
    };
    let Ok(of_root) = fs::symlink_metadata(target.parent().unwrap_or(target)) else {
        return;
    };
    if of_root.uid() != person.uid {
        return;
    }
    let mut folders = vec![target.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let children = entries.map(|entry| entry.path());
        for path in children.chain(std::iter::once(folder.clone())) {
            let Ok(of) = fs::symlink_metadata(&path) else {
                continue;
            };
            if of.uid() == 0 {
                // What cannot be handed back now fails the build with its own message.
                lchown(&path, Some(person.uid), Some(person.gid)).ok();
            }
            if of.is_dir() && path != folder {
                folders.push(path);
            }
        }
    }
}

#[cfg(test)]
mod tests;
