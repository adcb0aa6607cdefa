//! What must not end a daemon, and what must be named: broken manifests, ports and directories.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;

use crate::fixture::{Manifests, free_port};
use crate::process::{Running, answer, get, wait_for_code, wait_for_page};

const ANY: &str = "127.0.0.1:0";

#[test]
fn a_broken_manifest_is_named_with_file_line_and_field_and_changes_nothing() {
    let directory = Manifests::examples(179);
    let place = directory.text();
    let mut controller = Running::daemon(&["controller", "--manifests", &place, "--http", ANY]);
    let watch = Running::printing(&["status", "--manifests", &place, "--watch"]);
    watch.wait("address", |lines| {
        lines
            .iter()
            .any(|line| line.contains("192.0.2.64"))
            .then_some(())
    });

    let broken = directory
        .read("service.yaml")
        .replace("port: 80,", "port: eighty,");
    directory.write("service.yaml", &broken);
    let line = 1 + broken
        .lines()
        .position(|line| line.contains("eighty"))
        .expect("it was written");
    let said = controller.wait("the problem", |lines| {
        lines
            .iter()
            .find(|line| line.contains("spec.ports[0].port"))
            .cloned()
    });
    let file = directory.path().join("service.yaml").display().to_string();
    assert!(said.contains(&format!("{file}:{line}:")), "{said}");

    let validated = answer(&["validate", "-f", &place]);
    assert_eq!(validated.code, Some(1), "{}", validated.out);
    let first = validated.out.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(&format!("error: {file}:{line}:")),
        "{first}"
    );
    assert!(
        first.contains("Service default/web: spec.ports[0].port: "),
        "{first}"
    );

    let status = answer(&["status", "--manifests", &place]);
    assert!(
        status.out.contains("192.0.2.64"),
        "the last good version stays: {}",
        status.out
    );
    assert!(controller.is_alive());
    wait_for_page(controller.http(), "/status", "spec.ports[0].port");
    assert_eq!(controller.terminate().code(), Some(0));
}

#[test]
fn a_busy_http_port_is_a_log_line_and_not_the_end() {
    let busy = TcpListener::bind(ANY).expect("loopback is there");
    let taken = busy.local_addr().expect("it is bound").to_string();
    let directory = Manifests::examples(179);
    let place = directory.text();
    let mut controller = Running::daemon(&["controller", "--manifests", &place, "--http", &taken]);
    controller.wait_for_message("cannot serve HTTP yet, retrying");
    controller.wait_for_message("this controller leads");
    assert!(controller.is_alive());
    drop(busy);
    assert_eq!(controller.http().to_string(), taken);
    assert_eq!(controller.terminate().code(), Some(0));
}

#[test]
fn a_speaker_that_was_killed_is_gone_whatever_it_wrote_last() {
    let directory = Manifests::examples(free_port());
    let place = directory.text();
    let arguments = ["speaker", "--manifests", &place, "--node-name", "node-1"];
    let run = || Running::daemon(&[&arguments[..], &["--http", ANY]].concat());
    let nodes = || Running::printing(&["status", "nodes", "--manifests", &place, "--watch"]);
    let (first, status) = (run(), nodes());
    let line = |lines: &[String], part: &str| {
        lines
            .iter()
            .any(|line| line.contains("node-1") && line.contains(part))
            .then_some(())
    };
    status.wait("speaker that announces", |lines| line(lines, "True"));
    let second = run();
    second.wait("DuplicateNodeName", |lines| {
        lines
            .iter()
            .any(|line| line.contains("DuplicateNodeName"))
            .then_some(())
    });
    // Dropping sends SIGKILL: nobody says goodbye.
    drop((first, second));
    status.wait("SpeakerGone", |lines| line(lines, "SpeakerGone"));
}

#[test]
fn a_directory_that_cannot_be_read_is_waited_for() {
    for daemon in [&["controller"][..], &["speaker", "--node-name", "node-1"]] {
        let parent = Manifests::empty();
        let (link, target) = (
            parent.path().join("manifests"),
            parent.path().join("mounted-later"),
        );
        symlink(&target, &link).expect("the directory is ours");
        let place = link.display().to_string();
        let mut waiting =
            Running::daemon(&[daemon, &["--manifests", &place, "--http", ANY]].concat());
        let said = waiting.wait("problem", |lines| {
            lines
                .iter()
                .find(|line| line.contains("DirectoryUnreadable"))
                .cloned()
        });
        assert!(said.contains(&place), "{said}");
        assert_eq!(get(waiting.http(), "/livez").0, 200);
        assert_eq!(get(waiting.http(), "/readyz").0, 503);
        assert!(waiting.is_alive());

        let examples = Manifests::examples(179);
        fs::rename(examples.path(), &target).expect("both are in the temporary directory");
        let proof = if daemon == ["controller"] {
            "192.0.2.64 of pool public"
        } else {
            "everything read, announcing"
        };
        waiting.wait(proof, |lines| {
            lines.iter().any(|line| line.contains(proof)).then_some(())
        });
        wait_for_code(waiting.http(), "/readyz", 200);
        assert_eq!(waiting.terminate().code(), Some(0));
    }
}
