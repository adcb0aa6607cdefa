//! Wrong usage: exit code 2 and one line on standard error, whatever is wrong.

use crate::process::answer;

#[test]
fn wrong_flags_exit_2_with_one_line_that_names_them() {
    for (arguments, named) in [
        (&["speaker", "--no-such-flag"][..], "--no-such-flag"),
        (
            &["controller", "--manifests", "m", "--http", "nowhere"],
            "nowhere",
        ),
        (&["controller"], "--manifests"),
        (
            &["speaker", "--manifests", "m", "--node-name", "Not_A_Name"],
            "Not_A_Name",
        ),
        (
            &["controller", "--kubeconfig", "c", "--manifests", "m"],
            "--kubeconfig",
        ),
        (&["drain"], "<NODE>"),
        (&["drain", "Not_A_Name", "--manifests", "m"], "Not_A_Name"),
        (&["status", "everything"], "everything"),
        (&["validate"], "--filename"),
        (&["explain", "service", "default/web"], "NotImplemented"),
        (&["explian"], "explian"),
        (&[], "a command is required"),
    ] {
        let answer = answer(arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{arguments:?}");
        assert_eq!(
            answer.err.lines().count(),
            1,
            "{arguments:?}: {}",
            answer.err
        );
        assert!(answer.err.contains(named), "{arguments:?}: {}", answer.err);
    }
}

#[test]
fn help_and_version_are_answers() {
    for (arguments, part) in [
        (["--help"], "Exit codes"),
        (["--version"], env!("CARGO_PKG_VERSION")),
        (["crds"], "kind: CustomResourceDefinition"),
    ] {
        let answer = answer(&arguments);
        assert_eq!(
            (answer.code, answer.err.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        assert!(answer.out.contains(part), "{arguments:?}: {}", answer.out);
    }
}

#[test]
fn help_begins_with_what_the_command_is_for() {
    let help = answer(&["--help"]).out;
    let first = help.lines().next().unwrap_or_default();
    assert_eq!(
        first,
        "LoadBalancer addresses for Kubernetes Services, announced by BGP, ARP and NDP."
    );
}

#[test]
fn what_cannot_be_read_exits_1_and_is_named() {
    for arguments in [
        ["validate", "-f", "/no/such/place"],
        ["status", "--manifests", "/no/such/place"],
    ] {
        let answer = answer(&arguments);
        assert_eq!(answer.code, Some(1), "{arguments:?}: {}", answer.err);
        assert_eq!(
            answer.err.lines().count(),
            1,
            "{arguments:?}: {}",
            answer.err
        );
        assert!(
            answer.err.contains("/no/such/place"),
            "{arguments:?}: {}",
            answer.err
        );
    }
}
