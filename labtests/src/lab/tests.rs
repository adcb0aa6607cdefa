//! Names of namespaces, read back.

use super::owner;

#[test]
fn only_namespaces_of_labs_have_an_owner() {
    assert_eq!(owner("rb123-router"), Some(123));
    assert_eq!(owner("rb-router"), None);
    assert_eq!(owner("kube"), None);
}
