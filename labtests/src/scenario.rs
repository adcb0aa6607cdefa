//! The scenarios: each builds a lab, does something to it and looks from the other side. One file for each topic.
//!
//! Prints a line for every scenario and at the end a result line in the form of Rust's own test programs.

mod announcing;
mod bfd;
mod interoperation;
mod kubernetes;
mod lab_itself;
mod operations;
mod privileges;
mod restarting;
mod runner;
mod segment;
mod standalone;
mod tale;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::diag;
use crate::kubelab::{Assets, KubeLab};
use crate::netns;
use crate::node::Ringbolt;
use crate::place::Ground;
use crate::plan::Plan;
use crate::process::NotHere;
use crate::rack::Rack;
use crate::router::{Router, RouterKind};
use crate::story::{Story, require_router, start_router};
use runner::{End, Runner};

/// One test in a lab. Its name is a sentence.
pub(crate) struct Scenario {
    name: &'static str,
    run: fn(&Ringbolt) -> Result<()>,
}

/// One test on a real control plane. The name begins with `kubernetes: `.
pub(crate) struct KubeScenario {
    name: &'static str,
    run: fn(&KubeLab) -> Result<()>,
}

/// A scenario and what it needs.
#[derive(Clone, Copy)]
enum Kind {
    Namespaces(&'static Scenario),
    Kubernetes(&'static KubeScenario),
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Namespaces(scenario) => scenario.name,
            Self::Kubernetes(scenario) => scenario.name,
        }
    }

    fn run(self, ringbolt: &Ringbolt, kubelab: Option<&KubeLab>) -> Result<()> {
        match self {
            Self::Namespaces(scenario) => (scenario.run)(ringbolt),
            Self::Kubernetes(scenario) => {
                (scenario.run)(kubelab.context("it needs the programs of Kubernetes")?)
            }
        }
    }
}

/// The scenarios by how they can be run.
struct Lists {
    /// One after the other, with the machine to themselves: they measure time.
    alone: Vec<Kind>,
    /// One after the other, beside others.
    sharing: Vec<Kind>,
    /// Beside any other.
    apart: Vec<Kind>,
}

impl Lists {
    fn chosen(flags: &Flags) -> Self {
        let namespaces = [
            lab_itself::SCENARIOS,
            announcing::SCENARIOS,
            restarting::SCENARIOS,
            interoperation::SCENARIOS,
            segment::SCENARIOS,
            bfd::SCENARIOS,
            operations::SCENARIOS,
            privileges::SCENARIOS,
            standalone::SCENARIOS,
            tale::SCENARIOS,
        ];
        let want = |kind: &Kind| flags.want(kind.name());
        let kubernetes = |lists: &[&'static [KubeScenario]]| -> Vec<Kind> {
            let all = lists.iter().copied().flatten().map(Kind::Kubernetes);
            all.filter(want).collect()
        };
        let namespaces = namespaces.into_iter().flatten().map(Kind::Namespaces);
        let mut alone: Vec<Kind> = namespaces.filter(want).collect();
        alone.extend(kubernetes(&[
            lab_itself::ON_KUBERNETES,
            tale::ON_KUBERNETES,
        ]));
        Self {
            alone,
            sharing: kubernetes(kubernetes::SHARING),
            apart: kubernetes(kubernetes::APART),
        }
    }

    fn all(&self) -> impl Iterator<Item = Kind> {
        let all = self.alone.iter().chain(&self.sharing).chain(&self.apart);
        all.copied()
    }
}

/// `labtests run`.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let flags = Flags::parse(args)?;
    let lists = Lists::chosen(&flags);
    if flags.list {
        lists
            .all()
            .for_each(|scenario| println!("{}", scenario.name()));
        return Ok(ExitCode::SUCCESS);
    }
    let ringbolt = Ringbolt::at(flags.ringbolt.context("--ringbolt PROGRAM is needed")?)?;
    let kubelab = flags.kubelab.map(Assets::at).transpose()?;
    let kubelab = kubelab.map(|assets| KubeLab::new(ringbolt.clone(), assets));
    netns::catch_interrupts();
    let started = Instant::now();
    let ended = Runner::new(&ringbolt, kubelab.as_ref()).run(&lists)?;
    let count = |wanted| ended.iter().filter(|end| **end == wanted).count();
    let (passed, failed) = (count(End::Passed), count(End::Failed));
    let skipped = count(End::Skipped);
    if let (Some(kubelab), 0) = (kubelab, failed) {
        kubelab.succeeded();
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; finished in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What `run` was given.
#[derive(Debug, Default)]
struct Flags {
    /// None are all.
    filters: Vec<String>,
    list: bool,
    ringbolt: Option<PathBuf>,
    kubelab: Option<PathBuf>,
}

impl Flags {
    fn parse(args: &[String]) -> Result<Self> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--list" => flags.list = true,
                "--filter" => {
                    let text = args.next().context("--filter needs a text")?;
                    flags.filters.push(text.clone());
                }
                "--ringbolt" => {
                    flags.ringbolt =
                        Some(args.next().context("--ringbolt needs a program")?.into());
                }
                "--kubelab" => {
                    flags.kubelab = Some(args.next().context("--kubelab needs a folder")?.into());
                }
                other => bail!("run does not know `{other}`"),
            }
        }
        Ok(flags)
    }

    /// Whether a name has one of the filters in it.
    fn want(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|text| name.contains(text))
    }
}

/// Whether a scenario has ended because this machine or this person lacks something.
fn is_not_here(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<NotHere>())
}

/// Builds a rack, starts a router in it and runs `body`. When that fails, everything that can explain it is
/// collected before the lab goes.
pub(crate) fn with_rack(
    ground: &Ground,
    name: &str,
    plan: Plan,
    kind: RouterKind,
    ringbolt: &Ringbolt,
    body: impl FnOnce(&mut Rack, &mut dyn Router) -> Result<()>,
) -> Result<()> {
    require_router(kind)?;
    let mut rack = Rack::build(ground, name, plan, ringbolt.clone())?;
    let mut router = start_router(&rack, kind)?;
    let outcome = body(&mut rack, router.as_mut());
    match outcome {
        Ok(()) => {
            drop(router);
            rack.lab.succeeded();
            Ok(())
        }
        Err(error) => {
            let folder = diag::collect(&rack, Some(router.as_ref()));
            Err(error.context(format!("logs and state: {}", folder.display())))
        }
    }
}

/// Builds a rack with everything running in it, on a directory, and runs `body`.
pub(crate) fn with_story(
    name: &str,
    plan: Plan,
    kind: RouterKind,
    ringbolt: &Ringbolt,
    body: impl FnOnce(&mut Story) -> Result<()>,
) -> Result<()> {
    with_story_on(&Ground::Directory, name, plan, kind, ringbolt, body)
}

/// As [`with_story`], on any ground.
pub(crate) fn with_story_on(
    ground: &Ground,
    name: &str,
    plan: Plan,
    kind: RouterKind,
    ringbolt: &Ringbolt,
    body: impl FnOnce(&mut Story) -> Result<()>,
) -> Result<()> {
    require_router(kind)?;
    let mut story = Story::begin(ground, name, plan, kind, ringbolt.clone())?;
    match body(&mut story).and_then(|()| story.check_alive()) {
        Ok(()) => {
            story.rack.succeeded();
            Ok(())
        }
        Err(error) if is_not_here(&error) => {
            story.rack.succeeded();
            Err(error)
        }
        Err(error) => {
            let folder = diag::collect(&story.rack, Some(story.router.as_ref()));
            Err(error.context(format!("logs and state: {}", folder.display())))
        }
    }
}
