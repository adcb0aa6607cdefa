//! Each rule bites, and bites nothing else.

use super::{Source, check};

fn rules(path: &str, text: &str) -> Vec<String> {
    let source = Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    check(&source)
        .into_iter()
        .map(|finding| finding.to_string())
        .collect()
}

#[test]
fn a_long_file_is_found() {
    let long = format!("//! x\n{}", "fn f() {}\n".repeat(500));
    assert_eq!(
        rules("a.rs", &long),
        ["a.rs: 501 lines; 500 is the limit, split it"]
    );
    let fits = format!("//! x\n{}", "fn f() {}\n".repeat(499));
    assert!(rules("a.rs", &fits).is_empty());
}

#[test]
fn a_file_without_an_opening_is_found() {
    assert_eq!(rules("a.rs", "fn f() {}\n").len(), 1);
    assert!(rules("a.md", "anything\n").is_empty());
}

#[test]
fn unfinished_work_is_found() {
    let line = concat!("//! x\n// TO", "DO: later\n");
    assert_eq!(rules("a.rs", line).len(), 1);
    assert!(rules("a.md", concat!("a TO", "DOS prompt\n")).is_empty());
}

#[test]
fn a_path_of_one_machine_is_found_and_an_address_is_not() {
    assert_eq!(rules("a.md", concat!("see /wo", "rk/x\n")).len(), 1);
    assert_eq!(rules("a.md", concat!("\"/ho", "me/bob/x\"\n")).len(), 1);
    assert!(rules("a.md", concat!("https://example.org/ho", "me/x\n")).is_empty());
    assert!(rules("a.md", concat!("/ho", "me/ann/x\n")).is_empty());
}

#[test]
fn unsafe_is_found_outside_its_files_only() {
    let text = concat!("//! x\nfn f() { uns", "afe { g() } }\n");
    assert_eq!(rules("speaker/src/a.rs", text).len(), 1);
    assert!(rules("labtests/src/netns.rs", text).is_empty());
    assert!(rules("a.rs", concat!("//! x\n// uns", "afe { is bad }\n")).is_empty());
}

#[test]
fn mod_rs_is_found() {
    assert_eq!(rules("a/src/b/mod.rs", "//! x\n").len(), 1);
}
