//! Where labs can run, by who calls and what the kernel allows.

use std::path::Path;

use super::Ground;
use crate::caller::Standing;

fn line(ground: &Ground) -> Vec<String> {
    let command = ground.command(Path::new("/x/labtests"), ["demo", "--seed", "1"]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn root_runs_a_lab_as_it_is() {
    let wanted = ["/x/labtests", "demo", "--seed", "1"];
    assert_eq!(line(&Ground::Root), wanted);
    assert_eq!(Ground::Root.explain(Standing::Root), None);
}

#[test]
fn a_user_runs_it_as_root_of_a_namespace_that_ends_with_it() {
    let words = line(&Ground::UserNamespace);
    assert_eq!(words[0], "unshare");
    assert!(words.contains(&"--kill-child".to_owned()), "{words:?}");
    assert_eq!(
        words[words.len() - 4..],
        ["/x/labtests", "demo", "--seed", "1"]
    );
}

#[test]
fn whoever_gets_loopback_is_told_why() {
    let ground = Ground::Loopback("unshare: Operation not permitted".to_owned());
    let told = ground.explain(Standing::Ordinary).unwrap_or_default();
    assert!(told.contains("Operation not permitted"), "{told}");
    let told = ground.explain(Standing::RootByName).unwrap_or_default();
    assert!(told.contains("CAP_NET_ADMIN"), "{told}");
}
