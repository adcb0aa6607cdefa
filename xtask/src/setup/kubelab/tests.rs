//! Which program is taken from where, and which Go is good enough.

use std::path::{Path, PathBuf};

use super::{given, go, variable};

#[test]
fn a_variable_goes_before_a_folder_and_a_folder_counts_for_what_it_holds() {
    let folder = Path::new("/usr/bin");
    let named = |text: &str| Some(text.into());
    assert_eq!(
        given("env", named("/a/env"), Some(folder)),
        Some(PathBuf::from("/a/env"))
    );
    assert_eq!(
        given("env", named(""), Some(folder)),
        Some(folder.join("env"))
    );
    assert_eq!(given("kube-proxy-of-nobody", None, Some(folder)), None);
    assert_eq!(given("env", None, None), None);
}

#[test]
fn programs_are_named_by_the_variables_of_the_kubernetes_project() {
    assert_eq!(variable("kube-apiserver"), "TEST_ASSET_KUBE_APISERVER");
    assert_eq!(variable("etcd"), "TEST_ASSET_ETCD");
}

#[test]
fn the_version_of_go_is_read_from_what_it_prints() {
    assert_eq!(go::parse("go1.26.8"), Some((1, 26)));
    assert_eq!(go::parse("go1.19"), Some((1, 19)));
    assert_eq!(go::parse("go1.27rc1"), Some((1, 27)));
    assert_eq!(go::parse("devel +a1b2"), None);
}
