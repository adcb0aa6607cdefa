//! The flags of `ringbolt bgp`. Owns their help; what they mean for the decoder is decided in
//! `terms`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What `--help` shows below the flags.
const EXAMPLES: &str = "\
Examples:
  echo ffffffffffffffffffffffffffffffff001304 | ringbolt bgp decode
  ringbolt bgp decode --reencode messages.hex
  tcpdump -i eth0 -U -w - tcp port 179 | ringbolt bgp decode
  zcat rib.20260101.gz | ringbolt bgp decode

What the input is, its first octets tell. Compressed files are refused; unpack them into a pipe.

A line of hexadecimal digits holds one message or several, each with its header; blanks and \
colons between digits are skipped, `#` starts a comment, and an empty line is none. Every line \
stands for itself: an OPEN changes nothing for the lines after it. Families, IPv6 next hops for \
IPv4 prefixes and enhanced route refresh count as negotiated.

A capture (pcap or pcapng; Ethernet, raw IP, loopback, Linux cooked) is put in order connection \
by connection, and OPENs seen in it decide how the rest is read. Without them it is read as \
lines are. A connection that the capture joins late is read from its next message on; octets \
that the capture lacks are told as such.

Of MRT dumps, received messages (BGP4MP, with _AS4, _LOCAL and _ET) and unicast tables \
(TABLE_DUMP_V2) are read; an entry of a table becomes the UPDATE that says the same. A record \
knows its AS numbers' width, and a received one its two ASes. State changes are skipped; records \
with path identifiers and those of other tables and protocols are refused by name.

Output is one line of JSON per message. `reaction` is the strongest of accept, discard, withdraw \
and reset; `faults` says what led to it. With reset, `notification` is what the peer would be \
sent.

Exit codes: 0 everything decodes (a message with reaction withdraw does); 1 something does not: \
its reaction is reset, it is cut off, or it is no message; or --reencode found a difference; 2 \
wrong usage, or a flag that is refused.";

#[derive(Debug, Args)]
pub(crate) struct BgpArgs {
    #[command(subcommand)]
    pub(crate) command: BgpCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BgpCommand {
    /// Show BGP messages as JSON, with their faults and what a speaker would do about them
    Decode(DecodeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DecodeArgs {
    /// Files to read, `-` for standard input [default: standard input]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What the sender is to the receiver [default: what the input says, else ebgp]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) peer: Option<PeerKind>,
    /// AS numbers in AS_PATH and AGGREGATOR take two octets
    #[arg(long)]
    pub(crate) as2: bool,
    /// Prefixes carry path identifiers; refused in this version
    #[arg(long)]
    pub(crate) add_path: bool,
    /// Messages may be longer than 4,096 octets (RFC 8654)
    #[arg(long)]
    pub(crate) extended_message: bool,
    /// Encode each message again and decode that: a difference is named, and exits 1
    #[arg(long)]
    pub(crate) reencode: bool,
}

/// Which side of an AS border the sender is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerKind {
    Ebgp,
    Ibgp,
}
