//! `demo`: installs what the story needs, builds Ringbolt as the caller, and runs `labtests demo`.

use crate::ground::Ground;
use crate::setup::{self, Consent, Purpose, kubelab};
use crate::workspace::{Profile, Workspace, run_through};
use crate::{Failure, Outcome};

pub(crate) fn run(args: &[String]) -> Outcome {
    let workspace = Workspace::open();
    let router = router(args)?;
    let ground = Ground::find(&workspace.caller);
    let kubernetes = args.iter().any(|arg| arg == "--kubernetes");
    if kubernetes && matches!(ground, Ground::Loopback(_)) {
        workspace.caller.require_root("demo --kubernetes")?;
    }
    let down = args.iter().any(|arg| arg == "--down");
    let mut more = Vec::new();
    match &ground {
        Ground::Root if down => {}
        Ground::Root => setup::install(
            &workspace.caller,
            &[Purpose::Lab, router],
            Consent::from_args(args),
        )?,
        Ground::UserNamespace | Ground::Loopback(_) => {
            let told = ground.explain(workspace.caller.standing());
            told.iter().for_each(|told| println!("demo: {told}"));
            if let Some((router, why)) = replaced(&ground, router, setup::is_installed) {
                println!("demo: {why}; {router} is the router");
                more.extend(["--router", router]);
            }
            if args.iter().any(|arg| arg == "--keep" || arg == "--down") {
                return Err(Failure::Refused(
                    "--keep and --down need root: what an ordinary user's demo makes ends with it"
                        .to_owned(),
                ));
            }
            if matches!(ground, Ground::Loopback(_)) {
                more.push("--loopback");
            }
        }
    }
    let kubelab = kubernetes.then(|| kubelab::find_or_build(&workspace));
    let kubelab = kubelab.transpose()?;
    let programs = workspace.build(&["labtests", "ringbolt"], Profile::Dev)?;
    let ringbolt = programs["ringbolt"].display().to_string();
    let words = ["demo", "--ringbolt", &ringbolt].into_iter();
    let words = words.chain(args.iter().map(String::as_str)).chain(more);
    let mut command = ground.command(&programs["labtests"], words);
    if let Some(kubelab) = kubelab {
        kubelab.tell(&mut command);
    }
    run_through(&mut command)
}

/// The router that takes the place of one that an ordinary user cannot have, and why.
fn replaced(
    ground: &Ground,
    router: Purpose,
    is_installed: impl Fn(&str) -> bool,
) -> Option<(&'static str, &'static str)> {
    let bird = || is_installed("bird") && is_installed("birdc");
    let other = || if bird() { "bird" } else { "ringbolt" };
    match (ground, router) {
        (Ground::UserNamespace, Purpose::Frr) => Some((
            other(),
            "FRR needs users of its own, and a user namespace has one user only",
        )),
        (Ground::Loopback(_), Purpose::Frr) => {
            Some((other(), "FRR needs root and a network of its own"))
        }
        (Ground::UserNamespace | Ground::Loopback(_), Purpose::Bird) if !bird() => {
            Some(("ringbolt", "BIRD is not installed"))
        }
        _ => None,
    }
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
