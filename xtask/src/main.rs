//! `cargo xtask VERB`: the one entry point of this repository.
//!
//! It installs what a verb needs, builds as the person who called, and runs. It knows none of our own
//! crates: labs, demo and benches live in `labtests`, resource definitions are printed by `ringbolt crds`;
//! this tool builds those programs and runs them, so it starts in the time its own few files take to compile.
//! One file per verb; `caller` and `workspace` are shared by all of them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard streams"
)]

mod bench;
mod caller;
mod crds;
mod demo;
mod fsm_table;
mod ground;
mod image;
mod lab;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask VERB [flags]

  demo [--kubernetes] [--router bird|frr|ringbolt] [--seed N] [--keep] [--down] [--yes]
            builds Ringbolt, makes a lab of network namespaces and shows a Service becoming reachable,
            step by step. --kubernetes does so with the objects in a real API server and kube-proxy on every
            node, and adds three steps. --seed draws other addresses, names, AS numbers and 2 to 6 nodes; --keep leaves
            the lab standing and says how to look around; --down removes it.            (*)
  test [--only TEXT] [--yes]
            everything CI runs: format, lints, tidy, each crate alone, tests, docs, labs; or the steps whose name
            contains TEXT.   (*)
  lab [--filter TEXT]... [--list]
            the labs alone: scenarios against real routers in network namespaces.       (*)
  bench NAME [--json FILE]
            a benchmark beside its reference daemons, in a release build. NAME: originate or alloc.  (root)
  setup [--yes]
            installs what the verbs above need (Debian packages) and stops the services that apt starts.  (root)
  setup kubelab
            finds the programs of Kubernetes (TEST_ASSET_…, KUBEBUILDER_ASSETS, cache) or builds them from
            Go modules: once, five minutes on two cores.
  crds [--check]
            writes manifests/crds from the Rust types, or only says whether it is fresh.
  fsm-table [--check]
            writes docs/fsm.md from the session's transition table, or only says whether it is fresh.
  image [--name NAME:TAG] [--out FILE] [--dev] | --check FILE
            writes an OCI image of the static program as a tar file, without a container engine; or looks whether
            one holds together and runs. --dev takes the development build.
  ground    says where labs run for this user: root, a user namespace, or loopback.
  tidy      checks the rules of the house that no compiler knows.

(*) Root installs what is missing. An ordinary user runs the labs in a user namespace, where that is allowed, with
what is installed; else demo and test show the BGP part on loopback. What is replaced is said.
--yes (or CI=true) answers the question before packages are installed.
Exit codes: 0 all is well, 1 something failed, 2 it was called wrongly or lacks a privilege.
";

/// How a verb ends other than well.
#[derive(Debug)]
enum Failure {
    /// Called wrongly, or without what it needs: one line, exit code 2.
    Refused(String),
    /// It ran and something failed: exit code 1.
    Failed(String),
    /// A program it ran has already said what is wrong; its exit code is passed on.
    Exit(u8),
}

type Outcome = Result<(), Failure>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        None => {
            print!("{HELP}");
            return ExitCode::from(2);
        }
        Some((verb, _)) if verb == "--help" || verb == "-h" || verb == "help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some((_, rest)) if rest.iter().any(|flag| flag == "--help" || flag == "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some((verb, rest)) => run(verb, rest),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
        Err(Failure::Exit(code)) => ExitCode::from(code),
    }
}

fn run(verb: &str, rest: &[String]) -> Outcome {
    match verb {
        "demo" => demo::run(rest),
        "test" => test::run(rest),
        "ground" => {
            let caller = caller::Caller::detect();
            let told = ground::Ground::find(&caller).explain(caller.standing());
            println!("{}", told.unwrap_or_else(|| caller.standing().to_string()));
            Ok(())
        }
        "lab" => lab::run(rest),
        "bench" => bench::run(rest),
        "setup" => setup::run(rest),
        "crds" => crds::run(rest),
        "image" => image::run(rest),
        "fsm-table" => fsm_table::run(rest),
        "tidy" => tidy::run(rest),
        other => Err(Failure::Refused(format!(
            "there is no verb `{other}`; `cargo xtask --help` lists them"
        ))),
    }
}
