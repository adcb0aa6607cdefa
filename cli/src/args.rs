//! The command line as typed. Owns flags, their environment variables and their help; what they
//! mean is decided where each command turns them into settings.

use std::net::{AddrParseError, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use ringbolt_config::service::DEFAULT_CLASS;

use crate::bgp::flags::BgpArgs;
use crate::logs::LogArgs;

/// Port of the speaker's HTTP face (contract 6).
const SPEAKER_HTTP: &str = "127.0.0.1:9641";
/// Port of the controller's HTTP face (contract 6).
const CONTROLLER_HTTP: &str = "127.0.0.1:9642";

/// What the command is for.
const ABOUT: &str =
    "LoadBalancer addresses for Kubernetes Services, announced by BGP, ARP and NDP.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "ringbolt",
    version,
    about = ABOUT,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed, or problems found; 2 wrong usage, or not implemented in this version."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give LoadBalancer Services addresses from the pools
    Controller(ControllerArgs),
    /// Announce this node's share of Services and prefixes by BGP and by ARP/NDP
    Speaker(SpeakerArgs),
    /// Show services, pools, peers and nodes, with the reason where something is not announced
    Status(StatusArgs),
    /// Check manifests without a cluster: every problem with object and field
    Validate(ValidateArgs),
    /// Leave a node gracefully: what it announces moves to others, and it takes nothing until undrained
    Drain(DrainArgs),
    /// Use a drained node again
    Undrain(UndrainArgs),
    /// Leave a cluster clean: take Ringbolt's finalizers, and if asked its addresses, from all objects
    Uninstall(UninstallArgs),
    /// Tools for the protocol itself: decode messages
    Bgp(BgpArgs),
    /// Print the CustomResourceDefinitions
    Crds,
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Commands of later versions, refused by name
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// Where objects come from. Exactly one source is in use; without a flag, the cluster that kubectl
/// would ask, or that of the pod.
#[derive(Debug, Default, Args)]
pub(crate) struct SourceArgs {
    /// Standalone: read objects from the manifests (*.yaml, *.yml, *.json) in this directory
    #[arg(
        long,
        value_name = "DIR",
        env = "RINGBOLT_MANIFESTS",
        conflicts_with_all = ["kubeconfig", "context", "namespace"]
    )]
    pub(crate) manifests: Option<PathBuf>,
    /// Where Ringbolt keeps what must outlive it [default: DIR/.ringbolt with --manifests DIR, else nowhere]
    #[arg(long, value_name = "DIR", env = "RINGBOLT_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Kubernetes: the kubeconfig to use [default: the pod's service account, $KUBECONFIG, ~/.kube/config]
    #[arg(long, value_name = "FILE", env = "RINGBOLT_KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Kubernetes: the context of the kubeconfig to use [default: its current one]
    #[arg(long, value_name = "NAME", env = "RINGBOLT_CONTEXT")]
    pub(crate) context: Option<String>,
    /// Kubernetes: Ringbolt's own namespace [default: that of the pod, else ringbolt-system]
    #[arg(long, value_name = "NAMESPACE", env = "RINGBOLT_NAMESPACE")]
    pub(crate) namespace: Option<String>,
}

