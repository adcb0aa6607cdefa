//! The scenarios: each builds a lab, does something to it and looks from the other side. One file for each topic.
//!
//! Prints a line for every scenario and at the end a result line in the form of Rust's own test programs.

mod announcing;
mod lab_itself;
mod operations;
mod segment;
mod standalone;
mod tale;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use crate::diag;
use crate::netns;
use crate::node::Ringbolt;
use crate::plan::Plan;
use crate::rack::Rack;
use crate::router::{Router, RouterKind};
use crate::story::{Story, start_router};

/// One test in a lab. Its name is a sentence.
pub(crate) struct Scenario {
    name: &'static str,
    run: fn(&Ringbolt) -> Result<()>,
}

fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        lab_itself::SCENARIOS,
        announcing::SCENARIOS,
        segment::SCENARIOS,
        operations::SCENARIOS,
        standalone::SCENARIOS,
        tale::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}

/// `labtests run`.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let flags = Flags::parse(args)?;
    let chosen: Vec<&Scenario> = all()
        .filter(|scenario| scenario.name.contains(&flags.filter))
        .collect();
    if flags.list {
        chosen
            .iter()
            .for_each(|scenario| println!("{}", scenario.name));
        return Ok(ExitCode::SUCCESS);
    }
    let ringbolt = Ringbolt::at(flags.ringbolt.context("--ringbolt PROGRAM is needed")?)?;
    netns::catch_interrupts();
    let mut failed = Vec::new();
    let started = Instant::now();
    for scenario in &chosen {
        crate::lab::check_interrupted()?;
        let began = Instant::now();
        println!("scenario {} …", scenario.name);
        let outcome = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&ringbolt)));
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("it panicked; see above")));
        let took = began.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("scenario {} ok ({took:.1} s)", scenario.name),
            Err(error) => {
                println!("scenario {} FAILED ({took:.1} s): {error:#}", scenario.name);
                failed.push(scenario.name);
            }
        }
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    let passed = chosen.len() - failed.len();
    println!(
        "test result: {verdict}. {passed} passed; {} failed; 0 ignored; finished in {:.0} s",
        failed.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What `run` was given.
#[derive(Debug, Default)]
struct Flags {
    filter: String,
    list: bool,
    ringbolt: Option<PathBuf>,
}

impl Flags {
    fn parse(args: &[String]) -> Result<Self> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--list" => flags.list = true,
                "--filter" => flags.filter = args.next().context("--filter needs a text")?.clone(),
                "--ringbolt" => {
                    flags.ringbolt =
                        Some(args.next().context("--ringbolt needs a program")?.into());
                }
                other => bail!("run does not know `{other}`"),
            }
        }
        Ok(flags)
    }
}

/// Builds a rack, starts a router in it and runs `body`. When that fails, everything that can explain it is
/// collected before the lab goes.
pub(crate) fn with_rack(
    name: &str,
    plan: Plan,
    kind: RouterKind,
    ringbolt: &Ringbolt,
    body: impl FnOnce(&mut Rack, &mut dyn Router) -> Result<()>,
) -> Result<()> {
    let mut rack = Rack::build(name, plan, ringbolt.clone())?;
    let mut router = start_router(&rack, kind)?;
    let outcome = body(&mut rack, router.as_mut());
    match outcome {
        Ok(()) => {
            drop(router);
            rack.lab.succeeded();
            Ok(())
        }
        Err(error) => {
            let folder = diag::collect(&rack.lab, Some(router.as_ref()));
            Err(error.context(format!("logs and state: {}", folder.display())))
        }
    }
}

/// Builds a rack with everything running in it, and runs `body`.
pub(crate) fn with_story(
    name: &str,
    plan: Plan,
    kind: RouterKind,
    ringbolt: &Ringbolt,
    body: impl FnOnce(&mut Story) -> Result<()>,
) -> Result<()> {
    let mut story = Story::begin(name, plan, kind, ringbolt.clone())?;
    match body(&mut story).and_then(|()| story.check_alive()) {
        Ok(()) => {
            story.rack.lab.succeeded();
            Ok(())
        }
        Err(error) => {
            let folder = diag::collect(&story.rack.lab, Some(story.router.as_ref()));
            Err(error.context(format!("logs and state: {}", folder.display())))
        }
    }
}
