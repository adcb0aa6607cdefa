//! Names that say nothing: a type called manager can be anything.
//!
//! Looks at files and at what is declared (types, modules, functions outside tests), not at fields or local
//! variables: those often mirror a name that somebody else chose.

use super::{Finding, Source};

const BANNED: &[&str] = &[
    "manager",
    "helper",
    "helpers",
    "util",
    "utils",
    "common",
    "handler",
    "processor",
    "data",
    "info",
    "balancer",
];

const KEYWORDS: &[&str] = &["struct", "enum", "trait", "mod", "fn", "type", "union"];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let path = source.path.as_str();
    let Some(stem) = path.strip_suffix(".rs") else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for part in stem.split('/') {
        if let Some(word) = banned(part) {
            findings.push(Finding::new(
                path,
                0,
                format!("`{word}` in a file's name says nothing"),
            ));
        }
    }
    let tests = stem.ends_with("/tests") || path.contains("/tests/");
    for (number, line) in (1..).zip(source.text.lines()) {
        let Some((keyword, name)) = declared(line) else {
            continue;
        };
        if keyword == "fn" && tests {
            continue;
        }
        if let Some(word) = banned(name) {
            findings.push(Finding::new(
                path,
                number,
                format!("`{name}`: `{word}` says nothing"),
            ));
        }
    }
    findings
}

/// The keyword and the name that a line declares.
fn declared(line: &str) -> Option<(&str, &str)> {
    let code = line.split("//").next().unwrap_or(line);
    let mut words = code.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if KEYWORDS.contains(&word) {
            let name = words.next()?;
            let end = name
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(name.len());
            return (end > 0).then(|| (word, &name[..end]));
        }
        let leads = ["const", "async", "unsafe", "extern", "\"C\""].contains(&word)
            || word.starts_with("pub");
        let in_visibility = word.ends_with(')');
        if !leads && !in_visibility {
            return None;
        }
    }
    None
}

/// The banned word among the segments of a name. `LoadBalancer` is the name of a Service type, not ours.
fn banned(name: &str) -> Option<&'static str> {
    let segments = segments(name);
    if segments.first().is_some_and(|first| first == "do") && segments.len() > 1 {
        return Some("do_");
    }
    let mut before = "";
    for segment in &segments {
        let hit = BANNED.iter().find(|word| *word == segment);
        match hit {
            Some(&"balancer") if before == "load" => {}
            Some(word) => return Some(word),
            None => {}
        }
        before = segment;
    }
    None
}

/// `PeerManager` and `peer_manager` alike: peer, manager.
fn segments(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut fresh = true;
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            fresh = true;
            continue;
        }
        if fresh || (c.is_uppercase() && lower_before) {
            out.push(String::new());
        }
        fresh = false;
        lower_before = c.is_lowercase();
        if let Some(last) = out.last_mut() {
            last.extend(c.to_lowercase());
        }
    }
    out
}

#[cfg(test)]
mod tests;
