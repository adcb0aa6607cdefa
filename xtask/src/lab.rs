//! `lab`: builds and runs the scenarios alone.

use std::process::Command;

use crate::Outcome;
use crate::setup::{self, Consent, Purpose};
use crate::workspace::{Profile, Workspace, run_through};

pub(crate) fn run(args: &[String]) -> Outcome {
    let workspace = Workspace::open();
    if !args.iter().any(|arg| arg == "--list") {
        workspace.caller.require_root("lab")?;
        setup::install(&workspace.caller, Purpose::TESTS, Consent::from_args(args))?;
    }
    let programs = workspace.build(&["labtests", "ringbolt"], Profile::Dev)?;
    let flags = args.iter().filter(|arg| *arg != "--yes");
    run_through(
        Command::new(&programs["labtests"])
            .arg("run")
            .arg("--ringbolt")
            .arg(&programs["ringbolt"])
            .args(flags),
    )
}
