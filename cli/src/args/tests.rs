//! What the flags accept, and that every mistake is one line.

use clap::CommandFactory;

use super::*;

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_daemon_flag_has_an_environment_variable() {
    for daemon in ["controller", "speaker"] {
        let command = Cli::command();
        let daemon = command.find_subcommand(daemon).expect("the daemons exist");
        for flag in daemon
            .get_arguments()
            .filter(|flag| !matches!(flag.get_id().as_str(), "check" | "help" | "version"))
        {
            let variable = flag.get_env().and_then(|name| name.to_str());
            assert!(
                variable.is_some_and(|name| name.starts_with("RINGBOLT_")),
                "--{} has {variable:?}",
                flag.get_id()
            );
        }
    }
}

#[test]
fn a_mistake_is_told_in_one_line_that_names_it() {
    for (line, named) in [
        (
            &["ringbolt", "speaker", "--nodename", "a"][..],
            "--nodename",
        ),
        (&["ringbolt", "speaker", "--http", "nowhere"][..], "nowhere"),
        (&["ringbolt", "validate"][..], "--filename"),
        (
            &["ringbolt", "controller", "--log-level", "in=fo=x"][..],
            "--log-level",
        ),
        (
            &[
                "ringbolt",
                "controller",
                "--manifests",
                "a",
                "--kubeconfig",
                "b",
            ][..],
            "--kubeconfig",
        ),
    ] {
        let error = Cli::try_parse_from(line).expect_err("the line is wrong");
        let told = usage_line(&error);
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains(named), "{named} is not in: {told}");
    }
}

#[test]
fn a_command_of_a_later_version_is_refused_by_name() {
    assert!(unknown_command("explain").contains("NotImplemented"));
    assert!(!unknown_command("explian").contains("NotImplemented"));
}

#[test]
fn the_default_provider_can_be_switched_off() {
    let cli = Cli::try_parse_from(["ringbolt", "controller", "--default-provider=false"]).unwrap();
    assert!(matches!(
        cli.command,
        Command::Controller(ControllerArgs {
            classes: ClassArgs {
                default_provider: false,
                ..
            },
            ..
        })
    ));
}

#[test]
fn an_address_to_listen_on_may_be_ipv6_without_brackets() {
    for (text, address) in [
        ("192.0.2.1:9641", "192.0.2.1:9641"),
        ("[fd00::1]:9641", "[fd00::1]:9641"),
        ("fd00::1:9641", "[fd00::1]:9641"),
    ] {
        assert_eq!(parse_listen(text), Ok(address.parse().unwrap()), "{text}");
    }
    assert!(parse_listen("fd00::1:99999").is_err());
    assert!(parse_listen("nowhere:1").is_err());
}
