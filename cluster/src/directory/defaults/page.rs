//! The table as a page for people.

use std::fmt::Write;

use super::TABLE;

const HEAD: &str = "\
# Standalone: defaults and validation

A directory of manifests has no API server. What one would fill in or refuse, Ringbolt does by this
table, for the fields it reads. An object that is refused keeps its last good version; the problem is
logged once and shown by `ringbolt status` and `ringbolt validate` with file, line, column and field.
Ringbolt's own kinds are held against the schemas of their CRDs besides. This page is printed from the table in
`cluster/src/directory/defaults.rs`.

| kind | field | rule |
|---|---|---|
";

/// The reference page `docs/reference/standalone-defaults.md`, in Markdown.
pub fn standalone_defaults() -> String {
    let mut page = HEAD.to_owned();
    for row in TABLE {
        let kind = row.kind.map_or("every kind", |kind| kind.as_str());
        writeln!(page, "| {kind} | `{}` | {} |", row.field, row.rule)
            .expect("writing to a text does not fail");
    }
    page
}
