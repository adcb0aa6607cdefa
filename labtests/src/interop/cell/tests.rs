//! The page that shows the matrix, and what is written down for it.

use std::fmt::Write;

use super::{Bar, Cell, LIMITS, OURS};
use crate::interop::Kind;

const PAGE: &str = include_str!("../../../../docs/reference/interoperation.md");

/// The table of the page: a mark in every cell, and the limits in words below.
fn rendered() -> String {
    let mut text = String::from("| |");
    for kind in Kind::ALL {
        let _ = write!(text, " {} |", kind.name());
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(Kind::ALL.len()));
    for cell in Cell::ALL {
        let _ = write!(text, "\n| {} |", cell.title());
        for kind in Kind::ALL {
            text.push_str(match cell.bar(*kind) {
                None => " yes |",
                Some(Bar::Theirs(_)) => " its limit |",
                Some(Bar::Ours) => " not served |",
            });
        }
    }
    text.push('\n');
    for (kind, cell, words) in LIMITS {
        let _ = write!(text, "\n- {}, {}: {words}.", kind.name(), cell.title());
    }
    text.push('\n');
    text
}

#[test]
fn the_page_shows_what_the_matrix_looks_at() {
    let table = rendered();
    assert!(PAGE.contains(&table), "the page should have:\n{table}");
}

#[test]
fn no_limit_is_told_twice_or_of_something_that_is_ours() {
    for (index, (kind, cell, _)) in LIMITS.iter().enumerate() {
        assert!(!OURS.contains(cell), "{cell:?}");
        let again = LIMITS[index + 1..]
            .iter()
            .any(|(k, c, _)| k == kind && c == cell);
        assert!(!again, "{kind:?} {cell:?}");
    }
}
