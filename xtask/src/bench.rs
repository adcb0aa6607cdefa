//! `bench NAME`: a release build, measured by `labtests bench` beside the daemons it is compared with.

use std::process::Command;

use crate::setup::{self, Consent, Purpose, kubelab};
use crate::workspace::{Profile, Workspace, run_through};
use crate::{Failure, Outcome};

pub(crate) fn run(args: &[String]) -> Outcome {
    if args.first().is_none_or(|name| name.starts_with('-')) {
        return Err(Failure::Refused(
            "`bench` needs a name: originate or alloc".to_owned(),
        ));
    }
    let workspace = Workspace::open();
    workspace.caller.require_root("bench")?;
    setup::install(&workspace.caller, Purpose::BENCH, Consent::from_args(args))?;
    let programs = workspace.build(&["labtests", "ringbolt"], Profile::Release)?;
    let flags = args.iter().filter(|arg| *arg != "--yes");
    let mut command = Command::new(&programs["labtests"]);
    command
        .arg("bench")
        .arg("--ringbolt")
        .arg(&programs["ringbolt"])
        .args(flags);
    if args.iter().any(|arg| arg == "alloc") {
        kubelab::find_or_build(&workspace)?.tell(&mut command);
    }
    run_through(&mut command)
}
