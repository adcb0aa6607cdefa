//! What tests of several forms of input are made of: the terms of a command line, and framed messages.

use clap::Parser;

use super::flags::{BgpArgs, BgpCommand};
use super::terms::Terms;
use crate::args::{Cli, Command};

/// Those of `ringbolt bgp decode --reencode`.
pub(super) fn terms() -> Terms {
    let cli = Cli::try_parse_from(["ringbolt", "bgp", "decode", "--reencode"]).unwrap();
    let Command::Bgp(BgpArgs {
        command: BgpCommand::Decode(args),
    }) = cli.command
    else {
        panic!("the line is another command");
    };
    Terms::new(&args)
}

/// A message with its header (RFC 4271 §4.1).
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(body.len() + 19).unwrap().to_be_bytes());
    message.push(kind);
    message.extend(body);
    message
}
