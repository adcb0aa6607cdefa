//! `labtests demo`: a Service becomes reachable, step by step.

use std::process::ExitCode;

use anyhow::Result;

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    println!("{args:?}");
    Ok(ExitCode::SUCCESS)
}
