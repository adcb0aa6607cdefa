//! `labtests demo`: a Service becomes reachable, end to end, told in sixteen steps; with `--kubernetes` the same on a
//! real control plane, and three more.
//!
//! Every step looks from the other side and prints what it saw there: the router's table, the client's answer,
//! the wire. The table of steps is in `steps`; what they do is in `announced` (BGP), `segment` (layer 2), `change`
//! (moving, deleting, breaking, restarting) and `cluster` (what only a cluster has).

mod announced;
mod change;
mod cluster;
mod loopback;
pub(crate) mod segment;
pub(crate) mod steps;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::kubelab::{Assets, Lifetime};
use crate::lab::{Leftovers, kept_mark, sweep};
use crate::node::Ringbolt;
use crate::place::Ground;
use crate::plan::Plan;
use crate::progress::say;
use crate::router::RouterKind;
use crate::story::Story;
use crate::{diag, netns};
use steps::{Verdict, steps_of};

/// What `demo` was given.
#[derive(Debug)]
struct Flags {
    ringbolt: Option<PathBuf>,
    router: RouterKind,
    seed: Option<u64>,
    kubernetes: bool,
    loopback: bool,
    kubelab: Option<PathBuf>,
    keep: bool,
    down: bool,
}

impl Flags {
    fn parse(args: &[String]) -> Result<Self> {
        let mut flags = Self {
            ringbolt: None,
            router: RouterKind::Bird,
            seed: None,
            kubernetes: false,
            loopback: false,
            kubelab: None,
            keep: false,
            down: false,
        };
        let spread = args.iter().flat_map(|arg| match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => vec![flag, value],
            Some(_) | None => vec![arg.as_str()],
        });
        let mut args = spread;
        while let Some(arg) = args.next() {
            match arg {
                "--ringbolt" => {
                    flags.ringbolt =
                        Some(args.next().context("--ringbolt needs a program")?.into());
                }
                "--router" => flags.router = RouterKind::parse(args.next().unwrap_or_default())?,
                "--seed" => {
                    let seed = args.next().and_then(|text| text.parse().ok());
                    flags.seed = Some(seed.context("--seed needs a number")?);
                }
                "--kubernetes" => flags.kubernetes = true,
                "--loopback" => flags.loopback = true,
                "--kubelab" => {
                    flags.kubelab = Some(args.next().context("--kubelab needs a folder")?.into());
                }
                "--keep" => flags.keep = true,
                "--down" => flags.down = true,
                // Consent to install; there is nothing left to install here.
                "--yes" => {}
                other => bail!(
                    "there is no flag `{other}`; it takes --kubernetes, --loopback, --router, --seed, --keep, --down, --yes"
                ),
            }
        }
        Ok(flags)
    }

    /// What the lab is built on.
    fn ground(&self) -> Result<Ground> {
        if !self.kubernetes {
            return Ok(Ground::Directory);
        }
        let folder = self.kubelab.clone();
        let assets = Assets::at(folder.context("--kubernetes needs --kubelab FOLDER")?)?;
        let lifetime = if self.keep {
            Lifetime::MayStay
        } else {
            Lifetime::OfThisProcess
        };
        Ok(Ground::Kubernetes(assets, lifetime))
    }
}

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let flags = match Flags::parse(args) {
        Ok(flags) => flags,
        Err(error) => {
            eprintln!("demo: {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    if flags.down {
        let removed = sweep(Leftovers::AllIdle)?;
        println!("demo: removed {removed} namespaces");
        return Ok(ExitCode::SUCCESS);
    }
    let ringbolt = Ringbolt::at(
        flags
            .ringbolt
            .clone()
            .context("--ringbolt PROGRAM is needed")?,
    )?;
    netns::catch_interrupts();
    if flags.loopback {
        return loopback::run(ringbolt, flags.router);
    }
    let started = Instant::now();
    let plan = Plan::draw(flags.seed);
    println!(
        "demo: {}, {} as the router, {} nodes",
        ringbolt.version()?,
        flags.router,
        plan.nodes.len()
    );
    let mut story = Story::begin(&flags.ground()?, "demo", plan, flags.router, ringbolt)?;
    println!(
        "demo: the lab stands ({:.1} s)",
        started.elapsed().as_secs_f64()
    );
    let steps = steps_of(&story);
    let mut replaced = Vec::new();
    for (number, step) in (1..).zip(&steps) {
        let began = Instant::now();
        say(&format!("{number:2}. {}", step.title));
        let outcome =
            (step.run)(&mut story).and_then(|verdict| story.check_alive().map(|()| verdict));
        let took = began.elapsed().as_secs_f64();
        match outcome {
            Ok(verdict) => {
                verdict
                    .evidence()
                    .iter()
                    .flat_map(|text| text.lines())
                    .for_each(|line| say(&format!("      {line}")));
                match verdict {
                    Verdict::Verified(_) => println!("    verified in {took:.1} s"),
                    Verdict::Replaced { by, .. } => {
                        println!("    replaced in {took:.1} s: this router forwards nothing; {by}");
                        replaced.push(format!("{number} ({})", step.name));
                    }
                }
            }
            Err(error) => {
                let folder = diag::collect(&story.rack, Some(story.router.as_ref()));
                println!("    FAILED after {took:.1} s: {error:#}");
                println!(
                    "demo: step {number} failed; logs and state: {}",
                    folder.display()
                );
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    println!("demo: took {:.0} s", started.elapsed().as_secs_f64());
    finish(story, steps.len(), &replaced, flags.keep)
}

/// Keeps or removes the lab, and says the last line.
fn finish(mut story: Story, steps: usize, replaced: &[String], keep: bool) -> Result<ExitCode> {
    if keep {
        fs::write(kept_mark(std::process::id()), "")?;
        story.rack.keep();
        story.print_tour()?;
    } else {
        story.rack.succeeded();
    }
    drop(story);
    if replaced.is_empty() {
        println!("demo: {steps} of {steps} steps verified");
    } else {
        let verified = steps - replaced.len();
        let names = replaced.join(", ");
        println!(
            "demo: {verified} of {verified} steps verified, {} replaced: {names}",
            replaced.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}
