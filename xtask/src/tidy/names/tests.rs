//! Which names are found, and which only look like it.

use super::{Source, banned, check, declared};

#[test]
fn banned_words_are_found_in_either_case() {
    assert_eq!(banned("PeerManager"), Some("manager"));
    assert_eq!(banned("read_data"), Some("data"));
    assert_eq!(banned("do_it"), Some("do_"));
}

#[test]
fn words_that_only_contain_a_banned_one_are_left_alone() {
    for name in [
        "database",
        "Information",
        "do",
        "domain",
        "LoadBalancer",
        "is_load_balancer",
        "metadata",
    ] {
        assert_eq!(banned(name), None, "{name}");
    }
}

#[test]
fn a_declaration_is_seen_behind_its_visibility() {
    assert_eq!(
        declared("    pub(crate) struct Peer {"),
        Some(("struct", "Peer"))
    );
    assert_eq!(
        declared("pub(in crate::a) async fn run<T>("),
        Some(("fn", "run"))
    );
    assert_eq!(declared("pub async fn run<T>("), Some(("fn", "run")));
    assert_eq!(declared("    let enum_like = 3;"), None);
    assert_eq!(declared("// struct Peer"), None);
}

#[test]
fn files_types_and_functions_are_checked_and_test_names_are_not() {
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(check(&source("a/src/utils.rs", "")).len(), 1);
    assert_eq!(
        check(&source(
            "a/src/b.rs",
            "struct RouteInfo;\nfn handler() {}\n"
        ))
        .len(),
        2
    );
    assert!(
        check(&source(
            "a/src/b/tests.rs",
            "fn a_message_keeps_its_data() {}\n"
        ))
        .is_empty()
    );
}
