//! Builds the test programs of all crates as the caller and runs them as this process: under sudo, tests that
//! need a packet socket get it, and `target/` keeps its owner.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use super::tally::Tally;
use crate::workspace::Workspace;

/// Unit, property and simulation tests of every crate.
pub(super) fn run_all(workspace: &Workspace) -> Tally {
    let args = [
        "test",
        "--workspace",
        "--locked",
        "--no-run",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
    ];
    let built = workspace.artifacts(&args, |message| message["profile"]["test"] == true);
    let Ok(artifacts) = built else {
        println!("the tests do not build");
        return Tally::failed(1);
    };
    let mut sum = Tally::default();
    for artifact in artifacts {
        let name = format!("{} ({})", artifact.package, artifact.target);
        let mut command = Command::new(&artifact.program);
        command
            .current_dir(&artifact.folder)
            .env("CARGO_MANIFEST_DIR", &artifact.folder);
        let started = Instant::now();
        let tally = counted(&mut command, &name);
        if !tally.is_empty() {
            println!(
                "    {name}: {tally} ({:.1} s)",
                started.elapsed().as_secs_f64()
            );
        }
        sum += tally;
    }
    sum
}

/// Runs a program that prints `test result:` lines. Its output is shown when it fails; a program that ends
/// badly without counting a failure counts as one.
pub(super) fn counted(command: &mut Command, name: &str) -> Tally {
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(err) => {
            println!("{name} does not start: {err}");
            return Tally::failed(1);
        }
    };
    let stderr = child.stderr.take();
    let complaints = thread::spawn(move || {
        let lines = stderr
            .into_iter()
            .flat_map(|pipe| BufReader::new(pipe).lines().map_while(Result::ok));
        lines.inspect(|line| show(line)).collect::<Vec<String>>()
    });
    let mut tally = Tally::default();
    let mut output = Vec::new();
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|pipe| BufReader::new(pipe).lines())
    {
        let Ok(line) = line else { break };
        if let Some(more) = Tally::from_line(&line) {
            tally += more;
        }
        show(&line);
        output.push(line);
    }
    let good = child.wait().is_ok_and(|status| status.success());
    let complaints = complaints.join().unwrap_or_default();
    for line in output
        .iter()
        .chain(&complaints)
        .filter(|line| line.starts_with("skipped: "))
    {
        println!("SKIPPED: {}", line.trim_start_matches("skipped: "));
        tally.one_was_skipped();
    }
    if good && tally.is_good() {
        return tally;
    }
    println!("---- {name} failed; it printed:");
    output
        .iter()
        .chain(&complaints)
        .for_each(|line| println!("{line}"));
    println!("---- end of {name}");
    if tally.is_good() {
        tally += Tally::failed(1);
    }
    tally
}

/// Lab scenarios take seconds each: their progress is shown as it comes.
fn show(line: &str) {
    if let Some(progress) = line.strip_prefix("scenario ") {
        println!("    {progress}");
    }
}