/// Which Services are ours: controller and speakers must be told the same.
#[derive(Debug, Args)]
pub(crate) struct ClassArgs {
    /// Serve Services without a loadBalancerClass
    #[arg(
        long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
        action = clap::ArgAction::Set, env = "RINGBOLT_DEFAULT_PROVIDER"
    )]
    pub(crate) default_provider: bool,
    /// A loadBalancerClass to serve; may be given several times
    #[arg(
        long = "load-balancer-class",
        value_name = "CLASS",
        default_value = DEFAULT_CLASS,
        value_delimiter = ',',
        env = "RINGBOLT_LOAD_BALANCER_CLASS"
    )]
    pub(crate) named: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ControllerArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) classes: ClassArgs,
    /// Kubernetes: take turns with other controllers by a Lease; without, all of them work, and nothing is
    /// given twice all the same
    #[arg(
        long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
        action = clap::ArgAction::Set, env = "RINGBOLT_LEADER_ELECTION"
    )]
    pub(crate) leader_election: bool,
    /// Address of /livez, /readyz, /metrics and /status
    #[arg(long, value_name = "ADDR:PORT", default_value = CONTROLLER_HTTP, env = "RINGBOLT_HTTP", value_parser = parse_listen)]
    pub(crate) http: SocketAddr,
    /// Read everything once, print the problems, and exit
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SpeakerArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Name of this node, as in its Node object [default: the host's name]
    #[arg(long, value_name = "NAME", env = "RINGBOLT_NODE_NAME")]
    pub(crate) node_name: Option<String>,
    #[command(flatten)]
    pub(crate) classes: ClassArgs,
    /// Where to accept BGP connections of any peer [default: port 179 of all addresses, and only while a peer is passive]
    #[arg(long, value_name = "ADDR:PORT", env = "RINGBOLT_BGP_LISTEN")]
    pub(crate) bgp_listen: Option<SocketAddr>,
    /// Read the speakers' shared keys from this file instead of the Secret ringbolt-speaker-key
    #[arg(long, value_name = "FILE", env = "RINGBOLT_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// What SIGTERM does: `auto` keeps routes with peers that negotiated graceful restart, `leave` withdraws from all
    #[arg(long, value_enum, default_value = "auto", env = "RINGBOLT_ON_TERM")]
    pub(crate) on_term: OnTerm,
    /// Address of /livez, /readyz, /metrics and /status
    #[arg(long, value_name = "ADDR:PORT", default_value = SPEAKER_HTTP, env = "RINGBOLT_HTTP", value_parser = parse_listen)]
    pub(crate) http: SocketAddr,
    /// Read everything once, print the problems, and exit
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

/// What a speaker does with its BGP routes when it is told to end (contract 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnTerm {
    Auto,
    Leave,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// What to show
    #[arg(value_enum, default_value = "services")]
    pub(crate) what: StatusTopic,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: StatusOutput,
    /// Show again whenever something changes, until interrupted
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusTopic {
    Services,
    Pools,
    Peers,
    Nodes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusOutput {
    Table,
    Wide,
    Json,
    Yaml,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// A directory of manifests, or one file; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: ValidateOutput,
}

#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// The Node
    pub(crate) node: String,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Drain it even if Services are announced by no other node
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UndrainArgs {
    /// The Node
    pub(crate) node: String,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Take the addresses from the Services, too, and delete the claims: without it, Services keep
    /// their addresses in status, and whoever is installed next can take them over
    #[arg(long)]
    pub(crate) release: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Work beside a controller that is still at work, which may take addresses away and put back
    /// what the command takes away
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ValidateOutput {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// An address to listen on. Manifests put an address before `:9641` that may be IPv6 and then has no
/// brackets; the port is the last part either way.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let bare = || {
        let (address, port) = text.rsplit_once(':')?;
        let address: Ipv6Addr = address.parse().ok()?;
        Some(SocketAddr::from((address, port.parse().ok()?)))
    };
    text.parse()
        .or_else(|error: AddrParseError| bare().ok_or_else(|| error.to_string()))
}

/// Commands of later versions, known by name.
const LATER: [&str; 3] = ["explain", "plan", "migrate"];

/// The one line for a command that does not exist: `NotImplemented` for one of a later version.
pub(crate) fn unknown_command(name: &str) -> String {
    if LATER.contains(&name) {
        format!(
            "NotImplemented: the command '{name}' is not in this version; README.md lists what is"
        )
    } else {
        format!("error: unrecognized subcommand '{name}'; see 'ringbolt --help'")
    }
}

/// clap's error as the one line we print: its first line, and where help is.
pub(crate) fn usage_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "ringbolt: error: a command is required; see 'ringbolt --help'".to_owned();
    }
    let text = error.to_string();
    // A list of missing arguments stands on the following, indented lines.
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("error: wrong usage").to_owned();
    let details: Vec<&str> = lines
        .take_while(|line| line.starts_with("  "))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let details = if details.is_empty() {
        String::new()
    } else {
        format!(" {}", details.join(" "))
    };
    format!("ringbolt: {first}{details}; see 'ringbolt --help'")
}

#[cfg(test)]
mod tests;
