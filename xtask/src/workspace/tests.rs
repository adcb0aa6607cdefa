//! What cargo prints, read.

use serde_json::json;

use super::{artifact, package_name};

#[test]
fn a_package_id_gives_its_name_in_both_spellings() {
    assert_eq!(
        package_name("path+file:///src/cli#ringbolt@0.1.0"),
        "ringbolt"
    );
    assert_eq!(package_name("path+file:///src/xtask#0.1.0"), "xtask");
}

#[test]
fn only_artifacts_with_a_program_are_programs() {
    let library = json!({"reason": "compiler-artifact", "executable": null, "manifest_path": "/src/a/Cargo.toml",
        "package_id": "path+file:///src/a#0.1.0", "target": {"name": "a"}});
    assert!(artifact(&library).is_none());
    let mut program = library;
    program["executable"] = json!("/out/a");
    let found = artifact(&program).expect("a program");
    assert_eq!((found.package.as_str(), found.target.as_str()), ("a", "a"));
    assert_eq!(found.folder.to_str(), Some("/src/a"));
    program["reason"] = json!("build-script-executed");
    assert!(artifact(&program).is_none());
}
