//! Where log lines go and how they look. Owns the subscriber; knows nothing of what is logged.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line for people, coloured on a terminal unless `NO_COLOR` is set.
    Text,
    /// One JSON object per line for programs.
    Json,
}

/// The logging flags of both daemons.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Form of the log lines on standard error
    #[arg(long, value_enum, default_value = "text", env = "RINGBOLT_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Least level to log: error, warn, info, debug, trace; or per crate, as in `info,ringbolt_bgp=debug`
    #[arg(long, default_value = "info", env = "RINGBOLT_LOG_LEVEL", value_parser = parse_level)]
    pub(crate) log_level: String,
}

/// Refuses a filter that the subscriber would not understand, while a flag can still be blamed for it.
fn parse_level(text: &str) -> Result<String, String> {
    EnvFilter::builder()
        .parse(text)
        .map(|_filter| text.to_owned())
        .map_err(|error| error.to_string())
}

/// Installs the subscriber of this process. Called once, before anything is logged.
pub(crate) fn install(args: &LogArgs) {
    let filter = EnvFilter::builder().parse_lossy(&args.log_level);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            subscriber.with_ansi(colour).init();
        }
    }
}
