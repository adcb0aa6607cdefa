//! `test`: everything CI runs, in the order that finds the cheap mistakes first.
//!
//! A step that fails does not stop the others. Every step, every test and every lab scenario is counted, and
//! the last line is the sum. What cannot run here is a loud, counted skip.

mod programs;
mod tally;
mod user;

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::ground::Ground;
use crate::setup::{self, Consent, Purpose};
use crate::workspace::{Profile, Workspace};
use crate::{Failure, Outcome, lab};
use tally::Tally;

pub(crate) fn run(args: &[String]) -> Outcome {
    let only = only(args)?;
    let workspace = Workspace::open();
    let mut run = Run {
        workspace,
        started: Instant::now(),
        total: Tally::default(),
        only,
        left_out: 0,
    };
    if run.workspace.caller.is_root() {
        setup::install(
            &run.workspace.caller,
            Purpose::TESTS,
            Consent::from_args(args),
        )?;
    }
    run.cargo_step("format", &["fmt", "--all", "--check"]);
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    run.cargo_step("lints", &clippy);
    run.step("tidy", |_| match crate::tidy::run(&[]) {
        Ok(()) => Tally::passed(1),
        Err(failure) => {
            println!("{failure:?}");
            Tally::failed(1)
        }
    });
    for package in run.packages()? {
        run.cargo_step(
            &format!("alone: {package}"),
            &["check", "--locked", "-p", &package],
        );
    }
    run.step("tests", programs::run_all);
    run.step("doc tests", |workspace| {
        let mut command = workspace.cargo(["test", "--workspace", "--locked", "--doc", "--quiet"]);
        programs::counted(&mut command, "doc tests")
    });
    run.docs();
    run.step("image", |workspace| {
        match crate::image::try_out(workspace) {
            Ok(()) => Tally::passed(1),
            Err(failure) => {
                println!("{failure:?}");
                Tally::failed(1)
            }
        }
    });
    run.labs();
    if run.workspace.caller.is_root() {
        run.step("ordinary user", user::run);
    }
    println!();
    if run.left_out > 0 {
        println!("{} steps were not asked for", run.left_out);
    }
    println!("everything took {} s", run.started.elapsed().as_secs());
    println!("{}", run.total);
    if run.total.is_good() {
        Ok(())
    } else {
        Err(Failure::Exit(1))
    }
}

/// The text of `--only`; without one, every step is meant.
fn only(args: &[String]) -> Result<String, Failure> {
    let mut only = String::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--yes" => {}
            "--only" => {
                let text = args.next().cloned();
                only = text.ok_or_else(|| Failure::Refused("--only needs a text".to_owned()))?;
            }
            unknown => {
                return Err(Failure::Refused(format!(
                    "`test` does not know `{unknown}`; it takes --only TEXT and --yes"
                )));
            }
        }
    }
    Ok(only)
}

/// The steps so far.
struct Run {
    workspace: Workspace,
    started: Instant,
    total: Tally,
    /// What the names of the wanted steps have in them.
    only: String,
    left_out: usize,
}

impl Run {
    /// Runs one step and says how it went and how long it took.
    fn step(&mut self, name: &str, body: impl FnOnce(&Workspace) -> Tally) {
        if !name.contains(&self.only) {
            self.left_out += 1;
            return;
        }
        let at = self.started.elapsed().as_secs();
        println!("[{at:4} s] {name} …");
        let started = Instant::now();
        let tally = body(&self.workspace);
        let verdict = if tally.is_good() { "ok" } else { "FAILED" };
        let took = started.elapsed().as_secs_f64();
        println!("[{at:4} s] {name}: {verdict}, {tally} ({took:.1} s)");
        self.total += tally;
    }

    /// A step that is one cargo command and counts as one.
    fn cargo_step(&mut self, name: &str, args: &[&str]) {
        self.step(name, |workspace| one(&mut workspace.cargo(args)));
    }

    fn packages(&self) -> Result<Vec<String>, Failure> {
        let metadata = self.workspace.metadata()?;
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let ours = packages.filter(|package| package["source"].is_null());
        Ok(ours
            .filter_map(|package| package["name"].as_str().map(str::to_owned))
            .collect())
    }

    fn docs(&mut self) {
        self.step("docs", |workspace| {
            let mut command =
                workspace.cargo(["doc", "--workspace", "--no-deps", "--locked", "--quiet"]);
            one(command.env("RUSTDOCFLAGS", "-D warnings"))
        });
    }

    /// Scenarios in network namespaces, or what of them this user may run.
    fn labs(&mut self) {
        let ground = Ground::find(&self.workspace.caller);
        self.step("labs", |workspace| {
            let Ok(programs) = workspace.build(&["labtests", "ringbolt"], Profile::Dev) else {
                return Tally::failed(1);
            };
            let told = ground.explain(workspace.caller.standing());
            told.iter().for_each(|told| println!("{told}"));
            let (labtests, ringbolt) = (&programs["labtests"], programs["ringbolt"].display());
            let words = [
                "run".to_owned(),
                "--ringbolt".to_owned(),
                ringbolt.to_string(),
            ];
            let mut command = ground.command(labtests, &words);
            if !matches!(ground, Ground::Loopback(_)) {
                lab::tell_kubelab(workspace, &mut command);
                return programs::counted(&mut command, "labs");
            }
            let count = lab::names(&command).len().max(1);
            println!("SKIPPED: {count} lab scenarios need network namespaces");
            let mut tally = Tally::skipped(u64::try_from(count).unwrap_or(u64::MAX));
            let demo = ["demo", "--loopback", "--ringbolt", &words[2]];
            tally += one(&mut ground.command(labtests, demo));
            tally
        });
    }
}

/// Runs a command that is one check: it passes or it fails.
fn one(command: &mut Command) -> Tally {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Tally::passed(1),
        Ok(_) => Tally::failed(1),
        Err(err) => {
            println!(
                "{} does not start: {err}",
                command.get_program().to_string_lossy()
            );
            Tally::failed(1)
        }
    }
}
