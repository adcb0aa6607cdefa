//! The `ringbolt` command: argument parsing, one file per subcommand, output.
//!
//! Owns exit codes and the two streams. What a command does is in the crates it calls; nothing
//! here decides about addresses or routes.

mod args;
mod bgp;
mod daemon;
mod drain;
mod http;
mod logs;
mod out;
mod problems;
mod runtime;
#[cfg(test)]
mod samples;
mod source;
mod status;
mod uninstall;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use ringbolt_config::names::NameProblem;

use crate::args::{Cli, Command};
use crate::validate::Verdict;

/// Something failed, or problems were found.
const FAILED: u8 = 1;
/// Wrong usage, or something this version refuses as `NotImplemented`.
const USAGE: u8 = 2;

/// Flags that parse and still cannot be followed: exit code 2, one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "error: no source of objects: this is no pod and there is no kubeconfig; give --kubeconfig FILE, or --manifests DIR"
    )]
    NoSource,
    #[error("{line}")]
    Command { line: String },
    #[error("error: {place}: {name:?}: {error}")]
    NodeName {
        place: &'static str,
        name: String,
        error: NameProblem,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are answers, not errors.
        Err(answer) if !answer.use_stderr() => {
            out::text(&answer.render().to_string());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            out::complain(&args::usage_line(&error));
            return ExitCode::from(USAGE);
        }
    };
    match run(cli.command) {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(FAILED),
        Err(error) if error.is::<Refused>() => {
            out::complain(&format!("ringbolt: {error}"));
            ExitCode::from(USAGE)
        }
        Err(error) => {
            out::complain(&format!("ringbolt: error: {error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Controller(args) => daemon::controller(args),
        Command::Speaker(args) => daemon::speaker(args),
        Command::Validate(args) => validate::run(&args),
        Command::Status(args) => status::run(args),
        Command::Drain(args) => drain::drain(args),
        Command::Undrain(args) => drain::undrain(args),
        Command::Uninstall(args) => uninstall::run(args),
        Command::Bgp(args) => bgp::run(&args),
        Command::Crds => {
            let documents: Vec<String> = ringbolt_config::api::crd_yaml()
                .into_iter()
                .map(|(_file, yaml)| yaml)
                .collect();
            out::text(&documents.join("---\n"));
            Ok(Verdict::Good)
        }
        Command::Completion(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "ringbolt", &mut script);
            out::text(&String::from_utf8_lossy(&script));
            Ok(Verdict::Good)
        }
        Command::Other(words) => Err(Refused::Command {
            line: args::unknown_command(words.first().map_or("", String::as_str)),
        }
        .into()),
    }
}
