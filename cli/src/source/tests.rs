//! Flags made into a source.

use super::*;

fn args() -> SourceArgs {
    SourceArgs::default()
}

#[test]
fn a_directory_is_a_source() {
    let args = SourceArgs {
        manifests: Some("/etc/ringbolt".into()),
        ..args()
    };
    let source = Source::new(args, Role::Speaker).unwrap();
    assert_eq!(source.to_string(), "directory /etc/ringbolt");
    assert_eq!(
        source.state_folder().as_deref(),
        Some(Path::new("/etc/ringbolt/.ringbolt"))
    );
}

#[test]
fn a_kubeconfig_is_a_source_that_names_its_context() {
    let args = SourceArgs {
        kubeconfig: Some("/tmp/kc".into()),
        context: Some("lab".to_owned()),
        ..args()
    };
    let source = Source::new(args, Role::Controller).unwrap();
    assert_eq!(source.to_string(), "Kubernetes, /tmp/kc, context lab");
    assert_eq!(source.state_folder(), None);
}

#[test]
fn who_only_looks_keeps_no_view_and_sees_every_node() {
    let args = SourceArgs {
        kubeconfig: Some("/tmp/kc".into()),
        state_dir: Some("/var/lib/ringbolt".into()),
        ..args()
    };
    let node = "n1".parse().unwrap();
    let speaker = Source::new(args, Role::Speaker).unwrap().of_node(&node);
    let Source::Kubernetes(options) = speaker.for_reader() else {
        panic!("it stays what it is");
    };
    assert_eq!(
        (options.role, options.node, options.snapshot),
        (Role::Reader, None, None)
    );
}
