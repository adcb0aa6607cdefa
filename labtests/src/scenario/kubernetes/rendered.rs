//! The manifests as people's tools render them: the output of `kubectl kustomize` and `helm template` as objects.
//! Neither tool needs a control plane for that.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kubelab::{Assets, Program};
use crate::netns::run;

pub(super) use crate::kubelab::SYSTEM as SPACE;

/// A folder of manifests in the source this program was built from.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .join(name)
}

/// What a kustomization (`base`, `overlays/…`) consists of.
pub(super) fn kustomize(assets: &Assets, name: &str) -> Result<Vec<Value>> {
    let mut command = Command::new(assets.path(Program::Kubectl));
    objects(&run(command.arg("kustomize").arg(folder(name)))?)
}

/// What the chart consists of; `None` where there is no Helm.
pub(super) fn helm(assets: &Assets, args: &[&str]) -> Result<Option<Vec<Value>>> {
    let Some(program) = assets.helm() else {
        return Ok(None);
    };
    let mut command = Command::new(program);
    command.args(["template", "ringbolt", "--namespace", SPACE]);
    command.arg(folder("chart/ringbolt")).args(args);
    objects(&run(&mut command)?).map(Some)
}

/// The documents of a YAML stream.
pub(super) fn objects(stream: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(stream).context("a YAML stream")?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

/// The only object of a kind and a name.
pub(super) fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value> {
    let mut found = objects
        .iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let one = found
        .next()
        .with_context(|| format!("there is no {kind} {name}"))?;
    anyhow::ensure!(found.next().is_none(), "{kind} {name} is there twice");
    Ok(one)
}
