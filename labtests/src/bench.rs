//! Benchmarks: Ringbolt beside the daemons it is compared with, in the same run, taking turns.
//!
//! A case is measured in rounds; the best round of each daemon counts, so that a busy moment of the machine costs
//! nobody the comparison. The load generator and its share of the processor are the same for all.

mod alloc;
mod daemon;
mod originate;
mod report;
mod singles;
mod sink;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::kubelab::Assets;
use crate::netns;
use crate::node::Ringbolt;

/// What `bench` was given.
#[derive(Debug)]
struct Flags {
    name: String,
    ringbolt: PathBuf,
    json: Option<PathBuf>,
    rounds: usize,
    kubelab: Option<PathBuf>,
    /// Another controller to measure beside ours.
    other: Option<PathBuf>,
}

impl Flags {
    fn parse(args: &[String]) -> Result<Self> {
        let (mut name, mut ringbolt, mut json, mut rounds) = (None, None, None, 3);
        let (mut kubelab, mut other) = (None, None);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--ringbolt" => ringbolt = args.next().map(PathBuf::from),
                "--json" => json = Some(args.next().context("--json needs a file")?.into()),
                "--kubelab" => {
                    kubelab = Some(args.next().context("--kubelab needs a folder")?.into());
                }
                "--other" => {
                    other = Some(args.next().context("--other needs a program")?.into());
                }
                "--rounds" => {
                    let text = args.next().and_then(|text| text.parse().ok());
                    rounds = text.context("--rounds needs a number")?;
                }
                flag if flag.starts_with('-') => bail!("bench does not know `{flag}`"),
                other => name = Some(other.to_owned()),
            }
        }
        Ok(Self {
            name: name.context("bench needs a name: originate or alloc")?,
            ringbolt: ringbolt.context("--ringbolt PROGRAM is needed")?,
            json,
            rounds,
            kubelab,
            other,
        })
    }
}

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let flags = Flags::parse(args)?;
    netns::catch_interrupts();
    let told = match flags.name.as_str() {
        "originate" => report::Told {
            lines: originate::run(&Ringbolt::at(flags.ringbolt)?, flags.rounds)?,
            missing: 0,
        },
        "alloc" => {
            let kubelab = flags.kubelab.context("--kubelab FOLDER is needed")?;
            let ringbolt = Ringbolt::at(flags.ringbolt)?;
            let assets = Assets::at(kubelab)?;
            alloc::run(&ringbolt, &assets, flags.rounds, flags.other.as_deref())?
        }
        other => bail!("there is no bench `{other}`; there are originate and alloc"),
    };
    report::print(&told.lines);
    if let Some(file) = flags.json {
        report::write(&file, &told.lines)?;
    }
    if told.missing > 0 {
        println!("{} cases were not measured", told.missing);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
