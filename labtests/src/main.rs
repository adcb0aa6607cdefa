//! Labs in network namespaces: the demo, the scenarios, the benches.
//!
//! `netns`, `process`, `lab`, `folder`, `wait` and `progress` make a lab that cleans up after itself. `plan` and `rack` are the network
//! of the story. `bird`, `frr` and `router` are routers that tell what they know; `pod`, `proxy` and `client` are
//! what a cluster has around Ringbolt; `frames` and `capture` look at the wire. `demo` tells the story, `scenario`
//! holds the tests, `interop` the daemons of others, `bench` the measurements. What is verified here is read from the other side: the router's
//! table, the client's answer, the decoder's opinion.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard streams"
)]

mod bench;
mod bird;
mod capture;
mod client;
mod demo;
mod diag;
mod folder;
mod frames;
mod frr;
mod interop;
mod kubelab;
mod lab;
mod manifests;
mod netns;
mod node;
mod place;
mod plan;
mod pod;
mod process;
mod progress;
mod proxy;
mod rack;
mod router;
mod scenario;
mod story;
mod twin;
mod wait;

use std::process::ExitCode;

const HELP: &str = "\
labtests VERB [flags]        (root; `cargo xtask` builds and calls it)

  demo --ringbolt PROGRAM [--router bird|frr|ringbolt] [--seed N] [--loopback] [--keep] [--down]
  run  --ringbolt PROGRAM [--kubelab FOLDER] [--filter TEXT]... [--list]
  bench NAME --ringbolt PROGRAM [--json FILE] [--rounds N]
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((verb, rest)) = args.split_first() else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let outcome = match verb.as_str() {
        "demo" => demo::run(rest),
        "run" => scenario::run(rest),
        "bench" => bench::run(rest),
        "pod" => pod::serve(rest).map(|()| ExitCode::SUCCESS),
        "proxy" => proxy::follow(rest).map(|()| ExitCode::SUCCESS),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("{verb}: {error:#}");
        ExitCode::FAILURE
    })
}
