//! Pages that claim something of a protocol name the test that shows it: every test they name must exist.

use std::collections::BTreeSet;

use super::{Finding, Source};

const PAGES: [&str; 2] = ["docs/rfc.md", "docs/reference/bgp-malformed.md"];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let tests = test_names(sources);
    let pages = sources
        .iter()
        .filter(|source| PAGES.contains(&source.path.as_str()));
    pages.flat_map(|page| unknown_tests(page, &tests)).collect()
}

fn unknown_tests(page: &Source, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(page.text.lines()) {
        for name in named_tests(line)
            .into_iter()
            .filter(|name| !tests.contains(name))
        {
            let message = format!("no test is called `{name}`");
            findings.push(Finding::new(page.path.as_str(), number, message));
        }
    }
    findings
}

/// Functions directly under `#[test]`, and those inside `proptest!` that look the same.
fn test_names(sources: &[Source]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        let mut under_test = false;
        for line in source.text.lines().map(str::trim) {
            if line.starts_with("#[") {
                under_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                continue;
            }
            let code = line.strip_prefix("async ").unwrap_or(line);
            if let Some(rest) = code.strip_prefix("fn ").filter(|_| under_test) {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                names.insert(&rest[..end]);
            }
            under_test &= line.is_empty() || line.starts_with("//");
        }
    }
    names
}

/// The tests a table row names: words in backticks in its last cell, without the path before them.
fn named_tests(line: &str) -> Vec<&str> {
    let Some(row) = line.trim().strip_prefix('|') else {
        return Vec::new();
    };
    let last = row
        .trim_end_matches('|')
        .rsplit('|')
        .next()
        .unwrap_or_default();
    let quoted = last.split('`').skip(1).step_by(2);
    quoted
        .map(|text| text.rsplit("::").next().unwrap_or(text))
        .filter(|text| text.contains('_') && text.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .collect()
}

#[cfg(test)]
mod tests;
