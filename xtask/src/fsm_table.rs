//! `fsm-table`: docs/fsm.md, printed by the core from its own transition table.

use std::process::Stdio;

use crate::crds::{Mode, settle};
use crate::workspace::Workspace;
use crate::{Failure, Outcome};

pub(crate) fn run(args: &[String]) -> Outcome {
    let mode = Mode::from_args("fsm-table", args)?;
    let workspace = Workspace::open();
    let output = workspace
        .cargo([
            "run",
            "--quiet",
            "--locked",
            "-p",
            "ringbolt-bgp",
            "--example",
            "fsm-table",
        ])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| Failure::Failed(format!("cargo does not start: {err}")))?;
    if !output.status.success() || output.stdout.is_empty() {
        return Err(Failure::Failed(
            "the core does not print its table".to_owned(),
        ));
    }
    settle(
        &workspace,
        "docs/fsm.md",
        &output.stdout,
        mode,
        "cargo xtask fsm-table",
    )
}
