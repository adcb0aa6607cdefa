//! Rules about the lines of a file: its length, its opening, its markers, where `unsafe` may stand.

use super::{Finding, Source};

const LINES_MAX: usize = 500;

/// The only files that may talk to the kernel without the compiler's protection.
const UNSAFE_FILES: &[&str] = &[
    "bgp/net/src/sockopt.rs",
    "l2/net/src/socket.rs",
    "labtests/src/netns.rs",
];

/// Parts of paths that exist on one machine only. Written in two halves, so that this file passes itself.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/", "rb"),
];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = source.path.as_str();
    if path.ends_with(".rs") {
        findings.extend(rust_file(source));
    }
    let generated = path == "Cargo.lock" || path == "LICENSE";
    for (number, line) in (1..).zip(source.text.lines()).filter(|_| !generated) {
        for marker in [concat!("TO", "DO"), concat!("FIX", "ME")] {
            if has_word(line, marker) {
                findings.push(Finding::new(
                    path,
                    number,
                    format!("{marker}: finish it, or file an issue"),
                ));
            }
        }
        // Addresses of the network (`https://example.org/home/…`) are not paths of a machine, and a test may
        // need an example: it says so by a person called ann.
        let machine = MACHINE_PATHS.iter().find(|part| {
            line.match_indices(**part)
                .any(|(at, _)| starts_a_path(line, at) && !line[at..].starts_with(ANN))
        });
        if let Some(part) = machine {
            findings.push(Finding::new(
                path,
                number,
                format!("a path of one machine: {part}…"),
            ));
        }
    }
    findings
}

const ANN: &str = concat!("/ho", "me/ann");

fn rust_file(source: &Source) -> Vec<Finding> {
    let path = source.path.as_str();
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        findings.push(Finding::new(
            path,
            0,
            format!("{lines} lines; {LINES_MAX} is the limit, split it"),
        ));
    }
    if !source.text.starts_with("//!") {
        findings.push(Finding::new(
            path,
            1,
            "a file opens with `//!`: what it owns, what it refuses to know",
        ));
    }
    if path.ends_with("/mod.rs") {
        findings.push(Finding::new(path, 0, "foo.rs beside foo/, never mod.rs"));
    }
    if !UNSAFE_FILES.contains(&path) {
        for (number, line) in (1..).zip(source.text.lines()) {
            let code = line.split("//").next().unwrap_or(line);
            let uses = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
            if uses
                .iter()
                .any(|form| code.contains(form) && !code.contains('"'))
            {
                findings.push(Finding::new(
                    path,
                    number,
                    "`unsafe` outside the files that may have it",
                ));
            }
        }
    }
    findings
}

/// Whether `word` stands in `line` as a word of its own.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && !joins(after)
    })
}

/// Whether the slash at `at` is the first of its path.
fn starts_a_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    before.is_none_or(|c| !(c.is_alphanumeric() || "-_.~/})".contains(c)))
}

#[cfg(test)]
mod tests;
