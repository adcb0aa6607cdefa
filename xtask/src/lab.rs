//! `lab`: builds and runs the scenarios alone.

use std::process::Command;

use crate::ground::Ground;
use crate::setup::{self, Consent, Purpose, kubelab};
use crate::workspace::{Profile, Workspace, run_through};
use crate::{Failure, Outcome};

pub(crate) fn run(args: &[String]) -> Outcome {
    let workspace = Workspace::open();
    let list = args.iter().any(|arg| arg == "--list");
    let ground = Ground::find(&workspace.caller);
    if !list {
        match &ground {
            Ground::Root => {
                setup::install(&workspace.caller, Purpose::TESTS, Consent::from_args(args))?;
            }
            Ground::UserNamespace => {
                ground
                    .explain(workspace.caller.standing())
                    .iter()
                    .for_each(|told| println!("lab: {told}"));
            }
            Ground::Loopback(_) => workspace.caller.require_root("lab")?,
        }
    }
    let programs = workspace.build(&["labtests", "ringbolt"], Profile::Dev)?;
    let ringbolt = programs["ringbolt"].display().to_string();
    let words = ["run", "--ringbolt", &ringbolt].into_iter();
    let words = words.chain(
        args.iter()
            .map(String::as_str)
            .filter(|arg| *arg != "--yes"),
    );
    let mut command = ground.command(&programs["labtests"], words);
    if !list {
        tell_kubelab(&workspace, &mut command);
    }
    run_through(&mut command)
}

/// Tells a `labtests run` where the programs of Kubernetes are, if it has scenarios for them; without the programs
/// `labtests` counts each of those as skipped.
pub(crate) fn tell_kubelab(workspace: &Workspace, labtests: &mut Command) {
    if !names(labtests)
        .iter()
        .any(|name| name.starts_with("kubernetes: "))
    {
        return;
    }
    match kubelab::find_or_build(workspace) {
        Ok(found) => found.tell(labtests),
        Err(Failure::Refused(why) | Failure::Failed(why)) => println!("SKIPPED: {why}"),
        Err(Failure::Exit(code)) => println!("SKIPPED: the build ended with {code}"),
    }
}

/// The names of the scenarios that a `labtests run` would run.
pub(crate) fn names(labtests: &Command) -> Vec<String> {
    let listed = Command::new(labtests.get_program())
        .args(labtests.get_args())
        .arg("--list")
        .output();
    let text = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}
