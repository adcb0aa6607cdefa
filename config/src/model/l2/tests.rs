//! Globs, interfaces and preferences.

use proptest::prelude::*;

use super::*;

#[test]
fn globs_match_runs_and_single_characters() {
    for (pattern, name, matches) in [
        ("eth0", "eth0", true),
        ("eth0", "eth01", false),
        ("eth*", "eth0", true),
        ("eth*", "eth", true),
        ("eth?", "eth", false),
        ("*", "", true),
        ("e*0*1", "eth0.1", true),
        ("e*0*1", "eth0.10", false),
        ("*.100", "bond0.100", true),
        ("[eth]", "e", false),
        ("**a**", "bab", true),
        ("", "", true),
        ("", "a", false),
    ] {
        assert_eq!(
            Glob::new(pattern).matches(name),
            matches,
            "{pattern} {name}"
        );
    }
}

#[test]
fn names_and_patterns_unite() {
    let scope = InterfaceScope::Named {
        names: BTreeSet::from(["eth0".into()]),
        patterns: vec![Glob::new("bond*")],
    };
    assert!(scope.covers("eth0") && scope.covers("bond1") && !scope.covers("eth1"));
    assert!(InterfaceScope::Any.covers("eth1"));
}

proptest! {
    #[test]
    fn globs_agree_with_a_naive_matcher(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
        prop_assert_eq!(
            Glob::new(&pattern).matches(&name),
            naive(pattern.as_bytes(), name.as_bytes())
        );
    }
}

fn naive(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, _) => name.is_empty(),
        (Some((b'*', rest)), None) => naive(rest, name),
        (Some((b'*', rest)), Some((_, tail))) => naive(rest, name) || naive(pattern, tail),
        (Some(_), None) => false,
        (Some((c, rest)), Some((d, tail))) => (*c == b'?' || c == d) && naive(rest, tail),
    }
}
