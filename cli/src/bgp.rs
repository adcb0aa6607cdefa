//! `ringbolt bgp decode`: BGP messages as the speaker's own decoder understands them, from lines of
//! hexadecimal digits, from captured packets and from MRT dumps.
//!
//! Owns the reading of files and standard input, and which form they have. Everything below takes
//! bytes and gives a [`Report`]; nothing below opens anything.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};

use crate::bgp::capture::{Capture, pcap, pcapng};
use crate::bgp::flags::{BgpArgs, BgpCommand, DecodeArgs};
use crate::bgp::read::{ReadProblem, Source};
use crate::bgp::report::{Place, Report};
use crate::bgp::terms::Terms;
use crate::validate::Verdict;
use crate::{Refused, out};

mod capture;
mod decode;
pub(crate) mod flags;
mod hex;
mod mrt;
mod octets;
mod read;
mod reencode;
mod report;
#[cfg(test)]
mod samples;
mod show;
mod terms;

/// Octets of output that are gathered before they are written, where the input is a file.
const GATHERED: usize = 64 * 1024;
/// How compressed files start, and what unpacks them.
const COMPRESSED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "gzip; unpack it first, with zcat"),
    (b"BZh", "bzip2; unpack it first, with bzcat"),
    (
        &[0xfd, b'7', b'z', b'X', b'Z'],
        "xz; unpack it first, with xzcat",
    ),
    (
        &[0x28, 0xb5, 0x2f, 0xfd],
        "zstd; unpack it first, with zstdcat",
    ),
];

/// Decodes what the arguments name; bad as soon as anything does not decode.
pub(crate) fn run(args: &BgpArgs) -> Result<Verdict> {
    let BgpCommand::Decode(args) = &args.command;
    if args.add_path {
        let line = "NotImplemented: --add-path: the decoder does not know path identifiers (RFC 7911) in this version";
        return Err(Refused::Command {
            line: line.to_owned(),
        }
        .into());
    }
    let bad = inputs(args)?.contains(&Verdict::Bad);
    Ok(if bad { Verdict::Bad } else { Verdict::Good })
}

/// Each input's verdict; standard input where no file is named.
fn inputs(args: &DecodeArgs) -> Result<Vec<Verdict>> {
    if args.files.is_empty() {
        return Ok(vec![stdin(args)?]);
    }
    let one = |path: &Path| {
        if path == Path::new("-") {
            return stdin(args);
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        input(BufReader::new(file), &name, GATHERED, args)
    };
    args.files.iter().map(|path| one(path)).collect()
}

fn stdin(args: &DecodeArgs) -> Result<Verdict> {
    // Somebody may be watching a capture that goes on.
    input(io::stdin().lock(), "standard input", 0, args)
}

fn input(mut from: impl BufRead, name: &str, gather: usize, args: &DecodeArgs) -> Result<Verdict> {
    let mut output = Output::new(name, gather);
    let read = read_any(&mut from, &Terms::new(args), &mut output);
    output.flush();
    read.with_context(|| name.to_owned())?;
    Ok(output.verdict)
}

/// Finds out what the input is by its first octets, and reads it.
fn read_any(from: &mut impl BufRead, terms: &Terms, output: &mut Output<'_>) -> io::Result<()> {
    // A pipe may give less than that at once.
    let mut start = Vec::new();
    from.by_ref().take(START).read_to_end(&mut start)?;
    let form = Form::of(&start);
    let mut from = start.as_slice().chain(from);
    let mut source = Source::new(&mut from);
    let mut capture = Capture::new(*terms);
    let read = match form {
        Form::Compressed(what) => {
            let mut report = Report::default();
            report.trouble(&Place::Offset { offset: 0 }, None, &what);
            output.write(report);
            Ok(())
        }
        Form::Pcap => pcap::read(&mut source, &mut capture, &mut |report| {
            output.gather(report);
        }),
        Form::PcapNg => pcapng::read(&mut source, &mut capture, &mut |report| {
            output.gather(report);
        }),
        Form::Mrt => mrt::read(&mut source, terms, &mut |report| output.gather(report)),
        Form::Lines => return hex_lines(&mut from, terms, output),
    };
    let mut report = Report::default();
    capture.finish(&mut report);
    let offset = source.offset();
    match read {
        Ok(()) => {}
        Err(ReadProblem::Io(error)) => return Err(error),
        Err(problem) => report.trouble(&Place::Offset { offset }, None, &problem),
    }
    output.gather(report);
    Ok(())
}

/// Octets that tell what an input is.
const START: u64 = 8;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Pcap,
    PcapNg,
    Mrt,
    Compressed(&'static str),
}

impl Form {
    fn of(start: &[u8]) -> Self {
        let compressed = COMPRESSED
            .iter()
            .find(|(magic, _)| start.starts_with(magic));
        match compressed {
            Some((_, what)) => Self::Compressed(what),
            None if pcap::recognises(start) => Self::Pcap,
            None if pcapng::recognises(start) => Self::PcapNg,
            None if mrt::recognises(start) => Self::Mrt,
            None => Self::Lines,
        }
    }
}

/// Every line is answered before the next is read: a program may ask line by line.
fn hex_lines(from: &mut impl BufRead, terms: &Terms, output: &mut Output<'_>) -> io::Result<()> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        // One more than fits, so that a line that is too long is seen to be.
        let limit = u64::try_from(hex::LINE_MAX + 1).unwrap_or(u64::MAX);
        if from.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number += 1;
        if line.len() > hex::LINE_MAX && line.last() != Some(&b'\n') {
            from.skip_until(b'\n')?;
        }
        let mut report = Report::default();
        hex::line(number, &line, terms, &mut report);
        output.write(report);
    }
}

/// Where reports go, and what they amount to.
struct Output<'a> {
    name: &'a str,
    verdict: Verdict,
    gathered: String,
    /// Octets that are written together at least.
    gather: usize,
}

impl<'a> Output<'a> {
    const fn new(name: &'a str, gather: usize) -> Self {
        Self {
            name,
            verdict: Verdict::Good,
            gathered: String::new(),
            gather,
        }
    }

    /// Writes the report at once.
    fn write(&mut self, report: Report) {
        self.gather(report);
        self.flush();
    }

    /// Writes the report with others.
    fn gather(&mut self, report: Report) {
        self.gathered.push_str(&report.lines);
        if self.gathered.len() >= self.gather {
            self.flush();
        }
        for complaint in report.complaints {
            self.verdict = Verdict::Bad;
            out::complain(&format!("ringbolt: {}: {complaint}", self.name));
        }
    }

    fn flush(&mut self) {
        if !self.gathered.is_empty() {
            out::text(&self.gathered);
            self.gathered.clear();
        }
    }
}
