//! Names and flags of images, and that Containerfile and manifests agree with what is written.

use std::fs;

use super::oci::{PROGRAM, USER};
use super::*;

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

#[test]
fn a_name_becomes_what_nodes_look_for() {
    for (name, full) in [
        ("ringbolt:1", "docker.io/library/ringbolt:1"),
        ("ann/ringbolt:1", "docker.io/ann/ringbolt:1"),
        ("localhost/ringbolt:1", "localhost/ringbolt:1"),
        (
            "registry.example:5000/net/ringbolt:1",
            "registry.example:5000/net/ringbolt:1",
        ),
    ] {
        assert_eq!(About::of("1", Some(name)).unwrap().full_name(), full);
    }
    for name in ["ringbolt", "registry.example:5000/ringbolt", "ringbolt:"] {
        assert!(About::of("1", Some(name)).is_err(), "{name}");
    }
}

#[test]
fn the_same_program_makes_the_same_image() {
    let about = About::of("1", None).unwrap();
    assert_eq!(
        oci::image(b"one", &about).unwrap(),
        oci::image(b"one", &about).unwrap()
    );
}

#[test]
fn unknown_flags_and_missing_values_are_refused() {
    for args in [&["--push"][..], &["--name"], &["x"]] {
        assert!(
            matches!(Flags::parse(&strings(args)), Err(Failure::Refused(_))),
            "{args:?}"
        );
    }
    let flags = Flags::parse(&strings(&["--dev", "--name", "a:1", "--out", "f"])).unwrap();
    assert_eq!(
        (flags.build, flags.name.as_deref()),
        (Build::Dev, Some("a:1"))
    );
}

#[test]
fn the_containerfile_makes_the_same_image_and_manifests_name_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("Containerfile")).unwrap();
    for line in [
        format!("USER {USER}"),
        format!("ENTRYPOINT [\"/{PROGRAM}\"]"),
        "FROM scratch".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    assert!(text.contains("target-feature=+crt-static"));
    let name = concat!("image: ringbolt:", env!("CARGO_PKG_VERSION"));
    for file in ["controller.yaml", "speaker.yaml"] {
        let text = fs::read_to_string(root.join("manifests/base").join(file)).unwrap();
        assert!(text.contains(name), "{file} does not say {name}");
    }
    let chart = fs::read_to_string(root.join("manifests/chart/ringbolt/Chart.yaml")).unwrap();
    let version = concat!("appVersion: ", env!("CARGO_PKG_VERSION"));
    assert!(chart.lines().any(|line| line == version), "{version}");
}
