//! `ringbolt controller` and `ringbolt speaker`: flags to settings, signals, HTTP, exit.
//!
//! Owns the life of the process. A daemon ends only when told to (SIGTERM, SIGINT), never because
//! of an object, a peer or a port.

use std::sync::Arc;

use anyhow::{Context, Result};
use ringbolt_cluster::{Election, Role};
use ringbolt_config::NodeName;
use ringbolt_config::service::{Classes, Provider};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::args::{ClassArgs, ControllerArgs, OnTerm, SpeakerArgs};
use crate::http::{self, Shown};
use crate::problems::{self, Finding};
use crate::source::{self, Source};
use crate::validate::{Verdict, verdict};
use crate::{Refused, logs, out, runtime};

/// Runs a controller until it is told to end.
pub(crate) fn controller(args: ControllerArgs) -> Result<Verdict> {
    let ControllerArgs {
        source,
        classes,
        leader_election,
        http,
        check,
        logs,
    } = args;
    let election = if leader_election {
        Election::Lease
    } else {
        Election::Off
    };
    let source = Source::new(source, Role::Controller)?.with_election(election);
    if check {
        return self::check(source);
    }
    logs::install(&logs);
    let defaults = match source {
        Source::Directory(_) => ringbolt_controller::Settings::standalone(),
        Source::Kubernetes(_) => ringbolt_controller::Settings::default(),
    };
    let settings = ringbolt_controller::Settings {
        classes: self::classes(classes),
        ..defaults
    };
    runtime::build_daemon()?.block_on(async {
        let stop = stop_on_signals()?;
        info!(version = env!("CARGO_PKG_VERSION"), %source, "controller starting");
        let cluster = source.open();
        let mut handles = ringbolt_controller::run(settings, cluster.clone(), stop.clone());
        http::calls::register(&mut handles.metrics, &cluster);
        let shown = Shown {
            daemon: "controller",
            metrics: Arc::new(handles.metrics),
            status: handles.status,
            ready: handles.ready,
        };
        finish(handles.task, tokio::spawn(http::serve(http, shown, stop))).await
    })
}

/// Runs a speaker until it is told to end.
pub(crate) fn speaker(args: SpeakerArgs) -> Result<Verdict> {
    let SpeakerArgs {
        source,
        node_name,
        classes,
        bgp_listen,
        key_file,
        on_term,
        http,
        check,
        logs,
    } = args;
    let node = self::node_name(node_name)?;
    let source = Source::new(source, Role::Speaker)?.of_node(&node);
    if check {
        return self::check(source);
    }
    logs::install(&logs);
    let defaults = ringbolt_speaker::Settings::new(node);
    let settings = ringbolt_speaker::Settings {
        bgp_listen: bgp_listen.or(defaults.bgp_listen),
        key_file,
        state_dir: source.state_folder(),
        on_term: match on_term {
            OnTerm::Auto => ringbolt_speaker::OnTerm::Restart,
            OnTerm::Leave => ringbolt_speaker::OnTerm::Leave,
        },
        classes: self::classes(classes),
        ..defaults
    };
    runtime::build_daemon()?.block_on(async {
        let stop = stop_on_signals()?;
        info!(version = env!("CARGO_PKG_VERSION"), node = %settings.node, %source, "speaker starting");
        let cluster = source.open();
        let mut handles = ringbolt_speaker::run(settings, cluster.clone(), stop.clone());
        http::calls::register(&mut handles.metrics, &cluster);
        let shown = Shown {
            daemon: "speaker",
            metrics: Arc::new(handles.metrics),
            status: handles.status,
            ready: handles.ready,
        };
        finish(handles.task, tokio::spawn(http::serve(http, shown, stop))).await
    })
}

/// The flags of both daemons that say which Services are ours.
fn classes(args: ClassArgs) -> Classes {
    let ClassArgs {
        default_provider,
        named,
    } = args;
    let provider = if default_provider {
        Provider::Default
    } else {
        Provider::ClassedOnly
    };
    Classes {
        provider,
        named: named.into_iter().collect(),
    }
}

fn node_name(given: Option<String>) -> Result<NodeName> {
    let name = match given {
        Some(name) => name,
        None => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .context("--node-name is not given and the host's name cannot be read")?
            .trim()
            .to_lowercase(),
    };
    Ok(parse_node("--node-name", name)?)
}

/// The name of a Node, as given in a flag or as an argument.
pub(crate) fn parse_node(place: &'static str, name: String) -> Result<NodeName, Refused> {
    name.parse()
        .map_err(|error| Refused::NodeName { place, name, error })
}

/// `--check`: everything once, the problems, and a verdict.
fn check(source: Source) -> Result<Verdict> {
    let source = source.for_reader();
    let listing = runtime::build()?.block_on(async { source::read(&source.open()).await })?;
    let findings = problems::find(&listing, &str::to_owned);
    let mut lines: Vec<String> = findings.iter().map(Finding::text).collect();
    lines.push(problems::summary(&listing, &findings));
    out::text(&lines.join("\n"));
    Ok(verdict(&findings))
}

/// Cancelled by the first SIGTERM or SIGINT; later ones change nothing, because leaving well is
/// bounded by itself and SIGKILL is there for the impatient.
fn stop_on_signals() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM: leaving"),
            _ = interrupt.recv() => info!("SIGINT: leaving"),
        }
        told.cancel();
    });
    Ok(stop)
}

/// Waits for the daemon, then for its HTTP server, which ends with the same token.
async fn finish(task: JoinHandle<()>, server: JoinHandle<()>) -> Result<Verdict> {
    task.await.context("the daemon's task failed")?;
    server.abort();
    info!("ended");
    Ok(Verdict::Good)
}
