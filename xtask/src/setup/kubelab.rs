//! `setup kubelab`: the programs of Kubernetes that labs run.
//!
//! Looked for in this order, each by itself: a `TEST_ASSET_…` variable, the folder `KUBEBUILDER_ASSETS` (both as
//! test suites of the Kubernetes project use them), the cache. What is missing then is built from the Go modules
//! that `labtests/kubelab` pins, as the calling person, into the cache; its key is what the build depends on.

mod build;
mod go;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::Workspace;
use crate::{Failure, Outcome};

/// What labs need. Further programs of the build (Helm) are found beside them.
const PROGRAMS: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kubectl",
];

/// What a machine without them can do about it.
pub(crate) const ADVICE: &str = "install Go 1.26 (https://go.dev/dl) so that they can be built, or set \
    TEST_ASSET_ETCD, TEST_ASSET_KUBE_APISERVER, TEST_ASSET_KUBE_CONTROLLER_MANAGER, TEST_ASSET_KUBE_PROXY and \
    TEST_ASSET_KUBECTL to programs you have";

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Kubelab {
    folder: PathBuf,
    /// Programs that come from elsewhere.
    elsewhere: Vec<(&'static str, PathBuf)>,
}

impl Kubelab {
    /// Tells `labtests` where the programs are.
    pub(crate) fn tell(&self, labtests: &mut Command) {
        labtests.arg("--kubelab").arg(&self.folder);
        for (program, path) in &self.elsewhere {
            labtests.env(variable(program), path);
        }
    }
}

/// `cargo xtask setup kubelab`.
pub(crate) fn run(args: &[String]) -> Outcome {
    if let Some(unknown) = args.iter().find(|arg| *arg != "--yes") {
        return Err(Failure::Refused(format!(
            "`setup kubelab` does not know `{unknown}`"
        )));
    }
    let found = find_or_build(&Workspace::open())?;
    for program in PROGRAMS {
        let elsewhere = found.elsewhere.iter().find(|(known, _)| known == program);
        let path = match elsewhere {
            Some((_, path)) => path.clone(),
            None => found.folder.join(program),
        };
        println!("setup: {program}: {}", path.display());
    }
    Ok(())
}

/// Finds every program, or builds those that are nowhere. The failure says why it cannot, and what to do.
pub(crate) fn find_or_build(workspace: &Workspace) -> Result<Kubelab, Failure> {
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let elsewhere: Vec<(&str, PathBuf)> = PROGRAMS
        .iter()
        .filter_map(|program| {
            let path = given(program, env::var_os(variable(program)), assets.as_deref())?;
            Some((*program, path))
        })
        .collect();
    if let Some((program, path)) = elsewhere.iter().find(|(_, path)| !path.exists()) {
        return Err(Failure::Refused(format!(
            "{} for {program} is not there",
            path.display()
        )));
    }
    let complete = PROGRAMS.len() == elsewhere.len();
    let folder = match assets.filter(|_| complete) {
        Some(folder) => folder,
        // With everything named by variables, Helm may still lie in the cache; nothing is built for it.
        None if complete => build::cached(workspace).unwrap_or_default(),
        None => build::cached_or_built(workspace)?,
    };
    Ok(Kubelab { folder, elsewhere })
}

/// A program that the environment names; a folder of assets counts only for what it holds.
fn given(
    program: &str,
    named: Option<std::ffi::OsString>,
    assets: Option<&Path>,
) -> Option<PathBuf> {
    match named {
        Some(path) if !path.is_empty() => Some(path.into()),
        Some(_) | None => assets
            .map(|folder| folder.join(program))
            .filter(|path| path.exists()),
    }
}

fn variable(program: &str) -> String {
    format!("TEST_ASSET_{}", program.replace('-', "_").to_uppercase())
}

#[cfg(test)]
mod tests;
