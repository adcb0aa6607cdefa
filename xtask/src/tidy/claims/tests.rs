//! A claim without its test is found.

use super::{Source, check, named_tests};

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

const CODE: &str = "#[test]\nfn a_short_open_is_refused() {}\n\nfn not_a_test() {}\n";

#[test]
fn a_claim_needs_a_test_and_not_just_a_function() {
    let claim = |name: &str| {
        let row = format!("| RFC 4271 6.1 | wire | `wire::tests::{name}` |\n");
        check(&[source("docs/rfc.md", &row), source("a.rs", CODE)]).len()
    };
    assert_eq!(claim("a_short_open_is_refused"), 0);
    assert_eq!(claim("not_a_test"), 1);
    assert_eq!(claim("gone_with_the_wind"), 1);
}

#[test]
fn only_the_last_cell_names_tests() {
    assert_eq!(named_tests("| `a_b` | `c_d`, `e::f_g` |"), ["c_d", "f_g"]);
    assert!(named_tests("text with `a_b`").is_empty());
    assert!(named_tests("|---|---|").is_empty());
}
