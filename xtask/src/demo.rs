//! `demo`: installs what the story needs, builds Ringbolt as the caller, and runs `labtests demo`.

use std::process::Command;

use crate::setup::{self, Consent, Purpose, kubelab};
use crate::workspace::{Profile, Workspace, run_through};
use crate::{Failure, Outcome};

pub(crate) fn run(args: &[String]) -> Outcome {
    let workspace = Workspace::open();
    let router = router(args)?;
    workspace.caller.require_root("demo")?;
    if !args.iter().any(|arg| arg == "--down") {
        setup::install(
            &workspace.caller,
            &[Purpose::Lab, router],
            Consent::from_args(args),
        )?;
    }
    let kubernetes = args.iter().any(|arg| arg == "--kubernetes");
    let kubelab = kubernetes.then(|| kubelab::find_or_build(&workspace));
    let kubelab = kubelab.transpose()?;
    let programs = workspace.build(&["labtests", "ringbolt"], Profile::Dev)?;
    let mut command = Command::new(&programs["labtests"]);
    command
        .arg("demo")
        .arg("--ringbolt")
        .arg(&programs["ringbolt"])
        .args(args);
    if let Some(kubelab) = kubelab {
        kubelab.tell(&mut command);
    }
    run_through(&mut command)
}

/// What the chosen router needs to be installed.
fn router(args: &[String]) -> Result<Purpose, Failure> {
    let at = args.iter().position(|arg| arg == "--router");
    let joined = args.iter().find_map(|arg| arg.strip_prefix("--router="));
    let name = joined.or_else(|| args.get(at? + 1).map(String::as_str));
    match name {
        None if at.is_none() => Ok(Purpose::Bird),
        Some("bird") => Ok(Purpose::Bird),
        Some("frr") => Ok(Purpose::Frr),
        Some("ringbolt") => Ok(Purpose::Lab),
        Some(_) | None => Err(Failure::Refused(
            "--router takes bird, frr or ringbolt".to_owned(),
        )),
    }
}
