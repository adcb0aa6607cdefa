//! `ringbolt bgp decode`: BGP messages as the speaker's own decoder understands them, from lines of
//! hexadecimal digits.
//!
//! Owns the reading of files and standard input, and which form they have. Everything below takes
//! bytes and gives a [`Report`]; nothing below opens anything.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};

use crate::bgp::flags::{BgpArgs, BgpCommand, DecodeArgs};
use crate::bgp::report::Report;
use crate::bgp::terms::Terms;
use crate::validate::Verdict;
use crate::{Refused, out};

mod decode;
pub(crate) mod flags;
mod hex;
mod reencode;
mod report;
mod show;
mod terms;

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
    let mut verdict = Verdict::Good;
    for judged in inputs(args)? {
        if judged == Verdict::Bad {
            verdict = Verdict::Bad;
        }
    }
    Ok(verdict)
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
        input(BufReader::new(file), &name, args)
    };
    args.files.iter().map(|path| one(path)).collect()
}

fn stdin(args: &DecodeArgs) -> Result<Verdict> {
    input(io::stdin().lock(), "standard input", args)
}

fn input(mut from: impl BufRead, name: &str, args: &DecodeArgs) -> Result<Verdict> {
    let mut output = Output {
        name,
        verdict: Verdict::Good,
    };
    let terms = Terms::new(args);
    hex_lines(&mut from, &terms, &mut output).with_context(|| name.to_owned())?;
    Ok(output.verdict)
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
}

impl Output<'_> {
    fn write(&mut self, report: Report) {
        if !report.lines.is_empty() {
            out::text(&report.lines);
        }
        for complaint in report.complaints {
            self.verdict = Verdict::Bad;
            out::complain(&format!("ringbolt: {}: {complaint}", self.name));
        }
    }
}
